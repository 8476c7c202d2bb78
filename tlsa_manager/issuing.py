"""The way from "a certificate is due" to "it is in the store": which key, which names, which order to go on with.

What is written down comes before and after each act, so that a process may die anywhere: the key is kept before anybody is
asked, the order is journalled before and after it is named, and it is over only when its certificate is in the store and
journalled. The next run goes on with the same order; it finds the certificate again where the order has it.

What proves the names stays in DNS as long as an order needs it, however many runs that takes: a name server may be late by
hours, and a person by days. It goes when the order is over, or nobody goes on with it any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tlsa_manager import clock
from tlsa_manager.errors import NotYet, PublishTemporary, StateError, TlsaManagerError, Unsafe
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import renewal
from tlsa_manager.rollover.restraint import obeyed_until
from tlsa_manager.rollover.timing import retry_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tlsa_manager.config import Config
    from tlsa_manager.hands import HouseHands
    from tlsa_manager.issue import Diary, Issuer, Prover
    from tlsa_manager.journal import Journal
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.order import Order, Renewal, Token
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.store import Store

ASK_AGAIN = 86400.0  # seconds; an authority is asked at most daily when it wants a certificate renewed
ASK_AGAIN_SOON = 6 * 3600.0  # where it did not answer
_ANOTHER = "another certificate is wanted by now"
_REPORT = "this is a mistake in the program, not in what you did; report it where you got tlsa-manager from"
_NO_ISSUER = 'name who shall issue: issuer = "NAME" in [lineage."{0}"], and [issuer.NAME]; see docs/issue.md'


class Home(Protocol):
    """What is needed of the house."""

    config: Config
    watch: Callable[[str, str], None]

    @property
    def journal(self) -> Journal:
        """The memory."""

    @property
    def store(self) -> Store:
        """Keys and certificates."""

    @property
    def hands(self) -> HouseHands:
        """Its backends."""

    def lineage(self, name: str) -> Lineage:
        """Return a configured lineage. Raises BadInput."""

    def key_for_renewal(self, name: str) -> tuple[str, bytes]:
        """Return the key that a certificate asked for now is for: its id and itself, PEM."""

    def stage(self, name: str, chain_pem: bytes, key_pem: bytes | None, origin: str) -> object:
        """Keep and journal a certificate; what became of it, in a sentence."""


class Issuing:
    """Orders certificates. `alive` is called again and again: whoever works says so. The caller holds the lineage's lease."""

    def __init__(self, home: Home, alive: Callable[[], None] = lambda: None) -> None:
        self.home = home
        self._alive = alive

    def work(self, name: str) -> bool:
        """Do what is due for a lineage; True if there is a new certificate. Raises what `obtain` raises; it is journalled."""
        self._settle(name)
        lineage, facts, now = self._known(name)
        if clearing_at(lineage, facts) <= now:
            self.clear(name)
        wish = renewal.due(lineage, facts, now)
        if wish is not None and wish.at <= now:
            self.home.watch(name, f"a certificate is ordered: {wish.why}")
            self.obtain(name)
            return True
        if lineage.issuer and renewal.asks(lineage, facts, now):
            self.ask(name)
        return False

    def on_request(self, name: str, *, take_over: bool = False, insist: bool = False) -> bool:
        """Order a certificate because a person asks for it, if one is due; True if there is a new one.

        Our own patience does not count, the word of the authority does, unless the person insists. Raises Unsafe without an
        issuer, NotYet when it is too early, and what `obtain` raises.
        """
        self._settle(name)
        lineage, facts, now = self._known(name)
        issuer_needed(lineage)
        if bar := renewal.barred(lineage, facts):
            raise NotYet(f"nothing is ordered for {name} now: {bar}", f"see: tlsa-manager status {name}")
        wish = renewal.asked_for(lineage, facts, now, take_over=take_over, insist=insist)
        if wish is not None and wish.at <= now:
            self.home.watch(name, f"a certificate is ordered: {wish.why}")
            self.obtain(name)
            return True
        failure = facts.failures.get(renewal.ISSUE)
        if wish is not None and failure is not None and (until := obeyed_until(failure, facts)) > now:
            raise TooEarly(name, failure.reason, until)
        return False

    def obtain(self, name: str) -> None:
        """Have a certificate made, and stage it. Raises IssueError, PublishError and their kin, ConfigError, StateError.

        What went wrong is journalled: it says when it is tried again.
        """
        try:
            self._obtain(name)
        except NotYet:
            raise  # somebody else is at it
        except Exception as error:  # one that nobody expected, too: what is not written down is tried again every minute
            self._failed(name, renewal.SHOW if isinstance(error, PublishTemporary) else renewal.ISSUE, error)
            raise

    def rehearse(self, name: str) -> None:
        """Do all of it at the authority's staging directory, with a key that is thrown away. Raises as `obtain`."""
        from tlsa_manager.issue import Wish
        from tlsa_manager.keys import generate, request
        from tlsa_manager.rollover.succession import key_type

        lineage, facts, _ = self._known(name)
        issuer_needed(lineage)
        if lineage.issuer == renewal.SELF_SIGNED:
            self.home.watch(name, "nothing is rehearsed: its own key signs its certificates, nobody has to be asked")
            return
        wish = Wish(lineage.hosts, request(generate(key_type(lineage, facts)), lineage.hosts), "")
        needed = facts.tokens if renewal.goes_on(lineage, facts) else ()
        self._issuer(lineage).rehearse(wish, _Rehearsal(self._told(name)), self._prover(lineage, spared=needed))

    def clear(self, name: str) -> None:
        """Remove the proofs that stand in DNS. What goes wrong is journalled and tried again: it does no harm there."""
        try:
            self._prover(self.home.lineage(name)).take_away()
        except NotYet:
            raise
        except TlsaManagerError as error:
            self.home.watch(name, f"a proof stays in DNS for now: {error.message}")
            self._failed(name, renewal.CLEAR, error)

    def ask(self, name: str) -> None:
        """Ask the authority when it wants the certificate in service renewed, and choose a moment (RFC 9773)."""
        lineage, facts, now = self._known(name)
        current = facts.generations[facts.current]
        former = facts.renewal if facts.renewal and facts.renewal.generation == current.id else None
        try:
            planned = self._advised(lineage, current, former, now)
        except TlsaManagerError as error:
            until = max(getattr(error, "until", 0.0), now + ASK_AGAIN_SOON)
            planned = replace(former, ask_again=until) if former else renewal.usual(current, until)
        if planned is not None:
            self.home.journal.append(name, ev.RenewalPlanned(planned), now)

    def _obtain(self, name: str) -> None:
        lineage = self.home.lineage(name)
        if lineage.issuer == renewal.SELF_SIGNED:
            self._sign(lineage)
            return
        from tlsa_manager.issue import Wish
        from tlsa_manager.keys import request

        issuer = self._issuer(lineage)
        identity, key = self.home.key_for_renewal(name)
        facts = self.home.journal.facts(name)
        wish = Wish(lineage.hosts, request(key, lineage.hosts), identity, self._replaced(lineage, facts))
        diary = _Journalled(name, self.home.journal, self._told(name), self._alive)
        former = self._former(lineage, facts.order, identity, diary)
        chain = issuer.obtain(wish, former, diary, self._prover(lineage))
        self._stage(name, chain, key)

    def _stage(self, name: str, chain: bytes, key: bytes) -> None:
        """Keep it, then say that the order is over: whoever dies in between finds it again."""
        lineage = self.home.lineage(name)
        taken = self.home.stage(name, chain, key, renewal.origin(lineage.issuer))
        self.home.watch(name, str(taken))
        facts = self.home.journal.facts(name)
        if lineage.issuer != renewal.SELF_SIGNED or renewal.ISSUE in facts.failures:
            url, origin = facts.order.url if facts.order else "", renewal.origin(lineage.issuer)
            self.home.journal.append(name, ev.OrderEnded(url, "", origin, lineage.hosts), clock.now())

    def _settle(self, name: str) -> None:
        """Say that an order is over whose certificate is here: whoever brought it died before saying so.

        It may be in service by now, and another key be the next one; nothing has to be asked, and nothing ordered, for that.
        """
        lineage, facts, now = self._known(name)
        if facts.order is None:
            return
        staged: list[Generation] = []
        for one in self.home.journal.entries(name):
            if isinstance(one.event, ev.Ordering):
                staged = []
            elif isinstance(one.event, ev.Staged) and one.event.generation.origin == renewal.origin(lineage.issuer):
                staged.append(one.event.generation)
        if staged and staged[-1].spki == self._key_of(name, facts.order):
            ended = ev.OrderEnded(facts.order.url, "", renewal.origin(lineage.issuer), facts.order.names)
            self.home.journal.append(name, ended, now)

    def _key_of(self, name: str, order: Order) -> str:
        """SHA-256 of the public half of the key that was ordered for, empty where the key is lost."""
        from tlsa_manager.keys import public_half

        try:
            return public_half(self.home.store.key(name, order.key), order.key).spki_sha256
        except StateError:
            return ""

    def _sign(self, lineage: Lineage) -> None:
        """Let the key sign for itself."""
        from tlsa_manager.keys import self_signed
        from tlsa_manager.rollover.advice import SIGNED_BY_ITSELF

        _, key = self.home.key_for_renewal(lineage.name)
        self.home.watch(lineage.name, f"its own key signs a certificate for {', '.join(lineage.hosts)}; {SIGNED_BY_ITSELF}")
        self._stage(lineage.name, self_signed(lineage.hosts, key).chain_pem, key)

    def _former(self, lineage: Lineage, order: Order | None, key: str, diary: Diary) -> Order | None:
        """The order to go on with; one for another key or other names is over. Whether it is still good the authority tells."""
        if order is None or (order.key, set(order.names)) == (key, set(lineage.hosts)):
            return order
        diary.ended(order.url, _ANOTHER)
        return None

    def _replaced(self, lineage: Lineage, facts: Facts) -> bytes:
        """The certificate that the new one takes the place of, where the same authority made it (RFC 9773 §5)."""
        current = facts.generation(facts.current)
        if current is None or current.origin != renewal.origin(lineage.issuer):
            return b""
        try:
            return _leaf(self.home.store.read(lineage.name, current.id).chain_pem)
        except StateError:  # what is in service may be lost; that is no reason to have no successor
            return b""

    def _advised(self, lineage: Lineage, current: Generation, former: Renewal | None, now: float) -> Renewal | None:
        """Ask, and choose. Raises IssueError and its kin, StateError."""
        from secrets import SystemRandom

        certificate = _leaf(self.home.store.read(lineage.name, current.id).chain_pem)
        advice = self._issuer(lineage).advice(certificate, now)
        if advice is None:
            at = renewal.usual_at(current)
            return renewal.usual(current, max(at or 0.0, now + ASK_AGAIN))
        again = max(advice.ask_again, now + ASK_AGAIN)
        window = (advice.start, advice.end)
        return renewal.chosen(
            current, window, former, chance=SystemRandom().random(), ask_again=again, why=advice.explanation
        )  # fmt: skip

    def _issuer(self, lineage: Lineage) -> Issuer:
        from tlsa_manager.issue import open_issuer

        section = self.home.config.issuers[lineage.issuer]
        return open_issuer(lineage.issuer, section.kind, section.options, self.home.config.directory)

    def _prover(self, lineage: Lineage, *, spared: Collection[Token] = ()) -> Prover:
        from tlsa_manager.proof import Proofs

        backend = self.home.hands.backend(lineage.dns)
        return Proofs(lineage, backend, self.home.journal, self.home.config, self._told(lineage.name), spared=spared)

    def _told(self, name: str) -> Callable[[str], None]:
        def told(text: str) -> None:
            self._alive()
            self.home.watch(name, text)

        return told

    def _failed(self, name: str, step: str, error: Exception) -> None:
        reason, hint = (error.message, error.hint) if isinstance(error, TlsaManagerError) else (f"{error!r:.200}", _REPORT)
        until, limited = getattr(error, "until", 0.0), getattr(error, "limited", False)
        self.home.journal.append(name, ev.Failed(step, reason, hint, until, limited), clock.now())

    def _known(self, name: str) -> tuple[Lineage, Facts, float]:
        return self.home.lineage(name), self.home.journal.facts(name), clock.now()


