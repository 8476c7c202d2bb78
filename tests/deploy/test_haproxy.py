"""HAProxy, the real one: directories, lists, bases and several files; a master that reloads, and one that is missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pki
import pytest
from lab import readers
from lab.daemon import until
from lab.handshake import presented

from deploy.readers import AS_NOBODY, KINDS, pair, told, written
from tlsa_manager.deploy import open_consumer
from tlsa_manager.deploy.haproxy import configuration
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KIND = KINDS["haproxy"]


@pytest.fixture
def server(place: Path, address: Callable[[], str]) -> Iterator[Any]:
    """Make an HAProxy that is not started."""
    made = KIND.make(place, address())
    yield made
    made.stop()


def reads(one: Any) -> bool:
    """Whether HAProxy finds its configuration good and we find our file in it, without a problem."""
    one.check()
    view = one.look()
    assert view.configured is False or not view.problems
    return bool(view.configured)


def test_all_ways_to_name_a_file_are_found(server: Any, place: Path) -> None:
    """By itself, in a directory, in a list, below crt-base or default-path; but no server's client certificate."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    other = written(place / "other.pem", pair("shop.example").combined)
    (place / "list").write_text(f"# ours\n{other}\n{one.path} [alpn h2,http/1.1] *.example !shop.example\n")
    (place / "base-list").write_text("mx.pem\n")
    (place / "tls" / "mx.pem.ocsp").write_bytes(b"")
    (place / "tls" / ".mx.pem.0123456789abcdef.new").write_bytes(b"half")
    base = f"global\n  crt-base {place}/tls\n"
    for text, expected in {
        f"bind *:443 name x ssl crt {other} crt '{one.path}'  # crt nothing": True,
        f"bind *:443 ssl crt {place}/tls": True,
        f"bind *:443 ssl crt-list {place}/list": True,
        f"bind *:443 ssl crt {other}\n  server s 127.0.0.1:1 ssl verify none crt {one.path}": False,
        f"bind *:443 ssl crt {other} # crt {one.path}": False,
    }.items():
        server.configure(f"listen web\n  {text}")
        assert reads(one) is expected, text
    server.configure(f"listen web\n  bind *:443 ssl crt {place}/tls")
    assert [use.chain for use in configuration.uses(configuration.read([server.config]))] == [str(one.path)]
    for text in ("crt mx.pem", f"crt-list {place}/base-list"):
        server.configure(f"{base}listen web\n  bind *:443 ssl {text}")
        assert reads(one), text
    server.configure("global\n  default-path config\nlisten web\n  bind *:443 ssl crt ../tls/mx.pem")
    assert reads(one)
    server.configure(f"global\n  default-path origin {place}/tls\nlisten web\n  bind *:443 ssl crt mx.pem")
    assert reads(one)


def test_several_files_and_directories_of_files(server: Any, place: Path) -> None:
    """All that is given after -f counts, in a directory *.cfg alone; what one says holds for the next."""
    server.configure("")
    parts = place / "parts"
    parts.mkdir()
    (parts / "20-web.cfg").write_text(f"listen web\n  bind {server.address}:443 ssl crt mx.pem\n")
    (parts / "10-base.cfg").write_text(f"global\n  crt-base {place}/tls\n")
    (parts / "web.cfg.off").write_text("'nonsense\n")
    one = KIND.consumer(server, place / "tls" / "mx.pem", config=[str(server.config), str(parts)])
    one.install(pair().combined)
    assert reads(one)


def test_a_key_beside_the_chain_is_taken_into_the_remedy(server: Any, place: Path) -> None:
    """FILE.key is read only while FILE has no key: it is no half of ours, but part of what is in use now."""
    (chain, key), ours = pki.pair(), place / "tls" / "mx.pem"
    crt = written(place / "site.pem", chain)
    written(place / "site.pem.key", key)
    one = KIND.consumer(server, ours)
    server.configure(f"listen web\n  bind *:443 ssl crt {crt}")
    one.check()
    assert f"cat {crt}.key {crt} > {ours}" in told(one, "does not read")
    crt.write_bytes(key + chain)
    assert f"cat {crt} > {ours}" in told(one, "does not read"), "the one beside is not read any more"
    written(ours, chain)
    written(place / "tls" / "mx.pem.key", key)
    server.configure(f"listen web\n  bind *:443 ssl crt {ours}")
    one.check()
    one.install(pair().combined)
    assert reads(one)


