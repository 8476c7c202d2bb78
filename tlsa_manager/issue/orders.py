"""Orders at an authority (RFC 8555 §7.1.3, §7.4): place one, look at one, find one whose URL was lost, finalize, download."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tlsa_manager import pem
from tlsa_manager.errors import IssueError
from tlsa_manager.issue import ari
from tlsa_manager.issue.proofs import encoded
from tlsa_manager.issue.refusal import STAYS, NonsenseError, Problem, garbage, is_later, printable, problem, refused
from tlsa_manager.issue.wire import secure
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.issue import Wish
    from tlsa_manager.issue.authority import Authority
    from tlsa_manager.issue.wire import Answer

_STATES = {"pending", "ready", "processing", "valid", "invalid"}
_MOST_NAMES = 100
_PAGES, _LOOKS = 10, 40  # of a list of orders


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as the authority tells of it. `expires`: seconds since 1970, 0 = it does not say. `ask_at`: as in Answer."""

    url: str
    status: str
    names: frozenset[str]
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str
    expires: float
    problem: Problem
    ask_at: float


def place(authority: Authority, wish: Wish, profile: str) -> Standing:
    """Ask for a certificate. That it replaces another one is said where the authority wants to know (RFC 9773 §5)."""
    wanted: dict[str, Any] = {"identifiers": [{"type": "dns", "value": name} for name in wish.names]}
    if profile:
        wanted["profile"] = profile
    replaces = ari.identity(wish.replaces) if wish.replaces and authority.directory.renewal_info else ""
    answer = authority.send(authority.directory.new_order, wanted | ({"replaces": replaces} if replaces else {}))
    if replaces and not answer.ok and not is_later(answer):  # replaced already, or not known: that is no reason to have none
        answer = authority.send(authority.directory.new_order, wanted)
    if not answer.ok:
        raise refused(answer, f"an order for {', '.join(wish.names)}")
    return _standing(answer, answer.location)


def look(authority: Authority, url: str) -> Standing | None:
    """Look at an order; None where the authority does not have it any more."""
    answer = authority.send(url, None)
    if answer.ok:
        return _standing(answer, url)
    if answer.status in {404, 410} or answer.problem.kind in {"unauthorized", "malformed", "accountDoesNotExist"}:
        return None
    raise refused(answer, "to show an order")


def lost(authority: Authority, wish: Wish) -> Iterator[Standing]:
    """Yield the orders of our account that are for the same names and have no key yet, where it lists them (§7.1.2.1).

    They are looked for after a crash around newOrder. Nothing is raised for an authority that does not list them, or not as
    it should: then a new order is made.
    """
    place = _object(authority.send(authority.account, None)).get("orders")
    left = _LOOKS
    for _ in range(_PAGES):
        if not isinstance(place, str) or not place.startswith("https://"):
            return
        page = authority.send(place, None)
        urls = _object(page).get("orders")
        for url in urls if isinstance(urls, list) else []:
            left -= 1
            if left < 0:
                return
            if isinstance(url, str) and url.startswith("https://"):
                seen = _seen(authority, url)
                if seen and seen.status in {"pending", "ready"} and seen.names == frozenset(wish.names):
                    yield seen
        place = page.link("next")


def finalize(authority: Authority, order: Standing, wish: Wish) -> Standing:
    """Send the request, which names the key (§7.4)."""
    answer = authority.send(order.finalize, {"csr": encoded(request_of(wish))})
    if answer.problem.kind == "orderNotReady":  # somebody was quicker: what it is now says the order itself
        return look(authority, order.url) or _gone(order)
    if not answer.ok:
        raise refused(answer, f"a certificate for {', '.join(sorted(order.names))}")
    return _standing(answer, order.url)


def download(authority: Authority, order: Standing) -> bytes:
    """Return the chain, PEM, as the authority sent it (§7.4.2)."""
    return authority.ask(order.certificate, "to hand out the certificate", "application/pem-certificate-chain").body


def request_of(wish: Wish) -> bytes:
    """Return the request of a wish, DER."""
    return pem.blocks(wish.request, "certificate request")[0].content


def _object(answer: Answer) -> dict[str, Any]:
    """What an answer says, nothing where it is a refusal or no answer of ACME."""
    with suppress(NonsenseError):
        return answer.content if answer.ok else {}
    return {}


def _seen(authority: Authority, url: str) -> Standing | None:
    """Look at an order that is one of many; None where that leads to nothing."""
    with suppress(IssueError):
        return look(authority, url)
    return None


def _gone(order: Standing) -> Standing:
    raise IssueError(f"the order {printable(order.url, 200)} is gone; {STAYS}", "run the command again: a new one is made")


def _standing(answer: Answer, url: str) -> Standing:
    content = answer.content
    status = printable(content.get("status"), 20)
    if status not in _STATES:
        raise garbage(url, "an order without a status")
    authorizations = content.get("authorizations")
    given = authorizations if isinstance(authorizations, list) else []
    if len(given) > _MOST_NAMES:
        raise garbage(url, "an order with too many names")
    return Standing(
        url, status, _names(content.get("identifiers")), tuple(secure(one, url, "authorization") for one in given),
        secure(content.get("finalize"), url, "finalize"),
        secure(content["certificate"], url, "certificate") if status == "valid" and "certificate" in content else "",
        _expires(content.get("expires")), problem(content.get("error")), answer.retry_at,
    )  # fmt: skip


def _names(given: object) -> frozenset[str]:
    values = [one.get("value") for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return frozenset(value.lower() for value in values if isinstance(value, str))


def _expires(given: object) -> float:
    from tlsa_manager.issue.moments import moment

    try:
        return moment(given)
    except ValueError:
        return 0.0
