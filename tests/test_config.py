"""The configuration: what is right becomes values; what is wrong is told all at once, with file, key and remedy."""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlsa_manager.config import load, toml
from tlsa_manager.config.duration import duration, seconds
from tlsa_manager.config.effective import effective
from tlsa_manager.config.sections import kinds
from tlsa_manager.config.tables import Timing
from tlsa_manager.errors import BadInput, ConfigError
from tlsa_manager.policy import Policy
from tlsa_manager.service import Service

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[defaults]
resolver = ["127.0.0.1", "::1", "192.0.2.1#5353"]
trust-anchor = "root.key"
directory = "data"

[timing]
ttl = "5m"
margin = 2.5

[dns.ns1]
backend = "rfc2136"
server = "192.0.2.53"
tsig-key-file = "keys/tsig.key"

[consumer.postfix]
type = "postfix"
file = "/etc/postfix/tls/mx.pem"

[lineage."mx.example.org"]
services = ["mx.example.org:25", { at = "mx.example.org:465", probe = false, connect = ["192.0.2.1:465"] }]
dns = "ns1"
consumers = ["postfix"]
timing.poll-interval = "500ms"
"""


def written(directory: Path, text: str, name: str = "config.toml") -> Path:
    file = directory / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def mistakes(file: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.hint
    return caught.value.mistakes


def test_everything_becomes_a_value(tmp_path: Path) -> None:
    """Durations in seconds, paths absolute and relative to the file, services parsed, timing inherited."""
    config = load(written(tmp_path, GOOD))
    assert config.resolver == ("127.0.0.1", "::1", "192.0.2.1#5353")
    assert config.trust_anchor == str(tmp_path / "root.key")
    assert config.directory == tmp_path / "data"
    assert config.state == f"sqlite:///{tmp_path}/data/state.db"
    assert config.dns["ns1"].kind == "rfc2136"
    assert config.dns["ns1"].options["tsig-key-file"] == str(tmp_path / "keys/tsig.key")
    lineage = config.lineages["mx.example.org"]
    assert lineage.services == (
        Service("mx.example.org", 25, "smtp"),
        Service("mx.example.org", 465, "tls", ("192.0.2.1:465",), probe=False),
    )
    assert lineage.policy == Policy(ttl=300, margin=2.5, poll_interval=0.5)
    assert (lineage.dns, lineage.consumers) == ("ns1", ("postfix",))


def test_five_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """The operator corrects them in one go."""
    text = GOOD.replace("server =", "servr =").replace("margin = 2.5", 'margin = "soon"').replace('dns = "ns1"', 'dns = "ns2"')
    text = text.replace("probe = false", 'probe = "no"').replace('"::1"', '"localhost"')
    found = mistakes(written(tmp_path, text))
    for wanted in (
        "config.toml: defaults.resolver: 'localhost' is not an address",
        "config.toml: timing.margin: 'soon' is not a duration",
        "config.toml: dns.ns1.servr: unknown key; did you mean server?",
        "config.toml: dns.ns1.server: is missing",
        'config.toml: lineage."mx.example.org".services.2.probe: true or false is needed, this is text in quotes',
        'config.toml: lineage."mx.example.org".dns: there is no section [dns.ns2]; did you mean ns1?',
    ):
        assert any(wanted in line for line in found), (wanted, found)
    assert len(found) == 6


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[timing]", "[timming]", "timming: unknown key; did you mean timing?"),
        ("[defaults]", "defaults = 1\n[timing.x]", "defaults: is not a section"),
        ('"rfc2136"', '"rfc2316"', "did you mean 'rfc2136'?"),
        ('backend = "rfc2136"', "", "dns.ns1.backend: is missing; one of: " + ", ".join(kinds("dns"))),
        ('type = "postfix"', 'type = "postfx"', "did you mean 'postfix'?"),
        ('[lineage."mx.example.org"]', "[lineage.mx.example.org]", 'needs quotes: [lineage."mx.example.org"]'),
        ('[lineage."mx.example.org"]', '[lineage."../../etc"]', "is not a lineage name"),
        ('[lineage."mx.example.org"]', '[lineage."a\\nb"]', "is not a lineage name"),
        ('"mx.example.org:25"', '"mx.example.org"', "services.1: 'mx.example.org' is not a service"),
        ('"mx.example.org:25"', '"mx.example.org:465"', "is named twice"),
        ('"mx.example.org:25"', "25", "services.1: is not a service"),
        ('consumers = ["postfix"]', "consumers = []", "nobody would be given the certificate"),
        ('consumers = ["postfix"]', 'consumers = "postfix"', "a list in brackets is needed, this is text in quotes"),
        ('consumers = ["postfix"]', 'consumers = ["postfix"]\nparams = ["2 1 1"]', "'2 1 1' cannot be managed"),
        ('consumers = ["postfix"]', 'consumers = ["postfix"]\nparams = ["3 1 0"]', "'3 1 0' cannot be managed"),
        ('"192.0.2.1:465"', '"nowhere"', "connect: 'nowhere' is not an ADDRESS"),
        ('"5m"', '"8d"', "is not a TTL"),
        ('"5m"', "0", "is not a TTL"),
        ('"5m"', "1.5", "is not a TTL"),
        ('"500ms"', "0", "poll-interval: must be more than zero"),
        ('"mx.example.org:25"', '"192.0.2.1:25"', "services.1: 192.0.2.1 is an address, and TLSA records stand at names"),
        ('"mx.example.org:465"', '"192.0.2.1:465"', "services.2: 192.0.2.1 is an address"),
        ("2.5", "-1", "is not between 0 and ten years"),
        ("2.5", "inf", "is not between 0 and ten years"),
        ("2.5", "nan", "is not between 0 and ten years"),
        ("margin = 2.5", "ttl-multiplier = 0.5", "less than 1 would swap before caches have expired"),
        ('directory = "data"', 'state = "postgresql://x"', "is not a journal"),
        ('directory = "data"', 'directory = ""', "is not a path"),
        ('directory = "data"', "authority-port = 70000", "defaults.authority-port: must be at most 65535"),
        ('["127.0.0.1", "::1", "192.0.2.1#5353"]', "[]", "is empty"),
        ("192.0.2.1#5353", "192.0.2.1#0", "is not a port"),
    ],
)
def test_each_mistake_says_what_to_do(tmp_path: Path, old: str, new: str, said: str) -> None:
    """One change to a good file, one line that names the key and the remedy."""
    assert old in GOOD
    found = mistakes(written(tmp_path, GOOD.replace(old, new)))
    assert any(said in line for line in found), found
    assert all(line.startswith(f"{tmp_path}/config.toml: ") for line in found)
    assert all(line.isprintable() for line in found)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'key-type = "ed25519"',
            "key-type: 'ed25519' is not known here; there is ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096",
        ),
        ('key-type = "rsa2048"', "did you mean 'rsa-2048'?"),
        ("key-type = 2048", "key-type: text in quotes is needed, this is a whole number"),
        (
            'accept-key-type = ["RSA", "ecdsa"]',
            "accept-key-type.2: 'ecdsa' is not known here; there is RSA, ECDSA; did you mean 'ECDSA'?",
        ),
        ('accept-key-type = "RSA"', "accept-key-type: a list in brackets is needed, this is text in quotes"),
        ('next-key = "true"', "next-key: true or false is needed, this is text in quotes"),
        ('watch = { key = "x" }', "watch.certificate: is missing"),
        ('watch = { certificate = "" }', "watch.certificate: is empty"),
        ('watch = { certificate = "x", kye = "y" }', "watch.kye: unknown key; did you mean key?"),
        ('watch = "x"', "watch: a table is needed, this is text in quotes"),
        ('watch = { certificate = "/etc/postfix/x/../tls/mx.pem" }', "is what this program writes itself, for consumer postfix"),
        (
            'watch = { certificate = "x", key = "/etc/postfix/tls/mx.pem" }',
            "watch.key: /etc/postfix/tls/mx.pem is what this program",
        ),
        (
            'names = ["example.org", "1.2.3.4"]',
            "names.2: '1.2.3.4' is an address; certificates that are ordered here have host names",
        ),
        ('names = ["2001:db8::1"]', "names.1: '2001:db8::1' is an address"),
        ('names = ["1.2.3.4.5"]', "names.1: '1.2.3.4.5' is not a host name"),
        ('names = [""]', "names.1: '' is not a host name"),
        (
            'issuer = "self-signed"\nparams = ["3 1 1", "2 1 1"]',
            "params: 2 1 1 is of an issuer's certificate, and what signs itself",
        ),
        ('issuer = "self-singed"', "there is no section [issuer.self-singed]; did you mean self-signed?"),
    ],
)
def test_mistakes_of_keys_and_issuers_say_what_there_is(tmp_path: Path, line: str, said: str) -> None:
    """Each is one line, and a choice tells all that can be chosen, at the very key."""
    head, consumers, tail = GOOD.partition('consumers = ["postfix"]\n')
    found = mistakes(written(tmp_path, f"{head}{consumers}{line}\n{tail}"))
    assert len(found) == 1
    assert found[0].startswith(f'{tmp_path}/config.toml: lineage."mx.example.org".')
    assert said in found[0]


def test_what_signs_itself_needs_no_section(tmp_path: Path) -> None:
    """One of that name would never be read, and whoever wrote it thinks that it is."""
    text = GOOD + '\n[issuer.self-signed]\ntype = "acme"\ndirectory = "https://ca.example/directory"\n'
    (line,) = mistakes(written(tmp_path, text))
    assert "issuer.self-signed: is never read" in line
    assert "give it another name" in line


def test_a_lineage_in_two_files_is_one_mistake(tmp_path: Path) -> None:
    """It is told once."""
    main, _, lineage = GOOD.partition("[lineage")
    file = written(tmp_path, GOOD)
    assert main
    written(tmp_path, "[lineage" + lineage, "conf.d/10-mx.toml")
    assert len(mistakes(file)) == 1


def test_a_lineage_that_is_wrong_has_its_names_checked_too(tmp_path: Path) -> None:
    """A service that is none does not hide that a section is misspelt: nobody wants to be told twice."""
    text = GOOD.replace('"mx.example.org:25"', '"mx.example.org:smtp"').replace('dns = "ns1"', 'dns = "ns2"')
    lines = mistakes(written(tmp_path, text.replace('consumers = ["postfix"]', 'consumers = ["postfx"]')))
    assert len(lines) == 3
    assert {"services.1" in lines[0], "did you mean ns1?" in lines[1], "did you mean postfix?" in lines[2]} == {True}


def test_two_lineages_cannot_write_one_file(tmp_path: Path) -> None:
    """Neither through one consumer nor through two that name the same file."""
    other = '\n[lineage.b]\nservices = ["b.example.org:25"]\ndns = "ns1"\nconsumers = ["postfix"]\n'
    assert any("and so does" in line for line in mistakes(written(tmp_path, GOOD + other)))
    twin = '\n[consumer.twin]\ntype = "postfix"\nfile = "/etc/postfix/tls/../tls/mx.pem"\n'
    found = mistakes(written(tmp_path, GOOD + twin + other.replace('"postfix"', '"twin"')))
    assert any("and so does" in line for line in found)


def test_conf_d_is_read_too(tmp_path: Path) -> None:
    """In order of name; each section and each key may stand in one file only, and the mistake names the other."""
    main, _, lineage = GOOD.partition("[lineage")
    file = written(tmp_path, main)
    written(tmp_path, "[lineage" + lineage, "conf.d/10-mx.toml")
    written(tmp_path, "this is not TOML", "conf.d/README.txt")
    config = load(file)
    assert list(config.lineages) == ["mx.example.org"]
    assert config.files == (file, tmp_path / "conf.d/10-mx.toml")
    written(tmp_path, '[timing]\nttl = "1m"\n[dns.ns1]\nbackend = "manual"\n[defaults]\nauthority-port = 5300', "conf.d/20.toml")
    found = mistakes(file)
    assert f"{tmp_path}/conf.d/20.toml: timing.ttl: stands in {file} too; keep one of them" in found
    assert f"{tmp_path}/conf.d/20.toml: dns.ns1: stands in {file} too; keep one of them" in found
    assert len(found) == 2


def test_a_configuration_knows_when_it_was_changed(tmp_path: Path) -> None:
    """A file written again, one more in conf.d, one taken away."""
    file = written(tmp_path, GOOD)
    config = load(file)
    assert not config.changed()
    more = written(tmp_path, "", "conf.d/more.toml")
    assert config.changed()
    config = load(file)
    more.unlink()
    assert config.changed()
    assert not config.kept().changed()


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    """The hint is the command."""
    with pytest.raises(ConfigError, match="there is no configuration") as caught:
        load(tmp_path / "none.toml")
    assert "config init" in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"a = ", b"a = " + b"[" * 20000, b"a = " + b"9" * 5000, b"#" * (1 << 21), b"a = 2020-99-99"]
)
def test_what_is_no_toml_is_one_mistake(tmp_path: Path, content: bytes) -> None:
    """Other files are still read, so that their mistakes are told as well."""
    file = written(tmp_path, "")
    file.write_bytes(content)
    written(tmp_path, "oops = 1", "conf.d/a.toml")
    assert len(mistakes(file)) == 2


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Something else than a file in the place of the configuration cannot hold us up."""
    os.mkfifo(tmp_path / "config.toml")
    (told,) = mistakes(tmp_path / "config.toml")
    assert "not a regular file" in told
    assert "run as root" not in told, "which is no remedy"


