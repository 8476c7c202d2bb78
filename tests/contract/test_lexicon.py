"""The guard before dns-lexicon: what it lets through, and what it does not believe."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.name
import dns.resolver
import pytest
import tldextract

from contract.doubles.lexicon import end, with_client
from contract.doubles.lexicon.liar import STANDING, Liar
from tlsa_manager.errors import ConfigError, PublishError, PublishTemporary
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.publish.hosted import lexicon
from tlsa_manager.publish.hosted.lexicon import pipe, worker
from tlsa_manager.publish.hosted.lexicon.reviewed import REVIEWED
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract.stand import Stand
    from tlsa_manager.publish import Backend

NOW, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ac")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NOW}), frozenset(), None, 3600)
REMOVE = Change(OWNER, "", frozenset(), frozenset({FOREIGN}), None, 3600)
PAGE = Path(__file__).parents[2] / "docs" / "backends" / "lexicon.md"


@pytest.fixture(autouse=True)
def _unloaded() -> Iterator[None]:
    """Let lexicon be gone after a test that has imported it: it warns everybody who looks at its modules."""
    yield
    for name in [one for one in sys.modules if one.partition(".")[0] == "lexicon"]:
        del sys.modules[name]


@pytest.fixture
def section(tmp_path: Path) -> Callable[..., Backend]:
    """Return how to open the backend with these lines as the provider's options."""

    def opened(*lines: str, provider: str = "porkbun", **more: object) -> Backend:
        path = tmp_path / "options"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")
        return open_backend("ns1", "lexicon", {"provider": provider, "zone": "pub.example", "options-file": str(path), **more})

    return opened


@pytest.fixture
def liar(section: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Backend]]:
    """Return how to open an account at a provider with a certain lie; each test has a fresh one."""
    monkeypatch.setattr(pipe, "COMMAND", with_client("liar"))
    end()

    def opened(lie: str, timeout: str = "30s") -> Backend:
        return section("auth_token = " + lie + "-0123456789", provider="hostingde", timeout=timeout)

    yield opened
    end()


def test_it_works_when_nobody_lies(liar: Callable[..., Backend]) -> None:
    """The truth is let through, and of what is listed only what was asked for."""
    assert liar("truth").read(OWNER).records == {FOREIGN}
    for change in (ADD, ADD, REMOVE, REMOVE):
        assert liar("truth").change(change).state == "done"
    assert liar("truth").read(OWNER).records == {NOW}


@pytest.mark.parametrize("lie", ["none", "false", "raises", "pretends", "lists", "secret"])
def test_what_is_not_done_is_not_believed(liar: Callable[..., Backend], lie: str) -> None:
    """None, False, a text, an exception, or True for what was not done: never a success, and never a secret."""
    with pytest.raises(PublishTemporary) as caught:
        liar(lie).change(ADD)
    assert caught.value.hint
    assert "0123456789" not in caught.value.message
    assert ("which is not True" in caught.value.message) is (lie in {"none", "false", "secret"})


@pytest.mark.parametrize("lie", ["one", "none"])
def test_what_is_done_though_it_does_not_say_so_is_seen(liar: Callable[..., Backend], lie: str) -> None:
    """1 is not True; but what stands afterwards counts."""
    if lie == "one":
        assert liar(lie).change(ADD).state == "done"
    else:
        with pytest.raises(PublishTemporary, match="which is not True"):
            liar(lie).change(REMOVE)


def test_what_stands_is_not_created_and_what_is_gone_is_not_deleted() -> None:
    """Somebody else has done it since it was planned: the provider, which might write it twice, is not asked again."""
    begun: list[str] = []

    class Busy(Liar):
        def create_record(self, rtype: str, name: str, content: str) -> bool:
            begun.append(content)
            return True

        delete_record = create_record  # type: ignore[assignment]

    standing = f"3 1 1 {'C' * 32} {'C' * 32}"
    STANDING["busy"] = [standing]
    asked = {"name": "busy", "zone": "pub.example", "kind": "TLSA", "options": {"auth_token": "truth"}}
    for what in ({"add": [str(FOREIGN)]}, {"remove": [str(NOW)]}):
        assert worker.perform({**asked, **what}, Busy)["records"] == [
            {"type": "TLSA", "name": "busy", "content": standing, "ttl": 300}
        ]
    assert begun == []


@pytest.mark.parametrize("change", [ADD, Change(OWNER, "", frozenset(), frozenset({NOW}), None, 3600)], ids=["add", "remove"])
def test_records_of_others_that_vanish_are_told(liar: Callable[..., Backend], change: Change) -> None:
    """A provider that writes a set where it should write a record is told for good, with what it has removed."""
    if change.remove:
        liar("truth").change(ADD)
    with pytest.raises(PublishError, match="that were to stay") as caught:
        liar("overwrites").change(change)
    assert not isinstance(caught.value, PublishTemporary)
    assert str(FOREIGN) in caught.value.message


