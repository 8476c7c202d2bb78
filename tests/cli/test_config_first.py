"""A first configuration from what a host has and what DNS says of it: right for each, loadable always, explained for a person."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import pytest
from contract import impostor
from lab.bind import tsig_key

from tlsa_manager.cli.ending import run
from tlsa_manager.config import load
from tlsa_manager.config.backend import _secret, chosen
from tlsa_manager.config.first import first_file
from tlsa_manager.config.found import Found, look
from tlsa_manager.config.listening import asked
from tlsa_manager.config.nameserver import NameServer
from tlsa_manager.observe.authority import answers_for
from tlsa_manager.observe.delegation import Delegation, delegation
from tlsa_manager.publish import KINDS, warning_of
from tlsa_manager.publish.rfc2136 import key as tsig
from tlsa_manager.publish.whose import whose

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab
    from program import Say

    from tlsa_manager.config import Config

DOCS = Path(__file__).parents[2] / "docs" / "backends"
HOST = "mx.example.org"
BIND = """
// zone "commented.org" { type primary; };
options { directory "/var/cache/bind"; };
zone "localhost" { type master; file "/etc/bind/db.local"; };
zone "example.org" IN {
    type primary;  # a comment }
    file "/var/lib/bind/example.org";
};
zone "braces.example.org" { also-notify { 192.0.2.7; }; type primary; file "b"; };
zone "elsewhere.net" { type secondary; primaries { 192.0.2.1; }; };
"""
KNOT = """
server:
    listen: 127.0.0.1@53
zone:
  - domain: example.org
    storage: /var/lib/knot
  - domain: "example.net."
"""
PDNS = "launch=gsqlite3\napi=yes\napi-key=notforshow\nwebserver-port=8082\n# dnsupdate=yes\n"
NSD = 'server:\n\tport: 53\nzone:\n\tname: "example.org"\n\tzonefile: "example.org.zone"\n'
SERVERS = {kind: import_module(module).SERVERS for kind, module in KINDS.items() if hasattr(import_module(module), "SERVERS")}


def tree(root: Path, **files: str) -> Path:
    """Make a tree that looks like a host."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def begun(root: Path, found: Found) -> tuple[Config, str]:
    """Write the first file, and read it as the program does."""
    text = first_file(found)
    (root / "config.toml").write_text(text)
    return load(root / "config.toml"), text


CASES = (
    ("etc/bind/named.conf.local", BIND, "rfc2136", "BIND on this host has the zone of mx.example.org"),
    ("etc/knot/knot.conf", KNOT, "rfc2136", "Knot DNS on this host has the zone of mx.example.org"),
    ("etc/nsd/nsd.conf", NSD, "zonefile", "NSD on this host has the zone of mx.example.org"),
    ("etc/powerdns/pdns.conf", PDNS, "powerdns", "PowerDNS on this host may have the zone of mx.example.org"),
    ("etc/powerdns/pdns.conf", "dnsupdate=yes\n", "rfc2136", "PowerDNS on this host may have the zone of mx.example.org"),
)


@pytest.mark.parametrize(("file", "text", "kind", "told"), [case for case in CASES if case[2] in KINDS])
def test_a_name_server_on_the_host(tmp_path: Path, file: str, text: str, kind: str, told: str) -> None:
    """Its zones are read from its own files; what is still to be done is told, and no secret of it gets into ours."""
    found = replace(look(tree(tmp_path, **{file: text})), host=HOST)
    config, written = begun(tmp_path, found)
    assert config.dns["primary"].kind == kind
    flat = " ".join(written.replace("\n# ", " ").split())
    assert told in flat
    assert "To do: " in flat
    assert "docs/backends/" in flat
    assert "notforshow" not in written


