"""One probe: one connection, the plain-text dialogue of its protocol, one handshake. Everything that happens is recorded."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from tlsa_manager.clock import now
from tlsa_manager.observe.ending import ProbeError
from tlsa_manager.observe.handshake import shake
from tlsa_manager.observe.starttls import FAREWELL, Dialogue, Heard
from tlsa_manager.observe.weak import SUITES, offer
from tlsa_manager.observe.wire import Wire
from tlsa_manager.snapshot import Outcome, Presentation
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.observe.places import Place

PLAIN = "plain"  # the kind of client that goes without TLS as far as a recipient
TALKATIVE = ("smtp", "submission", "lmtp")  # protocols whose words are kept


@dataclass(frozen=True, slots=True)
class Probe:
    """What one connection is to find out.

    `client`: one of CLIENTS, OLD_VERSIONS, SUITES, PLAIN; `source`: the local address, empty = the usual one; `number` tells
    repetitions apart; `plain_to`: for PLAIN, the mail domain of the recipient, of which any of the server's will do.
    """

    host: str
    protocol: str
    place: Place
    client: str
    source: str = ""
    number: int = 0
    plain_to: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one connection found out. `late`: the port used up its time. `at`: when it ended, seconds since 1970."""

    presentation: Presentation
    heard: Heard
    late: bool
    at: float


async def make(probe: Probe, timeout: float) -> Seen:
    """Make the connection. A remote fault is recorded, never raised."""
    heard, late = Heard(), False
    try:
        presentation = await _look(probe, heard, timeout)
    except ProbeError as end:
        presentation, late = _unseen(probe, end), end.late
    return Seen(presentation, heard, late, now())


def as_before(probe: Probe, late: Presentation) -> Seen:
    """Make the result of a probe that is not tried, because another one used up the port's time in this way."""
    return Seen(replace(late, client=probe.client, address=probe.place.text), Heard(), late=True, at=now())


def _unseen(probe: Probe, end: ProbeError) -> Presentation:
    reason = f"{end.reason} (asked from {probe.source})" if probe.source else end.reason
    return Presentation(probe.place.text, probe.client, end.outcome, reason=reason, refused=end.refused)


async def _look(probe: Probe, heard: Heard, timeout: float) -> Presentation:
    """Connect, talk, shake hands. Raises ProbeError."""
    place, farewell = probe.place, FAREWELL.get(probe.protocol, b"")
    async with Wire(place.address, place.port, timeout, probe.source) as wire:
        if probe.protocol != "tls":
            await _talk(wire, probe, heard, farewell)
        if probe.client == PLAIN:
            await wire.leave(farewell)
            return Presentation(place.text, PLAIN, Outcome.NO_TLS)
        if probe.client in SUITES:
            version, suite = await offer(wire, probe.client, probe.host)
            return Presentation(place.text, probe.client, Outcome.PRESENTED, version=version, suite=suite)
        done = await shake(wire, probe.client, probe.host, farewell)
    return Presentation(
        place.text, probe.client, Outcome.PRESENTED, done.chain,
        certificates=done.certificates, version=done.version, suite=done.suite,
    )  # fmt: skip


async def _talk(wire: Wire, probe: Probe, heard: Heard, farewell: bytes) -> None:
    """Talk in plain text until TLS begins, or all is said. Raises ProbeError."""
    dialogue = Dialogue(probe.protocol, probe.host, wire.greeting_name, probe.plain_to, heard)
    try:
        answer = dialogue.begin()
        while not dialogue.ready:
            if answer:
                await wire.send(answer)
            answer = dialogue.feed(await wire.receive())
    except ProbeError as end:
        if not end.late:
            await wire.leave(farewell)
        raise
