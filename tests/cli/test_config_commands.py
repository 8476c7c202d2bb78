"""`config check|show|schema|init`: transcripts."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from contract import impostor
from pki import pair

from tlsa_manager.config import load
from tlsa_manager.config.first import first_file
from tlsa_manager.config.found import Found, look
from tlsa_manager.config.notes import notes
from tlsa_manager.config.sections import kinds
from tlsa_manager.config.tables import DefaultsTable, LineageTable, Timing
from tlsa_manager.issue import options_of
from tlsa_manager.policy import KEY_TYPES
from tlsa_manager.publish.rfc2136 import key as tsig

if TYPE_CHECKING:
    from pathlib import Path

    import dns.message
    from lab.hierarchy import DnsLab
    from program import Say

TSIG = 'key "lab." {\n    algorithm hmac-sha256;\n    secret "bm90IGEgcmVhbCBzZWNyZXQsIGp1c3QgYnl0ZXM=";\n};\n'


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Write a configuration that nothing on this host stands against, and return its directory."""
    (tmp_path / "tls").mkdir(mode=0o700)
    (tmp_path / "data").mkdir(mode=0o700)
    key = tmp_path / "tsig.key"
    key.touch(mode=0o600)
    key.write_text(TSIG)
    text = f"""
        [defaults]
        directory = "data"
        [dns.ns1]
        backend = "rfc2136"
        server = "127.0.0.1"
        tsig-key-file = "tsig.key"
        [consumer.mail]
        type = "command"
        file = "{tmp_path}/tls/mx.pem"
        reload = ["/bin/true"]
        [lineage."mx.example.org"]
        services = ["mx.example.org:25"]
        dns = "ns1"
        consumers = ["mail"]
    """
    (tmp_path / "config.toml").write_text(text)
    return tmp_path


def test_check_of_a_good_configuration(say: Say, host: Path) -> None:
    """Exit 0, and the lineages by name."""
    ending = say("config", "check")
    assert (ending.code, ending.err) == (0, "")
    assert ending.out == f"{host}/config.toml: no mistakes; lineages: mx.example.org\n"
    assert say("config", "check", "--json").json == {
        "schema": 1,
        "ok": True,
        "files": [f"{host}/config.toml"],
        "problems": [],
        "notes": [],
        "lineages": ["mx.example.org"],
    }


def test_check_tells_all_mistakes_of_the_file(say: Say, host: Path) -> None:
    """Two mistakes, two lines, exit 78; as JSON too."""
    file = host / "config.toml"
    file.write_text(file.read_text().replace("server", "sever").replace('"ns1"\n        consumers', '"ns2"\n        consumers'))
    ending = say("config", "check")
    assert ending.code == 78
    assert [line for line in ending.err.splitlines() if "did you mean" in line] == [
        f"{file}: dns.ns1.sever: unknown key; did you mean server?",
        f'{file}: lineage."mx.example.org".dns: there is no section [dns.ns2]; did you mean ns1?',
    ]
    assert len(say("config", "check", "--json").json["mistakes"]) == 3


def test_check_looks_at_the_host(say: Say, host: Path) -> None:
    """A secret that others can read, a directory that is missing, a configuration that others can write: exit 78."""
    (host / "tsig.key").chmod(0o644)
    (host / "tls").rmdir()
    (host / "config.toml").chmod(0o666)
    ending = say("config", "check")
    assert ending.code == 78
    assert f"{host}/config.toml: can be written by others" in ending.out
    assert "chmod 600" in ending.out
    assert f"{host}/tls" in ending.out
    assert "bm90IGEg" not in ending.out + ending.err
    assert len(say("config", "check", "--json").json["problems"]) >= 3


def test_check_looks_at_watched_files(say: Say, host: Path) -> None:
    """No file, open to everybody: one line each; not there: a note; in order, and of another user: none."""
    certificate, key = host / "tls.crt", host / "tls.key"
    with (host / "config.toml").open("a") as file:
        file.write('watch = { certificate = "tls.crt", key = "tls.key" }\n')
    missing = say("config", "check")
    assert missing.code == 0, "they are waited for"
    for name, place in (("certificate", certificate), ("key", key)):
        assert f'note: lineage."mx.example.org".watch.{name}: {place} is not there, or out of reach' in missing.out
    certificate.mkdir()
    key.touch(mode=0o644)
    strange = say("config", "check").out
    assert f"{certificate} is no file" in strange
    assert f"{key} can be read by everybody on this host" in strange
    certificate.rmdir()
    certificate.touch()
    certificate.chmod(0o666)
    key.chmod(0o640)
    (line,) = say("config", "check").out.splitlines()
    assert line.startswith(f'lineage."mx.example.org".watch.certificate: {certificate} can be written by everybody')
    certificate.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(key, 65534, 65534)
    assert say("config", "check").code == 0


