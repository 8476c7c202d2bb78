"""DNS that means harm: what its servers tell is bounded in time, in questions and in memory, and told cleanly."""

from __future__ import annotations

import gzip
import json
import random
import socket
import time
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.query
import dns.rrset
import pytest
from observe.dns_strangers import DnsStranger, response
from observe.strangers import context

from tlsa_manager.diagnose.many import diagnose
from tlsa_manager.target import Target
from zoo.measured import Program, lab_options
from zoo.test_hostile import READERS, whole
from zoo.yard import FIRST, before
from zoo.zoo import absent, found

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from dns.message import Message
    from observe.strangers import Behaviour, Visit

    from zoo.yard import Yard
    from zoo.zoo import Zoo

CROWDS = "max-records-per-type 0;"  # BIND refuses to serve as many
EVIL = r"a\027[31m\010INJECTED\|\"\\x=1\;\000\133"  # of a label, as zone files write it
TEXT = r"\027]0;owned\007\010INJECTED | x=1 \"q\" \\ \226\128\174"


def crowd(count: int, size: int = 32) -> list[str]:
    """Return records of nobody's keys, each different."""
    chance = random.Random(count)
    return [f"3 1 1 {chance.randbytes(size).hex()}" for _ in range(count)]


class Asked:
    """Counts what passes a stranger."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _: Message, answer: Message) -> Message:
        """Count a question, and let the answer through."""
        self.count += 1
        return answer


@pytest.mark.parametrize(("count", "size"), [(1200, 32), (2500, 5), (101, 32)])
def test_more_records_than_resolvers_take(zoo: Zoo, yard: Yard, count: int, size: int) -> None:
    """F-MANY: the right record is among them, and many a sender's resolver refuses the answer all the same."""
    host = zoo.host()
    zoo.serve(host)
    lines = (f"_25._tcp.mx.{{zone}}. TLSA {one}" for one in [*crowd(count - 1, size), host.record()])
    zone = yard.zone(f"mx.{{zone}}. A {host.address}", *lines, host=host, mx=False, options=CROWDS)
    report = zoo.check(f"mx.{zone.name}:25")
    fault = found(report, "F-MANY", outcome="defer")
    assert f"gave {count} TLSA records" in fault.message
    whole(report, "defer")


def test_as_many_records_as_resolvers_take(zoo: Zoo, yard: Yard) -> None:
    """F-MANY: the right one of a hundred is found."""
    host = zoo.host()
    zoo.serve(host)
    lines = (f"_25._tcp.mx.{{zone}}. TLSA {one}" for one in [*crowd(99), host.record()])
    zone = yard.zone(f"mx.{{zone}}. A {host.address}", *lines, host=host, mx=False, options=CROWDS)
    report = zoo.check(f"mx.{zone.name}:25")
    found(report, "F-MANY", outcome="auth", severity="error")
    whole(report, "auth")


def test_a_domain_that_names_hundreds_of_hosts(zoo: Zoo, yard: Yard) -> None:
    """F-MANY: nobody is sent to a host of a domain whose MX records resolvers refuse."""
    asked, front, host = Asked(), zoo.address(), zoo.host()
    server = zoo.serve(host)
    lines = (f"{{zone}}. MX 10 h{number}.{{zone}}." for number in range(300))
    zone = yard.zone(*lines, f"*.{{zone}}. A {host.address}", front=front, options=CROWDS)
    with before(front, asked):
        report = zoo.check(zone.name)
    fault = found(report, "F-MANY", outcome="defer")
    assert "MX records" in fault.message
    assert server.visits == 0
    assert asked.count < 50


def test_a_domain_that_names_many_hosts(zoo: Zoo, yard: Yard) -> None:
    """Ninety names of one victim: only some are looked at, the rest is unknown, and that is no success."""
    asked, front, host = Asked(), zoo.address(), zoo.host()
    server = zoo.serve(host)
    lines = (f"{{zone}}. MX 10 h{number}.{{zone}}." for number in range(90))
    zone = yard.zone(*lines, f"*.{{zone}}. A {host.address}", front=front)
    with before(front, asked):
        report = zoo.check(zone.name)
    assert (str(report.outcome), report.exit_code) == ("unknown", 3)
    assert "name 91 hosts; only the 32 most preferred were looked at" in report.why
    absent(report, "F-CRASH")
    assert 0 < server.visits <= 32 * 5
    assert asked.count < 32 * 40  # about 20 a host; a busy machine has some asked twice, all 91 would be 1800


