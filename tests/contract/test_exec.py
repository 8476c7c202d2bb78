"""The exec backend against programs that misbehave in every way a program can."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.errors import Conflict, PublishError, PublishTemporary
from tlsa_manager.publish import Backend, Change, Text, open_backend
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = "_25._tcp.mx.example.org."
NOW, NEXT = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ab")
CHANGE = Change(OWNER, "example.org.", frozenset({NEXT}), frozenset(), frozenset({NOW}), 3600)
PROOF = Text("_acme-challenge.mx.example.org.", "example.org.", "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo", present=True)
CANNOT_TELL = 'print(\'{"schema": 1, "records": null}\')'


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Backend]:
    """Make a backend of two pieces of Python: what it does for `read` and what for `change`."""

    def make(change: str, read: str = CANNOT_TELL, **options: object) -> Backend:
        path = tmp_path / "program"
        indented = (f"    {line}" for line in change.splitlines())
        path.write_text(
            f"#!{sys.executable}\nimport json, os, sys, time\nrequest = json.load(sys.stdin)\n"
            f"if sys.argv[-1] == 'read':\n    {read}\nelse:\n" + "\n".join(indented) + "\n"
        )
        path.chmod(0o755)
        return open_backend("own", "exec", {"command": [str(path), "one two"], "timeout": "20s", **options})

    return make


def refusal(backend: Backend, change: Change | Text = CHANGE) -> PublishError:
    with pytest.raises(PublishError) as caught:
        backend.change(change) if isinstance(change, Change) else backend.text(change)
    assert caught.value.hint
    return caught.value


def test_what_it_is_given(program: Callable[..., Backend], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets the whole change as JSON, its arguments as they are, and only the environment it was promised."""
    monkeypatch.setenv("TOKEN", "hush")
    monkeypatch.setenv("OTHER_SECRET", "psst")
    out = tmp_path / "seen"
    backend = program(
        f"json.dump([request, sys.argv[1:], dict(os.environ), os.getcwd()], open({str(out)!r}, 'w'))\n"
        'print(\'{"schema": 1, "state": "done"}\')',
        environment=["TOKEN", "NOT_SET"],
    )
    assert backend.change(CHANGE).state == "done"
    request, argv, environment, directory = json.loads(out.read_text())
    assert request == {
        "schema": 1, "verb": "change", "backend": "own", "target": OWNER, "zone": "example.org.",
        "add": [str(NEXT)], "remove": [], "expect": [str(NOW)], "ttl": 3600,
    }  # fmt: skip
    assert (argv, directory) == (["one two", "change"], "/")
    assert environment.pop("TOKEN") == "hush"
    assert set(environment) <= {"PATH", "LANG", "LC_CTYPE"}


def test_it_may_pass_on_the_work(program: Callable[..., Backend]) -> None:
    """A program that only asks somebody else says so, in its own words."""
    ticket = program("print(json.dumps({'schema': 1, 'state': 'asked', 'message': 'ticket 7\\x1b[31m opened'}))").change(CHANGE)
    assert (ticket.state, ticket.message) == ("asked", "ticket 7 [31m opened")


def test_lying_success(program: Callable[..., Backend]) -> None:
    """When the program says done and its own reading shows otherwise, it is not done."""
    read = f"print(json.dumps({{'schema': 1, 'records': ['{NOW}'], 'ttl': 300}}))"
    error = refusal(program('print(\'{"schema": 1, "state": "done"}\')', read))
    assert type(error) is PublishError
    assert "its own reading shows that it is not" in error.message