class TooEarly(NotYet):
    """The authority does not want to be asked before `until`, seconds since 1970."""

    def __init__(self, name: str, reason: str, until: float) -> None:
        super().__init__(
            f"the authority does not want to be asked for {name} yet: {reason}",
            f"it is tried again by itself; to ask all the same: tlsa-manager renew {name} --force",
        )
        self.until = until


def moment(lineage: Lineage, facts: Facts, now: float) -> float:
    """When there is something to order, to ask, or to remove, seconds since 1970; infinite = never as things stand."""
    wish = renewal.due(lineage, facts, now)
    moments = [clearing_at(lineage, facts), *([wish.at] if wish else [])]
    if lineage.issuer and renewal.asks(lineage, facts, now):
        moments.append(now)
    elif lineage.issuer and facts.renewal and renewal.asks(lineage, facts, facts.renewal.ask_again):
        moments.append(facts.renewal.ask_again)
    return min(moments)


def clearing_at(lineage: Lineage, facts: Facts) -> float:
    """When proofs that stand in DNS are removed: at once, unless an order needs them; infinite = never, as things stand."""
    if not facts.tokens:
        return float("inf")
    failure = facts.failures.get(renewal.CLEAR)
    again = retry_at(failure, lineage.policy) if failure else 0.0
    if facts.order is not None and renewal.goes_on(lineage, facts):
        return max(again, facts.order.expires or float("inf"))
    return again


