"""One conversation with a provider's API: what is tried again, what is waited for, whom it trusts, what it says."""

from __future__ import annotations

import os
import ssl
import time
from typing import TYPE_CHECKING, Any

import pki
import pytest

from contract.doubles.double import Double, Reply, Request
from tlsa_manager import clock
from tlsa_manager.errors import ConfigError, PublishError, PublishTemporary
from tlsa_manager.option import Option, Settings
from tlsa_manager.publish.hosted.api import Api, UnclearError, address, trusted, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "s3cr3t-of-mine"


class Script(Double):
    """It answers what it is told, one after the other, and the last for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: list[Reply] = [Reply(200, {})]

    def answer(self, _request: Request) -> Reply:
        """Take the next."""
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture
def server() -> Iterator[Script]:
    """Start it."""
    with Script() as one:
        yield one


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note what is slept, and let the clock go on by that."""
    found: list[float] = []
    begin = clock.now()
    monkeypatch.setattr(clock, "sleep", found.append)
    monkeypatch.setattr(clock, "now", lambda: begin + sum(found))
    return found


def api(server: Script, **more: Any) -> Api:
    return Api("Somebody", server.url, 5.0, access="is the key right?", secrets=(SECRET,), **more)


@pytest.mark.parametrize(
    ("method", "repeatable", "tries"),
    [
        ("GET", None, 3),
        ("PUT", None, 3),
        ("DELETE", None, 3),
        ("POST", None, 1),
        ("PATCH", None, 1),
        ("POST", True, 3),
        ("PUT", False, 1),
    ],
)
def test_what_is_tried_again(
    server: Script, slept: list[float], method: str, repeatable: bool | None, tries: int  # noqa: FBT001
) -> None:  # fmt: skip
    """After an error of the server only what does no harm when it is done twice; with pauses that grow."""
    server.replies = [Reply(503, {"error": "out of order"})]
    with pytest.raises(UnclearError, match=r"trouble of its own.*out of order"):
        api(server).ask(method, "/x", repeatable=repeatable)
    assert len(server.requests) == tries
    assert slept == sorted(slept)
    assert len(slept) == tries - 1


def test_a_short_wait_is_waited_for(server: Script, slept: list[float]) -> None:
    """Who says "in two seconds" is asked again then, and not before, whatever was asked; nothing had been done."""
    server.replies = [Reply(429, {}, {"Retry-After": "2"}), Reply(429, {}, {"Retry-After": "1"}), Reply(200, {"done": True})]
    one = api(server)
    assert one.parsed(one.ask("POST", "/x", content={})) == {"done": True}
    assert [2 <= slept[0] < 3, 1 <= slept[1] < 2] == [True, True]


@pytest.mark.parametrize("when", ["seconds", "date"])
def test_a_long_wait_is_for_the_next_run(server: Script, slept: list[float], when: str) -> None:
    """Who says "in an hour" is not asked before; the moment goes with the error."""
    until = int(clock.now()) + 3600
    value = "3600" if when == "seconds" else time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(until))
    server.replies = [Reply(503 if when == "date" else 429, {"detail": "slow down"}, {"Retry-After": value}), Reply(200, {})]
    one = api(server)
    for _ in range(2):
        with pytest.raises(PublishTemporary) as caught:
            one.ask("GET", "/x")
        assert abs(caught.value.until - until) < 60
    assert (len(server.requests), slept) == (1, [])
    slept.append(3700.0)
    assert one.ask("GET", "/x").ok


def test_nobody_stays_away_for_a_month(server: Script, slept: list[float]) -> None:
    """However long a provider says, it is asked again some hours later; until then each error has its words."""
    server.replies = [Reply(429, {"detail": "slow down"}, {"Retry-After": "99999999999"}), Reply(200, {})]
    one, began = api(server), clock.now()
    for _ in range(2):
        with pytest.raises(PublishTemporary, match="asked later: slow down") as caught:
            one.ask("GET", "/x")
        assert began < caught.value.until <= began + 6 * 3600 + 60
    slept.append(6 * 3600 + 60)
    assert one.ask("GET", "/x").ok


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in(server: Script, slept: list[float], status: int) -> None:
    """It is no passing trouble, is not tried again, and what to look at is told; a secret in the answer is not."""
    server.replies = [Reply(status, {"message": f"key {SECRET} is unknown\x1b[2J"})]
    with pytest.raises(PublishError, match=r"does not let us in: HTTP status 40\d: key \*\*\* is unknown") as caught:
        api(server).ask("GET", "/x")
    assert not isinstance(caught.value, PublishTemporary)
    assert (caught.value.hint, slept, len(server.requests)) == ("is the key right?", [], 1)
    assert caught.value.message.isprintable()


def test_a_redirection_is_not_followed(server: Script) -> None:
    """The key would go wherever it leads."""
    server.replies = [Reply(302, headers={"Location": "http://192.0.2.1/elsewhere"})]
    with pytest.raises(PublishError, match=r"redirection to http://192\.0\.2\.1/elsewhere, which is not followed"):
        api(server).ask("GET", "/x")
    assert len(server.requests) == 1


def test_an_answer_without_end(server: Script) -> None:
    """More than a mebibyte is no answer."""
    server.replies = [Reply(200, body=b" " * ((1 << 20) + 1))]
    with pytest.raises(PublishTemporary, match="longer than 1024 KiB"):
        api(server).ask("POST", "/x")


