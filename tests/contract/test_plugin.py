"""A backend in somebody else's package: found by its entry point, opened, checked and used as those that are built in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contract.doubles.double import Double, Reply, Request

PAGE = (Path(__file__).parents[2] / "docs" / "backends" / "plugin.md").read_text()
TOKEN = "not-for-anybodys-eyes"
CONFIG = """\
[dns.mine]
{section}
[consumer.own]
type = "command"
file = "{directory}/mx.pem"
reload = ["/bin/true"]

[lineage."mx.example.org"]
services = ["mx.example.org:25"]
dns = "mine"
consumers = ["own"]
"""
CHANGE = """\
import json, sys
from tlsa_manager.publish import Change, Text, open_backend
from tlsa_manager.tlsa import Tlsa
backend = open_backend("mine", "mydns", json.loads(sys.argv[1]))
one = frozenset({Tlsa.parse("3 1 1 " + "a" * 64)})
name = "_25._tcp.mx.pub.example."
print(backend.change(Change(name, "", one, frozenset(), frozenset(), 60)).state, sorted(map(str, backend.read(name).records)))
print(backend.text(Text("_acme-challenge.mx.pub.example.", "", "proof", present=True)).state, repr(backend))
"""


class MyDns(Double):
    """The API that the page speaks to."""

    def answer(self, request: Request) -> Reply:
        """Play it."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(401)
        if request.path == "/zones":
            return Reply(200, ["pub.example", "example"])
        if request.method == "PUT":
            one = request.content
            self.sets[one["name"], one["type"]] = one["ttl"], one["records"]
            return Reply(200)
        name = request.query["name"]
        sets = {kind: {"ttl": ttl, "records": records} for (at, kind), (ttl, records) in self.sets.items() if at == name}
        return Reply(200, sets)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Install the package of the page, as pip leaves it behind: the module, and what its metadata say."""
    directory = tmp_path / "site"
    project = re.findall(r"```toml\n(\[project.*?)```", PAGE, re.DOTALL)[0]
    name, group, entry = (
        re.findall(pattern, project)[0] for pattern in (r'name = "(.+)"', r'entry-points."(.+)"\]', r"\n(\w+ = .+)\n$")
    )
    metadata = directory / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    (directory / "tlsa_manager_mydns.py").write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0])
    return directory


def run(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package installed."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False, timeout=120)


def token(tmp_path: Path) -> str:
    path = tmp_path / "mydns.token"
    path.touch(mode=0o600)
    path.write_text(TOKEN)
    return str(path)


def test_it_changes_dns(site: Path, tmp_path: Path) -> None:
    """The module of the page, opened by its kind, keeps the promises that it leaves to us."""
    with MyDns() as server:
        done = run(site, "-c", CHANGE, json.dumps({"token-file": token(tmp_path), "api": server.url}))
    assert done.stderr == ""
    assert done.stdout.startswith(f"done ['3 1 1 {'a' * 64}']\ndone ")
    assert TOKEN not in done.stdout
    assert server.sets == {
        ("_25._tcp.mx.pub.example.", "TLSA"): (60, [f"3 1 1 {'a' * 64}"]),
        ("_acme-challenge.mx.pub.example.", "TXT"): (60, ['"proof"']),
    }


@pytest.mark.parametrize(
    ("section", "code", "words"),
    [
        ('backend = "mydns"\ntoken-file = "{token}"', 0, ""),
        ('backend = "mydns"\ntoken-file = "{token}"\ntokn = "x"', 78, "dns.mine.tokn: unknown key"),
        ('backend = "mydns"', 78, "dns.mine.token-file: missing"),
        ('backend = "mydn"', 78, "did you mean 'mydns'"),
    ],
)
def test_the_configuration_is_checked(site: Path, tmp_path: Path, section: str, code: int, words: str) -> None:
    """Its options are checked with all others, and its mistakes told with theirs."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(section=section.format(token=token(tmp_path)), directory=tmp_path))
    done = run(site, "-m", "tlsa_manager", "--config", str(config), "config", "check")
    assert done.returncode == code, done.stderr
    assert words in done.stderr + done.stdout
    assert TOKEN not in done.stderr + done.stdout


def test_without_the_package(tmp_path: Path) -> None:
    """Where it is not installed, its kind is unknown."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(section='backend = "mydns"', directory=tmp_path))
    done = run(tmp_path, "-m", "tlsa_manager", "--config", str(config), "config", "check")
    assert done.returncode == 78
    assert "'mydns' is not a kind of backend" in done.stderr