def test_a_hint_is_not_the_command_that_was_typed(say: Say, host: Path) -> None:
    """Who checks is not told to check; who runs is."""
    file = host / "config.toml"
    file.write_text(file.read_text().replace("server", "sever"))
    assert "hint: correct what is named above, and check again" in say("config", "check").err
    assert "config check" not in say("config", "check").err
    assert f"tlsa-manager --config {file} config check" in say("config", "show").err


def test_what_a_backend_warns_of_is_told(say: Say, host: Path) -> None:
    """A provider whose zones nobody signs can be configured, and it is told that DANE cannot work there."""
    text = (host / "config.toml").read_text()
    token = host / "token"
    token.touch(mode=0o600)
    token.write_text("jEheVytlAoFl7F8MqUQ7jAo2hOXASztX")
    (host / "config.toml").write_text(
        text.replace("rfc2136", "hetzner").replace('server = "127.0.0.1"', "").replace("tsig-key-file", "token-file")
        .replace("tsig.key", "token")
    )  # fmt: skip
    ending = say("config", "check")
    assert ending.code == 0
    assert "note: dns.ns1.backend: Hetzner does not sign its zones with DNSSEC" in ending.out
    assert "DANE cannot work there" in ending.out


def test_notes_are_no_mistakes(say: Say, host: Path) -> None:
    """What is unusual is told, and the configuration is in order: files beside an issuer, keys that hardly live."""
    with (host / "config.toml").open("a") as file:
        file.write('watch = { certificate = "tls.crt" }\nissuer = "ca"\nkey-lifetime = "1h"\n')
        file.write('[issuer.ca]\ntype = "acme"\ndirectory = "https://ca.example/d"\nagree-to-terms = true\n')
    (host / "tls.crt").touch()
    said = say("config", "check", "--json").json
    assert (said["ok"], said["problems"]) == (True, [])
    sides, caches, authority = said["notes"]
    assert sides.startswith('lineage."mx.example.org".watch: certificates come from two sides')
    assert "1h is no longer than a new record has to wait for caches (130m)" in caches
    assert "five with the same names in seven days" in authority
    text = (host / "config.toml").read_text()
    (host / "config.toml").write_text(text.replace('"1h"', '"180d"').replace("watch =", "#"))
    assert say("config", "check", "--json").json["notes"] == []


def test_names_outside_of_the_zone_of_their_backend_are_noted(say: Say, host: Path) -> None:
    """Nothing could be published there but through an alias, of which the file says nothing; of its own zone nothing is said."""
    file = host / "config.toml"
    text = file.read_text()
    for zone, noted in (("example.net", True), ("Example.ORG.", False), ("ample.org", True), ("mx.example.org", False)):
        file.write_text(text.replace('server = "127.0.0.1"', f'server = "127.0.0.1"\n        zone = "{zone}"'))
        ending = say("config", "check")
        assert ending.code == 0
        said = f"_25._tcp.mx.example.org. is not inside zone {zone}, which is all that dns.ns1 changes"
        assert (said in ending.out) is noted, ending.out
    config = load(file)
    lies = replace(config, dns={"ns1": replace(config.dns["ns1"], options={**config.dns["ns1"].options, "zone": "dane.example"})})
    assert len(notes(lies)) == 1
    assert not notes(lies, {("mx.example.org", "_25._tcp.mx.example.org."): "mx.dane.example."}), "the alias leads into it"