def test_conflict(program: Callable[..., Backend]) -> None:
    """The program may find that the set is not the expected one; so may its reading."""
    assert type(refusal(program('print(\'{"schema": 1, "state": "conflict"}\')'))) is Conflict
    read = "print(json.dumps({'schema': 1, 'records': [], 'ttl': 0}))"
    assert type(refusal(program("raise SystemExit('must not be called')", read))) is Conflict


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("print('gateway timeout', file=sys.stderr); sys.exit(75)", PublishTemporary, "later (exit 75): gateway timeout"),
        (
            "print('no such account', file=sys.stderr); sys.exit(78)",
            PublishError,
            "configuration is wrong (exit 78): no such account",
        ),
        ("print('\\x1b]0;boo\\x07 broken', file=sys.stderr); sys.exit(3)", PublishError, "(exit 3): ]0;boo broken"),
        ("os.kill(os.getpid(), 9)", PublishError, "killed by signal 9"),
        ("pass", PublishError, "not JSON"),
        ("print('done')", PublishError, "not JSON"),
        ("print('[' * 100000)", PublishError, "not JSON"),
        ("os.write(1, b'\\xff\\xfe\\x00')", PublishError, "not JSON"),
        ("print('[]')", PublishError, '"schema": 1'),
        ('print(\'{"state": "done"}\')', PublishError, '"schema": 1'),
        ('print(\'{"schema": 2, "state": "done"}\')', PublishError, '"schema": 1'),
        ("print('{\"schema\": 1}')", PublishError, '"state"'),
        ('print(\'{"schema": 1, "state": "ok"}\')', PublishError, '"state"'),
        ("while True: os.write(1, b'x' * 65536)", PublishError, "more than a mebibyte"),
        ("while True: os.write(2, b'x' * 65536)", PublishError, "more than a mebibyte"),
    ],
)
def test_answers_to_change(program: Callable[..., Backend], code: str, kind: type[PublishError], words: str) -> None:
    """Every way to end a change badly is told apart, without control characters."""
    error = refusal(program(code))
    assert type(error) is kind
    assert words in error.message
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, '"records"'),
        ({"records": "3 1 1 ab"}, '"records"'),
        ({"records": ["3 1 1 xyz"], "ttl": 60}, '"records"'),
        ({"records": [{"usage": 3}], "ttl": 60}, '"records"'),
        ({"records": [str(NOW)]}, '"ttl"'),
        ({"records": [str(NOW)], "ttl": "60"}, '"ttl"'),
        ({"records": [str(NOW)], "ttl": True}, '"ttl"'),
        ({"records": [str(NOW)], "ttl": -1}, '"ttl"'),
        ({"records": [str(NOW)], "ttl": 2**31}, '"ttl"'),
        ({"records": [], "alias": "_dane.example.net."}, "alias"),
    ],
)
def test_answers_to_read(program: Callable[..., Backend], answer: dict[str, object], words: str) -> None:
    """A wrong answer to reading stops the change before it is asked for; reading itself says that it cannot tell."""
    backend = program("raise SystemExit('must not be called')", f"print(json.dumps({ ({'schema': 1} | answer)!r}))")
    assert words in refusal(backend).message
    held = backend.read(OWNER)
    assert held.records is None
    assert words in held.reason


def test_the_set_keeps_its_ttl(program: Callable[..., Backend], tmp_path: Path) -> None:
    """Where a set stands, the program is told its TTL, not ours."""
    out = tmp_path / "ttl"
    out.write_text("")
    read = (
        f"more = ['{NEXT}'] if open({str(out)!r}).read() else []; "
        f"print(json.dumps({{'schema': 1, 'records': ['{NOW}', *more], 'ttl': 300}}))"
    )
    change = f"open({str(out)!r}, 'w').write(str(request['ttl']))\nprint('{{\"schema\": 1, \"state\": \"done\"}}')"
    assert program(change, read).change(CHANGE).state == "done"
    assert out.read_text() == "300"


