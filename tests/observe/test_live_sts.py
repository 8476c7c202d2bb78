"""MTA-STS policies, fetched from web servers of our own that are good, odd or hostile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pki
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import Server, Visit, context

from tlsa_manager.observe import sts
from tlsa_manager.observe.pkix import Authorities
from tlsa_manager.observe.prober import Prober
from tlsa_manager.surroundings import StsPolicy

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

DOMAIN = "example.org"
GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmx: *.Backup.example.org\r\nmax_age: 604800\r\n"
ANNOUNCED = ('"v=STSv1; id=20260101;"',)


@pytest.fixture(scope="module")
def web() -> tuple[bytes, bytes]:
    """Make the certificate of the policy host."""
    return pki.pair("mta-sts.example.org")


@pytest.fixture
def authorities(tmp_path: Path) -> Authorities:
    """Trust the root of our own authority."""
    file = tmp_path / "root.pem"
    file.write_bytes(pki.authority().root.public_bytes(pki.PEM))
    return Authorities(str(file))


def answer(body: bytes, status: str = "200 OK", kind: str = "text/plain", more: str = "") -> bytes:
    """Put together what a web server says."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def https(settings: ssl.SSLContext, say: Callable[[Visit, ssl.SSLSocket], None]) -> Callable[[Visit], None]:
    """TLS, then one request, which is kept, then whatever is to be said."""

    def behave(visit: Visit) -> None:
        with settings.wrap_socket(visit.socket, server_side=True) as inside:
            request = b""
            while not request.endswith(b"\r\n\r\n") and (piece := inside.recv(1000)):
                request += piece
            visit.server.said.append(request)
            say(visit, inside)

    return behave


def fetch(
    authorities: Authorities | None,
    behaviour: Callable[[Visit], None],
    *,
    texts: tuple[str, ...] = ANNOUNCED,
    addresses: tuple[str, ...] = ("127.0.0.1",),
    timeout: float = 3.0,
) -> tuple[StsPolicy, Server]:
    """Fetch the policy from a server of our own."""

    async def once(port: int) -> StsPolicy:
        return await Prober(timeout=timeout, authorities=authorities).policy(DOMAIN, texts, addresses, port=port)

    with Server(behaviour) as server:
        policy = asyncio.run(once(server.port))
    assert policy.problem.isascii()
    assert policy.problem.isprintable() or not policy.problem
    assert len(policy.problem) <= 200
    assert policy.domain == DOMAIN
    return policy, server


def says(words: bytes) -> Callable[[Visit, ssl.SSLSocket], None]:
    """Say this, and close."""
    return lambda _, inside: inside.sendall(words)


def test_a_policy_is_fetched(tmp_path: Path, authorities: Authorities, web: tuple[bytes, bytes]) -> None:
    """One request to the well-known place, with the host's name; the first address that can be reached is enough."""
    behaviour = https(context(tmp_path, web), says(answer(GOOD)))
    policy, server = fetch(authorities, behaviour, addresses=("127.0.0.77", "127.0.0.1"))
    assert policy == StsPolicy(
        DOMAIN, announced=True, mode="enforce", mx=("mx.example.org", "*.backup.example.org"), max_age=604800
    )
    (request,) = server.said
    assert request.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.org\r\n")


def test_a_server_that_does_not_hang_up_or_cuts_in_pieces(
    tmp_path: Path, authorities: Authorities, web: tuple[bytes, bytes]
) -> None:
    """The announced length ends an answer, chunks are put together, and so is what ends with the connection."""
    settings = context(tmp_path, web)

    def stays(visit: Visit, inside: ssl.SSLSocket) -> None:
        inside.sendall(answer(GOOD))
        visit.pause(30)

    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD[:20]), GOOD[:20], len(GOOD[20:]), GOOD[20:])
    for say in (
        stays,
        says(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks),
        says(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + GOOD),
    ):
        policy, _ = fetch(authorities, https(settings, say), timeout=10)
        assert (policy.mode, policy.problem) == ("enforce", "")


def test_what_is_not_announced_is_not_fetched(authorities: Authorities) -> None:
    """Without one right TXT record nobody is asked."""
    for texts, announced, words in (
        ((), False, ""),
        (('"v=spf1 -all"',), True, "does not begin with v=STSv1;"),
        (('"v=STSv1; id=1;"', '"v=STSv1; id=2;"'), True, "senders take none of them"),
        (('"v=STSv1; id=a-b;"',), True, "no usable id"),
        (('"v=STSv1;"',), True, "no usable id"),
    ):
        policy, server = fetch(authorities, Visit.reset, texts=texts)
        assert server.visits == 0
        assert (policy.announced, policy.mode) == (announced, "")
        assert words in policy.problem
        assert bool(words) == bool(policy.problem)
    policy, server = fetch(None, Visit.reset)
    assert (server.visits, policy.problem) == (0, "the policy was not fetched")
    for text in ('"v=STSv1; " "id=2026;"', "v=STSv1;id=1", '"v=STSv1 ; id=x1 ; a=b"', '"v=STSv1\\059 id=1"'):
        assert sts.announcement((text, '"google-site-verification=x"')) == ""