@pytest.mark.parametrize("status", [400, 403, 429, 500])
@pytest.mark.parametrize("name", ["access_token", "apisessionid", "client_secret", "apipassword", "SecretAccessKey", "api-key"])
def test_what_we_were_given_is_not_told(server: Script, slept: list[float], status: int, name: str) -> None:
    """A token in an answer that is no success is not known to us yet, and told to nobody."""
    server.replies = [Reply(status, {"responsedata": {name: "ya29.what-nobody-may-see"}})]
    one = api(server)
    try:
        error: PublishError = one.refused(one.ask("GET", "/x"), "it")
    except PublishError as raised:
        error = raised
    assert "ya29" not in error.message
    assert len(slept) == (2 if status == 500 else 0) or status == 429


def test_an_answer_that_is_not_json(server: Script) -> None:
    """A page of HTML with status 200 says nothing."""
    server.replies = [Reply(200, body=b"<html>")]
    one = api(server)
    with pytest.raises(UnclearError, match="not JSON"):
        one.parsed(one.ask("GET", "/x"))


@pytest.fixture
def secured(server: Script, tmp_path: Path) -> Callable[..., Api]:
    """Put TLS before the server, with a certificate of an authority of its own."""
    key = pki.new_key()
    (tmp_path / "key.pem").write_bytes(pki.key_pem(key))
    (tmp_path / "chain.pem").write_bytes(pki.authority().chain("localhost", key=key))
    (tmp_path / "ca.pem").write_bytes(pki.authority().root.public_bytes(pki.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    return lambda trust: Api("Somebody", url, 5.0, access="-", trust=trust and str(tmp_path / trust))


def test_an_authority_of_ones_own(secured: Callable[..., Api]) -> None:
    """The server's certificate is checked against the file that is named, and against the system's where none is."""
    assert secured("ca.pem").ask("GET", "/x").ok
    with pytest.raises(PublishError, match="certificate of localhost is not to be trusted") as caught:
        secured("").ask("GET", "/x")
    assert not isinstance(caught.value, PublishTemporary)
    assert "ca-bundle" in caught.value.hint


def test_an_authority_that_is_not_there(secured: Callable[..., Api]) -> None:
    """A file that has gone since is an error that somebody has to mend."""
    with pytest.raises(PublishError, match=r"nothing\.pem") as caught:
        secured("nothing.pem").ask("GET", "/x")
    assert not isinstance(caught.value, PublishTemporary)
    assert caught.value.hint


@pytest.mark.parametrize(
    "content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_of_authorities_that_has_none(tmp_path: Path, content: str | None) -> None:
    """It is a mistake of the configuration: found before anything is asked."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"dns\.x\.ca-bundle: .*ca\.pem"):
        trusted(Settings("dns.x", {"ca-bundle": str(path)}), "ca-bundle")


def test_a_pipe_of_authorities(tmp_path: Path) -> None:
    """Nobody waits for what may never come."""
    os.mkfifo(tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match="no file"):
        trusted(Settings("dns.x", {"ca-bundle": str(tmp_path / "ca.pem")}), "ca-bundle")


def test_the_authorities_of_the_system() -> None:
    """Where no file is named, nothing is read."""
    assert trusted(Settings("dns.x", {"ca-bundle": None}), "ca-bundle") == ""


@pytest.mark.parametrize(
    ("url", "plain", "fault"),
    [
        ("https://dns.example.org/api/v1/", False, ""),
        ("https://[2001:db8::1]:8443", False, ""),
        ("http://127.0.0.1:8081", False, ""),
        ("http://localhost/x", False, ""),
        ("http://[::1]:80", False, ""),
        ("http://dns.example.org", True, ""),
        ("http://dns.example.org", False, "not https"),
        ("http://127.0.0.1.example.org", False, "not https"),
        ("https://user:word@dns.example.org", False, "not taken here"),
        ("https://dns.example.org?x=1", False, "not the URL"),
        ("ftp://dns.example.org", False, "not the URL"),
        ("dns.example.org", False, "not the URL"),
        ("https://dns.example.org:port", False, "not the URL"),
        ("https://dns.example.org:0", False, "not the URL"),
        ("https://dns.example.org:99999", False, "not the URL"),
        ("https://.", False, "not the URL"),
        ("https://a..b", False, "not the URL"),
        (f"https://{'a.' * 60}{'b' * 99}!", False, "not the URL"),
        ("https://dns.example.org./x", False, ""),
        ("https://dns example.org", False, "not the URL"),
    ],
)
def test_addresses(url: str, plain: bool, fault: str) -> None:  # noqa: FBT001
    """The key goes over https, or stays on this host; nothing else belongs into the address."""
    settings = Settings("dns.x", {"api": Option("api", "str", "where").read(url)})
    if not fault:
        assert address(settings, "api", plain=plain) == url.rstrip("/")
        return
    with pytest.raises(ConfigError, match=fault) as caught:
        address(settings, "api", plain=plain)
    assert caught.value.mistakes[0].startswith("dns.x.api: ")
    assert "user:word" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"error": "no"}, "no"),
        ({"errors": [{"code": 7, "message": "one"}, {"message": "two"}], "success": False}, "one; two"),
        ([{}, {"records": ["Duplicate."]}], "Duplicate."),
        ("text\x1b\n more", "text more"),
        (None, ""),
        (7, ""),
        ({"status": "error", "message": "x"}, "x"),
        ([["same", "same"]], "same"),
    ],
)
def test_words(value: object, said: str) -> None:
    """The texts in an answer, wherever they stand, once each, as one line."""
    assert words(value) == said


def test_words_in_the_depth() -> None:
    """An answer that is nested without end is no trouble, and no line is without end."""
    deep: Any = "deep"
    for _ in range(900):
        deep = [{"x": deep}]
    assert words(deep) == ""
    assert len(words(["x" * 999, *map(str, range(999))])) <= 300