def test_it_is_not_waited_for_without_end(liar: Callable[..., Backend]) -> None:
    """The process that hangs is killed; the next question starts another."""
    with pytest.raises(PublishTemporary, match="did not answer within"):
        liar("hangs", timeout="3s").change(ADD)
    assert liar("truth").read(OWNER).records == {FOREIGN}


def test_a_process_that_dies(liar: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch) -> None:
    """Is passing trouble, told as such, and the next question starts another."""
    monkeypatch.setattr(pipe, "COMMAND", (sys.executable, "-c", "print('nonsense')"))
    assert "did not answer" in liar("truth").read(OWNER).reason
    monkeypatch.setattr(pipe, "COMMAND", with_client("liar"))
    assert liar("truth").read(OWNER).records == {FOREIGN}


# --- its own code, as it was read -----------------------------------------------------------------------------------------


def test_the_zone_is_not_guessed_from_a_list_of_suffixes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched: the zone is that of the section, whether the world knows it already or only the one above it."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the Public Suffix List would be fetched")

    monkeypatch.setattr(tldextract, "TLDExtract", forbidden)
    options = {"auth_token": "x", "pdns_server": "http://127.0.0.1"}
    for seen in ("dane.co.uk.", "co.uk.", "uk."):
        monkeypatch.setattr(dns.resolver, "zone_for_name", lambda _, seen=seen: dns.name.from_text(seen))
        found = worker.open_client({"provider": "powerdns", "zone": "dane.co.uk", "options": options})
        assert found.config.resolve("lexicon:domain") == "dane.co.uk"
    monkeypatch.setattr(dns.resolver, "zone_for_name", lambda _: dns.name.from_text("other.example."))
    with pytest.raises(worker.LiedError, match="instead of dane"):
        worker.open_client({"provider": "powerdns", "zone": "dane.co.uk", "options": options})


@pytest.mark.parametrize("provider", REVIEWED)
def test_the_options_are_those_of_the_provider(provider: str) -> None:
    """Each option is one that its code asks for; and the page tells all."""
    module = import_module(f"lexicon._private.providers.{provider}")
    reviewed, page = REVIEWED[provider], PAGE.read_text()
    asked = set(re.findall(r'_get_provider_option\(\s*["\']([a-z_]+)["\']', inspect.getsource(module)))
    mine = {*reviewed.secrets, *reviewed.required, *reviewed.optional}
    assert mine <= asked
    assert all(f"`{name}`" in page for name in {provider, *mine})


def test_it_is_not_imported_at_start() -> None:
    """Neither to read the configuration nor to open the backend."""
    code = (
        "import sys; from tlsa_manager.publish import options_of; options_of('lexicon'); "
        "sys.exit(any(one == 'lexicon' or one.startswith(('lexicon.', 'requests')) for one in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_not_installed(section: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what to install."""
    monkeypatch.setattr(lexicon, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="dns-lexicon is not installed") as caught:
        section("auth_key = 1", "auth_secret = 2")
    assert "tlsa-manager[lexicon]" in caught.value.hint


@pytest.mark.parametrize("provider", ["ddns", "cloudns", "mythicbeasts", "azure", "route53", "auto"])
def test_providers_that_are_not_let_through(section: Callable[..., Backend], provider: str) -> None:
    """dns-lexicon has them; they are not known to do what they say, or have a backend of their own."""
    assert import_module("lexicon._private.discovery").find_providers()[provider] is not None
    with pytest.raises(ConfigError, match="not among the providers") as caught:
        section("auth_token = 1", provider=provider)
    assert "exec" in caught.value.hint


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["auth_key = k-0123456789"], "auth_secret is missing"),
        (["auth_key = k-0123456789", "auth_secret ="], "auth_secret is no option"),
        (["auth_key = k-0123456789", "auth_token = k-0123456789", "auth_secret = k-0123456789"], "auth_token is no option"),
        (["auth_key=k-0123456789", "k-0123456789"], "a line is no option"),
    ],
)
def test_options_that_cannot_be(section: Callable[..., Backend], lines: list[str], words: str) -> None:
    """The message names the option, and never a value."""
    with pytest.raises(ConfigError, match=words) as caught:
        section(*lines)
    assert "0123456789" not in str(caught.value) + caught.value.hint


def test_a_server_without_tls(section: Callable[..., Backend]) -> None:
    """Its key would be read by whoever listens."""
    with pytest.raises(ConfigError, match="not https"):
        section("auth_token = x", "pdns_server = http://192.0.2.1:8081", provider="powerdns")


def test_without_tls_through_no_proxy(stand_named: Callable[[str], Stand], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would read the secret: the process in which dns-lexicon works does not know of any."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    end()
    assert stand_named("lexicon").backend().read("_25._tcp.proxied.pub.example.").records == frozenset()


def test_options_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in a variable will do, for a provider with one option."""
    monkeypatch.setenv("INFOMANIAK", "auth_token = 0123456789")
    given: dict[str, Any] = {"provider": "infomaniak", "zone": "pub.example", "options-environment": "INFOMANIAK"}
    backend = open_backend("ns1", "lexicon", given)
    assert "0123456789" not in repr(backend)