def test_a_bundle_is_more_than_one_file(server: Any, place: Path) -> None:
    """Where the file itself is missing, those with the endings of algorithms are read."""
    one = KIND.consumer(server, place / "tls" / "mx.pem.ecdsa")
    one.install(pair(algorithm="ECDSA").combined)
    written(place / "tls" / "mx.pem.rsa", pair().combined)
    server.configure(f"listen web\n  bind *:443 ssl crt {place}/tls/mx.pem")
    assert reads(one)


def test_the_stores_and_lists_of_newer_versions(place: Path) -> None:
    """crt-store (3.0) and ssl-f-use (3.2) as their manual writes them; with a key of its own, ours would be half a pair."""
    text = f"""
global
  crt-base {place}/chains
  key-base {place}/secrets
crt-store web
  crt-base {place}/tls
  key-base {place}/keys
  load crt "mx.pem" alias "mail"
  load crt "shop.pem" key "shop.key"
frontend a
  bind :443 ssl crt "@web/mail"
frontend b
  bind :444 ssl
  ssl-f-use crt {place}/tls/b.pem key {place}/keys/b.key
  ssl-f-use crt "@web/shop.pem"
  ssl-f-use crt "@web/none"
  ssl-f-use crt c.pem key c.key
"""
    (place / "new.cfg").write_text(text)
    found = [(use.chain, use.key) for use in configuration.uses(configuration.read([place / "new.cfg"]))]
    tls, keys = f"{place}/tls", f"{place}/keys"
    assert found == [
        (f"{tls}/mx.pem", ""),
        (f"{tls}/b.pem", f"{keys}/b.key"),
        (f"{tls}/shop.pem", f"{keys}/shop.key"),
        (f"{place}/chains/c.pem", f"{place}/secrets/c.key"),
    ]
    one = open_consumer("mx", "haproxy", {"file": f"{tls}/b.pem", "config": [f"{place}/new.cfg"]})
    assert one.look().configured is False
    told(one, "would not belong together")


def test_what_cannot_be_told_and_what_cannot_be_understood(server: Any, place: Path) -> None:
    """A name from the environment may be ours; an open quote is told with its place."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    server.configure('listen web\n  bind *:443 ssl crt "${CERTS}/mx.pem"')
    assert one.look().configured is None
    assert "from the environment" in told(one, "cannot be told")
    server.configure("listen web\n  bind *:443 ssl crt 'open")
    assert "a quote is left open" in told(one, "cannot be told what")
    server.configure(f"listen web\n  bind *:443 ssl crt-list {place}/nowhere")
    assert f"{place}/nowhere cannot be read" in told(one, "cannot be told what")


def test_without_a_master_nothing_is_signalled(place: Path, address: Callable[[], str]) -> None:
    """SIGUSR2 would end an HAProxy that has no master: it is told apart, and lives."""
    server = readers.haproxy(place / "alone", address(), master=False)
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install((old := pair()).combined)
    server.configure(KIND.tls(str(one.path), str(one.path)))
    server.daemon.argv = [*server.daemon.argv[:-2]]
    server.pid_file.write_text("0\n")
    server.start()
    server.pid_file.write_text(f"{server.daemon.number}\n")
    try:
        with pytest.raises(DeployError, match="has no master process") as caught:
            one.reload()
        assert "consumer.mx.reload" in caught.value.hint
        assert presented(server.address, 443) == old.chain.fingerprint
    finally:
        server.stop()


def test_a_pid_file_of_somebody_else_is_not_believed(server: Any, place: Path) -> None:
    """A number that belongs to another program by now is told, and that program lives."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    server.pid_file.write_text(f"{os.getpid()}\n")
    with pytest.raises(DeployError, match="haproxy does not run"):
        one.reload()


@pytest.mark.usefixtures("as_root")
def test_an_haproxy_that_is_not_root_needs_to_read_the_file(server: Any, place: Path) -> None:
    """As in its container: the master reads the file at each reload, so its user must be able to."""
    one = KIND.consumer(server, place / "tls" / "mx.pem", group="nogroup", mode="0640")
    one.install(pair().combined)
    os.chown(place / "haproxy", 65534, 65534)
    server.configure(KIND.tls(str(one.path), str(one.path)))
    server.config.write_text(server.config.read_text().replace("user nobody", "").replace("group nogroup", ""))
    server.daemon.argv = [*AS_NOBODY, *server.daemon.argv]
    server.start()
    assert one.look().problems == ()
    one.path.chmod(0o600)
    told(one, f"HAProxy's user nobody cannot read {one.path}")
    one.check()
    one.install((new := pair()).combined)
    one.reload()
    until(lambda: presented(server.address, 443) == new.chain.fingerprint, "the new certificate")
