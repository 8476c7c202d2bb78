"""Dovecot, the real one: blocks and their inheritance, as doveconf tells them; version 2.4 by what its doveconf prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lab.daemon import until
from lab.handshake import presented, presented_imap

from deploy.readers import KINDS, pair, told, written
from tlsa_manager.deploy import open_consumer, process
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KIND = KINDS["dovecot"]


@pytest.fixture
def server(place: Path, address: Callable[[], str]) -> Iterator[Any]:
    """Make a Dovecot that is not started."""
    made = KIND.make(place, address())
    yield made
    made.stop()


def test_starttls_and_implicit_tls_get_the_new_certificate(server: Any, place: Path) -> None:
    """Port 143 and port 993, also with login processes that serve many: old before the reload, new after it."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install((old := pair()).combined)
    many = "service imap-login {\n  service_count = 0\n}"
    server.configure(f"{KIND.tls(str(one.path), str(one.path))}\n{many}")
    server.start()
    assert presented_imap(server.address) == presented(server.address, 993) == old.chain.fingerprint
    one.install((new := pair()).combined)
    assert presented_imap(server.address) == presented(server.address, 993) == old.chain.fingerprint
    one.reload()
    until(lambda: presented_imap(server.address) == new.chain.fingerprint, "STARTTLS on port 143")
    until(lambda: presented(server.address, 993) == new.chain.fingerprint, "TLS on port 993")


def test_a_block_of_its_own_counts_and_takes_the_rest_from_around_it(server: Any, place: Path) -> None:
    """local_name, local and protocol blocks: read if one names the file; half a pair where one names the chain alone."""
    other = written(place / "other.pem", pair("other.example").combined)
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    everywhere, ours = KIND.tls(str(other), str(other)), KIND.tls(str(one.path), str(one.path))
    for block in ("local_name mx.example {", "local 127.0.0.2 {", "protocol imap {", "local 127.0.0.2 {\nprotocol imap {"):
        server.configure(f"{everywhere}\n{block}\n{ours}\n{'}' * block.count('{')}".replace("}}", "}\n}"))
        one.check()
        assert (one.look().configured, one.look().problems) == (True, ()), block
    server.configure(f"{everywhere}\nlocal_name mx.example {{\nssl_cert = <{one.path}\n}}")
    assert one.look().configured is False
    assert f"Dovecot (local_name mx.example) takes the key from {other}" in told(one, "would not belong together")


def test_the_alternative_pair_counts(server: Any, place: Path) -> None:
    """RSA and ECDSA side by side: ssl_alt_cert is as good as ssl_cert, and the two do not mix."""
    other = written(place / "other.pem", pair().combined)
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair(algorithm="ECDSA").combined)
    server.configure(f"{KIND.tls(str(other), str(other))}\nssl_alt_cert = <{one.path}\nssl_alt_key = <{one.path}")
    one.check()
    assert (one.look().configured, one.look().problems) == (True, ())


def test_passwords_of_the_configuration_go_nowhere(server: Any, place: Path) -> None:
    """Doveconf names a key's file only along with the passwords: none of them is told."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    server.configure("doveadm_password = geheim\nssl_cert = nothing\nssl_key = geheim\nssl_key_password = geheim")
    view = one.look()
    assert view.configured is False
    assert "geheim" not in repr(view)
    server.config.write_text(server.config.read_text() + "nonsense\n")
    with pytest.raises(DeployError) as caught:
        one.check()
    assert "geheim" not in caught.value.message
    assert "geheim" not in repr(one.look())


@pytest.mark.parametrize(("end", "words"), [("sleep 60", "did not end within 3 s"), ("exit 3", "failed with exit code 3")])
def test_passwords_go_nowhere_when_it_ends_badly(end: str, words: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed or failing after it has printed some: told are its end and what it said of errors, never what it printed."""
    program = place / "doveconf"
    program.write_text(f'#!/bin/sh\n[ "$4" = "" ] && exit 0\necho "imapc_password = geheim"\n{end}\n')
    program.chmod(0o755)
    monkeypatch.setattr(process, "PATH", f"{place}:{process.PATH}")
    one = open_consumer("mx", "dovecot", {"file": str(place / "tls" / "mx.pem"), "timeout": "3s"})
    with pytest.raises(DeployError) as caught:
        one.check()
    (problem,) = one.look().problems
    assert words in caught.value.message
    assert words in problem
    assert "geheim" not in repr((caught.value.message, caught.value.hint, problem))
    program.write_text(program.read_text().replace("echo", "echo doveconf: no such block >&2; echo"))
    assert f"{words}{' and was killed' if 'sleep' in end else ''}: doveconf: no such block" in one.look().problems[0]


