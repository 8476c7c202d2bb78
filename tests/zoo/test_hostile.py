"""Servers that mean harm: whatever they send, the outcome is right, the answer clean, time and memory bounded."""

from __future__ import annotations

import contextlib
import json
import random
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from observe.strangers import context, plain

from tlsa_manager.diagnose.many import diagnose
from tlsa_manager.target import Target
from zoo import strange
from zoo.measured import Program, lab_options
from zoo.zoo import Zoo, mail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.hierarchy import DnsLab
    from observe.strangers import Behaviour, Visit

    from tlsa_manager.diagnose.report import Report
    from zoo.zoo import Host

EVIL = b'\x1b[2J\x1b]0;owned\x07 | x=1;2 " \\ {} \x00\x85\xe2\x80\xae\r\nINJECTED'
REPLY = b"-" + EVIL.replace(b"\r\n", b" \x0b\x0c ")  # without a line break: else the lines behind it are replies of their own


# What servers do instead of serving


def endless(visit: Visit) -> None:
    """Greet for ever."""
    while visit.pause(0):
        visit.socket.sendall((b"220" + REPLY[:60] + b"\r\n") * 100)


def one_line(visit: Visit) -> None:
    """Begin a line that never ends."""
    while visit.pause(0):
        visit.socket.sendall(b"220 " + b"x" * 9000)


def drip(visit: Visit) -> None:
    """Say one byte a second."""
    for byte in b"220 mx.example.org ESMTP\r\n" * 100:
        visit.socket.sendall(bytes([byte]))
        if not visit.pause(1):
            return


def extensions(visit: Visit) -> None:
    """Tell extensions without end."""
    visit.socket.sendall(b"220 mx\r\n")
    visit.line()
    while visit.pause(0):
        visit.socket.sendall(b"250-" + EVIL[:20].replace(b"\r\n", b"") + b"\r\n" * 50)


def noise(visit: Visit) -> None:
    """Answer STARTTLS with bytes of no protocol."""
    visit.socket.sendall(b"220 mx\r\n")
    visit.line()
    visit.socket.sendall(b"250 STARTTLS\r\n")
    visit.line()
    visit.socket.sendall(b"220 go\r\n")
    visit.socket.recv(2000)
    visit.socket.sendall(EVIL * 30)


def babbling(visit: Visit) -> None:
    """Send records of a handshake that never ends."""
    visit.socket.sendall(b"220 mx\r\n")
    visit.line()
    visit.socket.sendall(b"250 STARTTLS\r\n")
    visit.line()
    visit.socket.sendall(b"220 go\r\n")
    visit.socket.recv(2000)
    while visit.pause(0):
        visit.socket.sendall(b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes(0x4000 - 4))


def says(*certificates: bytes) -> Behaviour:
    """Begin a handshake with these certificates, and stop."""

    def hello(visit: Visit) -> None:
        visit.socket.recv(4000)
        visit.socket.sendall(strange.flight(*certificates))

    return plain(b"220 mx\r\n", b"250 STARTTLS\r\n", b"220 go\r\n", then=hello)


WORDS: dict[str, Behaviour] = {
    "endless": endless,
    "one-line": one_line,
    "drip": drip,
    "extensions": extensions,
    "noise": noise,
    "babbling": babbling,
    "evil-banner": plain(b"554" + REPLY + b"\r\n554 " + EVIL + b"\r\n"),
    "evil-refusal": plain(b"220 mx\r\n", b"250 STARTTLS\r\n", b"454" + REPLY + b"\r\n454 " + EVIL + b"\r\n"),
    "nul": plain(bytes(70000)),
    "reset": lambda visit: visit.reset(),
    "no-certificate": says(),
    "empty-certificate": says(b""),
    "garbage": says(random.Random(1).randbytes(3000)),
    "bottomless": says(b"\x30\x84\xff\xff\xff\xff" + bytes(100)),
    "indefinite": says(b"\x30\x80" * 4000),
    "unknown-key": says(strange.certificate(spki=strange.UNKNOWN_KEY)),
    "broken-names": says(strange.certificate(strange.extension(strange.ALT_NAMES, b"\x30\x84\xff\xff\xff\xff"))),
    "broken-constraints": says(strange.certificate(*(strange.extension(bytes([0x55, 0x1D, n]), EVIL) for n in (15, 19, 30, 37)))),
    "megabyte": says(strange.certificate(strange.extension(b"\x2a\x03", bytes(1 << 20)))),
}

SLOW = ("endless", "one-line", "drip", "extensions", "babbling", "nul")  # have nothing to say that others do not say

# What they present. A sender that looks at the key alone (usage 3) takes any of the first, and none of the second kind.

