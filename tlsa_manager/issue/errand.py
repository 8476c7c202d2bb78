"""From a wish to a chain: one order, from wherever it stands to its certificate (RFC 8555 §7.1.6).

Every step is written down before and after, so that a crash anywhere costs nothing: the next errand looks where the order
stands, and goes on there. An order is made anew only where the old one leads to nothing any more.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager import clock, der
from tlsa_manager.certificates import certificates_in, read_chain
from tlsa_manager.errors import BadInput, IssueError, IssueTemporary
from tlsa_manager.issue import orders, proofs
from tlsa_manager.issue.refusal import STAYS, NonsenseError, SpentError, garbage
from tlsa_manager.issue.waiting import patience, wait
from tlsa_manager.order import Order
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.issue import Diary, Prover, Wish
    from tlsa_manager.issue.authority import Authority
    from tlsa_manager.issue.keeping import Keeping
    from tlsa_manager.issue.orders import Standing
    from tlsa_manager.issue.responder import Listener, Webroot


@dataclass(frozen=True, slots=True)
class Errand:
    """One wish at one authority. `web`: how names are proven over HTTP; None: in DNS. `keeping`: is told what proofs are for."""

    authority: Authority
    wish: Wish
    profile: str
    web: Webroot | Listener | None
    diary: Diary
    prover: Prover
    keeping: Keeping

    def run(self, former: Order | None) -> bytes:
        """Return the chain, PEM. Raises as Issuer.obtain does."""
        if standing := self._resumed(former):
            try:
                return self._through(standing)
            except SpentError as error:
                self.diary.told(f"asking for a new order: {error.message}")
            except NonsenseError as error:  # it may say the same for ever; our patience sees to it that orders are few
                self._ended(standing.url, error.message)
                self.diary.told(f"asking for a new order: {error.message}")
        return self._through(self._placed())

    def _resumed(self, former: Order | None) -> Standing | None:
        """Return the former order if it is still good."""
        if former is None:
            return None
        if reason := self._differs(former):
            self._ended(former.url, reason)
            return None
        if not former.url:
            found = next(orders.lost(self.authority, self.wish), None)
            if found is not None:
                self.diary.ordered(self._order(found.url, found.expires))
            return found
        return self._usable(former.url)

    def _differs(self, former: Order) -> str:
        wish = self.wish
        if former.directory != self.authority.url:
            return "the order was placed at another authority"
        if frozenset(former.names) != frozenset(wish.names) or former.key != wish.key or former.profile != self.profile:
            return "another certificate is wanted now"
        return ""

    def _usable(self, url: str) -> Standing | None:
        try:
            standing = orders.look(self.authority, url)
        except NonsenseError as error:
            self._ended(url, error.message)
            return None
        if standing is None:
            reason = f"{self.authority.host} does not know the order any more"
        elif standing.status == "invalid":
            reason = f"the order has failed: {standing.problem}"
        elif standing.status in {"pending", "ready"} and 0 < standing.expires <= clock.now():
            reason = "the order has expired"
        else:
            self.diary.told(f"going on with the order at {self.authority.host} that was begun before; it is {standing.status}")
            return standing
        self._ended(url, reason)
        return None

    def _placed(self) -> Standing:
        self.diary.told(f"asking {self.authority.host} for a certificate for {', '.join(self.wish.names)}")
        self.diary.ordering(self._order(""))
        standing = orders.place(self.authority, self.wish, self.profile)
        self.diary.ordered(self._order(standing.url, standing.expires))
        return standing

    def _order(self, url: str, expires: float = 0.0) -> Order:
        return Order(self.authority.url, self.wish.names, self.wish.key, self.profile, url, clock.now(), expires)

    def _ended(self, url: str, reason: str) -> None:
        """Write the order off: what proved names to it proves nothing any more."""
        self.diary.ended(url, reason)
        self.keeping.needed = False

    def _through(self, standing: Standing) -> bytes:
        """Take an order from where it stands to its certificate; one that has died on the way is written off.

        Not every failure is its end: a port that is busy, or a challenge that is not offered, is mended in the configuration.
        """
        try:
            return self._steps(standing)
        except SpentError as error:
            self._ended(standing.url, error.message)
            raise
        except IssueTemporary:
            raise
        except IssueError as error:
            if self._is_dead(standing.url):
                self._ended(standing.url, error.message)
            raise

    def _steps(self, standing: Standing) -> bytes:
        authority = self.authority
        self.keeping.needed = standing.status == "pending" and self.web is None
        if standing.status == "pending":
            proofs.prove(authority, standing.authorizations, self.web, self.prover, self.diary, names=self.wish.names)
            self.keeping.needed = False
            standing = self._settled(standing, {"pending"})
        if standing.status == "ready":
            self.diary.told(f"the names are proven; sending {authority.host} the request with the key")
            standing = orders.finalize(authority, standing, self.wish)
        if standing.status in {"processing", "ready"}:
            standing = self._settled(standing, {"processing", "ready"})
        if standing.status != "valid":
            raise IssueError(f"{authority.host} made no certificate: {standing.problem}; {STAYS}", standing.problem.hint)
        if not standing.certificate:
            raise garbage(standing.url, "a valid order without a certificate")
        return self._checked(orders.download(authority, standing), standing.url)

    def _is_dead(self, url: str) -> bool:
        """Whether an order can lead to nothing any more; False where that cannot be told now."""
        with suppress(IssueError):
            seen = orders.look(self.authority, url)
            return seen is None or seen.status == "invalid"
        return False

    def _settled(self, standing: Standing, before: set[str]) -> Standing:
        """Wait until the order has left these states."""
        first = [standing] if standing.ask_at and standing.status in before else []

        def look() -> tuple[Standing, bool, float]:
            seen = first.pop() if first else orders.look(self.authority, standing.url)
            if seen is None:
                raise IssueError(f"{self.authority.host} does not know the order any more; {STAYS}", "run the command again")
            return seen, seen.status not in before, seen.ask_at

        return wait(look, f"the order at {self.authority.host}", patience())

    def _checked(self, sent: bytes, url: str) -> bytes:
        """Return the chain if it is what was asked for: whole, for our key, for the names. `url`: of the order."""
        host = self.authority.host
        try:
            _, details = read_chain(sent)
        except BadInput as error:
            raise garbage(self.authority.url, f"in the place of the chain something else ({error.message})") from None
        if der.certificate_spki(certificates_in(sent)[0]) != der.request_spki(orders.request_of(self.wish)):
            hint = "the next run asks for a new one; no two programs should use one account for the same names at once"
            raise SpentError(f"the certificate that {host} made is for another key; {STAYS}", hint)
        missing = sorted({*self.wish.names} - {name.lower() for name in details.names})
        if missing:
            msg = f"the certificate that {host} made lacks {', '.join(missing)}; {STAYS}"
            self._ended(url, msg)
            raise IssueError(msg, "ask the authority why; the certificate is not used")
        return details.pem


def in_order(wish: Wish) -> Wish:
    """Return the wish with its names as an authority takes them: lower case, without final dot, each once."""
    names = dict.fromkeys(name.lower().rstrip(".") for name in wish.names)
    return replace(wish, names=tuple(names))
