"""A world that breaks in the middle of a rollover: nothing is swapped too early, and it goes on when the world is mended."""

from __future__ import annotations

import itertools
import os
import re
import signal
import stat
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import dns.dnssec
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import pytest
from contract.impostor import impostor
from cryptography.hazmat.primitives.asymmetric import ec
from lab import namespace
from lab.certificate import self_signed
from lab.daemon import run, until
from lab.hostile import (
    ADDRESS,
    ZONE,
    assert_clear,
    assert_no_traceback,
    ending,
    hand_over,
    installed,
    kept,
    mail_server,
    own_key,
)
from lab.untouched import Sight, presented
from observe.dns_strangers import DnsStranger, resolver_that

from tlsa_manager.publish.rfc2136 import key as tsig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dns.message import Message
    from lab.certificate import Pair
    from lab.hierarchy import DnsLab
    from lab.installation import Installation
    from lab.maildomain import MailDomain
    from lab.receiver import MxLab

LIARS = (f"127.53.2.{number}" for number in itertools.count(61))  # a thread that listens keeps its address for a while
THIRD = "127.53.1.61"


class Story:
    """One mail server, one installation, one renewal."""

    def __init__(self, dns_lab: DnsLab, mail: MailDomain, installation: Installation, place: Path) -> None:
        self.dns_lab, self.mail, self.installation, self.place = dns_lab, mail, installation, place
        self.before = Sight.of(dns_lab, mail)
        self.new: Pair = self_signed(mail.host)

    def hook(self) -> str:
        """Hand the new certificate over; it must be taken."""
        code, said = hand_over(self.installation, self.place, self.new.certificate, self.new.key)
        assert code == 0, said
        assert_no_traceback(said)
        return said

    def run(self) -> tuple[int, str]:
        """Call `run` once, whatever is due."""
        code, said = ending(self.installation, "run", self.mail.host)
        assert_no_traceback(said)
        return code, said

    def edit(self, old: str, new: str) -> None:
        """Change the configuration."""
        text = self.installation.config.read_text()
        assert old in text
        self.installation.config.write_text(text.replace(old, new))

    def is_held_up_by(self, phrase: str, *, seconds: float = 5.0) -> str:
        """Run for longer than any wait lasts: the server is untouched, and `status` says why. Return what it says."""
        ends = time.monotonic() + seconds
        said = ""
        while time.monotonic() < ends or not re.search(phrase, said):
            assert time.monotonic() < ends + 40, said
            self.run()
            _, said = ending(self.installation, "status")
            assert self.mail.chain_file.read_bytes() == self.mail.pair.combined
        assert Sight.of(self.dns_lab, self.mail).server == self.before.server
        return said

    def goes_on(self) -> None:
        """Run until the new certificate is in service, confirmed, and the old record gone."""
        until(self._finished, "the rollover ends", timeout=60, every=0.3)
        assert self.mail.chain_file.read_bytes().startswith(self.new.key)
        assert self.dns_lab.records(self.dns_lab.primary, self.mail.owners[0]) == {self.new.record}

    def _finished(self) -> bool:
        code, said = self.run()
        status = self.installation.status()
        if not (status["phase"] == "stable" and self.new.record.split()[-1] == status["current"]["spki"]):
            print(code, said)
            return False
        return True


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail server in working order."""
    return mail_server(dns_lab, mx_lab, tmp_path)


@pytest.fixture
def story(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> Story:
    """Everything in order, before the renewal."""
    return Story(dns_lab, mail, installed(dns_lab, mail, tmp_path), tmp_path)


# Resolvers


@contextmanager
def liar(change: Callable[[Message, Message], None], behind: str) -> Iterator[str]:
    """Run a resolver that changes what a real one says, and yield its address."""
    address = next(LIARS)
    with DnsStranger(address, resolver_that(change, behind)):
        yield address


def always_ad(_: Message, answer: Message) -> None:
    answer.flags |= dns.flags.AD


def other_tlsa(query: Message, answer: Message) -> None:
    """Claim another record, and that it is authentic."""
    answer.flags |= dns.flags.AD
    if query.question[0].rdtype == dns.rdatatype.TLSA:
        answer.answer = [dns.rrset.from_text(query.question[0].name, 1, "IN", "TLSA", "3 1 1 " + "ab" * 32)]


def stripped(_: Message, answer: Message) -> None:
    """Take every signature away."""
    for section in (answer.answer, answer.authority, answer.additional):
        section[:] = [rrset for rrset in section if rrset.rdtype not in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC)]


def forged_server(query: Message, answer: Message, *, server: str) -> None:
    """Lead to another server."""
    question = query.question[0]
    if question.rdtype == dns.rdatatype.A and question.name.to_text().startswith("ns2."):
        answer.answer = [dns.rrset.from_text(question.name, 1, "IN", "A", server)]


def honest(_: Message, __: Message) -> None:
    """Pass everything on, and check nothing."""


@pytest.mark.parametrize("lie", [always_ad, other_tlsa, stripped, honest], ids=lambda lie: lie.__name__)
def test_a_resolver_that_is_no_witness(dns_lab: DnsLab, story: Story, lie: Callable[[Message, Message], None]) -> None:
    """It always says AD, claims other records, takes signatures away, or does not validate: our own chain of trust decides."""
    with liar(lie, dns_lab.resolver) as address:
        story.edit(f'resolver = ["{dns_lab.resolver}"]', f'resolver = ["{address}"]')
        story.hook()
        with dns_lab.without_secondary():
            story.is_held_up_by(re.escape(dns_lab.secondary), seconds=4)
        story.goes_on()
    assert "ab" * 32 not in story.installation.command("history", "--json")


@pytest.mark.parametrize("server", ["127.53.2.60", "127.53.1.1"], ids=["nobody", "the-primary"])
def test_a_resolver_that_hides_a_server(dns_lab: DnsLab, story: Story, server: str) -> None:
    """It gives a false address for the secondary: what the real one hands out still counts."""
    with liar(partial(forged_server, server=server), dns_lab.resolver) as address:
        story.edit(f'resolver = ["{dns_lab.resolver}"]', f'resolver = ["{address}"]')
        with dns_lab.without_secondary():
            story.hook()
            story.is_held_up_by("ns2", seconds=4)
    story.edit(f'resolver = ["{address}"]', f'resolver = ["{dns_lab.resolver}"]')
    story.goes_on()


def test_the_resolver_is_dead(story: Story, dns_lab: DnsLab) -> None:
    """Nobody listens there: the hook keeps the files all the same; nothing is swapped; with a resolver it goes on."""
    story.edit(f'resolver = ["{dns_lab.resolver}"]', 'resolver = ["127.53.2.59"]')
    story.hook()
    assert len(kept(story.installation)) == 2
    story.is_held_up_by(r"127\.53\.2\.59")
    story.edit('resolver = ["127.53.2.59"]', f'resolver = ["{dns_lab.resolver}"]')
    story.goes_on()


# Updates


def test_the_primary_has_another_secret(story: Story) -> None:
    """The update is refused (BADSIG): said with the remedy, nothing is changed in DNS; with the right key it goes on."""
    good = own_key(story.place).read_text()
    own_key(story.place).write_text(re.sub(r'secret "...', 'secret "AAA', good))
    story.hook()
    said = story.is_held_up_by("different secrets for TSIG key", seconds=3)
    assert "copy the server's key file here again" in said
    assert Sight.of(story.dns_lab, story.mail) == story.before
    assert story.run()[0] == 1
    own_key(story.place).write_text(good)
    story.goes_on()


def test_others_can_read_the_key_of_the_primary(story: Story) -> None:
    """It is not used; the hook keeps the files nevertheless (L7) and says what to do; after chmod it goes on."""
    own_key(story.place).chmod(0o644)
    before = kept(story.installation)
    said = story.hook()
    assert "is open to others" in said
    assert f"chmod 600 {own_key(story.place)}" in said
    assert len(kept(story.installation) - before) == 1
    assert story.run()[0] == 1
    said = story.is_held_up_by("is open to others", seconds=3)
    assert f"chmod 600 {own_key(story.place)}" in said
    assert Sight.of(story.dns_lab, story.mail) == story.before
    own_key(story.place).chmod(0o600)
    story.goes_on()


def test_the_primary_hangs(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> None:
    """No answer at all (SIGSTOP): the hook keeps the files and returns soon; nothing is swapped; it goes on by itself."""
    story = Story(dns_lab, mail, installed(dns_lab, mail, tmp_path, timing={"poll-interval": "1m"}), tmp_path)
    story.edit('backend = "rfc2136"', 'backend = "rfc2136"\ntimeout = "3s"')
    primary = story.dns_lab._primary.daemon
    before = kept(story.installation)
    primary.freeze()
    try:
        story.hook()
        assert len(kept(story.installation) - before) == 1
        story.run()
        _, said = ending(story.installation, "status")
    finally:
        primary.thaw()
    assert story.dns_lab.primary in said
    assert Sight.of(story.dns_lab, story.mail).server == story.before.server
    ending(story.installation, "rollover", "start", mail.host)
    story.goes_on()


def test_the_zone_is_frozen(story: Story) -> None:
    """`rndc freeze`: refused, with the remedy; nothing is changed; after `rndc thaw` it goes on."""
    story.dns_lab.rndc(story.dns_lab.primary, "freeze", ZONE)
    try:
        story.hook()
        said = story.is_held_up_by("takes no updates at present", seconds=3)
        assert "rndc thaw" in said
        assert Sight.of(story.dns_lab, story.mail) == story.before
    finally:
        story.dns_lab.rndc(story.dns_lab.primary, "thaw", ZONE)
    story.goes_on()


def test_an_update_that_is_accepted_and_not_applied(story: Story) -> None:
    """A proxy says NOERROR and does nothing: every write is read back, so it is found out, and nothing is swapped."""

    def proxy(asked: Message) -> Message:
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.AA
        if not isinstance(asked, dns.update.UpdateMessage):
            question = asked.question[0]
            plain = dns.message.make_query(question.name, question.rdtype, want_dnssec=True)
            told = dns.query.tcp(plain, story.dns_lab.primary, timeout=3)
            answer.set_rcode(told.rcode())
            answer.answer, answer.authority = told.answer, told.authority
        return answer

    key = tsig.load(str(own_key(story.place)), "test")
    with impostor(key, proxy) as address:
        story.edit(f'server = "{story.dns_lab.primary}"', f'server = "{address}"')
        story.hook()
        story.is_held_up_by(r"accepted the update .* \(NOERROR\), but the records are not as they should be", seconds=3)
        assert Sight.of(story.dns_lab, story.mail) == story.before
        story.edit(f'server = "{address}"', f'server = "{story.dns_lab.primary}"')
    story.goes_on()


def test_a_server_with_expired_signatures(story: Story) -> None:
    """One more server of the zone hands out the same records, signed by the zone's own key, but long ago: no swap."""
    lab = story.dns_lab
    namespace.add_address(THIRD)
    lab.update(f"update add ns3.{ZONE}. 1 A {THIRD}\nupdate add {ZONE}. 1 NS ns3.{ZONE}.")
    until(lambda: f"ns3.{ZONE}." in (lab.records(lab.secondary, ZONE, "NS") or ()), "both servers know the third")
    lab.flush()
    with DnsStranger(THIRD, _signed_long_ago(lab)):
        try:
            story.hook()
            story.is_held_up_by(f"answer of .*{re.escape(THIRD)}.* is bogus.*expired")
        finally:
            lab.update(f"update delete {ZONE}. NS ns3.{ZONE}.\nupdate delete ns3.{ZONE}. A")
            until(lambda: f"ns3.{ZONE}." not in (lab.records(lab.secondary, ZONE, "NS") or ()), "it is gone again")
            lab.flush()
    story.goes_on()