def test_what_files_name_as_zones(tmp_path: Path) -> None:
    """Neither comments nor zones of others, nor those that every BIND has."""
    bind, knot = look(tree(tmp_path, **{"etc/bind/named.conf.local": BIND, "etc/knot/knot.conf": KNOT})).name_servers
    assert bind.zones == ("braces.example.org", "example.org")
    assert knot.zones == ("example.net", "example.org")
    assert bind.has(HOST)
    assert not bind.has("mx.notexample.org")


def test_where_the_api_of_powerdns_is(tmp_path: Path) -> None:
    """As its configuration says; where it listens everywhere, at this host."""
    for more, url in (
        ("", "http://127.0.0.1:8082"),
        ("webserver-address=::1\n", "http://[::1]:8082"),
        ("webserver-address=0.0.0.0\n", "http://127.0.0.1:8082"),
    ):
        (found,) = look(tree(tmp_path, **{"etc/powerdns/pdns.conf": PDNS + more})).name_servers
        assert (found.kind, found.given) == ("powerdns", {"server": url})
        config, _ = begun(tmp_path, look(tmp_path))
        assert config.dns["primary"].options["server"] == url


def test_an_installed_server_without_zones_is_no_answer(tmp_path: Path) -> None:
    """A BIND that only resolves has localhost and no more."""
    found = look(tree(tmp_path, **{"etc/bind/named.conf.default-zones": 'zone "localhost" { type master; };'}))
    assert found.name_servers == ()
    assert begun(tmp_path, found)[0].dns["primary"].kind == "manual"
    assert look(tree(tmp_path, **{"etc/powerdns/pdns.conf": "launch=\n# api=no\n"})).name_servers == ()


@pytest.mark.parametrize("kind", sorted(SERVERS))
def test_the_provider_whose_name_servers_they_are(tmp_path: Path, kind: str) -> None:
    """By the names of the zone's servers: the backend, why, which page tells of credentials, and its warning if it has one."""
    served = Delegation("example.org.", tuple(f"ns{number}{SERVERS[kind][-1]}" for number in (1, 2)))
    config, text = begun(tmp_path, replace(look(tmp_path), host=HOST, delegation=served))
    assert config.dns["primary"].kind == kind
    flat = " ".join(text.replace("\n# ", " ").split())
    assert f"The name servers of example.org are ns1{SERVERS[kind][-1].rstrip('.')}, " in flat
    assert f"docs/backends/{kind}.md" in flat
    assert warning_of(kind) in flat


def test_what_everybody_has_to_know_is_told() -> None:
    """Hetzner does not sign its zones."""
    assert "DNSSEC" in warning_of("hetzner")
    assert warning_of("manual") == ""


def test_name_servers_that_nobody_knows(tmp_path: Path) -> None:
    """Of none or of several providers: by hand, and why."""
    assert whose(["ns1.desec.io.", "NS2.DESEC.ORG."]) == "desec"
    assert whose(["ns1.desec.io.", "ns1.example.org."]) == "desec"
    assert whose(["ns1.desec.io.", "a.ns.cloudflare.com."]) == ""
    assert whose(["ns1.notdesec.io."]) == ""
    served = Delegation("example.org.", ("ns1.example.org.",))
    config, text = begun(tmp_path, replace(look(tmp_path), host=HOST, delegation=served))
    assert config.dns["primary"].kind == "manual"
    assert "The name servers of example.org are ns1.example.org: this program has no backend" in text


def test_the_server_here_goes_before_the_provider(tmp_path: Path) -> None:
    """A hidden primary is not in NS: where it has the zone, it is what has to be changed; else the provider is."""
    served = Delegation("example.org.", ("ns1.desec.io.",))
    found = replace(look(tree(tmp_path, **{"etc/bind/named.conf.local": BIND})), delegation=served)
    assert begun(tmp_path, replace(found, host=HOST))[0].dns["primary"].kind == "rfc2136"
    assert begun(tmp_path, replace(found, host="mx.other.org"))[0].dns["primary"].kind == "desec"