def test_it_is_killed_with_its_children(program: Callable[..., Backend], tmp_path: Path) -> None:
    """A program that hangs is killed after its timeout, and so is what it started."""
    out = tmp_path / "child"
    hang = f"pid = os.fork()\nif pid: open({str(out)!r}, 'w').write(str(pid))\ntime.sleep(600)"
    error = refusal(program(hang, timeout="1s"))
    assert type(error) is PublishTemporary
    assert "did not finish" in error.message
    child = int(out.read_text())
    while _alive(child):  # the kernel needs a moment; the test's own time limit is the end of patience
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_it_need_not_read_its_input(tmp_path: Path) -> None:
    """A program that never reads its standard input is no trouble, however long the request."""
    path = tmp_path / "program"
    path.write_text(
        '#!/bin/sh\n[ "$1" = read ] && echo \'{"schema": 1, "records": null}\' || echo \'{"schema": 1, "state": "done"}\'\n'
    )
    path.chmod(0o755)
    many = frozenset(Tlsa.parse(f"3 1 1 {number:064x}") for number in range(2000))
    backend = open_backend("own", "exec", {"command": [str(path)]})
    assert backend.change(Change(OWNER, "", many, frozenset(), None, 60)).state == "done"


@pytest.mark.parametrize("mode", [0o644, None])
def test_it_cannot_be_started(tmp_path: Path, mode: int | None) -> None:
    """A program that does not exist or may not be run is an error that names the option."""
    path = tmp_path / "program"
    if mode:
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    error = refusal(open_backend("own", "exec", {"command": [str(path)]}))
    assert "cannot be started" in error.message
    assert "dns.own.command" in error.hint


def test_secrets_of_its_environment_are_masked(program: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it complains about may hold the token it was given; we do not repeat it."""
    monkeypatch.setenv("TOKEN", "very-secret-token")
    error = refusal(program("print('bad token', os.environ['TOKEN'], file=sys.stderr); sys.exit(1)", environment=["TOKEN"]))
    assert "bad token ***" in error.message
    assert "very-secret-token" not in error.message


def test_what_it_is_given_for_a_proof(program: Callable[..., Backend], tmp_path: Path) -> None:
    """A TXT record is a verb of its own, so that a program which does not know it cannot take it for TLSA."""
    out = tmp_path / "seen"
    code = f'json.dump([request, sys.argv[-1]], open({str(out)!r}, \'w\'))\nprint(\'{{"schema": 1, "state": "done"}}\')'
    assert program(code).text(PROOF).state == "done"
    assert json.loads(out.read_text()) == [
        {
            "schema": 1, "verb": "text", "backend": "own", "target": PROOF.target, "zone": "example.org.",
            "value": PROOF.value, "present": True, "ttl": 60,
        },
        "text",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('what is text?', file=sys.stderr); sys.exit(64)", "cannot write TXT records (exit 64 for `text`): what is text?"),
        ("print('usage: read|change', file=sys.stderr); sys.exit(78)", "failed to `text` (exit 78): usage: read|change"),
        ("request['expect']", "failed to `text` (exit 1)"),
    ],
)
def test_a_program_that_knows_nothing_of_proofs(program: Callable[..., Backend], code: str, words: str) -> None:
    """However such a program ends, the words say that dns-01 needs it, and what there is instead."""
    error = refusal(program(code), PROOF)
    assert type(error) is PublishError
    assert words in error.message
    assert "dns-01" in error.hint
    assert 'challenge = "http-01"' in error.hint


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"state": "done", "values": ["other"]}, "its own reading shows that it is not"),
        ({"state": "done", "values": "other"}, '"values"'),
        ({"state": "done", "values": [1]}, '"values"'),
        ({"state": "done", "alias": "proofs.example.net."}, "alias (it leads to proofs.example.net.)"),
        ({"state": "conflict"}, "TXT records of _acme-challenge.mx.example.org. changed"),
        ({"state": "yes"}, '"state" of the answer to `text`'),
    ],
)
def test_answers_to_text(program: Callable[..., Backend], answer: dict[str, object], words: str) -> None:
    """What the program says is checked, and its own reading is held against it."""
    assert words in refusal(program(f"print(json.dumps({ ({'schema': 1} | answer)!r}))"), PROOF).message


def test_a_program_may_pass_on_a_proof(program: Callable[..., Backend]) -> None:
    """Where somebody else has to do it, the name servers tell when it is so."""
    ticket = program("print(json.dumps({'schema': 1, 'state': 'asked', 'message': 'ticket 8', 'values': []}))").text(PROOF)
    assert (ticket.state, ticket.message) == ("asked", "ticket 8")