def test_check_asks_backends_when_told_to(say: Say, host: Path) -> None:
    """The wrong secret is found without anything to publish; without the option nobody is asked, and an open key is not used."""
    file, key = host / "config.toml", host / "tsig.key"
    asked: list[object] = []

    def answer(question: dns.message.Message) -> impostor.Answer:
        asked.append(question)
        return impostor.denial(question) if right else impostor.with_tsig_error(16)(question)

    with impostor.impostor(tsig.load(str(key), "test"), answer) as server:
        text = file.read_text().replace('server = "127.0.0.1"', f'server = "{server}"')
        file.write_text(text.replace('["mx.example.org:25"]', '["mx.example:25", "mx.example:587"]'))
        right = False
        assert say("config", "check").code == 0
        assert not asked
        wrong = say("config", "check", "--ask-dns")
        assert wrong.code == 78
        first, second = wrong.out.splitlines()
        assert first.startswith("dns.ns1: cannot be asked for _25._tcp.mx.example., so no record could be published there: ")
        assert "(BADSIG)" in first
        assert "_587._tcp.mx.example." in second
        right = True
        good = say("config", "check", "--ask-dns", "--json")
        assert good.code == 0
        assert [(one["target"], one["records"], one["failed"]) for one in good.json["backends"]] == [
            ("_25._tcp.mx.example.", 0, False),
            ("_587._tcp.mx.example.", 0, False),
        ]
        assert "dns.ns1: answers for _25._tcp.mx.example.: no TLSA record" in say("config", "check", "--ask-dns").out
        asked.clear()
        key.chmod(0o644)
        assert say("config", "check", "--ask-dns").out.count("tsig.key is open to others") == 1
        assert not asked


def test_an_alias_is_followed_before_anybody_has_looked(dns_lab: DnsLab, say: Say, host: Path) -> None:
    """The backend says no at the owner, where nothing may be written; where it leads, it is asked, and has the records."""
    name = dns_lab.fresh_name()
    target = f"dane.{name}."
    dns_lab.update(f"update add _25._tcp.{name}. 60 CNAME {target}\nupdate add {target} 60 TLSA 3 1 1 {'ab' * 32}")
    text = (host / "config.toml").read_text().replace("mx.example.org", name).replace("127.0.0.1", dns_lab.primary)
    text = text.replace("tsig.key", str(dns_lab.tsig_key_file))
    defaults = f'[defaults]\n        resolver = ["{dns_lab.resolver}"]\n        trust-anchor = "{dns_lab.anchor}"\n'
    (host / "config.toml").write_text(text.replace("[defaults]\n", defaults))
    ending = say("config", "check", "--ask-dns")
    assert ending.code == 0, ending.out
    assert f"dns.ns1: answers for {target}: 1 TLSA record" in ending.out


def test_a_backend_that_nobody_can_ask_is_no_mistake(say: Say, host: Path) -> None:
    """Who publishes by hand is told that only the name servers know."""
    file = host / "config.toml"
    text = file.read_text().replace('backend = "rfc2136"', 'backend = "manual"').replace('server = "127.0.0.1"', "")
    file.write_text(text.replace('tsig-key-file = "tsig.key"', ""))
    ending = say("config", "check", "--ask-dns")
    assert ending.code == 0
    assert "dns.ns1: cannot be asked for _25._tcp.mx.example.org.: published by hand" in ending.out


def test_lineages_that_share_a_name_need_the_same_params(say: Say, host: Path) -> None:
    """Each key needs a record of each kind, else renewals of both are held up; those at other names are free."""
    more = """
        [consumer.{0}]
        type = "command"
        file = "{1}/tls/{0}.pem"
        reload = ["/bin/true"]
        [lineage.{0}]
        services = ["{2}:25"]
        dns = "ns1"
        consumers = ["{0}"]
        params = ["3 1 2", "3 1 1"]
    """
    file, text = host / "config.toml", (host / "config.toml").read_text()
    file.write_text(text + more.format("rsa", host, "mx.example.org"))
    said = say("config", "check")
    assert said.code == 78
    assert 'lineage."rsa".params: 3 1 2, 3 1 1 here, 3 1 1 in lineage."mx.example.org"' in said.out
    assert "_25._tcp.mx.example.org" in said.out
    assert "give both the same" in said.out
    file.write_text(text + 'params = ["3 1 1", "3 1 2"]' + more.format("rsa", host, "mx.example.org"))
    assert say("config", "check").code == 0
    file.write_text(text + more.format("rsa", host, "other.example.org"))
    assert say("config", "check").code == 0


