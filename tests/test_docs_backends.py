"""The pages of docs/backends: configurations are accepted, servers take the lines that are to be copied, recipes work."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import dns.query
import dns.rcode
import dns.update
import pytest
from lab import namespace
from lab.bind import tsig_key
from lab.daemon import Daemon, run
from lab.fixtures import needs, needs_only
from lab.nsd import Nsd
from lab.powerdns import SCHEMA

from tlsa_manager.errors import PublishError
from tlsa_manager.option import settle
from tlsa_manager.publish import Change, Text, open_backend, options_of
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent.parent
PAGES = sorted((HERE / "docs" / "backends").glob("*.md"))
RECORD = Tlsa.parse(f"3 1 1 {'a' * 64}")


def blocks(page: str) -> Iterator[str]:
    """Every indented block of a page."""
    for block in re.findall(r"(?:^(?: {4}.*)?\n)+", (HERE / "docs" / "backends" / page).read_text(), re.MULTILINE):
        if block.strip():
            yield re.sub(r"^ {4}", "", block, flags=re.MULTILINE).strip("\n") + "\n"


def block(page: str, word: str) -> str:
    """The first block with this word."""
    return next(one for one in blocks(page) if word in one)


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_configurations_are_accepted(page: str) -> None:
    """Every `[dns.NAME]` that a page gives has the options that its kind of backend declares."""
    for one in blocks(page):
        for name, section in tomllib.loads(one)["dns"].items() if one.startswith("[dns.") else ():
            options = {key: value for key, value in section.items() if key != "backend"}
            settle(f"dns.{name}", options_of(section["backend"]), options)


@pytest.mark.parametrize(("page", "word"), [("bind.md", "update-policy {\n"), ("hidden-primary.md", "also-notify")])
def test_lines_for_bind(page: str, word: str, tmp_path: Path) -> None:
    """Named takes the statements as they are."""
    needs_only("named-checkconf")
    keys = {name: tsig_key(tmp_path / f"{name}.key", f"{name}.") for name in ("tlsa-manager", "transfer")}
    text = block(page, word).replace('include "/etc/bind/tlsa-manager.key";\n', "")
    (tmp_path / "named.conf").write_text("".join(f'include "{path}";\n' for path in keys.values()) + text)
    done = subprocess.run(["named-checkconf", str(tmp_path / "named.conf")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_lines_for_knot(tmp_path: Path) -> None:
    """Knot takes the lines as they are, with a key made by the very command of the page, which is read as it is written."""
    needs_only("knotc", "keymgr")
    made = run("keymgr", "-t", "tlsa-manager.", "hmac-sha256")
    assert "keymgr -t tlsa-manager. hmac-sha256 > /etc/tlsa-manager/tsig.key" in block("knot.md", "keymgr -t")
    secret = next(line.split()[1] for line in made.splitlines() if "secret:" in line)
    conf = tmp_path / "knot.conf"
    conf.write_text(block("knot.md", "update-owner-name").replace('"..."', secret))
    run("knotc", "-c", str(conf), "conf-check")
    key = tmp_path / "tsig.key"
    key.touch(mode=0o600)
    key.write_text(made)
    assert open_backend("knot", "rfc2136", {"server": "192.0.2.53", "tsig-key-file": str(key)}).name == "knot"


def test_recipe_for_nsd(tmp_path: Path) -> None:
    """Step by step: snippet, key, the zone signed by hand; then a record is published by the configuration of the page."""
    needs("nsd", "nsd-control", "nsd-checkzone", "ldns-signzone")
    etc, conf = tmp_path / "nsd", tmp_path / "server" / "nsd.conf"
    etc.mkdir()
    (etc / "example.org.zone").write_text(zone_text("127.53.4.32"))
    steps = block("zonefile.md", "ldns-keygen").replace("/etc/nsd", str(etc)).split("\n", 1)[1]
    assert "zone-changed /usr/local/lib/tlsa-manager/zone-changed\n" in steps
    script = tmp_path / "zone-changed"
    steps = steps.replace("/usr/local/lib/tlsa-manager/zone-changed", str(script))
    subprocess.run(["sh", "-euc", steps.replace("examples/", f"{HERE}/examples/")], check=True, cwd=tmp_path, capture_output=True)
    key = next((etc / "keys").glob("*.private")).stem
    text = block("zonefile.md", "[dns.nsd]").replace("/usr/local/lib/tlsa-manager/zone-changed", str(script))
    section = tomllib.loads(text.replace("/etc/nsd", str(etc)).replace("Kexample.org.+013+12345", key))["dns"]["nsd"]
    at = section["command"].index("/usr/sbin/nsd-control") + 1
    command = [*section["command"][:at], "-c", str(conf), *section["command"][at:]]

    nsd = Nsd(conf.parent, "127.53.4.32")
    namespace.add_address(nsd.address)
    nsd.serve_file("example.org", etc / "example.org.signed")
    run(*command[: at - 1], "/bin/true")
    nsd.daemon.start()
    try:
        nsd.daemon.wait_until(lambda: bool(dig("example.org", "SOA", nsd.address)))
        owner = "_25._tcp.mx.example.org."
        assert section.pop("backend") == "zonefile"
        backend = open_backend("nsd", "zonefile", {**section, "command": command})
        backend.change(Change(owner, "", frozenset({RECORD}), frozenset(), frozenset(), 60))
        nsd.daemon.wait_until(lambda: {"TLSA", "RRSIG"} <= set(dig(owner, "TLSA", nsd.address).split()))
    finally:
        nsd.daemon.stop()


def test_zone_file_at_knot(tmp_path: Path) -> None:
    """As the page says, its own reload is all that Knot needs: it raises the serial and signs."""
    needs("knotd", "knotc")
    given = re.search(r"`command = (\[.+?\])` is all", (HERE / "docs/backends/zonefile.md").read_text())
    assert given
    command: list[str] = tomllib.loads(f"command = {given[1]}")["command"]
    conf, snippet, address, owner = tmp_path / "knot.conf", tmp_path / "inc", "127.53.4.37", "_25._tcp.mx.example.org."
    snippet.touch()
    (tmp_path / "example.org.zone").write_text(f"{zone_text(address)}$INCLUDE {snippet}\n")
    conf.write_text(
        f'server:\n    rundir: "{tmp_path}"\n    listen: {address}@53\ndatabase:\n    storage: "{tmp_path}/db"\n'
        "    journal-db-max-size: 10M\n    kasp-db-max-size: 10M\n    timer-db-max-size: 10M\n"
        f"zone:\n  - domain: example.org\n    storage: {tmp_path}\n    file: example.org.zone\n    zonefile-sync: -1\n"
        "    journal-content: all\n    zonefile-load: difference-no-serial\n    dnssec-signing: on\n"
    )
    with serving(address, "knotd", "-c", str(conf), log=tmp_path / "log"):
        serial = dig("example.org", "SOA", address).split()[6]
        argv = [command[0], "-c", str(conf), *command[1:]]
        backend = open_backend("knot", "zonefile", {"file": str(snippet), "command": argv})
        assert backend.change(Change(owner, "", frozenset({RECORD}), frozenset(), None, 60)).state == "done"
        assert {"TLSA", "RRSIG"} <= set(dig(owner, "TLSA", address).split())
        assert dig("example.org", "SOA", address).split()[6] == str(int(serial) + 1)


# --- servers that take updates, set up as a new user would ----------------------------------------------------------------


def test_as_the_page_says_for_bind(tmp_path: Path) -> None:
    """Key, statement and the line for dns-01 copied from the page: TLSA and proof of these names, and nothing else."""
    needs("named", "tsig-keygen")
    etc, var = tmp_path / "bind", tmp_path / "var"
    var.mkdir()
    etc.mkdir()
    steps = block("bind.md", "tsig-keygen").replace("chown root:bind", "chown root:root")
    shell(moved(steps, {"/etc/bind": etc, "/etc/tlsa-manager": tmp_path}))
    (var / "example.org.zone").write_text(zone_text("127.53.4.33"))
    proof = block("bind.md", "TXT;").strip()
    statement = block("bind.md", "update-policy {\n").replace("update-policy {", f"update-policy {{ {proof}")
    (etc / "named.conf").write_text(
        f'options {{ directory "{var}"; pid-file none; session-keyfile none; lock-file none; listen-on {{ 127.53.4.33; }};'
        " listen-on-v6 { none; }; recursion no; dnssec-validation no; empty-zones-enable no; };\ncontrols { };\n"
        + moved(statement, {"/etc/bind": etc, "/var/lib/bind": var})
    )
    with serving("127.53.4.33", "named", "-g", "-n", "1", "-c", str(etc / "named.conf"), log=tmp_path / "log"):
        updates("bind.md", "127.53.4.33", tmp_path / "tsig.key", refused="may not change")


def test_as_the_page_says_for_knot(tmp_path: Path) -> None:
    """Key, acl and the second acl for dns-01 copied from the page."""
    needs("knotd", "keymgr")
    shell(moved(block("knot.md", "keymgr -t"), {"/etc/tlsa-manager": tmp_path}))
    secret = next(line.split()[1] for line in (tmp_path / "tsig.key").read_text().splitlines() if "secret:" in line)
    (tmp_path / "example.org.zone").write_text(zone_text("127.53.4.34"))
    acl, zone = block("knot.md", "update-owner-name").replace('"..."', secret).split("zone:\n")
    proof = "  - id: proof\n    key: tlsa-manager.\n    action: update\n    update-type: [TXT]\n    update-owner: name\n"
    proof += "    update-owner-match: equal\n    update-owner-name: [_acme-challenge.mx.example.org.]\n"
    (tmp_path / "knot.conf").write_text(
        f'server:\n    rundir: "{tmp_path}"\n    listen: 127.53.4.34@53\ndatabase:\n    storage: "{tmp_path}/db"\n'
        "    journal-db-max-size: 10M\n    kasp-db-max-size: 10M\n    timer-db-max-size: 10M\n"
        f"{acl.rstrip()}\n{proof}zone:\n{zone.replace('[tlsa-manager]', '[tlsa-manager, proof]')}    storage: {tmp_path}\n"
    )
    with serving("127.53.4.34", "knotd", "-c", str(tmp_path / "knot.conf"), log=tmp_path / "log"):
        updates("knot.md", "127.53.4.34", tmp_path / "tsig.key", refused="BADKEY")


def test_as_the_page_says_for_powerdns(tmp_path: Path) -> None:
    """Its two lines, the key of the page and the commands of the page; it cannot refuse single names."""
    needs("pdns_server", "pdnsutil", "tsig-keygen")
    database = tmp_path / "pdns.sqlite3"
    with contextlib.closing(sqlite3.connect(database)) as empty:
        empty.executescript(SCHEMA.read_text())
    (tmp_path / "pdns.conf").write_text(
        f"launch=gsqlite3\ngsqlite3-database={database}\ngsqlite3-dnssec=yes\nlocal-address=127.53.4.35\nsocket-dir={tmp_path}\n"
        "daemon=no\nguardian=no\nwrite-pid=no\nsecurity-poll-suffix=\n" + block("powerdns.md", "dnsupdate=yes")
    )
    pdnsutil = f"pdnsutil --config-dir={tmp_path}"
    for zone in ("example.org", "example.net"):
        (tmp_path / zone).write_text(zone_text("127.53.4.35").replace("example.org", zone))
        shell(f"{pdnsutil} load-zone {zone} {tmp_path}/{zone}")
    place, make, *steps = block("powerdns.md", "import-tsig-key").replace("192.0.2.25/32", "127.0.0.0/8").splitlines()
    shell(moved(f"{place}\n{make}", {"/etc/tlsa-manager": tmp_path}))
    secret = (tmp_path / "tsig.key").read_text().split('secret "')[1].split('"')[0]
    shell("\n".join(steps).replace("pdnsutil", pdnsutil).replace("THE SECRET IN THAT FILE", secret))
    with serving("127.53.4.35", "pdns_server", f"--config-dir={tmp_path}", log=tmp_path / "log"):
        updates("powerdns.md", "127.53.4.35", tmp_path / "tsig.key", refused="")
        for zone in ("example.org", "example.net"):  # neither that zone nor any other takes anything from whoever has no key
            update = dns.update.UpdateMessage(f"{zone}.")
            update.add(f"no-key.{zone}.", 60, "TXT", "x")
            assert dns.query.tcp(update, "127.53.4.35", 10).rcode() == dns.rcode.REFUSED


def test_as_the_page_says_for_the_api_of_powerdns(tmp_path: Path) -> None:
    """Its lines for pdns.conf and for the configuration, the key made as it says, what it asks curl; and what its table says."""
    needs("pdns_server", "pdnsutil", "curl", "openssl")
    own = {"/etc/tlsa-manager": tmp_path}
    shell(moved(block("powerdns.md", "openssl rand"), own))
    key = tmp_path / "pdns.key"
    lines = block("powerdns.md", "webserver-allow-from").replace("THE KEY", key.read_text().strip())
    for allowed, is_let_in in (("127.0.0.1", True), ("192.0.2.1", False)):
        directory = tmp_path / allowed
        directory.mkdir()
        with _powerdns(directory, lines.replace("from=127.0.0.1", f"from={allowed}")):
            given = tomllib.loads(moved(next(one for one in blocks("powerdns.md") if one.startswith("[dns.pdns-api]")), own))
            backend = open_backend("own", "powerdns", {k: v for k, v in given["dns"]["pdns-api"].items() if k != "backend"})
            change = Change("_25._tcp.mx.example.org.", "example.org.", frozenset({RECORD}), frozenset(), frozenset(), 60)
            if is_let_in:
                shell(moved(block("powerdns.md", "curl -s").splitlines()[0].replace("curl -s", "curl -sf"), own))
                assert backend.change(change).state == "done"
                key.write_text("another")
                continue
            with pytest.raises(PublishError, match="cannot be reached: the connection ended"):
                backend.change(change)


@contextlib.contextmanager
def _powerdns(directory: Path, lines: str) -> Iterator[None]:
    """Have a PowerDNS with a database of its own serve example.org with these lines more."""
    with contextlib.closing(sqlite3.connect(directory / "pdns.sqlite3")) as empty:
        empty.executescript(SCHEMA.read_text())
    (directory / "pdns.conf").write_text(
        f"launch=gsqlite3\ngsqlite3-database={directory}/pdns.sqlite3\ngsqlite3-dnssec=yes\nlocal-address=127.53.4.36\n"
        f"socket-dir={directory}\ndaemon=no\nguardian=no\nwrite-pid=no\nsecurity-poll-suffix=\n{lines}"
    )
    (directory / "example.org.zone").write_text(zone_text("127.53.4.36"))
    for words in (["load-zone", "example.org", str(directory / "example.org.zone")], ["secure-zone", "example.org"]):
        run("pdnsutil", f"--config-dir={directory}", *words)
    with serving("127.53.4.36", "pdns_server", f"--config-dir={directory}", log=directory / "log"):
        yield


def updates(page: str, server: str, key: Path, *, refused: str) -> None:
    """Open the backend that the page configures, publish and prove what its lines allow, and be refused anything else."""
    given = tomllib.loads(next(one for one in blocks(page) if one.startswith("[dns.") and "rfc2136" in one))["dns"].popitem()[1]
    kind = given.pop("backend")
    backend = open_backend("own", kind, {**given, "server": server, "tsig-key-file": str(key)})
    for name in ("_25._tcp.mx.example.org.", "_465._tcp.mx.example.org.", "_587._tcp.mx.example.org."):
        assert backend.change(Change(name, "", frozenset({RECORD}), frozenset(), frozenset(), 60)).state == "done"
    assert backend.text(Text("_acme-challenge.mx.example.org.", "", "A" * 43, present=True)).state == "done"
    other = Change("_25._tcp.other.example.org.", "", frozenset({RECORD}), frozenset(), None, 60)
    if refused:
        with pytest.raises(PublishError, match=refused):
            backend.change(other)


@contextlib.contextmanager
def serving(address: str, *argv: str, log: Path) -> Iterator[None]:
    """Have a server run while the block does."""
    namespace.add_address(address)
    (log.parent / "db").mkdir(exist_ok=True)
    daemon = Daemon(list(argv), log=log)
    daemon.start()
    try:
        daemon.wait_until(lambda: "RRSIG" in dig("example.org", "SOA", address))
        yield
    finally:
        daemon.stop()


def shell(steps: str) -> None:
    """Run commands of a page."""
    done = subprocess.run(["sh", "-euc", steps], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{steps}\n{done.stdout}{done.stderr}"


def moved(text: str, places: dict[str, Path]) -> str:
    """Return the text with directories of this host replaced."""
    for place, instead in places.items():
        text = text.replace(place, str(instead))
    return text


def zone_text(address: str) -> str:
    return (
        "$TTL 60\nexample.org. SOA ns.example.org. hostmaster.example.org. (\n    2026010101 ; serial\n    3600 600 864000 60 )\n"
        f"example.org. NS ns.example.org.\nns.example.org. A {address}\nmx.example.org. A 192.0.2.25\n"
    )


def dig(name: str, kind: str, server: str) -> str:
    done = subprocess.run(
        ["dig", "+noall", "+answer", "+dnssec", "+tries=1", "+time=1", f"@{server}", name, kind],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout
