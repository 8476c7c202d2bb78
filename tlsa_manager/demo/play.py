"""The play: a rollover through the program's own code, then the same renewal done naively, and a sender all the while."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dns.query
import dns.tsig
import dns.update

from tlsa_manager import clock
from tlsa_manager.config import load
from tlsa_manager.demo import names
from tlsa_manager.demo.certificates import CertificateAuthority
from tlsa_manager.demo.installation import TSIG_NAME, write_config, write_private
from tlsa_manager.demo.sender import Sender
from tlsa_manager.demo.story import Part, Story, follow
from tlsa_manager.demo.world import World
from tlsa_manager.errors import Busy, TlsaManagerError
from tlsa_manager.rollover.state import Phase
from tlsa_manager.wiring import House, Standing, house

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlsa_manager.keys import Pair

    Audience = Callable[[Story], None]

NAP, LONGEST_NAP = 0.05, 1.0  # seconds between two runs
GLANCE = 0.1  # seconds between two looks of the audience
CALM = 1.0  # seconds of good mail before anything happens, and after it
LIMIT = 90.0  # seconds for one part; it takes a quarter of that on a machine with nothing else to do
IN_A_ROW = 10  # mails delivered one after the other: it is over


def play(story: Story, audience: Audience) -> None:
    """Play the whole. The audience is called ten times a second. Raises TlsaManagerError, and leaves nothing behind."""
    began = clock.monotonic()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="tlsa-manager-demo-")))
        authority, file = CertificateAuthority(), directory / "mx.pem"
        first = authority.renew()
        write_private(file, first.combined)
        world = stack.enter_context(World(file))
        stack.enter_context(_on_signal(signal.SIGUSR1, world.mail.reload))
        home = _move_in(directory, world, first)
        sender = Sender(world.sender_resolver, world.mail_port)
        stack.callback(sender.stop)
        stage = _Stage(story, audience, world, sender)
        second, third = authority.renew(), authority.renew()
        story.letters = {pair.chain.leaf.spki_sha256: letter for pair, letter in zip((first, second, third), "ABC", strict=True)}
        story.world = world
        sender.tally = story.with_tool.tally
        sender.start()
        stage.rollover(home, second)
        stage.naive(file, second, third)
        sender.stop()
        story.world = None
    story.seconds = clock.monotonic() - began
    audience(story)


def _move_in(directory: Path, world: World, first: Pair) -> House:
    """Set tlsa_manager up, and let it publish the record of the certificate that is in use. Nothing lags yet."""
    file = write_config(
        directory, dns_port=world.dns_port, mail_port=world.mail_port, tsig_secret=world.tsig_secret, anchor=world.anchor
    )
    home = house(load(file))
    home.stage(names.LINEAGE, first.chain_pem, first.key_pem, "certbot")
    end = clock.monotonic() + LIMIT
    while not (_run(home).phase is Phase.STABLE and world.at_secondary()[0] == first.chain.records()):
        _in_time(home, end)
        clock.sleep(GLANCE)
    world.lag = names.LAG
    world.forget()
    return home


class _Stage:
    """Where the parts are played."""

    def __init__(self, story: Story, audience: Audience, world: World, sender: Sender) -> None:
        self._story, self._audience, self._world, self._sender = story, audience, world, sender

    def rollover(self, home: House, pair: Pair) -> None:
        """Hand the certificate over as the hook does, then do what the timer does: run whenever something is due."""
        part, new = self._begin(self._story.with_tool), pair.chain.records()
        before = home.journal.latest(names.LINEAGE)
        home.stage(names.LINEAGE, pair.chain_pem, pair.key_pem, "certbot")
        end = clock.monotonic() + LIMIT
        while part.at < len(part.steps):
            _in_time(home, end)
            standing = _run(home)
            follow(part, home.journal.entries(names.LINEAGE, after=before), new)
            plan = standing.plan
            part.waits = (plan.why, plan.due) if plan else ("", None)
            nap = min(max(plan.wake_at - clock.now(), NAP), LONGEST_NAP) if plan else NAP
            self._until(clock.now() + nap if part.at < len(part.steps) else 0.0)
        self._end(part)

    def naive(self, file: Path, old: Pair, new: Pair) -> None:
        """Do what a deploy hook of three lines does: certificate, reload, record."""
        self._story.part = self._story.naive
        self._sender.tally = self._story.naive.tally
        part = self._begin(self._story.naive)
        write_private(file, new.combined)
        self._world.mail.reload()
        part.steps[0].done = part.seconds
        _replace_record(self._world, old, new)
        part.steps[1].done = part.seconds
        part.waits = "nobody waited for DNS before the swap, so mail has to wait now", clock.now() + self._world.lag + names.TTL
        end = clock.monotonic() + LIMIT
        while not self._recovered(part, new) and clock.monotonic() < end:
            self._until(clock.now() + GLANCE)
        part.steps[2].done = part.seconds
        self._end(part)

    def _recovered(self, part: Part, new: Pair) -> bool:
        spread = self._world.at_secondary()[0] == new.chain.records()
        return spread and len(part.tally.history) > IN_A_ROW and all(part.tally.history[-IN_A_ROW:])

    def _begin(self, part: Part) -> Part:
        """Let some mail go first, so that caches are filled."""
        self._until(clock.now() + CALM)
        part.began = clock.now()
        return part

    def _end(self, part: Part) -> None:
        part.waits = "", None
        self._until(clock.now() + CALM)
        part.ended = clock.now()

    def _until(self, moment: float) -> None:
        self._audience(self._story)
        while (left := moment - clock.now()) > 0:
            clock.sleep(min(left, GLANCE))
            self._audience(self._story)


def _run(home: House) -> Standing:
    """Do what is due, as `tlsa-manager run` does, and say where things stand. The hook may still be at it: then later."""
    for error in home.run().values():
        if not isinstance(error, Busy):
            raise error
    return home.standing(names.LINEAGE)


def _in_time(home: House, end: float) -> None:
    """Give up when it takes too long, or waits for a person. Raises TlsaManagerError."""
    standing = home.standing(names.LINEAGE)
    why = standing.plan.why if standing.plan else "nobody knows what for"
    if standing.facts.hold is not None or clock.monotonic() > end:
        raise TlsaManagerError(f"the rollover of the demo stands still ({standing.phase}): {why}", "is this machine very busy?")


def _replace_record(world: World, old: Pair, new: Pair) -> None:
    """Replace the record at the primary in one go, as a script with nsupdate does."""
    (was,), (is_now,) = old.chain.records(), new.chain.records()
    message = dns.update.UpdateMessage(names.DOMAIN)
    message.use_tsig(dns.tsig.Key(TSIG_NAME, world.tsig_secret, "hmac-sha256"))
    message.delete(names.OWNER, "TLSA", str(was))
    message.add(names.OWNER, names.TTL, "TLSA", str(is_now))
    dns.query.tcp(message, names.PRIMARY_ADDRESS, 5.0, world.dns_port)


@contextmanager
def _on_signal(number: int, act: Callable[[], None]) -> Iterator[None]:
    """Act on a signal, in the main thread."""
    before = signal.signal(number, lambda *_: act())
    try:
        yield
    finally:
        signal.signal(number, before)
