"""Exec: hand the change to a program of the operator, JSON in, JSON out. The contract is docs/backends/exec.md.

The program is not trusted to be right: its words are bounded in size and time, checked, and what it says it did is read back.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput, PublishError, PublishTemporary
from tlsa_manager.option import Option, patience
from tlsa_manager.publish import Ticket, conflict
from tlsa_manager.snapshot import Held
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.option import Settings
    from tlsa_manager.publish import Change, Text
    from tlsa_manager.publish.child import Ended
    from tlsa_manager.tlsa import RRset

SCHEMA = 1
TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h
MISCONFIGURED = 78  # EX_CONFIG
UNKNOWN_VERB = 64  # EX_USAGE
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LARGEST_TTL = 2**31 - 1  # RFC 2181 §8
_OTHER_WAY = (
    "dns-01 needs TXT records: docs/backends/exec.md says what `text` asks of the program;"
    ' or have the names proven without DNS: challenge = "http-01" in the section of the issuer'
)

OPTIONS = (
    Option(
        "command", "argv", "the program and its arguments; `read`, `change` or `text` is added as the last one",
        required=True, example=("/usr/local/lib/tlsa-manager/my-provider",),
    ),
    patience("how long the program may take for one request; then it is killed", "60s"),
    Option("environment", "list", "names of environment variables that are passed on to the program", default=()),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exec:
    """A program as a backend. `timeout` in seconds; `environment`: names only, the values are looked up at each call."""

    name: str
    command: tuple[str, ...]
    timeout: float
    environment: tuple[str, ...] = ()

    def read(self, target: str) -> Held:
        """Ask the program, which may say that it cannot tell (`records: null`)."""
        try:
            return self._look(target)
        except PublishError as error:
            return Held(target, None, reason=error.message, failed=True)

    def change(self, change: Change) -> Ticket:
        """Compare with what the program reads, hand over the change, read back. Where it cannot read, it is believed."""
        held = self._look(change.target)
        if held.records is not None:
            if change.stands_in(held.records):
                return Ticket("done", f"{change.target} is so already")
            change.compare(held.records)
        ticket = self._order(change, held.ttl if held.records else change.ttl)
        if ticket.state == "done" and held.records is not None:
            after = self._look(change.target).records
            if after is not None and not change.stands_in(after):
                raise self._denied(change.target)
        return ticket

    def text(self, text: Text) -> Ticket:
        """Hand over the TXT record; what the program says stands there then is compared."""
        answer = self._call("text", {
            "target": text.target, "zone": text.zone or None, "value": text.value, "present": text.present, "ttl": text.ttl,
        })  # fmt: skip
        if answer.get("alias") and text.present:
            raise self._alias(text.target, answer["alias"])
        ticket = self._ticket("text", text.target, "TXT", answer)
        values = answer.get("values")
        if values is not None and not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
            raise self._nonsense('"values" must be null or a list of texts')
        if ticket.state == "done" and values is not None and not text.fits(values):
            raise self._denied(text.target)
        return ticket

    @property
    def _program(self) -> str:
        return f"the program of backend {self.name} ({self.command[0]})"

    def _look(self, target: str) -> Held:
        answer = self._call("read", {"target": target})
        if alias := answer.get("alias"):
            raise self._alias(target, alias)
        if "records" not in answer:
            raise self._nonsense('the answer to `read` has no "records" (null means: cannot tell)')
        records, ttl = answer["records"], answer.get("ttl") or 0
        if records is None:
            return Held(target, None, reason=_plain(str(answer.get("reason") or "")) or f"{self._program} cannot read")
        standing = self._records(records)
        if not isinstance(ttl, int) or isinstance(ttl, bool) or not 0 <= ttl <= LARGEST_TTL or (standing and not ttl):
            raise self._nonsense('"ttl" must be the TTL of the records in seconds')
        return Held(target, standing, ttl)

    def _order(self, change: Change, ttl: int) -> Ticket:
        answer = self._call("change", {
            "target": change.target, "zone": change.zone or None, "add": _texts(change.add), "remove": _texts(change.remove),
            "expect": None if change.expect is None else _texts(change.expect), "ttl": ttl,
        })  # fmt: skip
        return self._ticket("change", change.target, "TLSA", answer)

    def _ticket(self, verb: str, target: str, kind: str, answer: Mapping[str, object]) -> Ticket:
        message = _plain(str(answer.get("message") or ""))
        state = answer.get("state")
        if state == "done":
            return Ticket("done", message or f"{target} changed by {self._program}")
        if state == "asked":
            return Ticket("asked", message or f"{self._program} has passed on the change of {target}")
        if state == "conflict":
            raise conflict(target, kind)
        raise self._nonsense(f'"state" of the answer to `{verb}` must be "done", "asked" or "conflict"')

    def _call(self, verb: str, request: Mapping[str, object]) -> Mapping[str, object]:
        """Run the program once. Returns the object it printed; raises by its exit code."""
        from tlsa_manager.publish.child import run

        text = json.dumps({"schema": SCHEMA, "verb": verb, "backend": self.name, **request})
        passed = {name: os.environ[name] for name in self.environment if name in os.environ}
        try:
            ended = run([*self.command, verb], text.encode(), {"PATH": PATH, "LANG": "C.UTF-8", **passed}, self.timeout)
        except OSError as error:
            raise PublishError(
                f"{self._program} cannot be started: {error.strerror}",
                f"check dns.{self.name}.command: does it exist, may it be run?",
            ) from None
        self._judge(verb, ended, tuple(passed.values()))
        try:
            answer = json.loads(ended.output)
        except (ValueError, RecursionError):
            raise self._nonsense(f"what it printed for `{verb}` is not JSON") from None
        if not isinstance(answer, dict) or answer.get("schema") != SCHEMA:
            raise self._nonsense(f'the answer to `{verb}` must be an object with "schema": {SCHEMA}')
        return answer

    def _judge(self, verb: str, ended: Ended, secrets: tuple[str, ...]) -> None:
        said = _said(ended.errors, secrets)
        if ended.cut == "time":
            message = f"{self._program} did not finish `{verb}` within {self.timeout:g} s and was killed{said}"
            raise PublishTemporary(message, f"if it needs longer, raise dns.{self.name}.timeout; otherwise see why it hangs")
        if ended.cut == "left":
            message = f"{self._program} has ended with `{verb}`, but what it left behind held its output and was killed{said}"
            raise PublishTemporary(message, "begin what it starts with >/dev/null 2>&1 </dev/null")
        if ended.cut == "size":
            raise self._nonsense(f"it printed more than a mebibyte for `{verb}` and was killed")
        if ended.code == TEMPORARY:
            raise PublishTemporary(f"{self._program} asks to try `{verb}` again later (exit 75){said}", "tried again by itself")
        if verb == "text" and ended.code == UNKNOWN_VERB:
            raise PublishError(f"{self._program} cannot write TXT records (exit 64 for `text`){said}", _OTHER_WAY)
        if ended.code == MISCONFIGURED and verb != "text":  # where it may mean that it knows no such verb
            message = f"{self._program} says that its configuration is wrong (exit 78){said}"
            raise PublishError(message, "correct the configuration of that program; nothing else can be done here")
        if ended.code != 0:
            how = f"exit {ended.code}" if ended.code > 0 else f"killed by signal {-ended.code}"
            by_hand = f"run it by hand as docs/backends/exec.md shows: {verb}"
            if verb == "text":
                by_hand = f"does it know `text` at all? {_OTHER_WAY}; otherwise {by_hand}"
            raise PublishError(f"{self._program} failed to `{verb}` ({how}){said}", by_hand)

    def _records(self, records: object) -> RRset:
        try:
            if isinstance(records, list):
                return frozenset(Tlsa.parse(one if isinstance(one, str) else "") for one in records)
        except BadInput:
            pass  # the same answer as for anything else that is not a list of records
        raise self._nonsense('"records" must be null or a list of texts such as "3 1 1 <hexadecimal>"')

    def _alias(self, target: str, leads_to: object) -> PublishError:
        return PublishError(
            f"{target} is an alias (it leads to {_plain(str(leads_to))}), where records beside it would be ignored",
            "remove the alias, or let the name servers that the world asks show it: then the records go where it leads",
        )

    def _denied(self, target: str) -> PublishError:
        return PublishError(
            f"{self._program} says that {target} is changed, but its own reading shows that it is not",
            "does it write where it reads? A provider that publishes late should answer `asked`, not `done`",
        )

    def _nonsense(self, what: str) -> PublishError:
        return PublishError(f"{self._program} breaks the contract: {what}", "the contract is docs/backends/exec.md")


def build(name: str, settings: Settings) -> Exec:
    """Make the backend. The program is not looked for before it is needed."""
    return Exec(name, settings.words("command"), settings.seconds("timeout"), settings.words("environment"))


def _texts(records: RRset) -> list[str]:
    return [str(record) for record in sorted(records)]


def _said(errors: bytes, secrets: tuple[str, ...]) -> str:
    """Return the end of what the program wrote to stderr, without the values it was given in its environment."""
    text = errors.decode("utf-8", "replace")
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _plain(text.strip()[-500:])
    return f": {text}" if text else ""


def _plain(text: str) -> str:
    """One line without control characters: it goes to terminals and logs."""
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()[:1000]