def test_other_mail_servers_become_consumers(tmp_path: Path) -> None:
    """Each with a file of its own in its directory; web servers and proxies only where they speak mail, packages alone never."""
    names = ("etc/exim4/update-exim4.conf.conf", "etc/dovecot/dovecot.conf", "etc/nginx/nginx.conf", "etc/haproxy/haproxy.cfg")
    root = tree(tmp_path, **dict.fromkeys(names, "http {\n  bind :443\n}\n"), **{"etc/smtpd.conf": "listen on localhost\n"})
    tree(root, **{"etc/dovecot/conf.d/10-ssl.conf": "ssl_cert = </etc/dovecot/private/dovecot.pem\n"})
    assert look(root).mail_servers == ()
    for number, name in enumerate(("exim4", "dovecot", "named")):
        tree(root, **{f"proc/{number + 7}/comm": f"{name}\n"})
    config, text = begun(tmp_path, replace(look(root), host=HOST))
    assert config.lineages[HOST].consumers == ("exim", "dovecot")
    assert {name: one.options["file"] for name, one in config.consumers.items()} == {
        "exim": f"/etc/exim4/tls/{HOST}.pem",
        "dovecot": f"/etc/dovecot/tls/{HOST}.pem",
    }
    assert "Postfix was not found" not in text
    tree(
        tmp_path,
        **{names[2]: "mail {\n}\n", names[3]: "frontend imap\n  bind :993 ssl\n", "etc/smtpd.conf": "listen on eth0 tls\n"},
    )
    found = replace(look(root), host=HOST, postfix="/etc/postfix", lineages=(HOST, f"{HOST}-rsa"))
    config, _ = begun(tmp_path, found)
    kinds = ("postfix", "exim", "opensmtpd", "dovecot", "haproxy", "nginx")
    assert config.lineages[HOST].consumers == kinds
    assert config.lineages[f"{HOST}-rsa"].consumers == tuple(f"{kind}-2" for kind in kinds)


READ = (
    ("exim", "etc/exim4/exim4.conf.localmacros", "MAIN_TLS_ENABLE = yes\nMAIN_TLS_CERTKEY = {file}\n"),
    ("exim", "etc/exim/exim.conf", "tls_certificate = {file}\ntls_privatekey = {file}\n"),
    ("dovecot", "etc/dovecot/conf.d/10-ssl.conf", "ssl_cert = <{file}\nssl_key = <{file}\n"),
    ("dovecot", "etc/dovecot/dovecot.conf", "ssl_server_cert_file = {file}\nssl_server_key_file = {file}\n"),
    ("nginx", "etc/nginx/nginx.conf", "mail {{\n ssl_certificate {file};\n ssl_certificate_key {file};\n}}\n"),
    ("haproxy", "etc/haproxy/haproxy.cfg", "frontend imap\n  bind :993 ssl crt {file}\n"),
    ("opensmtpd", "etc/smtpd.conf", 'pki mx cert "{file}"\npki mx key "{file}"\nlisten on eth0 tls pki mx\n'),
)


@pytest.mark.parametrize(("kind", "place", "text"), READ)
def test_the_file_that_is_read_already_stays(tmp_path: Path, kind: str, place: str, text: str) -> None:
    """One file for key and chain, that no ACME client replaces and no link leads to; the ports where somebody listens."""
    tree(tmp_path, **{"etc/tls/mine.pem": "", place: text.format(file="/etc/tls/mine.pem")})
    (found,) = look(tmp_path).mail_servers
    assert (found.kind, found.file, found.ports) == (kind, "/etc/tls/mine.pem", ())
    assert begun(tmp_path, replace(look(tmp_path), host=HOST))[0].consumers[kind].options["file"] == "/etc/tls/mine.pem"
    for other in ("/etc/tls/link.pem", "/etc/letsencrypt/live/mx/all.pem", "/etc/tls/gone.pem"):
        (tmp_path / "etc/tls/link.pem").unlink(missing_ok=True)
        (tmp_path / "etc/tls/link.pem").symlink_to("mine.pem")
        tree(tmp_path, **{"etc/letsencrypt/live/mx/all.pem": "", place: text.format(file=other)})
        assert [one.file for one in look(tmp_path).mail_servers] == [""]