def test_check_looks_at_the_bundle_of_an_authority(say: Say, host: Path) -> None:
    """Not there, or no certificates: told now, and not with the first order. A relative name is found."""
    with (host / "config.toml").open("a") as file:
        file.write(
            '[issuer.ca]\ntype = "acme"\ndirectory = "https://ca.example/d"\nagree-to-terms = true\nca-bundle = "ca.pem"\n'
        )
    missing = say("config", "check")
    assert missing.code == 78
    assert f"issuer.ca.ca-bundle: {host}/ca.pem cannot be read (No such file or directory)" in missing.out
    (host / "ca.pem").write_text("no certificate")
    assert f"issuer.ca.ca-bundle: {host}/ca.pem has no certificates in PEM form" in say("config", "check").out
    (host / "ca.pem").write_bytes(pair("ca.example")[0])
    assert say("config", "check").code == 0


def test_a_missing_secret_is_told_by_check_not_by_load(say: Say, host: Path) -> None:
    """Other commands work with a configuration that names a file that is not there yet."""
    (host / "tsig.key").unlink()
    assert say("config", "show").code == 0
    ending = say("config", "check")
    assert ending.code == 78
    assert "tsig.key cannot be read" in ending.out


def test_a_password_in_an_address_is_not_shown(say: Say, host: Path) -> None:
    """It does not belong there; neither `show` nor `check` says it again."""
    file = host / "config.toml"
    text = file.read_text()
    start = text.index("[dns.ns1]")
    end = text.index("[", start + 1)
    section = '[dns.ns1]\nbackend = "powerdns"\nserver = "http://user:pass-word@127.0.0.1:8081"\napi-key-environment = "HOME"\n\n'
    file.write_text(text[:start] + section + text[end:])
    for words in (("config", "show"), ("config", "check"), ("config", "show", "--json")):
        ending = say(*words)
        assert "pass-word" not in ending.out + ending.err
        assert "127.0.0.1:8081" in ending.out or "not taken here" in ending.out + ending.err


def test_show_is_a_configuration(say: Say, host: Path) -> None:
    """What it prints means the same, with every default written out."""
    shown = say("config", "show").out
    again = host / "again.toml"
    again.write_text(shown)
    assert load(again).lineages == load(host / "config.toml").lineages
    assert 'rollback-window = "' in shown
    assert say("config", "show", "--json").json["config"]["dns"]["ns1"]["tsig-key-file"] == f"{host}/tsig.key"


def test_schema_describes_the_file(say: Say) -> None:
    """Every section and every kind is in it, and it needs no configuration."""
    schema = say("config", "schema").json
    assert set(schema["properties"]) == {"defaults", "timing", "dns", "consumer", "issuer", "lineage"}
    titles = {kind["title"] for kind in schema["properties"]["dns"]["additionalProperties"]["oneOf"]}
    assert titles == set(kinds("dns")) >= {"rfc2136", "exec", "manual"}
    assert schema["$defs"]["LineageTable"]["additionalProperties"] is False


def test_init_writes_a_file_that_is_right_and_closed(say: Say, tmp_path: Path) -> None:
    """Mode 0600 from the first byte; the file itself has no mistakes; nothing is ever overwritten."""
    file = tmp_path / "new" / "config.toml"
    usual = os.umask(0)
    try:
        ending = say("config", "init", TLSA_MANAGER_CONFIG=str(file))
    finally:
        os.umask(usual)
    assert ending.code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load(file).lineages
    text = file.read_text()
    again = say("config", "init", TLSA_MANAGER_CONFIG=str(file))
    assert (again.code, again.out) == (1, "")
    assert "exists already" in again.err
    assert file.read_text() == text
    assert say("config", "init", "--stdout").out == text


