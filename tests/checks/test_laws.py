"""What holds for every case: mail is held back if and only if something is critical, and no remedy makes it worse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings

from checks.chance import BOGUS, SECURE, Ders, Mail, aliases, mails
from tlsa_manager.certificates import chain_of
from tlsa_manager.checks import examine
from tlsa_manager.finding import Severity
from tlsa_manager.sender.delivery import Delivery, worst
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlsa_manager.finding import Finding

often = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
_STEP = re.compile(r"(publish|remove|keep):|IN TLSA (\d+) (\d+) (\d+) ([0-9a-f]*)")
_OF_THE_ZONE = {"F-SIGBAD"}


def critical(mail: Mail) -> set[str]:
    return {one.code for one in examine(mail.case()) if one.severity is Severity.CRITICAL}


def lines(remedy: str) -> tuple[frozenset[Tlsa], frozenset[Tlsa]]:
    """Return what a remedy says to publish and to remove."""
    found: dict[str, set[Tlsa]] = {"publish": set(), "remove": set(), "keep": set()}
    word = ""
    for step, usage, selector, matching, data in _STEP.findall(remedy):
        word = step or word
        if usage and word:
            found[word].add(Tlsa(int(usage), int(selector), int(matching), data))
    return frozenset(found["publish"]), frozenset(found["remove"])


def ways(findings: Iterable[Finding]) -> Iterator[tuple[str, frozenset[Tlsa], frozenset[Tlsa]]]:
    """Give each way to follow a remedy: what stands on either side of "or" is one."""
    for one in findings:
        for alternative in one.remedy.split("; or "):
            publish, remove = lines(alternative)
            if publish or remove:
                yield f"{one.code}: {alternative}", publish, remove


def is_worse(before: Mail, after: Mail) -> bool:
    """Whether senders fare worse; without any record left all do."""
    was, now = before.case().outcome, after.case().outcome
    return worst((was, now)) is not was or not any(records for records, _ in after.answers)


def unmatched(mail: Mail) -> int:
    """Return how many certificates no sender with agility could match with all signed records together."""
    signed = frozenset[Tlsa]().union(*(records for records, state in mail.answers if state == SECURE))
    return sum(_held_back(signed, chain) for chain in mail.chains())


def _held_back(records: frozenset[Tlsa], chain: Ders) -> bool:
    return Mail(((records, SECURE),), (chain,)).case().outcome is Delivery.DEFER


@often
@given(mails(agreed=False))
def test_held_back_means_critical(mail: Mail) -> None:
    """The outcome is defer if and only if some finding is critical, whatever each server answers."""
    assert (mail.case().outcome is Delivery.DEFER) == bool(critical(mail))


@often
@given(aliases())
def test_held_back_means_critical_behind_an_alias(mail: Mail) -> None:
    """So it is where there are two base domains, and senders end up at one or at the other."""
    assert (mail.case().outcome is Delivery.DEFER) == bool(critical(mail))


@often
@given(mails(agreed=False))
def test_one_cause_is_one_critical_code(mail: Mail) -> None:
    """A bogus answer is one cause, each certificate without match another, servers that differ one where nothing else is."""
    found = critical(mail)
    bogus = any(state == BOGUS for _, state in mail.answers)
    assert len(found & _OF_THE_ZONE) == bogus
    assert len(found - _OF_THE_ZONE) <= max(unmatched(mail), 1)
    assert "F-SECSYNC" not in found or not unmatched(mail)


@often
@given(mails(agreed=True))
def test_no_remedy_does_harm(mail: Mail) -> None:
    """Whoever follows a remedy to the letter is at no step worse off than before."""
    for words, publish, remove in ways(examine(mail.case())):
        between = mail.changed(publish, frozenset())
        assert not is_worse(mail, between), words
        assert not is_worse(between, mail.changed(publish, remove)), words


@often
@given(mails(agreed=True))
def test_remedies_are_of_what_is_presented(mail: Mail) -> None:
    """No remedy publishes a digest of anything that nobody presents."""
    chains = [chain_of(one) for one in mail.chains()]
    for words, publish, _ in ways(examine(mail.case())):
        for record in publish:
            assert any(one.matches(record) for chain in chains for one in chain.certificates), words


@often
@given(mails(agreed=True))
def test_what_is_critical_can_be_mended(mail: Mail) -> None:
    """Whoever follows the remedies of all critical findings is delivered to, by senders with and without agility."""
    found = [one for one in examine(mail.case()) if one.severity is Severity.CRITICAL]
    steps = [(publish, remove) for _, publish, remove in ways(found)]
    publish = frozenset[Tlsa]().union(*(one for one, _ in steps))
    remove = frozenset[Tlsa]().union(*(one for _, one in steps))
    if found:
        assert mail.changed(publish, remove).case().outcome is Delivery.AUTH, [one.remedy for one in found]


@often
@given(mails(agreed=True))
def test_publishing_is_enough(mail: Mail) -> None:
    """Where nothing fits, the outage ends with what is published, before anything is taken out."""
    found = [one for one in examine(mail.case()) if one.severity is Severity.CRITICAL]
    if found and all(one.code != "F-AGILITY" for one in found):
        publish = frozenset[Tlsa]().union(*(lines(one.remedy)[0] for one in found))
        assert mail.changed(publish, frozenset()).case().outcome is Delivery.AUTH, [one.remedy for one in found]