def test_passwords_are_on_no_disk_and_memory_has_an_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed goes to memory alone; one that prints more than it may is stopped by the system."""
    program = place / "doveconf"
    program.write_text(f"#!/bin/sh\nto=$(readlink /proc/$$/fd/1)\necho $to > {place}/where\nexec head -c 3000000 /dev/zero\n")
    program.chmod(0o755)
    monkeypatch.setattr(process, "PATH", f"{place}:{process.PATH}")
    monkeypatch.setattr(process, "_MAX_SECRET", 1 << 20)
    (problem,) = open_consumer("mx", "dovecot", {"file": str(place / "tls" / "mx.pem")}).look().problems
    assert "failed with exit code 1: head: error writing 'standard output': Operation not permitted" in problem
    assert (place / "where").read_text().startswith("/memfd:")


@pytest.mark.parametrize("form", ["plain", "in a block"])
def test_version_2_4(form: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssl_server_cert_file names a file without `<`, and the remedy for that version says so."""
    ours, other = place / "tls" / "mx.pem", written(place / "other.pem", pair().combined)
    if form == "plain":
        printed = f"ssl_server_cert_file = {other}\nssl_server_key_file = {other}\n"
    else:
        printed = f"ssl_server {{\n  cert_file = {other}\n  key_file = {other}\n}}\n"
    mine = f"local_name mx.example {{\n  ssl_server_cert_file = {ours}\n  ssl_server_key_file = {ours}\n}}\n"
    tail = "ssl_client_cert_file = /client.pem\nservice lmtp {\n  key_file = /nothing\n}\n"
    (place / "said").write_text(f"# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\nbase_dir = {place}/run\n{printed}{tail}")
    (place / "doveconf").write_text(f'#!/bin/sh\n[ "$*" = "-c /etc/dovecot/dovecot.conf -n -P" ] && cat {place}/said\n')
    (place / "doveconf").chmod(0o755)
    monkeypatch.setattr(process, "PATH", f"{place}:{process.PATH}")
    one = open_consumer("mx", "dovecot", {"file": str(ours)})
    one.install(pair().combined)
    problem = told(one, "does not read")
    assert f"(but {other})" in problem
    assert f"write ssl_server_cert_file = {ours} and ssl_server_key_file = {ours}, then" in problem
    with (place / "said").open("a") as file:
        file.write(mine)
    assert (one.look().configured, one.look().problems) == (True, ())
    (place / "said").write_text((place / "said").read_text().replace(str(other), str(ours)).replace(mine, ""))
    assert (one.look().configured, one.look().problems) == (True, ()), "not every key_file is of TLS"


def test_a_file_that_is_not_read_for_want_of_a_sign_is_told(server: Any, place: Path) -> None:
    """In 2.3 a path without `<` is the text of a certificate: TLS fails; done as told, it is read, and presented."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install((ours := pair()).combined)
    for text, line in (
        ("ssl_cert = {0}\nssl_key = <{0}", "ssl_cert = <{0}"),
        ("ssl_cert = <{0}\nssl_key = {0}", "ssl_key = <{0}"),
    ):
        server.configure(text.format(one.path))
        view = one.look()
        assert view.configured is False
        (problem,) = view.problems
        assert "is no file but the text itself" in problem
        assert problem.partition("; ")[2] == f"write {line.format(one.path)}, then doveadm -c {server.config} reload"
    server.start()
    with pytest.raises(OSError, match=r"reset|EOF|alert"):
        presented(server.address, 993)
    server.configure(KIND.tls(str(one.path), str(one.path)))
    assert (one.look().configured, one.look().problems) == (True, ())
    one.reload()
    until(lambda: presented(server.address, 993) == ours.chain.fingerprint, "TLS is there")


def test_a_dovecot_without_tls_is_told(server: Any, place: Path) -> None:
    """Global ssl = no wins over what any block says; of a block alone it is none of our business."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    tls = KIND.tls(str(one.path), str(one.path))
    server.configure(f"{tls}\nssl = no\nprotocol imap {{\nssl = required\n}}")
    view = one.look()
    assert view.configured is False
    (problem,) = view.problems
    assert problem.startswith("Dovecot has ssl = no, so")
    server.configure(f"{tls}\nprotocol pop3 {{\nssl = no\n}}")
    assert (one.look().configured, one.look().problems) == (True, ())