def _signed_long_ago(lab: DnsLab) -> Callable[[object, bytes, tuple[str, int]], None]:
    """Pass on what the primary says, TLSA sets with signatures of the year 2020."""
    import base64

    keys = lab._primary.directory / "keys"
    (public,) = (file for file in keys.glob(f"K{ZONE}.+*.key"))
    secret = re.search(r"^PrivateKey: (\S+)", public.with_suffix(".private").read_text(), re.MULTILINE)
    assert secret
    private = ec.derive_private_key(int.from_bytes(base64.b64decode(secret[1])), ec.SECP256R1())
    dnskey = next(
        dns.rrset.from_text(ZONE + ".", 1, "IN", "DNSKEY", line.split("DNSKEY", 1)[1])[0]
        for line in public.read_text().splitlines() if not line.startswith(";")
    )  # fmt: skip

    def answer(sock: object, data: bytes, sender: tuple[str, int]) -> None:
        told = dns.query.udp_with_fallback(dns.message.from_wire(data), lab.primary, timeout=3, source="127.0.0.1")[0]
        for rrset in [one for one in told.answer if one.rdtype == dns.rdatatype.TLSA]:
            told.answer = [one for one in told.answer if not (one.rdtype == dns.rdatatype.RRSIG and one.name == rrset.name)]
            signed = dns.dnssec.sign(
                rrset, private, dns.name.from_text(ZONE + "."), dnskey, inception="20200101000000", expiration="20200201000000"
            )
            told.answer.append(dns.rrset.from_rdata(rrset.name, rrset.ttl, signed))
        sock.sendto(told.to_wire(max_size=65535), sender)

    return answer


