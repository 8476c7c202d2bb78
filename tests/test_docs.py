"""The documents are true: commands and keys are told, examples are accepted by what they are written for."""

from __future__ import annotations

import re
import runpy
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click
from lab.fixtures import needs_only

from tlsa_manager.config import load
from tlsa_manager.config.sections import kinds
from tlsa_manager.policy import KEY_TYPES
from tlsa_manager.service import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent.parent
PAGES = [*HERE.glob("*.md"), *HERE.glob("docs/**/*.md")]


def commands(group: click.Group, path: str = "tlsa-manager") -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, those of groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def test_every_command_is_documented_and_has_help() -> None:
    """In the README or a page of docs; alternatives may be written `hook certbot|files`."""
    from tlsa_manager.cli.root import root

    told = "\n".join(page.read_text() for page in PAGES).replace("\\|", "|")
    for path, command in commands(root):
        group, _, name = path.rpartition(" ")
        found = re.search(rf"{re.escape(group)} (?:[a-z]+\|)*{re.escape(name)}\b", told)
        assert found, f"{path} is in no document"
        assert command.help, path
        assert command.short_help, path
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, f"{path} {parameter.name}"


def test_the_reference_of_the_configuration_is_the_declarations() -> None:
    """Made anew it is the same; if not: python docs/make_reference.py > docs/configuration.md"""  # noqa: D400
    made = runpy.run_path(str(HERE / "docs/make_reference.py"))["page"]()
    assert (HERE / "docs/configuration.md").read_text() == made


def test_the_reference_tells_every_choice() -> None:
    """What a key may be is in its line, so that nobody has to provoke the message."""
    rows = {row.split("`")[1]: row for row in (HERE / "docs/configuration.md").read_text().splitlines() if row.startswith("| `")}
    assert all(f'`"{word}"`' in rows["key-type"] for word in KEY_TYPES)
    assert all(f'`"{word}"`' in rows["accept-key-type"] for word in KEY_TYPES.values())
    assert all(word in rows["at"] for word in PROTOCOLS)
    assert all(word in rows["challenge"] for word in ("dns-01", "http-01"))


def test_the_example_configuration_is_right() -> None:
    """It loads, and shows every kind of backend and of consumer but none twice; those of a provider or a product have pages."""
    config = load(HERE / "examples/config.toml")
    assert len(config.lineages) == 2
    shown = {section.kind for section in config.dns.values()}
    assert shown >= {"rfc2136", "zonefile", "exec", "manual"}
    for kind in set(kinds("dns")) - shown:
        assert f'\n    backend = "{kind}"\n' in (HERE / f"docs/backends/{kind}.md").read_text()
    assert {section.kind for section in config.consumers.values()} == set(kinds("consumer"))


def test_what_the_example_has_commented_out_is_right_too(tmp_path: Path) -> None:
    """Without the signs in front it loads, and the lineage has its issuer."""
    text = (HERE / "examples/config.toml").read_text()
    (tmp_path / "config.toml").write_text(re.sub(r"^#(?=[\[a-z])", "", text, flags=re.MULTILINE))
    config = load(tmp_path / "config.toml")
    assert config.lineages["imap.example.org"].issuer == "letsencrypt"
    assert config.issuers.keys() == {"letsencrypt"}


def test_the_example_of_two_kinds_is_right() -> None:
    """Two lineages on the same services, each with a file and a type of its own, and none with a mistake."""
    config = load(HERE / "examples/two-kinds.toml")
    rsa, ecdsa = config.lineages.values()
    assert rsa.services == ecdsa.services
    assert {rsa.keys.type, ecdsa.keys.type} == {"rsa-2048", "ecdsa-p256"}
    assert rsa.consumers != ecdsa.consumers
    text = (HERE / "examples/two-kinds.toml").read_text()
    assert "leaving = true" in text


def test_the_configuration_of_the_readme_is_right(tmp_path: Path) -> None:
    """What the ten minutes ask one to write has no mistakes."""
    text = (HERE / "README.md").read_text()
    start = text.index("    [defaults]")
    file = tmp_path / "config.toml"
    file.write_text("\n".join(line[4:] for line in text[start : text.index("    tlsa-manager config check", start)].splitlines()))
    lineage = load(file).lineages["mx.example.org"]
    assert lineage.keys.next_key


def test_the_readme_is_read_in_a_few_minutes() -> None:
    """Both ways to certificates are told before the first command, and the rest has pages of its own."""
    lines = (HERE / "README.md").read_text().splitlines()
    assert len(lines) <= 180
    begin = "\n".join(lines[: next(number for number, line in enumerate(lines) if line.startswith("    ./"))])
    for told in ("docs/clients.md", "docs/issue.md", "`issue`", "`next-key = true`", "docs/next-key.md"):
        assert told in begin, told


def test_links_inside_the_repository_lead_somewhere() -> None:
    """Files and headings that pages name are there."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_metadata_and_licence() -> None:
    """What the package says of itself is in the repository."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT"
    assert (HERE / "LICENSE").read_text().startswith("MIT License")
    assert (HERE / project["readme"]).exists()


def test_units_are_accepted_by_systemd(tmp_path: Path) -> None:
    """The service as it is but for the path of the program, which need not be installed here."""
    needs_only("systemd-analyze")
    for unit in (HERE / "examples/systemd").iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/local/bin/tlsa-manager", "/bin/true"))
    for unit in tmp_path.iterdir():
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if "tlsa-manager" in line]
        assert (done.returncode, complaints) == (0, []), done.stderr


def test_the_bind_snippet_is_accepted_by_bind(tmp_path: Path) -> None:
    """With a key made by the very command that its comment gives."""
    needs_only("tsig-keygen", "named-checkconf")
    snippet = (HERE / "examples/bind/named.conf.tlsa-manager").read_text()
    key = tmp_path / "tlsa-manager.key"
    assert "tsig-keygen -a hmac-sha256 tlsa-manager" in snippet
    key.write_text(
        subprocess.run(["tsig-keygen", "-a", "hmac-sha256", "tlsa-manager."], capture_output=True, text=True, check=True).stdout
    )
    conf = tmp_path / "named.conf"
    conf.write_text(snippet.replace("/etc/bind/tlsa-manager.key", str(key)))
    done = subprocess.run(["named-checkconf", str(conf)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    from tlsa_manager.publish import open_backend

    key.chmod(0o600)
    assert open_backend("ns1", "rfc2136", {"server": "127.0.0.1", "tsig-key-file": str(key)}).name == "ns1"
