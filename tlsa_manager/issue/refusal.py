"""What an authority says when it does not do as asked (RFC 8555 §6.7), in words: what it means, and what to do next.

Nothing of what was sent gets into a message, and of what was answered only a short, printable piece.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tlsa_manager import web
from tlsa_manager.errors import IssueError, IssueTemporary
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.issue.wire import Answer

STAYS = "nothing changes for mail: the certificate in service stays"
AGAIN = "tlsa-manager tries again by itself; if it stays so, look at the authority's status page"

_PREFIX = "urn:ietf:params:acme:error:"
_LONG = re.compile(r"[A-Za-z0-9_+/=-]{100,}")  # an encoded piece of a message tells a reader nothing
_CONFIG = "correct the [issuer] section, then run the command again"
_PROOF = "tlsa-manager check NAME shows what the world sees; then run the command again"
_MEANING = {
    "accountDoesNotExist": ("it does not know our account", "run the command again: the account is made anew with the same key"),
    "alreadyReplaced": ("it has replaced this certificate already", "run the command again"),
    "badCSR": ("it does not take a key of this kind, or these names", "choose another key-type for the lineage, or other names"),
    "badNonce": ("it refused one message after the other as a repetition", AGAIN),
    "badPublicKey": ("it does not take our account's key", "ask the authority whether it takes ECDSA P-256"),
    "badSignatureAlgorithm": ("it does not take our account's signatures", "ask the authority whether it takes ES256"),
    "caa": (
        "CAA records of the domain do not let it issue",
        "name it in the CAA records (dig NAME CAA), or ask another authority",
    ),
    "compound": ("it has several reasons", "they stand in the message"),
    "connection": ("it could not connect to the host", "port 80 must be reachable from everywhere, over IPv6 too if DNS says so"),
    "dns": ("its questions to DNS failed", _PROOF),
    "dnssec": ("DNSSEC of the domain did not validate", _PROOF),
    "externalAccountRequired": ("it has accounts only for its customers", "set eab-kid and eab-key-file as it gave them to you"),
    "incorrectResponse": ("what it found was not what proves the name", _PROOF),
    "invalidContact": ("it does not take the address to write to", "correct `contact` in the [issuer] section"),
    "invalidProfile": ("it has no such profile, or not for us", "correct `profile` in the [issuer] section"),
    "malformed": ("it did not understand the question", "look whether `directory` and the names are right"),
    "orderNotReady": ("the order is not ready yet", AGAIN),
    "rateLimited": ("it was asked too often", "wait until then; tlsa-manager tries again by itself, and repeats no order"),
    "rejectedIdentifier": ("it does not issue for this name", "leave the name out, or ask another authority"),
    "serverInternal": ("it has trouble of its own", AGAIN),
    "tls": ("TLS to the host failed", _PROOF),
    "unauthorized": ("we are not allowed to, or the proof was not there", _PROOF),
    "unsupportedContact": ("it does not take the address to write to", "correct `contact` in the [issuer] section"),
    "unsupportedIdentifier": ("it does not issue for names of this kind", "leave the name out, or ask another authority"),
    "userActionRequired": ("somebody has to agree to something first", "read what it says there, then run the command again"),
}
_LATER = {"rateLimited", "serverInternal", "badNonce", "orderNotReady"}
_LATER_STATUS = {408, 425, 429}


class SpentError(IssueTemporary):
    """The order leads to nothing any more, through no fault of the names: another one may."""


class NonsenseError(IssueTemporary):
    """An answer that is not what ACME says: what was asked about leads nowhere as long as it stays so."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document (RFC 7807). `kind`: of RFC 8555 §6.7 without its prefix, or empty. `detail`: fit to print."""

    kind: str = ""
    detail: str = ""

    def __str__(self) -> str:
        """Return what it means, and what the authority says of it."""
        meaning = _MEANING.get(self.kind, (f"{self.kind}" if self.kind else "",))[0]
        return "; it says: ".join(part for part in (meaning, self.detail) if part) or "it does not say why"

    @property
    def hint(self) -> str:
        """What to do next."""
        return _MEANING.get(self.kind, ("", _CONFIG))[1]


def problem(content: object) -> Problem:
    """Read a problem document as far as it is one, with the problems inside it (RFC 8555 §6.7.1)."""
    if not isinstance(content, dict):
        return Problem()
    kind = printable(content.get("type"), 80)
    inside = content.get("subproblems")
    parts = [printable(content.get("detail"), 300), *(_inner(one) for one in (inside if isinstance(inside, list) else [])[:5])]
    place = printable(content.get("instance"), 200) if kind == _PREFIX + "userActionRequired" else ""
    known = kind.removeprefix(_PREFIX)
    return Problem("" if known == "about:blank" else known, "; ".join(part for part in (*parts, place) if part))


def refused(answer: Answer, act: str) -> IssueError:
    """Return the error for an answer that is a refusal. `act`: what was asked for, as in `refused ACT`."""
    found = answer.problem
    host = host_of(answer.url)
    if is_later(answer):
        kind = found.kind or ("rateLimited" if answer.status == 429 else "")
        told = found if kind == found.kind else Problem(kind, found.detail)
        why = str(told) if told.kind or told.detail else f"it has trouble of its own (HTTP status {answer.status})"
        hint = told.hint if told.kind else AGAIN
        return IssueTemporary(f"{host} put off {act}: {why}; {STAYS}", hint, answer.retry_at, limited=kind == "rateLimited")
    why = str(found) if found.kind or found.detail else f"HTTP status {answer.status} without a reason"
    return IssueError(f"{host} refused {act}: {why}; {STAYS}", found.hint)


def is_later(answer: Answer) -> bool:
    """Whether an answer says no more than that it is not the time."""
    return answer.problem.kind in _LATER or answer.status in _LATER_STATUS or answer.status >= 500


def garbage(url: str, what: str) -> NonsenseError:
    """Return the error for an answer that is not what ACME says. `what` is wrong with it."""
    hint = "does `directory` name the authority, and does no proxy stand between? Otherwise it is itself at fault"
    return NonsenseError(f"{host_of(url)} gave an answer that is no ACME: {what}; {STAYS}", hint)


def unreachable(url: str, error: BaseException) -> IssueError:
    """Return the error for a question that got no answer."""
    if why := web.distrusted(error):
        hint = "if it is the right server, name the certificate of its authority in `ca-bundle`"
        return IssueError(f"the certificate of {host_of(url)} itself is not to be trusted: {why}; {STAYS}", hint)
    hint = f"{AGAIN}; behind a proxy set HTTPS_PROXY in the environment"
    return IssueTemporary(f"{host_of(url)} cannot be reached: {web.reason(error)}; {STAYS}", hint)


def printable(value: object, longest: int) -> str:
    """Return a short text that a terminal and a log can show, of whatever stood there; empty where it is no text."""
    short = _LONG.sub("...", web.printable(value, 4 * longest))
    return short if len(short) <= longest else short[: longest - 3] + "..."


def host_of(url: str) -> str:
    """Return the host of a URL, for people."""
    try:
        return printable(urlsplit(url).hostname, 100) or "the authority"
    except ValueError:
        return "the authority"


def _inner(content: Any) -> str:
    if not isinstance(content, dict):
        return ""
    identifier = content.get("identifier")
    name = printable(identifier.get("value"), 100) if isinstance(identifier, dict) else ""
    inside = Problem(printable(content.get("type"), 80).removeprefix(_PREFIX), printable(content.get("detail"), 200))
    return f"{name}: {inside}" if name else str(inside)