def issuer_needed(lineage: Lineage) -> None:
    """Raise Unsafe unless the configuration says who issues certificates for a lineage."""
    if not lineage.issuer:
        raise Unsafe(f"nobody issues certificates for {lineage.name}: hooks bring them", _NO_ISSUER.format(lineage.name))


class _Rehearsal:
    """A diary that remembers nothing: what is only tried is no order of ours."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self.told = told

    def ordering(self, order: Order) -> None:
        """Forget it."""

    def ordered(self, order: Order) -> None:
        """Forget it."""

    def ended(self, url: str, reason: str) -> None:
        """Forget it."""


class _Journalled:
    """A diary in the journal."""

    def __init__(self, name: str, journal: Journal, told: Callable[[str], None], alive: Callable[[], None]) -> None:
        self._name, self._journal, self._alive = name, journal, alive
        self.told = told

    def ordering(self, order: Order) -> None:
        """Write the intent."""
        self._write(ev.Ordering(order))

    def ordered(self, order: Order) -> None:
        """Write what came of it."""
        self._write(ev.Ordered(order))

    def ended(self, url: str, reason: str) -> None:
        """Write why it is over."""
        self._write(ev.OrderEnded(url, reason))

    def _write(self, event: ev.Event) -> None:
        self._alive()
        self._journal.append(self._name, event, clock.now())


def _leaf(chain_pem: bytes) -> bytes:
    """The server's own certificate, PEM."""
    from tlsa_manager.certificates import certificates_in, to_pem

    return to_pem(certificates_in(chain_pem)[0])
