"""Options as data."""

from __future__ import annotations

import pytest

from tlsa_manager.errors import BadInput, ConfigError
from tlsa_manager.option import Option, mistake, patience, seconds, settle, suggestion

DECLARED = (
    Option("server", "str", "the primary", required=True),
    Option("port", "int", "its port", default=53),
    Option("timeout", "duration", "how long to wait", default="10s"),
    Option("command", "argv", "the program"),
    Option("environment", "list", "names of variables", default=()),
    Option("probe", "bool", "whether to look", default=True),
    Option("key-file", "file", "where the key is"),
    Option("token", "str", "the token itself", secret=True),
)


def test_defaults_are_filled_in() -> None:
    """What is not given has its default, in the form the program uses."""
    settings = settle("dns.ns1", DECLARED, {"server": "192.0.2.53"})
    assert (settings.text("server"), settings.number("port"), settings.seconds("timeout")) == ("192.0.2.53", 53, 10.0)
    assert (settings.words("command"), settings.words("environment"), settings.flag("probe")) == ((), (), True)
    assert settings.text("key-file") == ""


def test_given_values() -> None:
    """Durations become seconds, lists become tuples."""
    given = {"server": "x", "timeout": "2h", "command": ["/bin/true", "a b"], "environment": ["A"], "probe": False, "port": 5353}
    settings = settle("dns.ns1", DECLARED, given)
    assert (settings.seconds("timeout"), settings.words("command")) == (7200.0, ("/bin/true", "a b"))
    assert (settings.words("environment"), settings.flag("probe"), settings.number("port")) == (("A",), False, 5353)


@pytest.mark.parametrize(("given", "fits"), [("0s", False), ("0.1s", True), ("1h", True), ("61m", False), ("999999999w", False)])
def test_how_long_somebody_may_be_waited_for(given: str, fits: bool) -> None:  # noqa: FBT001
    """Not so short that nobody can answer, not so long that nobody waits."""
    if fits:
        assert settle("dns.ns1", (patience("how long", "10s"),), {"timeout": given}).seconds("timeout") > 0
        return
    with pytest.raises(ConfigError, match=r"must be from 0\.1s to 1h"):
        settle("dns.ns1", (patience("how long", "10s"),), {"timeout": given})


def test_one_mistake() -> None:
    """It is told with section and option, as one line."""
    error = mistake("dns.ns1.zone", "missing", "give it")
    assert (error.message, error.hint, error.mistakes) == ("dns.ns1.zone: missing", "give it", ("dns.ns1.zone: missing",))


def test_all_mistakes_at_once() -> None:
    """Every mistake is told, each with section and option, a misspelt one with a suggestion."""
    with pytest.raises(ConfigError) as caught:
        settle("dns.ns1", DECLARED, {"sevrer": "x", "port": "53", "timeout": "soon", "key-file": "relative"})
    assert len(caught.value.mistakes) == 5
    assert "dns.ns1.sevrer: unknown option; did you mean 'server'?" in caught.value.mistakes
    assert any(line.startswith("dns.ns1.server: missing") for line in caught.value.mistakes)
    assert all(line in caught.value.message for line in caught.value.mistakes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", True), ("port", -1), ("port", 1.5), ("probe", 1), ("probe", "yes"), ("timeout", 10), ("timeout", "1y"),
        ("server", ""), ("server", "  "), ("server", "a\nb"), ("server", 7), ("server", None), ("key-file", "x"),
        ("command", []), ("command", "ls -l"), ("command", ["ls"]), ("command", ["/bin/ls", 1]), ("command", ["/bin/ls\0"]),
        ("environment", "A"), ("environment", {"A": 1}),
    ],
)  # fmt: skip
def test_wrong_values(name: str, value: object) -> None:
    """A value of another kind is refused and shown."""
    with pytest.raises(ConfigError, match="must be"):
        settle("dns.ns1", DECLARED, {"server": "x", name: value})


def test_secret_values_are_not_shown() -> None:
    """Neither the error for a secret option nor the settings show its value."""
    with pytest.raises(ConfigError) as caught:
        settle("dns.ns1", DECLARED, {"server": "x", "token": ["hush"]})
    assert "hush" not in caught.value.message
    assert "hush" not in repr(settle("dns.ns1", DECLARED, {"server": "x", "token": "hush"}))


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604800), ("1w", 604800), ("1.5h", 5400)]
)
def test_durations(text: str, value: float) -> None:
    """A duration is a number with a unit."""
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "10", "h", "-1h", "1h30m", "1 y", "٣h", "1e9s"])
def test_not_durations(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(BadInput, match="not a duration"):
        seconds(text)


def test_suggestions() -> None:
    """Where nothing is near, all there is to choose from is named."""
    assert suggestion("zzz", ["one", "two"]) == "; there is one, two"
    assert suggestion("zzz", []) == ""
