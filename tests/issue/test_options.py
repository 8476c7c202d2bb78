"""The options of an issuer: what goes together, what does not, and that declaring them costs nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.errors import ConfigError
from tlsa_manager.issue import KINDS, open_issuer, options_of
from tlsa_manager.issue.responder import Listener, Webroot

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://ca.example/directory"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "issuer.ca.directory: missing"),
        ({"directory": "http://ca.example/directory"}, "issuer.ca.directory: must be a URL that begins with https://"),
        ({"directory": "ca.example"}, "begins with https://"),
        ({"directory": "https://"}, "begins with https://"),
        ({"directory": "https://[x/"}, "begins with https://"),
        ({"directory": "https://ca.example:99999/x"}, "begins with https://"),
        ({"directory": "https://ca.example/a b"}, "begins with https://"),
        ({"directory": URL, "staging": "ftp://x"}, "issuer.ca.staging: must be a URL"),
        ({"directory": URL, "contact": ["me"]}, "'me' is not one address of mail"),
        ({"directory": URL, "contact": ["tel:+1"]}, "is not one address of mail"),
        ({"directory": URL, "contact": ["mailto:a@x.example,b@x.example"]}, "is not one address of mail"),
        ({"directory": URL, "contact": ["mailto:a@x.example?subject=x"]}, "is not one address of mail"),
        ({"directory": URL, "eab-kid": "kid"}, "goes together with eab-key-file"),
        ({"directory": URL, "eab-key-file": "/etc/key"}, "one of them is missing"),
        ({"directory": URL, "challenge": "tls-alpn-01"}, "there is dns-01, http-01"),
        ({"directory": URL, "challenge": "http-01"}, "either webroot"),
        ({"directory": URL, "challenge": "http-01", "webroot": "/w", "listen": "[::]:80"}, "either webroot"),
        (
            {"directory": URL, "challenge": "http-01", "webroot": "/w", "listen": ":80"},
            "has both webroot and listen; take one out",
        ),
        ({"directory": URL, "webroot": "/w"}, 'webroot: is for challenge = "http-01"'),
        ({"directory": URL, "challenge": "http-01", "listen": "80"}, "is not ADDRESS:PORT"),
        ({"directory": URL, "challenge": "http-01", "listen": "[::]:0"}, "is not ADDRESS:PORT"),
        ({"directory": URL, "challenge": "http-01", "listen": "[::]:65536"}, "is not ADDRESS:PORT"),
        ({"directory": URL, "challenge": "http-01", "listen": "mx.example:80"}, "is not ADDRESS:PORT"),
        ({"directory": URL, "challenge": "http-01", "listen": "999.1.1.1:80"}, "is not ADDRESS:PORT"),
        ({"directory": URL, "timeout": "0s"}, "timeout: must be more than zero"),
    ],
)
def test_mistakes(options: dict[str, object], says: str, tmp_path: Path) -> None:
    """Each mistake is named with the option, before anything is asked."""
    with pytest.raises(ConfigError) as error:
        open_issuer("ca", "acme", options, tmp_path)
    assert any(says in mistake for mistake in error.value.mistakes)
    assert all(mistake.startswith("issuer.ca.") for mistake in error.value.mistakes)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"listen": "[::]:80"}, Listener("::", 80)),
        ({"listen": ":8080"}, Listener("", 8080)),
        ({"listen": "*:80"}, Listener("", 80)),
        ({"listen": "192.0.2.1:80"}, Listener("192.0.2.1", 80)),
        ({"listen": "[2001:DB8::1]:80"}, Listener("2001:db8::1", 80)),
        ({"webroot": "/var/www/html"}, Webroot("/var/www/html")),
    ],
)
def test_ways_over_http(options: dict[str, object], expected: object, tmp_path: Path) -> None:
    """Addresses of both families, every address, a directory."""
    made = open_issuer("ca", "acme", {"directory": URL, "challenge": "http-01"} | options, tmp_path)
    assert made.web == expected  # type: ignore[attr-defined]  Acme's


def test_nothing_is_made_early(tmp_path: Path) -> None:
    """An issuer that was opened has asked nobody and written nothing."""
    assert open_issuer("ca", "acme", {"directory": URL}, tmp_path).name == "ca"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_options_are_documented(kind: str) -> None:
    """Every option has a help text, and a default that its own check accepts."""
    for option in options_of(kind):
        assert option.help
        assert option.default is not None or option.example is not None, f"{option.name} can be shown to nobody"
        assert option.default is None or option.read(option.default) is not None


def test_start_up_stays_light() -> None:
    """Declaring options and making the issuer imports none of the libraries that talk."""
    code = (
        "import sys, pathlib; from tlsa_manager import issue;"
        f"issue.open_issuer('ca', 'acme', {{'directory': '{URL}'}}, pathlib.Path('/nowhere'));"
        "sys.exit(bool({'acme', 'josepy', 'requests', 'cryptography', 'http.server', 'importlib.metadata'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_kind(tmp_path: Path) -> None:
    """A kind that nobody provides is a mistake of the configuration."""
    with pytest.raises(ConfigError, match=r"issuer\.ca\.type: 'acne' is not a kind of issuer; did you mean 'acme'"):
        open_issuer("ca", "acne", {"directory": URL}, tmp_path)
