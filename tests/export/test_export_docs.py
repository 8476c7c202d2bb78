"""The pages on DNS in git and on aliases: their configurations have no mistakes, their commands exist, BIND takes their zone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from lab.fixtures import needs_only

from tlsa_manager.cli.root import root
from tlsa_manager.config import load
from tlsa_manager.config.sections import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
GIT, ALIASES = (DOCS / "backends" / f"{name}.md" for name in ("git", "aliases"))
CONSUMER = '[consumer.postfix]\ntype = "postfix"\nfile = "/etc/postfix/tls/mx.pem"\n'


def blocks(page: Path) -> list[str]:
    """The indented blocks of a page, without their indentation."""
    found = re.findall(r"(?:^ {4,}.*\n(?:\s*\n(?= {4}))*)+", page.read_text(), re.MULTILINE)
    return [re.sub(rf"^ {{{len(one) - len(one.lstrip())}}}", "", one, flags=re.MULTILINE) for one in found]


def commands() -> Iterator[list[str]]:
    for page in (GIT, ALIASES, DOCS / "commands.md"):
        for line in re.findall(r"tlsa-manager ((?:-q )?records export -[^|`\n]*)", page.read_text()):
            yield line.replace("\\", "").split()


@pytest.mark.parametrize("page", [GIT, ALIASES])
def test_the_configuration_of_a_page_is_right(page: Path, tmp_path: Path) -> None:
    """With a consumer it loads, and the lineage has the backend that the page is about."""
    text = "\n".join(one for one in blocks(page) if one.startswith("[dns."))
    (tmp_path / "config.toml").write_text(text + CONSUMER)
    config = load(tmp_path / "config.toml")
    assert config.lineages["mx.example.org"].dns in config.dns
    assert {one.kind for one in config.dns.values()} <= set(kinds("dns"))


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_of_a_page_is_understood(words: list[str]) -> None:
    """Every option it names is there, and every format."""
    group, context = root, root.make_context("tlsa-manager", words[:])
    for _ in range(2):
        _, group, rest = group.resolve_command(context, [*context._protected_args, *context.args])  # type: ignore[assignment,union-attr]
        context = group.make_context("", rest, parent=context)  # type: ignore[union-attr]
    assert context.params["form"]


def test_the_second_source_of_octodns() -> None:
    """As YAML it is a configuration with both directories."""
    (text,) = (one for one in blocks(GIT) if one.startswith("providers:"))
    read = yaml.safe_load(text)
    assert read["zones"]["example.org."]["sources"] == list(read["providers"])


def test_the_small_zone_is_taken_by_bind(tmp_path: Path) -> None:
    """With a key of the name that it grants."""
    needs_only("named-checkconf")
    (text,) = (one for one in blocks(ALIASES) if 'zone "tlsa.example.org"' in one)
    key = 'key "tlsa-manager." { algorithm hmac-sha256; secret "bm90IGEgc2VjcmV0"; };\n'
    (tmp_path / "named.conf").write_text(key + text)
    done = subprocess.run(["named-checkconf", tmp_path / "named.conf"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
