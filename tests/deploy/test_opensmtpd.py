"""OpenSMTPD, the real one: macros, includes, listeners, what it demands of its files, and that somebody must restart it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from lab.daemon import until
from lab.handshake import shown

from deploy.readers import KINDS, pair, told, written
from tlsa_manager.deploy import open_consumer
from tlsa_manager.errors import ConfigError, DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KIND = KINDS["opensmtpd"]


@pytest.fixture
def server(place: Path, address: Callable[[], str]) -> Iterator[Any]:
    """Make an OpenSMTPD that is not started."""
    made = KIND.make(place, address())
    yield made
    made.stop()


def test_macros_includes_and_continued_lines(server: Any, place: Path) -> None:
    """What smtpd itself understands is understood alike."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    (place / "pki.conf").write_text(f'pki $mxname cert \\\n  "{one.path}" # "x"\npki $mxname key "{one.path}"\n')
    server.configure(f'mxname = "mx.example"\ninclude "{place}/pki.conf"\n# pki shop cert "/nowhere"')
    one.check()
    assert (one.look().configured, one.look().problems) == (True, ())
    with (place / "pki.conf").open("a") as file:
        file.write(f'include "{place}/pki.conf"\ninclude "{server.config}"\n')
    assert one.look().configured is True, "a circle comes to an end"


def test_a_pki_that_no_listener_presents_is_not_read(server: Any, place: Path) -> None:
    """Where each listener names another pki, ours is not presented; where one names none, any may be."""
    other = written(place / "other.pem", pair().combined)
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    both = f"{KIND.tls(str(one.path), str(one.path))}\n{KIND.tls(str(other), str(other)).replace('mx.example', 'shop.example')}"
    for pki, expected in (("pki mx.example", True), ("pki shop.example", False), ("", True)):
        server.configure(both, pki)
        one.check()
        assert one.look().configured is expected, pki


@pytest.mark.usefixtures("as_root")
def test_a_file_that_smtpd_would_refuse_is_told_and_mended(server: Any, place: Path) -> None:
    """It starts with no file that others own or can read; the next install makes it right, whoever owned it."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    server.configure(KIND.tls(str(one.path), str(one.path)))
    one.check()
    os.chown(one.path, 65534, 65534)
    told(one, "belongs to another user")
    with pytest.raises(DeployError, match="not owned by uid 0"):
        one.check()
    one.install(pair().combined)
    one.check()
    assert one.look().problems == ()
    one.path.chmod(0o644)
    told(one, "too wide")
    with pytest.raises(DeployError, match="insecure permissions"):
        one.check()
    with pytest.raises(ConfigError, match=r"consumer\.mx\.owner: 'nobody' cannot be") as caught:
        KIND.consumer(server, one.path, owner="nobody")
    assert caught.value.mistakes
    KIND.consumer(server, one.path, owner="root")


def test_without_a_way_to_restart_it_nothing_is_begun(server: Any, place: Path) -> None:
    """No unit and no option: told when looking and when checking, with what to write; not when it is too late."""
    own = {"file": str(place / "tls" / "mx.pem"), "config": str(server.config), "program": str(server.program)}
    one = open_consumer("mx", "opensmtpd", own)
    one.install(pair().combined)
    server.configure(KIND.tls(str(one.path), str(one.path)))
    assert 'consumer.mx.reload = ["/usr/sbin/rcctl"' in told(one, "only when it is restarted")
    assert one.look().configured is None
    for act in (one.check, one.reload):
        with pytest.raises(DeployError, match="only when it is restarted"):
            act()


def test_a_hangup_does_not_do(server: Any, place: Path) -> None:
    """SIGHUP does not have it read its file anew: it ends, and only who starts it again makes the new certificate known."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install((old := pair()).combined)
    server.configure(KIND.tls(str(one.path), str(one.path)))
    server.start()
    number = (server.directory / "pid").read_text()
    one.install((new := pair()).combined)
    assert shown(server.address, 465) == old.chain.fingerprint
    one.reload()
    until(lambda: shown(server.address, 465) == new.chain.fingerprint, "the new certificate")
    assert (server.directory / "pid").read_text() != number, "another process"
