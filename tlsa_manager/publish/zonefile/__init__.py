"""Zone file: a snippet of our own that the zone file includes, replaced by rename; then a command tells the name server.

For servers without dynamic update (NSD), and for zones that are signed outside of the server. What the zone file itself has
at the same names is not seen here. docs/backends/zonefile.md.

Killed at any moment, the file is the old one or the new one, and a mark beside it says that the command may not have been
run: it is on the disk before the file is replaced, and goes when the command has ended well. While it stands nothing can be
told by reading the file, so the name servers alone say what is published, and the same change asked again runs the command.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.errors import PublishError
from tlsa_manager.option import Option, mistake, patience
from tlsa_manager.publish import Ticket, inside
from tlsa_manager.snapshot import Held
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Settings
    from tlsa_manager.publish import Change, Text
    from tlsa_manager.publish.zonefile.place import Place
    from tlsa_manager.publish.zonefile.snippet import Snippet

OPTIONS = (
    Option(
        "file", "file", "the snippet, which the zone file includes; it must exist, and this program alone changes it",
        required=True, example="/etc/nsd/tlsa-manager.inc",
    ),
    Option(
        "command", "argv", "what has the name server serve it: raises the serial, signs where signing is done outside, reloads",
        required=True, example=("/usr/sbin/knotc", "-b", "zone-reload", "example.org"),
    ),
    Option(
        "check", "argv", "checks the zone with the new snippet in place, before the command; if it fails, the former is put back",
        example=("/usr/bin/named-checkzone", "-q", "example.org", "/etc/bind/example.org.zone"),
    ),
    Option("zone", "str", "the zone; names outside of it are refused. Left out: any name is written", example="example.org"),
    patience("how long each command may take; then it is killed", "60s"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ZoneFile:
    """One snippet and the commands that go with it. `zone`: absolute and in lower case, or empty; `timeout` in seconds."""

    name: str
    path: Path
    command: tuple[str, ...]
    check: tuple[str, ...]
    zone: str
    timeout: float

    def read(self, target: str) -> Held:
        """Say what the file has, unless the name server may not have been told yet."""
        from tlsa_manager.publish.zonefile.place import opened

        try:
            self._inside(target)
            with opened(self.path, 0, shared=True) as place:
                content = place.read()
                self._own(content, target)
                if place.is_owed:
                    return Held(target, None, reason=f"{self.path} was changed, but its command has not ended well since")
        except PublishError as error:
            return Held(target, None, reason=error.message, failed=True)
        return Held(target, *content.tlsa(target))

    def change(self, change: Change) -> Ticket:
        """Compare, replace the file, run the command, all under one lock: nobody's records are lost meanwhile."""
        from tlsa_manager.publish.zonefile.place import opened

        target = change.target
        self._inside(target)
        with opened(self.path, self.timeout) as place:
            content = place.read()
            self._own(content, target)
            records, ttl = content.tlsa(target)
            if change.stands_in(records):
                return self._again(place, f"{target} is so already")
            change.compare(records)
            if change.add:
                missing = sorted(change.add - records)
                text = content.adding(target, ttl or change.ttl, "TLSA", map(str, missing))
            else:
                text = content.removing(target, "TLSA", lambda entry: entry.tlsa in change.remove)
            self._put(place, content, text)
            if not change.stands_in(place.read().tlsa(target)[0]):
                raise self._undone(target)
        return Ticket("done", f"{target} changed in {self.path}, and the name server was told")

    def text(self, text: Text) -> Ticket:
        """Write or take out one TXT record in the same way."""
        from tlsa_manager.publish.zonefile.place import opened

        target = text.target
        self._inside(target)
        with opened(self.path, self.timeout) as place:
            content = place.read()
            if not text.present and content.alias(target):
                return Ticket("done", f"{target} is an alias in {self.path}: no TXT record can stand there")
            self._own(content, target)
            values, ttl = content.texts(target)
            if text.fits(values):
                return self._again(place, f"the TXT record at {target} is so already")
            if text.present:
                wanted = content.adding(target, ttl or text.ttl, "TXT", [f'"{text.value}"'])
            else:
                wanted = content.removing(target, "TXT", lambda entry: entry.value == text.value)
            self._put(place, content, wanted)
            if not text.fits(place.read().texts(target)[0]):
                raise self._undone(target)
        return Ticket("done", f"TXT record {'added at' if text.present else 'removed from'} {target} in {self.path}")

    def problems(self) -> tuple[str, ...]:
        """Say why the snippet could not be read or replaced, and which program is not there."""
        from tlsa_manager.publish.zonefile import commands, place

        return (*place.problems(self.path), *(line for argv in (self.command, self.check) for line in commands.problems(argv)))

    def _again(self, place: Place, done: str) -> Ticket:
        """What stands in the file is done, once the command has been run with it."""
        if place.is_owed:
            try:
                self._run(self.check)
                self._run(self.command)
            except PublishError as error:
                raise _and(error, f"{self.path} is right, but the name server may not have it yet") from None
            place.settle()
        return Ticket("done", f"{done} in {self.path}")

    def _put(self, place: Place, former: Snippet, text: str) -> None:
        """Replace the file and have it served, or put the former one back and say why."""
        owed = place.is_owed
        place.owe()
        place.replace(text)
        try:
            self._run(self.check)
        except PublishError as error:
            state = self._put_back(place, former, text)
            if not owed:
                place.settle()  # nobody was told of it
            raise _and(error, f"{state}, and the name server was told of nothing") from None
        try:
            self._run(self.command)
        except PublishError as error:
            raise _and(error, self._way_back(place, former, text)) from None
        place.settle()

    def _way_back(self, place: Place, former: Snippet, text: str) -> str:
        """Put the former file back and run the command with it, as the server may have taken the new one. Return how it went."""
        state = self._put_back(place, former, text)
        try:
            self._run(self.command)
        except PublishError:
            return f"{state}, but the command failed with that, too: what the server has is not known"
        place.settle()
        return f"{state}, and the command was run with that"

    def _put_back(self, place: Place, former: Snippet, text: str) -> str:
        """Put the former file back, unless somebody has edited ours meanwhile. Return what became of it."""
        try:
            if str(place.read()) != text:
                return f"{self.path} was edited meanwhile and stays so"
        except PublishError:
            return f"{self.path} was edited meanwhile, cannot be read any more, and stays so"
        place.replace(str(former))
        return f"{self.path} is as it was"

    def _run(self, argv: tuple[str, ...]) -> None:
        from tlsa_manager.publish.zonefile import commands

        commands.run(f"dns.{self.name}", argv, self.timeout)

    def _own(self, content: Snippet, target: str) -> None:
        if leads_to := content.alias(target):
            raise PublishError(
                f"{target} is an alias (it leads to {leads_to}) in {self.path}, where records beside it would be ignored",
                "remove the alias, or let it be found by the name servers that the world asks: "
                "then the records go where it leads",
            )

    def _inside(self, target: str) -> None:
        """Refuse what is not in the configured zone, before the file is touched."""
        if self.zone and not inside(target, self.zone):
            raise PublishError(
                f"{target} is not inside zone {self.zone}, which is all that backend {self.name} writes",
                f"give the lineage another backend, or correct dns.{self.name}.zone",
            )

    def _undone(self, target: str) -> PublishError:
        return PublishError(
            f"the command of backend {self.name} ended well, but {self.path} does not say of {target} what was written there",
            "the command, or something it starts, changes the snippet: only this program may",
        )


def build(name: str, settings: Settings) -> ZoneFile:
    """Make the backend. Neither the file nor the commands are looked for before they are needed. Raises ConfigError."""
    zone = settings.text("zone").lower().rstrip(".")
    if zone and re.fullmatch(r"[!-~]{1,253}", zone) is None:
        raise mistake(f"{settings.section}.zone", f"{settings.text('zone')[:60]!r} is not a zone name", "write it as example.org")
    return ZoneFile(
        name, Path(settings.text("file")), settings.words("command"), settings.words("check"),
        f"{zone}." if zone else "", settings.seconds("timeout"),
    )  # fmt: skip


def _and(error: PublishError, state: str) -> PublishError:
    """The same error, with what became of the file."""
    return type(error)(f"{error.message}; {state}", error.hint)