_GOOD = strange.certificate(strange.alt_names(b"mx.example.org"))
TAKEN: dict[str, tuple[bytes, ...]] = {
    "version-1": (strange.certificate(version=1),),
    "serial": (strange.certificate(serial=b"\x01" * 2000),),
    "negative": (strange.certificate(serial=b"\x80" + b"\1" * 30),),
    "thousand-names": (strange.certificate(strange.alt_names(*(b"h%d.example.org" % n for n in range(1000)))),),
    "latin-names": (strange.certificate(subject="Zürich".encode("latin-1")),),
    "evil-names": (strange.certificate(strange.alt_names(EVIL, b"a\0b", b"*", b"", b"x" * 3000), subject=EVIL, issuer=EVIL),),
    "dates": (strange.certificate(dates=(b"491231235959Z", b"500101000000Z")),),
    "ninety-thousand": (strange.certificate(strange.extension(b"\x2a\x03", bytes(90_000))),),
    "hundred": (_GOOD, *(strange.certificate(serial=b"\1%c" % n, subject=b"issuer %d" % n) for n in range(100))),
    "unknown-issuer": (_GOOD, strange.certificate(spki=strange.UNKNOWN_KEY, subject=EVIL)),
}
REFUSED: dict[str, tuple[bytes, ...]] = {
    "no-dates": (strange.certificate(dates=(EVIL, b"")),),
    "hundred-kilobytes": (strange.certificate(strange.extension(b"\x2a\x03", bytes(110_000))),),
}


class Menagerie(NamedTuple):
    """All hostile servers, running. `targets`: by name."""

    zoo: Zoo
    program: Program
    targets: dict[str, str]
    reports: dict[str, Report]
    calm: str


@pytest.fixture(scope="module")
def menagerie(dns_lab: DnsLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Menagerie]:
    """Start all, and look at all at the same time: they must not hold each other up."""
    with contextlib.ExitStack() as stack:
        zoo = Zoo(dns_lab, tmp_path_factory.mktemp("hostile"), stack)
        hosts: dict[str, Host] = {}
        for name, behaviour in WORDS.items():
            hosts[name] = zoo.host(pair=(strange.pem(_GOOD), strange.KEY_PEM))
            zoo.serve(hosts[name], behaviour=behaviour)
        for name, chain in (TAKEN | REFUSED).items():
            hosts[name] = zoo.host(pair=(strange.pem(*chain), strange.KEY_PEM))
            zoo.serve(hosts[name], suites="DEFAULT:@SECLEVEL=0")
        hosts["injected"] = zoo.host()
        zoo.serve(hosts["injected"], behaviour=injecting(zoo, hosts["injected"]))
        hosts["evil-talk"] = zoo.host()
        zoo.serve(hosts["evil-talk"], behaviour=evil_talk(zoo, hosts["evil-talk"]))
        record = str(strange_record())
        lines = [f"{one.name}. 3600 A {one.address}" for one in hosts.values()]
        lines += [
            f"{one.owner} 3600 TLSA {one.record() if name in ('injected', 'evil-talk') else record}"
            for name, one in hosts.items()
        ]
        zoo.zone(*lines)
        targets = {name: f"{one.name}:25" for name, one in hosts.items()}
        found = diagnose([Target.parse(one) for one in targets.values()], zoo.settings(timeout=1.0, thorough=True))
        reports = {one.target.name: one for one in found}
        calm = f"{zoo.mx('3 1 1').name}:25"
        yield Menagerie(zoo, Program(zoo.directory), targets, {name: reports[one] for name, one in targets.items()}, calm)


def strange_record() -> str:
    """Return the TLSA record of the key of strange certificates."""
    import hashlib

    return f"3 1 1 {hashlib.sha256(strange.SPKI).hexdigest()}"


def injecting(zoo: Zoo, host: Host) -> Behaviour:
    """Put plain text behind the word that begins TLS, as somebody on the path may (CVE-2021-38371)."""
    return mail(context(zoo.directory, host.pair), starttls=b"220 2.0.0 Ready\r\n250-mx.example.org\r\n250 AUTH PLAIN")


def evil_talk(zoo: Zoo, host: Host) -> Behaviour:
    """Do everything right, with words that steer terminals."""
    settings = context(zoo.directory, host.pair)
    return mail(
        settings,
        banner=b"220" + REPLY + b"\r\n220 " + EVIL[:40].replace(b"\r\n", b""),
        extensions=(REPLY, b"x" * 400),
        plain=b"250 " + EVIL[:30],
    )


@pytest.mark.parametrize("name", WORDS)
def test_who_does_not_come_to_tls_gets_no_mail(menagerie: Menagerie, name: str) -> None:
    """The outcome is defer, with one critical finding; the program never takes it for a fault of its own."""
    whole(menagerie.reports[name], "defer")


@pytest.mark.parametrize("name", TAKEN)
def test_the_key_alone_counts(menagerie: Menagerie, name: str) -> None:
    """A certificate may be as strange as it likes where the record names its key (RFC 7671 §5.1)."""
    whole(menagerie.reports[name], "auth")


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_client_takes(menagerie: Menagerie, name: str) -> None:
    """More than OpenSSL reads is no certificate for anybody."""
    whole(menagerie.reports[name], "defer")


