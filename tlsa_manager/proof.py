"""Proofs by dns-01 (RFC 8555 §8.4) for one lineage: TXT records go in through its backend, are waited for, and come out again.

Each record is journalled before it is added and when it is gone, so that whoever is killed in between leaves a list of what is
to be removed. An authority asks whatever server it likes, mostly several from several places, so it is told nothing before every
server answers every record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tlsa_manager import clock
from tlsa_manager.errors import PublishError, PublishTemporary
from tlsa_manager.order import Token
from tlsa_manager.publish import Text
from tlsa_manager.rollover import events as ev
from tlsa_manager.security import Cause, Security

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from tlsa_manager.config import Config
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.observe.texts import TextAnswer, TextView
    from tlsa_manager.publish import Backend
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.rollover.facts import Facts

    Views = Mapping[str, TextView]

TIMEOUT = 300.0  # seconds until every server answers a record that was added
PAUSE, LONGEST_PAUSE = 0.25, 10.0  # seconds between two looks: short at first, as most secondaries are told at once
TELL_AGAIN = 30.0  # seconds; who waits says so, and is known to live
_NOT_EVERYWHERE = (
    "an authority may ask any of these servers, so it was told nothing. See that each secondary gets NOTIFY and may transfer the"
    " zone, or take a dead one out of the NS records; the records and the order stay, and it is tried again by itself"
)
_NOT_FOUND = "nothing was written. Look what is wrong with these servers or with the resolver; it is tried again by itself"


class Memory(Protocol):
    """What is needed of the journal."""

    def facts(self, lineage: str) -> Facts:
        """Return the fold of all events of a lineage."""

    def append(self, lineage: str, event: Event, at: float) -> None:
        """Write one event for ever; it is on disk when this returns."""


class Proofs:
    """Shows to an authority that the names of a lineage are ours, and cleans up. The caller holds the lineage's lease.

    `told`: is told what is being done, and while it is waited again and again; `timeout`: seconds, TIMEOUT by default; `look`:
    asks every authoritative server, by default through the resolver and with the trust anchor of the configuration; `spared`:
    records that an order still needs, which are not removed.
    """

    def __init__(
        self,
        lineage: Lineage,
        backend: Backend,
        memory: Memory,
        config: Config,
        told: Callable[[str], None],
        *,
        timeout: float | None = None,
        look: Callable[[Iterable[str]], Views] | None = None,
        spared: Collection[Token] = (),
    ) -> None:
        self._lineage, self._backend, self._memory, self._config, self._told = lineage.name, backend, memory, config, told
        self._timeout, self._look_with, self._spared = TIMEOUT if timeout is None else timeout, look, frozenset(spared)

    def show(self, records: Mapping[str, tuple[str, ...]]) -> None:
        """Add these values by name, before aliases; return when every authoritative server answers all of them.

        Others that the journal names are removed: they are of an order that is over. Asked again it goes on. Raises
        PublishTemporary where time is over, naming the servers that lack something or what a person has to add, and what the
        backend raises. What was added until then is in the facts: `take_away` removes it, and asked again this finds it standing.
        """
        end = clock.monotonic() + self._timeout
        lost = PublishTemporary(f"it cannot be found out where the TXT records of {_listed(records)} belong", _NOT_FOUND)
        views = self._poll(records, _astray, end, lost)
        wanted = [(views[name], value) for name, values in records.items() for value in dict.fromkeys(values)]
        asked = [words for view, value in wanted if (words := self._add(view, value))]
        self._remove_stale({(view.target, value) for view, value in wanted})
        self._told(f"waiting until every name server answers the TXT records of {_listed(records)}")
        words = f"after {self._timeout:g} seconds the TXT records of {_listed(records)} are still not to be seen everywhere"
        lost = PublishTemporary(f"somebody has to add them: {words}", "\n\n".join(asked))
        lost = lost if asked else PublishTemporary(words, _NOT_EVERYWHERE)
        self._poll(records, lambda views: _lacking(views, records), end, lost)
        self._told(f"every name server answers the TXT records of {_listed(records)}")

    def take_away(self) -> None:
        """Remove every record that the journal names, also what an earlier process left.

        What cannot be removed stays in the facts; the first error is raised when the others were tried. While the backend is out
        of reach no more are tried.
        """
        tokens = self._removable()
        failed: list[PublishError] = []
        for token in tokens:
            try:
                self._remove(token)
            except PublishError as error:
                failed.append(error)
                if type(error) is PublishTemporary:
                    break
        if failed:
            raise failed[0]
        if tokens:
            self._told(f"the TXT records of {_listed(token.target for token in tokens)} are removed")

    def _removable(self) -> list[Token]:
        """What the journal names, and nobody else needs."""
        return sorted(self._memory.facts(self._lineage).tokens - self._spared, key=lambda token: (token.target, token.value))

    def _remove_stale(self, wanted: Collection[tuple[str, str]]) -> None:
        """Remove what is not wanted (target, value). It does no harm where it stands, so that this fails stops nothing."""
        for token in self._removable():
            if (token.target, token.value) in wanted:
                continue
            try:
                self._remove(token)
            except PublishError as error:
                self._told(f"a TXT record of an order that is over stays for now: {error.message}")

    def _add(self, view: TextView, value: str) -> str:
        """Journal it, then add it; what somebody has to do for that, who has not done it anywhere yet."""
        text = _text(view, value)
        token = Token(text.target, text.zone, text.value)
        if token not in self._memory.facts(self._lineage).tokens:
            self._memory.append(self._lineage, ev.Proving(token), clock.now())
        try:
            ticket = self._backend.text(text)
        except PublishTemporary:
            raise
        except PublishError as error:
            raise self._elsewhere(view, error) if view.is_alias else error from None
        if ticket.state != "asked" or any(value in (answer.values or ()) for answer in view.answers):
            return ""
        self._told(ticket.message)
        return ticket.message

    def _remove(self, token: Token) -> None:
        """Remove it, then journal that it is gone.

        Where the backend may not touch the name at all, the name servers tell whether it is gone, or was never there; so they do
        where somebody else was asked to remove it.
        """
        asked = ""
        try:
            ticket = self._backend.text(Text(token.target, token.zone, token.value, present=False))
            asked = ticket.message if ticket.state == "asked" else ""
        except PublishTemporary:
            raise
        except PublishError:
            if not self._is_gone(token):
                raise
        if asked and not self._is_gone(token):
            self._told(asked)
            raise PublishError(
                f'a TXT record of a proof that is over still stands at {token.target}; somebody has to remove "{token.value}"',
                "remove it, and leave every other record there; there is no hurry, it proves nothing any more. That it is gone is"
                " noticed by itself",
            )
        self._memory.append(self._lineage, ev.Proved(token), clock.now())

    def _is_gone(self, token: Token) -> bool:
        """Whether every authoritative server answers, and none of them this value."""
        view = self._look([token.target])[token.target]
        return view.complete and not any(token.value in (answer.values or ()) for answer in view.answers)

    def _poll(
        self, names: Iterable[str], lacking: Callable[[Views], tuple[str, ...]], end: float, over: PublishTemporary
    ) -> Views:
        """Look until nothing is lacking. Raises `over`, and what is lacking, when time is over (`end`, monotonic)."""
        names, pause, tell_at = tuple(names), PAUSE, clock.monotonic() + TELL_AGAIN
        before: tuple[str, ...] = ()
        while missing := lacking(views := self._look(names)):
            now = clock.monotonic()
            if now >= end:
                raise PublishTemporary(f"{over.message}: {'; '.join(missing)}", over.hint)
            if now >= tell_at or (pause > 1 and missing != before):
                self._told(f"still waiting: {'; '.join(missing)}")
                before, tell_at = missing, now + TELL_AGAIN
            clock.sleep(min(pause, end - now))
            pause = min(1.5 * pause, LONGEST_PAUSE)
        return views

    def _look(self, names: Iterable[str]) -> Views:
        if self._look_with is None:
            from tlsa_manager.observe import DnsEyes

            config = self._config
            eyes = DnsEyes(resolver=config.resolver, anchor=config.trust_anchor, port=config.authority_port)
            self._look_with = eyes.texts
        return self._look_with(names)

    def _elsewhere(self, view: TextView, error: PublishError) -> PublishError:
        """Say the same of a target that nobody wrote into the configuration."""
        return type(error)(
            f"{view.name} is an alias that leads to {view.target} in zone {view.zone}, and backend {self._backend.name}"
            f" cannot write there: {error.message}",
            f"{error.hint}\nor let the alias lead to a name that this backend may change",
        )


def _text(view: TextView, value: str) -> Text:
    try:
        return Text(view.target, view.zone, value, present=True)
    except ValueError as error:
        raise PublishError(f"no proof can stand at {view.name}: {error}", "look where this name leads: dig CNAME") from None


def _astray(views: Views) -> tuple[str, ...]:
    """Return why it is not known where names lead. Raises PublishError for aliases that lead nowhere."""
    for view in views.values():
        if view.cause is Cause.LOOP:
            raise PublishError(f"no proof can stand at {view.name}: {view.problem}", "correct these aliases in DNS")
    return tuple(f"{_listed([view.name])}: {_unknown(view)}" for view in views.values() if not view.target)


def _unknown(view: TextView) -> str:
    return view.problem or "; ".join(f"{answer.place} {answer.reason}" for answer in view.answers) or "nobody answers"


def _lacking(views: Views, records: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return what keeps an authority from seeing all values, server by server."""
    return tuple(
        f"{_listed([name])}: {words}" for name, values in records.items() for words in _amiss(views[name], frozenset(values))
    )


def _amiss(view: TextView, values: frozenset[str]) -> tuple[str, ...]:
    if not view.answers:
        return (_unknown(view),)
    return tuple(filter(None, (view.problem, *(_short_of(answer, values) for answer in view.answers))))


def _short_of(answer: TextAnswer, values: frozenset[str]) -> str:
    if answer.values is None:
        return f"{answer.place} {answer.reason}"
    if not values <= answer.values:
        return f"{answer.place} does not have {'it' if len(values) == 1 else 'all of them'} yet"
    if answer.security is Security.BOGUS and answer.cause is not Cause.ANCHOR:
        return f"{answer.place} has it, but no authority that validates will believe it: {answer.reason}"
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted({name.rstrip(".") for name in names}))