def test_the_timing_table_and_the_policy_agree() -> None:
    """The defaults that are documented are the ones that hold."""
    documented = {field.name: field.default for field in msgspec.structs.fields(Timing)}
    usual = asdict(Policy())
    assert {name: seconds(value) for name, value in documented.items()} == usual


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    """`config show` gives a file that means the same."""
    config = load(written(tmp_path, GOOD))
    again = load(written(tmp_path, toml.document(effective(config)), "again.toml"))
    assert (again.lineages, again.dns, again.state, again.policy) == (config.lineages, again.dns, config.state, config.policy)


@pytest.mark.parametrize(
    ("text", "value"),
    [("500ms", 0.5), ("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604800), ("1.5h", 5400), (3, 3), (0.25, 0.25)],
)
def test_durations(text: str, value: Any) -> None:
    """As people write them, and back."""
    assert seconds(text) == value
    assert seconds(duration(value)) == value


@given(st.text(max_size=20) | st.floats() | st.integers())
def test_no_duration_is_a_surprise(value: str | float) -> None:
    """A number of seconds that is not negative, or BadInput."""
    with suppress(BadInput):
        assert seconds(value) >= 0


_LEAVES = (
    st.text(max_size=8) | st.integers() | st.floats() | st.booleans()
    | st.sampled_from(["rfc2136", "manual", "exec", "postfix", "command", "mx.example.org:25", "1h", "3 1 1", "/x"])
)  # fmt: skip
_KEYS = st.sampled_from(
    [
        "defaults", "timing", "dns", "consumer", "lineage", "resolver", "trust-anchor", "state", "directory", "ttl", "margin",
        "ttl-multiplier", "backend", "type", "server", "file", "command", "services", "at", "probe", "connect",
        "consumers", "params", "names", "issuer", "key-type", "accept-key-type", "key-lifetime", "watch", "certificate", "key",
        "a",
    ]
) | st.text(max_size=6)  # fmt: skip
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)
_SECTIONS = st.sampled_from(["defaults", "timing", "dns", "consumer", "issuer", "lineage"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(_SECTIONS, st.dictionaries(_KEYS, _VALUES, max_size=4), max_size=5) | st.dictionaries(_KEYS, _VALUES))
def test_any_toml_is_a_configuration_or_a_list_of_mistakes(tmp_path: Path, tables: dict[str, Any]) -> None:
    """Whatever stands in the file: values, or ConfigError with printable lines."""
    text = "".join(f"{toml.key(name)} = {toml.value(value)}\n" for name, value in tables.items())
    text = text.encode("utf-8", "replace").decode()
    tomllib.loads(text)
    file = written(tmp_path, text)
    found: tuple[str, ...] = ("none",)
    try:
        load(file)
    except ConfigError as error:
        found = error.mistakes
    assert found
    assert all(line.isprintable() for line in found), found