def test_the_certificate_must_be_trusted(tmp_path: Path, authorities: Authorities, web: tuple[bytes, bytes]) -> None:
    """A policy host with another name or an unknown authority is not asked: the request is never sent."""
    for pair, trusted in ((pki.pair("www.example.org"), authorities), (web, Authorities())):
        policy, server = fetch(trusted, https(context(tmp_path, pair), says(answer(GOOD))))
        assert "is not trusted" in policy.problem
        assert policy.mode == ""
        assert b"".join(server.said) == b""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(b"", "301 Moved", more="Location: https://127.0.0.1/\r\n"), "redirects (301)"),
        (answer(b"", "404 Not Found"), "answers 404 Not Found"),
        (answer(b"", "500 \x1b[2J"), "answers 500"),
        (b"220 mx ESMTP\r\n", "does not answer in HTTP"),
        (b"", "does not answer in HTTP"),
        (answer(GOOD)[:-20], "breaks off before its end"),
        (answer(b"mode: enforce\n"), "does not say version: STSv1"),
        (answer(GOOD.replace(b"enforce", b"strict\x1b[31m")), "has the mode 'strict [31m'"),
        (answer(GOOD.replace(b"604800", b"1 week")), "has the max_age '1 week'"),
        (answer(GOOD.replace(b"604800", b"31557601")), "has the max_age '31557601'"),
        (answer(GOOD.replace(b"mx: mx.", b"mx: m*.")), "names 'm*.example.org' as mx"),
        (answer(b"version: STSv1\nmode: testing\nmax_age: 1\n"), "names no mx"),
        (answer(GOOD + b"x" * 70_000), "is longer than 64 kB"),
        (answer(GOOD + b"".join(b"mx: m%d.example\n" % one for one in range(99))), "too many mx"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000 + b"\r\n" + GOOD, "does not answer in HTTP"),
    ],
)
def test_what_is_no_policy(tmp_path: Path, authorities: Authorities, web: tuple[bytes, bytes], said: bytes, words: str) -> None:
    """Everything that is not a policy is told as such, in words that are fit to print."""
    policy, _ = fetch(authorities, https(context(tmp_path, web), says(said)))
    assert words in policy.problem
    assert (policy.announced, policy.mode, policy.mx) == (True, "", ())


def test_another_media_type_is_told(tmp_path: Path, authorities: Authorities, web: tuple[bytes, bytes]) -> None:
    """The policy is read all the same."""
    policy, _ = fetch(authorities, https(context(tmp_path, web), says(answer(GOOD, kind="text/html"))))
    assert policy.mode == "enforce"
    assert policy.problem.endswith("comes as 'text/html', not as text/plain")


def drip(visit: Visit, inside: ssl.SSLSocket) -> None:
    """Send a byte every now and then."""
    while visit.pause(0.05):
        inside.sendall(b"X")


def flood(visit: Visit, inside: ssl.SSLSocket) -> None:
    """Send headers without end."""
    inside.sendall(b"HTTP/1.1 200 OK\r\n")
    while visit.pause(0):
        inside.sendall(b"X-Y: " + b"z" * 9000 + b"\r\n")


def test_hostile_servers_are_bounded(tmp_path: Path, authorities: Authorities, web: tuple[bytes, bytes]) -> None:
    """Whoever drips, floods, says nothing or is not there costs a fixed amount."""
    settings = context(tmp_path, web)
    assert "within 0.6 s" in fetch(authorities, https(settings, drip), timeout=0.2)[0].problem
    assert "does not answer in HTTP" in fetch(authorities, https(settings, flood), timeout=10)[0].problem
    assert "sent nothing within 0.3 s" in fetch(authorities, lambda visit: visit.pause(30), timeout=0.1)[0].problem
    assert "does not speak TLS here" in fetch(authorities, lambda visit: visit.socket.sendall(b"HTTP/1.1 200 OK\r\n"))[0].problem
    policy, _ = fetch(authorities, https(settings, drip), addresses=("127.0.0.76", "127.0.0.77", "127.0.0.78", "127.0.0.1"))
    assert "cannot be asked at 127.0.0.77: no connection: Connection refused" in policy.problem
    assert "has no address" in fetch(authorities, https(settings, drip), addresses=())[0].problem


def test_the_first_of_two_counts() -> None:
    """Fields other than mx that come twice count once, unknown ones not at all (RFC 8461 §3.2)."""
    text = b"version: STSv1\nnew: x\nmode:none\nmode: enforce\nmax_age:   86400 \nmax_age: 5"
    assert sts.parse(DOMAIN, text) == StsPolicy(DOMAIN, announced=True, mode="none", max_age=86400)


@given(
    st.one_of(st.binary(), st.lists(st.sampled_from([*GOOD.splitlines(), b"mx:", b":", b"mode: none", b"\xff"])).map(b"\n".join))
)
def test_any_bytes_are_a_policy_or_none(body: bytes) -> None:
    """Whatever is served: a policy that makes sense, or a reason."""
    try:
        policy = sts.parse(DOMAIN, body)
    except sts.NoPolicyError as error:
        policy = StsPolicy(DOMAIN, problem=error.problem)
    assert policy.problem.isprintable()
    assert policy.problem or policy.mode == "none" or policy.mx
    assert 0 <= policy.max_age <= sts.MAX_AGE