def test_a_zone_that_names_a_thousand_servers(zoo: Zoo, yard: Yard) -> None:
    """All of them one victim, or nobody: some are asked, and what is not known is not called well."""
    asked, front = Asked(), zoo.address()
    lines = [f"{{zone}}. NS n{number}.{{zone}}." for number in range(1000)]
    zone = yard.zone(*lines, f"*.{{zone}}. A {front}", front=front, options=CROWDS)
    with before(front, asked):
        report = zoo.check(zone.name)
    absent(report, "F-CRASH")
    assert asked.count < 500, report.why
    assert len(json.dumps(report.value())) < 64 << 10


def test_names_and_texts_that_steer_terminals(zoo: Zoo, yard: Yard, tmp_path: Path) -> None:
    """In every place where a zone may have any bytes, told in every format: clean."""
    texts = " ".join(f'"{TEXT}{"x" * 200}"' for _ in range(200))
    zone = yard.zone(
        f"{{zone}}. MX 10 {EVIL}.{{zone}}.",
        f"{{zone}}. MX 20 {'.'.join(['x' * 60] * 3)}.{{zone}}.",
        "{zone}. MX 30 loop.{zone}.",
        "loop.{zone}. CNAME loop.{zone}.",
        f"{{zone}}. MX 40 alias.{{zone}}.\nalias.{{zone}}. CNAME {EVIL}.{{zone}}.\n{EVIL}.{{zone}}. A 127.53.1.97",
        f'_mta-sts.{{zone}}. TXT "v=STSv1; id={TEXT}"',
        f"_smtp._tls.{{zone}}. TXT {texts}",
        f'_smtp._tls.{{zone}}. TXT "{TEXT}"',
        f"_25._tcp.mx.{{zone}}. TXT {texts}",
        f"{{zone}}. NS {EVIL}.{{zone}}.",
    ).name
    report = zoo.check(zone)
    absent(report, "F-CRASH")
    assert len(json.dumps(report.value())) < 64 << 10
    program = Program(tmp_path)
    for form, reader in READERS.items():
        run = program("check", zone, "--format", form, "-v", *lab_options(zoo))
        assert run.err == ""
        if form not in {"nagios", "text"}:  # which tell one target in another way than many
            reader(run.out, 1)
    table = program("policy", zone, *lab_options(zoo))
    assert all(line.startswith("#: ") for line in table.out.splitlines())


# Servers that answer in a way that is none