def test_the_ports_of_what_runs_are_services(tmp_path: Path) -> None:
    """Those where somebody listens, of those that such a server has: nobody else would look at them after a swap."""
    listening = "".join(
        f" 0: 00000000:{port:04X} 00000000:0000 {state}\n" for port, state in ((993, "0A"), (143, "0A"), (995, "01"))
    )
    tree(tmp_path, **{"proc/9/comm": "dovecot\n", "proc/net/tcp": f"head\n{listening}", "proc/net/tcp6": "head\n"})
    config, _ = begun(tmp_path, replace(look(tmp_path), host=HOST))
    assert [str(one) for one in config.lineages[HOST].services] == [f"{HOST}:25", f"{HOST}:143", f"{HOST}:993"]


def test_what_is_done_is_no_longer_to_do(tmp_path: Path) -> None:
    """With the key and the grant in place nothing is left; with one of both it is; PowerDNS keeps it where nobody looks."""
    granted = BIND.replace(
        "type primary;  # a", "type primary; update-policy { grant tlsa-manager. name _25._tcp.mx.example.org. TLSA; }; # a"
    )
    granted += "options { listen-on { 192.0.2.53; }; listen-on-v6 port 5353 { 2001:db8::53; any; }; };"
    allowed = KNOT.replace("zone:", "acl:\n  - id: a\n    action: update\nzone:")
    both = {
        "etc/bind/named.conf.local": granted,
        "etc/knot/knot.conf": allowed.replace("127.0.0.1@53", "[192.0.2.54@53, ::1@5354]"),
    }
    assert all(one.todo for one in look(tree(tmp_path, **both)).name_servers), "there is no key yet"
    bind, knot = look(tree(tmp_path, **{"etc/tlsa-manager/pdns.key": "", "etc/tlsa-manager/tsig.key": ""})).name_servers
    assert (bind.todo, knot.todo) == ((), ())
    assert (bind.given["server"], knot.given["server"]) == ("192.0.2.53", "192.0.2.54")
    assert (bind.listens, knot.listens) == (("192.0.2.53", "2001:db8::53#5353"), ("192.0.2.54", "::1#5354"))
    assert bind.given["tsig-key-file"] == "/etc/tlsa-manager/tsig.key"
    assert all(
        one.todo for one in look(tree(tmp_path, **{"etc/bind/named.conf.local": BIND, "etc/knot/knot.conf": KNOT})).name_servers
    )


def test_updates_go_before_the_api_where_a_key_is_there(tmp_path: Path) -> None:
    """As the page recommends; without a key of ours the API is what is ready."""
    tree(tmp_path, **{"etc/powerdns/pdns.conf": PDNS + "dnsupdate=yes\nlocal-address=192.0.2.53, ::\n"})
    assert look(tmp_path).name_servers[0].kind == "powerdns"
    (found,) = look(tree(tmp_path, **{"etc/tlsa-manager/tsig.key": ""})).name_servers
    assert (found.kind, found.given["server"]) == ("rfc2136", "192.0.2.53")
    assert "get-meta" in found.todo[0]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_secrets_are_where_the_pages_have_them(kind: str) -> None:
    """Who follows a page after `config init` need not rename anything."""
    page = DOCS / f"{kind}.md"
    given = _secret(kind)
    assert all(f'{name} = "{file}"' in page.read_text() for name, file in given.items()) or not page.exists()


