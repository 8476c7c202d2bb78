"""TSIG key files: the forms that are read, and what is refused without ever showing a secret."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.errors import ConfigError
from tlsa_manager.publish.rfc2136 import key as tsig

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "c2VjcmV0IG9mIHRoZSBrZXkgdGhhdCBub2JvZHkgc2VlcyE="
RAW = b"secret of the key that nobody sees!"
BIND = f'key "up.example" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'
WHERE = "dns.ns1.tsig-key-file"


@pytest.mark.parametrize(
    "text",
    [
        BIND,
        f"// a comment\n/* two\nlines */ key up.example {{ secret {SECRET}; algorithm HMAC-SHA256.; }}; # end",
        f"# hmac-sha256:up.example:{SECRET}\nkey:\n  - id: up.example\n    algorithm: hmac-sha256\n    secret: {SECRET}\n",
        f"hmac-sha256:Up.Example.:{SECRET}\n",
    ],
)
def test_forms(text: str) -> None:
    """BIND's form with comments and in any order, Knot's form as keymgr -t writes it, and one line are the same key."""
    key = tsig.parse(text, "/etc/key", WHERE)
    assert (key.name, key.algorithm, key.secret) == ("up.example.", "hmac-sha256", RAW)
    assert SECRET not in repr(key)
    assert "nobody" not in repr(key)


@pytest.mark.parametrize("form", [BIND, BIND.replace(f'"{SECRET}"', SECRET)])
def test_secrets_that_look_like_comments(form: str) -> None:
    """Two slashes inside a secret are base64, with quotes and without; after it they begin a comment."""
    key = tsig.parse(form.replace(SECRET, "ab//cd/*ef//" * 3).replace("*", "+") + "// secret", "/etc/key", WHERE)
    assert key.secret.hex().startswith("69bfff71")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no TSIG key"),
        ("-----BEGIN PRIVATE KEY-----\n", "no TSIG key"),
        (BIND[:40], "no TSIG key"),
        (BIND + BIND.replace("up.", "down."), "2 keys where one is needed"),
        (BIND.replace("sha256", "md5"), "hmac-md5"),
        (BIND.replace("hmac-sha256", "hmac-md5.sig-alg.reg.int"), "hmac-md5"),
        (BIND.replace("sha256", "sha1"), "hmac-sha1"),
        (BIND.replace("sha256", "sha256-128"), "hmac-sha256-128"),
        (BIND.replace(SECRET, SECRET[:-3]), "not base64"),
        (BIND.replace(SECRET, "!!!!"), "not base64"),
        (BIND.replace("up.example", "a..b"), "not a domain name"),
    ],
)
def test_refused(text: str, words: str) -> None:
    """What is not one key with a good algorithm is refused; the error names file, option and remedy, and quotes nothing."""
    with pytest.raises(ConfigError, match=words) as caught:
        tsig.parse(text, "/etc/key", WHERE)
    assert "/etc/key" in caught.value.message
    assert caught.value.mistakes == (caught.value.message,)
    assert caught.value.message.startswith(WHERE)
    assert caught.value.hint
    everything = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert SECRET[:20] not in everything


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_files_open_to_others(tmp_path: Path, mode: int) -> None:
    """A key file that group or others may read or write is refused with the command that closes it."""
    path = tmp_path / "key"
    path.write_text(BIND)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="open to others") as caught:
        tsig.load(str(path), WHERE)
    assert f"chmod 600 {path}" in caught.value.hint
    path.chmod(0o400)
    assert tsig.load(str(path), WHERE).secret == RAW


def test_systemd_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What systemd hands over may bear group-read bits, which are the mask of an access list there; others may not read it."""
    path = tmp_path / "tsig"
    path.write_text(BIND)
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert tsig.load(str(path), WHERE).secret == RAW
    path.chmod(0o444)
    with pytest.raises(ConfigError, match="open to others"):
        tsig.load(str(path), WHERE)


def test_files_of_other_users(as_root: None, tmp_path: Path) -> None:
    """A key file of another user is refused: that user can read and change it."""
    path = tmp_path / "key"
    path.write_text(BIND)
    path.chmod(0o600)
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError, match="another user"):
        tsig.load(str(path), WHERE)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A missing file, a directory, a pipe and something huge or binary are told apart and never waited for."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "huge").write_bytes(b"x" * 70000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("huge", "binary"):
        (tmp_path / name).chmod(0o600)
    wanted = {
        "missing": "cannot be read",
        ".": "regular",
        "pipe": "regular",
        "huge": "not a key file",
        "binary": "not a key file",
    }
    for name, words in wanted.items():
        with pytest.raises(ConfigError, match=words):
            tsig.load(str(tmp_path / name), WHERE)