def garbage(sock: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
    """Send noise that begins as the answer would."""
    sock.sendto(data[:2] + b"\x84\0" + random.Random(1).randbytes(600), sender)


def loops(sock: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
    """Answer with a name that points at itself."""
    query = dns.message.from_wire(data)
    wire = response(query).to_wire()
    end = wire.index(b"\0", 12) + 5
    answer = (0xC000 | end).to_bytes(2, "big") + query.question[0].rdtype.to_bytes(2, "big") + b"\0\1\0\0\0\2\0\4\x7f\0\0\1"
    sock.sendto(wire[:6] + b"\0\1\0\0\0\0" + wire[12:end] + answer, sender)


def elsewhere(_: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
    """Answer rightly, from an address that nobody asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.53.9.253", 0))
        other.sendto(dns.query.udp_with_fallback(dns.message.from_wire(data), FIRST)[0].to_wire(), sender)


def cut_off(sock: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
    """Send everybody to TCP."""
    sock.sendto(response(dns.message.from_wire(data), flags=dns.flags.AA | dns.flags.TC | dns.flags.RA).to_wire(), sender)


def drips(connection: socket.socket) -> None:
    """Announce a long answer, and send it a byte at a time."""
    connection.sendall(b"\xff\xff")
    while True:
        connection.sendall(b"\0")
        time.sleep(0.05)


def floods(connection: socket.socket) -> None:
    """Send without end what was announced as short."""
    connection.recv(2000)
    while True:
        connection.sendall(b"\xff\xff" + bytes(65535))


def heavy(connection: socket.socket) -> None:
    """Answer each question with as much as a message can hold, and nothing that was asked for."""
    size = int.from_bytes(connection.recv(2), "big")
    query = dns.message.from_wire(connection.recv(size))
    answer = response(query)
    texts = [f'"{"x" * 250}{number}"' for number in range(230)]
    answer.answer.append(dns.rrset.from_text("other.example.", 2, "IN", "TXT", *texts))
    wire = answer.to_wire(max_size=65535)
    connection.sendall(len(wire).to_bytes(2, "big") + wire)


@pytest.mark.parametrize(
    ("datagram", "stream"),
    [(garbage, None), (loops, None), (elsewhere, None), (cut_off, drips), (cut_off, floods), (cut_off, heavy), (cut_off, None)],
    ids=["garbage", "loops", "elsewhere", "drips", "floods", "heavy", "closes"],
)
def test_servers_that_answer_nothing(zoo: Zoo, yard: Yard, datagram: Callable[..., None], stream: Callable[..., None]) -> None:
    """The zone cannot be looked up: mail is deferred, in a moment or two."""
    front = zoo.address()
    zone = yard.zone(front=front)
    with DnsStranger(front, datagram, stream):
        report = zoo.check(zone.name, timeout=0.3)
    whole(report, "defer")


@pytest.mark.parametrize("stream", [drips, floods, heavy], ids=["drips", "floods", "heavy"])
def test_resolvers_that_answer_nothing(zoo: Zoo, yard: Yard, stream: Callable[..., None]) -> None:
    """Without a resolver nothing is known, whatever keeps the answer away; that is no word about the target."""
    address = zoo.address()
    with DnsStranger(address, cut_off, stream):
        report = zoo.check(yard.zone().name, resolver=(address,), timeout=0.3)
    assert report.exit_code == 3, report.why
    absent(report, "F-CRASH")


# Policies of MTA-STS


def web(settings: ssl.SSLContext, say: bytes | Callable[[ssl.SSLSocket, Visit], None]) -> Behaviour:
    """Shake hands, hear the request, say anything."""

    def behave(visit: Visit) -> None:
        with settings.wrap_socket(visit.socket, server_side=True) as inside:
            inside.recv(4000)
            inside.sendall(say) if isinstance(say, bytes) else say(inside, visit)

    return behave


EVIL_POLICY = (
    b"version: STSv1\r\nmode: enforce\r\nmx: \x1b[31m\nINJECTED: x\r\nmx: mx.example.org\r\nmax_age: 99999999999999999999\r\n"
)
SAYS: dict[str, bytes | Callable[[ssl.SSLSocket, Visit], None]] = {
    "redirect": b"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/\x1b[2J\r\nContent-Length: 0\r\n\r\n",
    "evil-status": b"HTTP/1.1 404 \x1b[31m\x00\nINJECTED\r\n\r\n",
    "evil-policy": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + EVIL_POLICY,
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(1 << 26)),
    "large": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + EVIL_POLICY + b"mx: a.example.org\r\n" * 40_000,
    "absurd-length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n" + EVIL_POLICY,
    "absurd-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n",
    "headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000,
}


def endless(inside: ssl.SSLSocket, visit: Visit) -> None:
    """Send a policy without end."""
    inside.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while visit.pause(0):
        inside.sendall(b"mx: a.example.org\r\n" * 100)


def slowly(inside: ssl.SSLSocket, visit: Visit) -> None:
    """Send a policy a byte a second."""
    while visit.pause(1):
        inside.sendall(b"H")


def test_policies_that_mean_harm(zoo: Zoo, tmp_path: Path) -> None:
    """Whatever the web server does: DANE decides, the policy is told to be none, and nothing else."""
    names = {}
    mx = zoo.mx("3 1 1")
    for label, say in (SAYS | {"endless": endless, "slowly": slowly}).items():
        extra = ('_mta-sts.{name}. 60 TXT "v=STSv1; id=1"',)
        domain = zoo.domain(mx, extra=extra)
        host = zoo.host(name=f"mta-sts.{domain}")
        zoo.zone(f"{host.name}. 60 A {host.address}")
        zoo.serve(host, port=443, behaviour=web(context(zoo.directory, host.pair), say))
        names[label] = domain
    reports = diagnose([Target.parse(one) for one in names.values()], zoo.settings(timeout=1.0))
    found = {one.target.name: one for one in reports}
    for label, domain in names.items():
        whole(found[domain], "auth")
        assert found[domain].facts.sts is not None, label
        assert found[domain].facts.sts.problem or label == "evil-policy", label
    program = Program(tmp_path)
    for form in ("text", "prometheus", "nagios"):
        run = program("check", *(names[one] for one in SAYS), "--format", form, "-v", *lab_options(zoo))
        assert run.err == ""