def test_an_injected_answer_is_no_answer(menagerie: Menagerie) -> None:
    """What came in plain text behind STARTTLS is never interpreted, and never called well."""
    report = menagerie.reports["injected"]
    whole(report, "defer")
    assert "data before TLS began" in report.why


def test_words_that_steer_terminals_do_no_harm(menagerie: Menagerie) -> None:
    """The server is well but for its words."""
    report = menagerie.reports["evil-talk"]
    assert "F-CRASH" not in {one.code for one in report.findings}
    assert str(report.outcome) == "auth"


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "nagios", "prometheus"])
def test_every_format_stays_clean(menagerie: Menagerie, form: str) -> None:
    """All of them at once, told as people and programs read it: nothing steers a terminal, nothing looks like a line of ours."""
    targets = [one for name, one in menagerie.targets.items() if name not in SLOW]
    more = ("--workers", "2") if form == "jsonl" else ()
    run = menagerie.program("check", *targets, "--format", form, "-v", *lab_options(menagerie.zoo), *more)
    assert run.code == 2
    assert run.err == ""
    READERS[form](run.out, len(targets))


def test_memory_is_bounded(menagerie: Menagerie) -> None:
    """Whoever sends without end fills no memory: all together cost hardly more than one decent server."""
    look = lab_options(menagerie.zoo)
    calm = menagerie.program("check", menagerie.calm, *look)
    assert calm.code == 0, calm.out
    wild = menagerie.program("check", *menagerie.targets.values(), *look)
    assert wild.code == 2
    assert wild.peak < 2 * calm.peak, (wild.peak, calm.peak)


@pytest.mark.parametrize("name", ["evil-banner", "evil-refusal", "noise", "reset"])
def test_preflight_before_a_hostile_server(menagerie: Menagerie, name: str) -> None:
    """Nobody can tell what the server presents: what caches hold is waited for, and every word is clean."""
    zoo = menagerie.zoo
    host = zoo.host()
    zoo.serve(host, behaviour=WORDS[name])
    zoo.publish(host, host.record(), strange_record())
    chain = zoo.directory / f"{host.name}.pem"
    chain.write_bytes(host.chain_pem)
    look = lab_options(zoo)[:4]  # it has no patience to be set
    run = menagerie.program("preflight", "--certificate", chain, "--service", f"{host.name}:25", *look, "--json")
    assert run.code == 75, run
    assert run.json["verdict"] == "later"
    assert run.err == ""


def reads_text(out: str, targets: int) -> None:
    """Paragraphs of targets, each with its outcome."""
    assert len(re.findall(r"^[a-z0-9.-]+:25: (?:auth|defer): ", out, re.MULTILINE)) == targets


def reads_json(out: str, targets: int) -> None:
    """One object, ASCII only."""
    assert out.isascii()
    assert len(json.loads(out)["targets"]) == targets


def reads_lines(out: str, targets: int) -> None:
    """One object a line, ASCII only."""
    assert out.isascii()
    assert len([json.loads(line)["outcome"] for line in out.splitlines()]) == targets


def reads_nagios(out: str, targets: int) -> None:
    """A status line with one bar, performance data of ours only, and no other bar."""
    status, *rest = out.splitlines()
    said, bar, data = status.partition(" | ")
    assert said.startswith(f"DANE CRITICAL - {targets} targets: ")
    assert bar
    assert re.fullmatch(r"(?:[a-z_]+=-?[0-9.]+s? ?)+", data), data
    assert not [line for line in rest if "|" in line]
    assert len(out) < 8192 + len(status)


def reads_prometheus(out: str, targets: int) -> None:
    """Comments and samples; no sample twice; each target with its status."""
    samples = [line for line in out.splitlines() if not line.startswith("# ")]
    form = r'tlsa_manager_[a-z_]+(?:\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\})? -?[0-9.e+-]+'
    assert not [line for line in samples if not re.fullmatch(form, line)]
    names = [line.rpartition(" ")[0] for line in samples]
    assert len(set(names)) == len(names)
    assert sum(one.startswith("tlsa_manager_status{") for one in names) == targets


READERS: dict[str, Callable[[str, int], None]] = {
    "text": reads_text, "json": reads_json, "jsonl": reads_lines, "nagios": reads_nagios, "prometheus": reads_prometheus,
}  # fmt: skip


def whole(report: Report, outcome: str) -> None:
    """Assert the outcome, that nothing of ours broke, and that the report is of a sensible size."""
    told = [f"{one.code} {one.severity} {one.message}" for one in report.findings]
    assert str(report.outcome) == outcome, (report.why, told)
    assert "F-CRASH" not in {one.code for one in report.findings}, told
    assert len(json.dumps(report.value())) < 64 << 10