def test_init_follows_no_link(say: Say, tmp_path: Path) -> None:
    """A link that somebody planted is not written through."""
    (tmp_path / "config.toml").symlink_to(tmp_path / "elsewhere")
    assert say("config", "init").code == 1
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a tree that looks like a host with certbot, unbound and a TSIG key."""
    for name in ("mx.example.org", "www.example.org-0001", "bad name", "empty"):
        (tmp_path / "etc/letsencrypt/live" / name).mkdir(parents=True)
        if name != "empty":
            (tmp_path / "etc/letsencrypt/live" / name / "fullchain.pem").touch()
    for name in ("etc/resolv.conf", "etc/bind/rndc.key", "etc/bind/update.key", "usr/share/dns/root.key"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "etc/resolv.conf").write_text("nameserver 192.0.2.1\nnameserver 127.0.0.53\n")
    return tmp_path


def test_init_uses_what_is_found_on_the_host(tree: Path) -> None:
    """Certbot's names become lineages, the key of updates a backend, a loopback resolver the resolver, Postfix' file the file."""
    found = look(tree)
    assert found.lineages == ("mx.example.org", "www.example.org-0001")
    assert found.resolvers == ("127.0.0.53",)
    assert found.trust_anchor == "/usr/share/dns/root.key"
    assert found.tsig_key == "/etc/bind/update.key"
    file = tree / "config.toml"
    file.write_text(first_file(replace(found, host="mail.example.org")))
    assert list(load(file).lineages) == ["mx.example.org", "www.example.org-0001"]
    file.write_text(first_file(replace(found, host="mx.example.org", chain_file="/etc/postfix/pem/mine.pem")))
    config = load(file)
    assert list(config.lineages) == ["mx.example.org"], "a certificate is called as the mail host: the others are not for mail"
    assert config.consumers["postfix"].options["file"] == "/etc/postfix/pem/mine.pem", "Postfix reads it already"
    assert config.dns["primary"].options["tsig-key-file"] == "/etc/bind/update.key"


def test_init_on_an_empty_host_is_an_example(tmp_path: Path) -> None:
    """Nothing found: still a configuration without mistakes, which says what is only an example."""
    text = first_file(Found("mx.example.org"))
    assert "is an example" in text
    file = tmp_path / "config.toml"
    file.write_text(text)
    assert list(load(file).lineages) == ["mx.example.org"]


def test_init_explains_every_key(tmp_path: Path) -> None:
    """Those of lineages and of an issuer too, with what there is to choose from; a next key is there from the start."""
    text = first_file(Found("mx.example.org"))
    explained = {line.lstrip("# ").split(" = ")[0] for line in text.splitlines() if " = " in line and "  # " in line}
    tables = (DefaultsTable, Timing, LineageTable)
    keys = {field.encode_name for table in tables for field in msgspec.structs.fields(table)} - {"timing"}
    assert keys | {option.name for option in options_of("acme")} <= explained
    lines = {line.lstrip("# ").split(" = ")[0]: line for line in text.splitlines()}
    assert all(word in lines["key-type"] for word in KEY_TYPES)
    assert lines["next-key"].startswith("next-key = true")
    assert "an example: who makes its certificates" in lines["issuer"]


def test_what_init_has_commented_out_is_right_too(tmp_path: Path) -> None:
    """Without the signs in front of the issuer, and of its name in the lineage, the lineage is one with an issuer."""
    head, sign, tail = first_file(Found("mx.example.org")).partition("# [issuer.letsencrypt]")
    section, blank, rest = tail.partition("\n\n")
    section = re.sub(r"^# ", "", section, flags=re.MULTILINE)
    rest = re.sub(
        r"^# (issuer|names|key-lifetime|key-type|reuse-key|accept-key-type|params) =", r"\1 =", rest, flags=re.MULTILINE
    )
    file = tmp_path / "config.toml"
    file.write_text(head + sign.removeprefix("# ") + section + blank + rest)
    config = load(file)
    lineage = config.lineages["mx.example.org"]
    assert (lineage.issuer, lineage.keys.next_key, lineage.keys.lifetime) == ("letsencrypt", True, 180 * 86400)
    assert config.issuers["letsencrypt"].options["contact"] == ["mailto:postmaster@example.org"]


def test_completion_knows_commands_and_lineages(say: Say, host: Path) -> None:
    """The script is for the shell that was asked for; what it asks is answered from the configuration."""
    for shell in ("bash", "zsh", "fish"):
        assert "_TLSA_MANAGER_COMPLETE" in say("completion", shell).out
    asked = say(_TLSA_MANAGER_COMPLETE="bash_complete", COMP_WORDS="tlsa-manager check --explain f-sel", COMP_CWORD="3")
    assert asked.out.split() == ["plain,F-SEL01", "plain,F-SEL10"]
    asked = say(_TLSA_MANAGER_COMPLETE="bash_complete", COMP_WORDS="tlsa-manager co", COMP_CWORD="1")
    assert asked.out.split() == ["plain,config", "plain,completion"]
    asked = say(_TLSA_MANAGER_COMPLETE="bash_complete", COMP_WORDS="tlsa-manager status m", COMP_CWORD="2")
    assert "mx.example.org" in asked.out