def test_a_name_server_is_named_where_it_answers_with_authority(dns_lab: DnsLab) -> None:
    """A resolver at the usual address is passed by; where nobody answers for the host, that is said."""
    resolver = dns_lab.resolver
    bind = NameServer("BIND", "rfc2136", {"server": resolver}, (), (), (resolver, dns_lab.primary))
    (found,) = asked(Found("mx.a.example", name_servers=(bind,))).name_servers
    assert (found.given["server"], found.authority, found.todo) == (dns_lab.primary, True, ())
    assert "BIND on this host has the zone" in chosen(Found("mx.a.example", name_servers=(found,))).why[0]
    (lost,) = asked(Found("mx.a.example", name_servers=(replace(bind, listens=(resolver,)),))).name_servers
    assert lost.authority is False
    assert f"it does not at {resolver}" in lost.todo[0]
    assert "does not answer for the zone" in chosen(Found("mx.a.example", name_servers=(lost,))).why[0]


def test_an_answer_without_authority_is_a_resolver_s(tmp_path: Path) -> None:
    """It knows the SOA as well, from its cache: only the AA bit tells."""

    def cached(question: dns.message.Message) -> impostor.Answer:
        answer = impostor.denial(question)
        answer.flags &= ~dns.flags.AA
        return answer

    key = tsig.load(str(tsig_key(tmp_path / "key", "any.")), "test")
    for answer, authority in ((impostor.denial, True), (cached, False)):
        with impostor.impostor(key, answer) as server:  # type: ignore[arg-type]
            assert answers_for(server, "mx.example") is authority
    assert not answers_for("127.0.0.1#1", "mx.example"), "nobody listens"


def test_files_that_cannot_be_read_are_not_there(tmp_path: Path) -> None:
    """Directories where files should be, octets that are no text: nothing is found, and nothing fails."""
    for name in ("etc/bind/named.conf", "etc/dovecot/dovecot.conf", "etc/nsd/nsd.conf"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/knot").mkdir()
    (tmp_path / "etc/knot/knot.conf").write_bytes(b"\xff\xfe\x00zone")
    found = look(tmp_path)
    assert (found.name_servers, found.mail_servers) == ((), ())


def test_without_a_network_it_is_as_before(say: Say, tmp_path: Path) -> None:
    """No answer is no hint: nothing hangs, nothing fails; what is no address is told."""
    assert delegation(HOST, "127.0.0.1#1") is None
    assert delegation("org", "127.0.0.1#1") is None
    offline = say("config", "init", "--stdout", "--offline")
    assert offline.code == 0
    assert say("config", "init", "--stdout", "--resolver", "127.0.0.1#1").out == offline.out
    refused = say("config", "init", "--stdout", "--resolver", "nobody")
    assert (refused.code, refused.out) == (2, "")
    assert load_of(tmp_path, offline.out).lineages


def load_of(directory: Path, text: str) -> Config:
    (directory / "config.toml").write_text(text)
    return load(directory / "config.toml")


def test_the_zone_of_a_host_is_asked_of_dns(dns_lab: DnsLab) -> None:
    """The nearest zone above the host and its name servers; a name that does not exist has the zone it would be in."""
    known = Delegation("a.example.", ("ns1.a.example.", "ns2.a.example."))
    for host in ("mx.a.example", "a.example", "not.there.a.example"):
        assert delegation(host, dns_lab.resolver) == known
    assert delegation("nothing-of-the-kind.example", dns_lab.resolver) is None, "a registry's zone is nobody's own"


def test_init_asks_dns(
    dns_lab: DnsLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the zone of this host; not when told to stay offline."""
    monkeypatch.setattr("tlsa_manager.config.found._hostname", lambda: "mx.a.example")
    monkeypatch.setattr("tlsa_manager.config.found.name_servers", lambda root, key: ())
    monkeypatch.setattr("tlsa_manager.config.found._tsig_key", lambda root: "")
    monkeypatch.setenv("TLSA_MANAGER_CONFIG", str(tmp_path / "config.toml"))
    words = ["config", "init", "--stdout", "--resolver", dns_lab.resolver]
    assert run(words) == 0
    told = "The name servers of a.example are ns1.a.example, ns2.a.example: this program has no backend"
    assert told in capsys.readouterr().out
    assert run([*words, "--offline"]) == 0
    assert told not in capsys.readouterr().out
