"""The pages of docs/backends: configurations are accepted, servers take the lines that are to be copied, recipes work."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import namespace
from lab.bind import tsig_key
from lab.daemon import run
from lab.fixtures import needs, needs_only
from lab.nsd import Nsd

from tlsa_manager.option import settle
from tlsa_manager.publish import Change, open_backend, options_of
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
    (etc / "example.org.zone").write_text(
        "$TTL 60\nexample.org. SOA ns.example.org. hostmaster.example.org. (\n    2026010101 ; serial\n    3600 600 864000 60 )\n"
        "example.org. NS ns.example.org.\nns.example.org. A 192.0.2.53\n"
    )
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
        nsd.daemon.wait_until(lambda: bool(dig("example.org", "SOA")))
        owner = "_25._tcp.mx.example.org."
        assert section.pop("backend") == "zonefile"
        backend = open_backend("nsd", "zonefile", {**section, "command": command})
        backend.change(Change(owner, "", frozenset({RECORD}), frozenset(), frozenset(), 60))
        nsd.daemon.wait_until(lambda: "TLSA" in dig(owner, "TLSA") and "RRSIG" in dig(owner, "TLSA"))
    finally:
        nsd.daemon.stop()


def dig(name: str, kind: str) -> str:
    return run(*shlex.split(f"dig +noall +answer +dnssec +tries=1 +time=1 @127.53.4.32 {name} {kind}"))
