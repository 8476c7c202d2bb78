"""The pages about consumers are true: sections load, lines for a server are what that server and its consumer understand."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.readers import KINDS, pair
from tlsa_manager import keys
from tlsa_manager.deploy import KINDS as ALL
from tlsa_manager.deploy import options_of
from tlsa_manager.option import settle

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = Path(__file__).parents[2] / "docs" / "consumers"
# What of the text of a page is the server's own, and where the file of the page is.
LINES = {
    "dovecot": ("ssl_cert = <", "/etc/dovecot/tls/imap.pem"),
    "nginx": ("ssl_certificate     ", "/etc/nginx/tls/www.pem"),
    "haproxy": ("frontend ", "/etc/haproxy/tls/mx.pem"),
    "opensmtpd": ("pki ", "/etc/ssl/smtpd/mx.pem"),
}


def blocks(kind: str) -> list[str]:
    """Return what stands indented on the page of a kind."""
    found = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", (PAGES / f"{kind}.md").read_text(), re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


@pytest.mark.parametrize("kind", sorted(ALL))
def test_every_kind_has_a_page_and_its_sections_are_right(kind: str) -> None:
    """No option is misspelt, none that is required is missing; the lineage gives its certificate to it."""
    texts = [block for block in blocks(kind) if block.startswith("[consumer.")]
    assert texts
    for text in texts:
        given = tomllib.loads(text)
        for name, options in given["consumer"].items():
            assert options.pop("type") == kind
            settle(f"consumer.{name}", options_of(kind), options)
            assert all(name in lineage["consumers"] for lineage in given.get("lineage", {}).values())


@pytest.mark.parametrize("kind", sorted(LINES))
def test_what_is_to_be_written_is_understood(kind: str, place: Path, address: Callable[[], str]) -> None:
    """Copied from the page, the server's own checker takes it, and the consumer finds nothing to say."""
    begins, file = LINES[kind]
    server = KINDS[kind].make(place, address())
    one = KINDS[kind].consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    (text,) = [block for block in blocks(kind) if block.startswith(begins)]
    text = text.replace(file, str(one.path)).replace(f"{Path(file).parent}/ ", f"{one.path.parent}/ ")
    (place / "crt-list").write_text(f"{one.path} [alpn h2] *.example.org\n")
    text = text.replace("/etc/haproxy/crt-list", f"{place}/crt-list").replace("eth0", server.address)
    server.configure(
        f"server {{ listen *:443 ssl; {text} }}" if kind == "nginx" else text, *([""] if kind == "opensmtpd" else [])
    )
    one.check()
    assert (one.look().configured, one.look().problems) == (True, ())


def test_two_files_are_made_of_one(tmp_path: Path) -> None:
    """The program of the page for software that wants key and chain apart makes them, closed, and they belong together."""
    (script,) = [block for block in blocks("command") if block.startswith("#!/bin/sh")]
    script = script.replace("/etc/prosody/tls", str(tmp_path)).replace("systemctl reload prosody", "true")
    (tmp_path / "two-files").write_text(script)
    (tmp_path / "mx.pem").write_bytes((both := pair()).combined)
    said = {**os.environ, "TLSA_MANAGER_FILE": f"{tmp_path}/mx.pem"}
    subprocess.run(["sh", str(tmp_path / "two-files")], env=said, check=True)
    made = keys.load_pair((tmp_path / "chain.pem").read_bytes(), (tmp_path / "key.pem").read_bytes())
    assert made.chain == both.chain
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