# Disks


@contextmanager
def small_disk(directory: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a file system of its own, only for us, and yield what fills it when written."""
    directory.mkdir(mode=0o700, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0700", "tmpfs", str(directory))
    try:
        yield directory / "ballast"
    finally:
        run("umount", "-l", str(directory))


def fill(ballast: Path) -> None:
    """Leave not one page free."""
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while True:
            os.write(handle, b"\0" * 4096)
    except OSError:
        os.close(handle)


def test_no_space_for_what_the_hook_brings(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> None:
    """The hook must not say that it kept what it did not keep: exit 1, the reason; with space the same call does it."""
    with small_disk(tmp_path / "state", 1024) as ballast:
        story = Story(dns_lab, mail, installed(dns_lab, mail, tmp_path), tmp_path)
        before = kept(story.installation)
        fill(ballast)
        code, said = hand_over(story.installation, tmp_path, story.new.certificate, story.new.key)
        assert code == 1
        assert_clear(said)
        assert "full" in said
        assert kept(story.installation) == before
        assert Sight.of(dns_lab, mail) == story.before
        ballast.unlink()
        story.hook()
        story.goes_on()


def test_no_space_in_the_middle_of_a_rollover(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> None:
    """What cannot be written down is not done: exit 1, nothing is swapped; with space it goes on."""
    with small_disk(tmp_path / "state", 1024) as ballast:
        story = Story(dns_lab, mail, installed(dns_lab, mail, tmp_path), tmp_path)
        story.hook()
        fill(ballast)
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            code, said = story.run()
            assert Sight.of(dns_lab, mail).server == story.before.server
        assert code == 1
        assert_clear(said)
        assert "full" in said
        ballast.unlink()
        story.goes_on()


def test_no_space_while_it_watches(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> None:
    """`run --watch` has the journal open: no intent can be written, so nothing is done; with space it goes on by itself."""
    with small_disk(tmp_path / "state", 1024) as ballast:
        story = Story(dns_lab, mail, installed(dns_lab, mail, tmp_path), tmp_path)
        story.hook()
        watch = story.installation.start("run", "--watch")
        try:
            until(lambda: _leases(story) == {watch.pid}, "it works", every=0.01)
            fill(ballast)
            time.sleep(5)
            assert Sight.of(dns_lab, mail).server == story.before.server
            assert watch.poll() is None
            ballast.unlink()
            until(
                lambda: story.installation.status()["current"]["spki"] == story.new.record.split()[-1],
                "the swap",
                timeout=60,
                every=0.5,
            )
        finally:
            os.killpg(watch.pid, signal.SIGINT)
            said, _ = watch.communicate(timeout=60)
        assert_clear(said)
        assert "the disk is full" in said


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_the_consumers_disk(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path, how: str) -> None:
    """The new file cannot be written: the old one stands and is served, the reason is told, and a person lets it go on."""
    with small_disk(tmp_path / "tls", 64) as ballast:
        mail = mail_server(dns_lab, mx_lab, tmp_path)
        story = Story(dns_lab, mail, installed(dns_lab, mail, tmp_path), tmp_path)
        if how == "full":
            fill(ballast)
        else:
            run("mount", "-o", "remount,ro", str(tmp_path / "tls"))
        story.hook()
        said = story.is_held_up_by("the disk is full" if how == "full" else "read-only", seconds=8)
        assert f"rollover start {mail.host}" in said
        assert ending(story.installation, "status")[0] == 1
        if how == "full":
            ballast.unlink()
        else:
            run("mount", "-o", "remount,rw", str(tmp_path / "tls"))
        story.run()
        ending(story.installation, "rollover", "start", mail.host)
        story.goes_on()


# Consumers


def test_a_reload_that_fails(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> None:
    """The old file is put back, the reason is told; when the reload works again, it ends by itself where it began: held."""
    reload = tmp_path / "reload"
    reload.write_text("#!/bin/sh\necho 'the reload says no' >&2\nexit 3\n")
    reload.chmod(0o755)
    made = installed(
        dns_lab, mail, tmp_path, edit=lambda text: text.replace('type = "postfix"', f'type = "postfix"\nreload = ["{reload}"]')
    )
    story = Story(dns_lab, mail, made, tmp_path)
    story.hook()
    until(lambda: "the reload says no" in story.run()[1] + ending(made, "status")[1], "it is told", timeout=20)
    code, said = ending(made, "status")
    assert code == 1
    assert "roll back" in said
    assert mail.chain_file.read_bytes() == mail.pair.combined
    reload.write_text(f"#!/bin/sh\nexec {' '.join(mail.postfix.reload_command)}\n")
    until(lambda: story.run()[0] in (0, 1) and made.status()["hold"] is not None, "held", timeout=40, every=0.3)
    assert presented(ADDRESS, 25) == story.before.presented[0]
    ending(made, "rollover", "start", mail.host)
    story.goes_on()


def test_a_mail_server_that_is_down(story: Story, mail: MailDomain) -> None:
    """Without a probe before there is no evidence after: no swap while it is down, and by itself when it is up."""
    story.hook()
    mail.postfix.stop()
    try:
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            story.run()
        said = ending(story.installation, "status")[1]
        assert "cannot be probed" in said
        assert mail.chain_file.read_bytes() == mail.pair.combined
    finally:
        mail.postfix.start()
    story.goes_on()


def test_a_server_that_does_not_take_the_new_certificate(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> None:
    """The reload says yes and does nothing: back within `confirm-within`, held with the reason, until a person mends it."""
    written, reload = tmp_path / "tls" / "written.pem", tmp_path / "reload"
    mail.pair.install(written)
    reload.write_text("#!/bin/sh\nexit 0\n")
    reload.chmod(0o755)

    def edit(text: str) -> str:
        section = f'[consumer.postfix]\ntype = "command"\nfile = "{written}"\nreload = ["{reload}"]\n\n[lineage'
        return re.sub(r"\[consumer\.postfix\].*?\n\[lineage", section, text, flags=re.DOTALL)

    made = installed(dns_lab, mail, tmp_path, timing={"confirm-within": "4s"}, edit=edit)
    story = Story(dns_lab, mail, made, tmp_path)
    story.hook()
    until(lambda: bool(story.run()) and made.status()["phase"] == "held", "held", timeout=40, every=0.3)
    code, said = ending(made, "status")
    assert code == 1
    assert "not every service presents the new certificate" in said
    assert f"rollover start {mail.host}" in said
    assert written.read_bytes().startswith(mail.pair.key.splitlines()[0])
    assert Sight.of(dns_lab, mail).server == story.before.server
    assert made.status()["current"]["spki"] == mail.pair.record.split()[-1]

    reload.write_text(f'#!/bin/sh\nset -e\ncp "$TLSA_MANAGER_FILE" {mail.chain_file}\n{" ".join(mail.postfix.reload_command)}\n')
    made.command("rollover", "start", mail.host)
    story.goes_on()


# Memory and processes


@pytest.mark.parametrize("damage", ["garbage", "emptied", "middle"])
def test_a_journal_that_is_damaged(story: Story, damage: str) -> None:
    """No command guesses: exit 1 and what to do; the server and its records are untouched."""
    state = story.place / "state" / "state.db"
    good = state.read_bytes()
    if damage == "garbage":
        state.write_bytes(os.urandom(len(good)))
    elif damage == "middle":
        state.write_bytes(good[:4096] + os.urandom(len(good) - 4096))
    else:
        state.write_bytes(good[:100])
    for words in (("run",), ("status",), ("history",), ("rollover", "abort", story.mail.host)):
        code, said = ending(story.installation, *words)
        assert code == 1
        assert_clear(said)
        assert str(state) in said
    code, said = hand_over(story.installation, story.place, story.new.certificate, story.new.key)
    assert code == 1
    assert_clear(said)
    assert Sight.of(story.dns_lab, story.mail) == story.before
    state.write_bytes(good)
    story.hook()
    story.goes_on()


def test_two_runs_at_once(story: Story) -> None:
    """Each either does its work or says that somebody else is at it; together they do the rollover once."""
    story.hook()
    codes = set()
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        both = [story.installation.start("run", story.mail.host) for _ in range(3)]
        for process in both:
            said, _ = process.communicate(timeout=60)
            assert_no_traceback(said)
            assert process.returncode in (0, 75), said
            assert process.returncode == 0 or "is working on" in said
            codes.add(process.returncode)
    assert codes == {0, 75}
    story.goes_on()
    assert [event["event"] for event in story.installation.events()].count("Deployed") == 1


def test_the_lease_of_a_dead_process(story: Story) -> None:
    """A run that is killed while it works leaves a lease behind; the next one takes it over at once."""
    story.hook()
    story.dns_lab._primary.daemon.freeze()
    try:
        process = story.installation.start("run", story.mail.host)
        until(lambda: _leases(story) == {process.pid}, "the run holds the lease")
        busy, said = story.run()
        assert (busy, f"process {process.pid} is working" in said) == (75, True), said
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        assert _leases(story) == {process.pid}
    finally:
        story.dns_lab._primary.daemon.thaw()
    code, said = story.run()
    assert code == 0, said
    story.goes_on()


def _leases(story: Story) -> set[int]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(story.place / "state" / "state.db")) as journal:
        return {pid for (pid,) in journal.execute("SELECT pid FROM leases")}


# Secrets


def test_secrets_stay_where_they_are(story: Story) -> None:
    """A whole rollover with -vv: neither key nor TSIG secret in any output or in the journal; nothing open to others."""
    said = [story.hook()]
    secret = re.search(r'secret "(.+?)"', own_key(story.place).read_text())
    assert secret

    def finished() -> bool:
        said.extend(ending(story.installation, "-vv", *words)[1] for words in (("run",), ("run", "--json"), ("status", "--json")))
        return story._finished()

    until(finished, "the rollover ends", timeout=60, every=0.3)
    own_key(story.place).chmod(0o644)
    said += [ending(story.installation, "-vv", *words)[1] for words in (
        ("run", story.mail.host), ("status",), ("history", "--json"), ("records", "--look"), ("config", "show", "--json"),
            ("config", "show"),
        ("config", "check"),
    )]  # fmt: skip
    own_key(story.place).chmod(0o600)
    state = story.place / "state"
    everything = "\n".join(said).encode() + b"".join(file.read_bytes() for file in state.glob("state.db*"))
    secrets = {secret[1].encode()} | {line for pair in (story.new, story.mail.pair) for line in pair.key.splitlines()[1:-1]}
    assert not [one for one in secrets if one in everything]
    for path in (state, *state.rglob("*")):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE(story.mail.chain_file.stat().st_mode) == 0o600
