"""What holds for every server that reads one combined file, with the real servers: found, told, swapped, seen on the wire."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from lab.daemon import until

from deploy.readers import KINDS, Kind, pair, told, written
from tlsa_manager.deploy import open_consumer, process, service
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[str(request.param)]


@pytest.fixture
def server(kind: Kind, place: Path, address: Callable[[], str]) -> Iterator[Any]:
    """Make a server that is not started; it is ended at the end."""
    made = kind.make(place, address())
    yield made
    made.stop()


def test_a_swap_is_seen_on_the_wire_and_so_is_the_way_back(kind: Kind, server: Any, place: Path) -> None:
    """Check, install, reload: before it all ports present the old certificate, after it the new one, and back again."""
    old, new = pair(), pair()
    one = kind.consumer(server, place / "tls" / "mx.pem")
    server.configure(kind.tls(str(one.path), str(one.path)))
    one.install(old.combined)
    server.start()
    until(lambda: kind.seen(server.address) == {old.chain.fingerprint}, "the first certificate")
    one.install(new.combined)
    assert kind.seen(server.address) == {old.chain.fingerprint}, "nothing is taken up before the reload"
    for each in (new, old):
        one.check()
        one.install(each.combined)
        one.reload()
        until(lambda each=each: kind.seen(server.address) == {each.chain.fingerprint}, "all ports present it")
        view = one.look()
        assert (view.configured, view.fingerprint, view.problems) == (True, each.chain.fingerprint, ())


def test_a_file_that_is_not_read_is_told_with_what_to_do(kind: Kind, server: Any, place: Path) -> None:
    """The sentence names what is read instead; its command makes the file of that, and what is to be written is enough."""
    other = written(place / "other.pem", (there := pair()).combined)
    one = kind.consumer(server, place / "new" / "mx.pem")
    server.configure(kind.tls(str(other), str(other)))
    assert one.look().configured is False
    problem = told(one, "does not read")
    assert f"but {other}" in problem
    command = problem.partition("to have it read: ")[2].partition(", write")[0]
    subprocess.run(["sh", "-c", command], check=True)
    assert one.look().fingerprint == there.chain.fingerprint
    assert one.path.stat().st_mode & 0o777 == 0o600
    assert one.path.parent.stat().st_mode & 0o777 == 0o700
    for line in kind.tls(str(one.path), str(one.path)).splitlines():
        if str(one.path) in line:
            words = [word.strip('";') for word in line.split() if str(one.path) in word]
            assert words[0] in told(one, "does not read").partition("write ")[2]
    server.configure(kind.tls(str(one.path), str(one.path)))
    view = one.look()
    assert (view.configured, view.problems) == (True, ())
    one.check()


@pytest.mark.parametrize("kind", ["dovecot", "nginx", "opensmtpd"], indirect=True)  # HAProxy's way is told in its own tests
def test_key_and_certificate_from_two_files_are_told(kind: Kind, server: Any, place: Path) -> None:
    """A swap would replace one half of the pair, so it is not begun, whichever half is ours."""
    ours, other = place / "tls" / "mx.pem", written(place / "other.pem", (both := pair()).combined)
    one = kind.consumer(server, ours)
    one.install(both.combined)
    for chain, key in ((ours, other), (other, ours)):
        server.configure(kind.tls(str(chain), str(key)))
        assert one.look().configured is False
        problem = told(one, "would not belong together")
        assert f"the key from {key} and the certificate from {chain}" in problem


def test_a_link_to_the_file_is_told(kind: Kind, server: Any, place: Path) -> None:
    """It is read, but whoever turns the link swaps the key behind our back."""
    one = kind.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    link = place / "link.pem"
    link.symlink_to(one.path)
    server.configure(kind.tls(str(link), str(link)))
    assert one.look().configured is True
    problem = told(one, "through the link")
    assert str(link) in problem
    assert f"name {one.path} itself" in problem


def test_an_acme_client_s_file_is_told_where_it_is_for_our_names(kind: Kind, server: Any, place: Path) -> None:
    """F-HOOK: a file that is replaced at each renewal, read by its name or by a link; other names are not our business."""
    live = place / ".acme.sh" / "mx.example"
    live.mkdir(parents=True)
    theirs = written(live / "fullchain.pem", pair().combined)
    (place / "link.pem").symlink_to(theirs)
    one = kind.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    for named in (theirs, place / "link.pem"):
        server.configure(kind.tls(str(named), str(named)))
        view = one.look()
        assert view.configured is False
        (problem,) = view.from_acme
        assert problem in view.problems
        assert f"{kind.name}" in problem.lower()
        assert f"{named} (" in problem
    theirs.write_bytes(pair("shop.example").combined)
    assert one.look().from_acme == ()
    server.configure(kind.tls(str(one.path), str(one.path)))
    assert one.look().problems == ()
    (problem,) = kind.consumer(server, live / "mx.pem").look().from_acme
    assert "the file of this consumer" in problem


def test_a_missing_file_and_a_configuration_that_cannot_be_read(kind: Kind, server: Any, place: Path) -> None:
    """A configured file that does not exist is told; so is a configuration that nobody can read, and that is no exception."""
    one = kind.consumer(server, place / "tls" / "mx.pem")
    view = one.look()
    assert view.configured is None
    assert [problem for problem in view.problems if "it cannot be told what" in problem and str(server.config) in problem]
    with pytest.raises(DeployError) as caught:
        one.check()
    assert caught.value.hint
    if kind.name != "dovecot":  # which reads it itself
        server.config.write_bytes(b"a\0b\n")
        assert "is no text" in told(one, "it cannot be told what")
    server.configure(kind.tls(str(one.path), str(one.path)))
    assert one.look().configured is True
    told(one, "which does not exist")


def test_its_own_checker_refuses_a_broken_configuration(kind: Kind, server: Any, place: Path) -> None:
    """What the server itself says is told; nothing is changed."""
    one = kind.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    server.configure(kind.tls(str(one.path), str(one.path)))
    one.check()
    with server.config.open("a") as file:
        file.write("\nno-such-word }\n")
    with pytest.raises(DeployError, match=r"failed with exit code \d+: .*(no-such-word|syntax|server.conf)"):
        one.check()


def test_reloading_what_does_not_run_is_an_error(kind: Kind, server: Any, place: Path) -> None:
    """Nobody is to believe in a swap that did not happen."""
    one = kind.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    server.configure(kind.tls(str(one.path), str(one.path)))
    with pytest.raises(DeployError) as caught:
        one.reload()
    assert caught.value.hint


def test_owner_group_and_mode(kind: Kind, server: Any, place: Path) -> None:
    """The file is given the group and mode that are configured."""
    one = kind.consumer(server, place / "tls" / "mx.pem", group="nogroup", mode="0640")
    one.install(pair().combined)
    found = one.path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (os.geteuid(), 65534, 0o640)


def test_the_administrator_s_reload_wins(kind: Kind, server: Any, place: Path) -> None:
    """What the option says is done, and nothing else."""
    one = kind.consumer(server, place / "tls" / "mx.pem", reload=["/usr/bin/touch", str(place / "reloaded")])
    one.reload()
    assert (place / "reloaded").exists()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("dovecot", "reload dovecot.service"),
        ("nginx", "reload nginx.service"),
        ("haproxy", "reload haproxy.service"),
        ("opensmtpd", "restart opensmtpd.service"),
    ],
)
def test_where_systemd_runs_the_server_it_is_asked(kind: str, said: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of the usual configuration is reloaded as its unit; one with a configuration of its own is not that unit."""
    (place / "bin").mkdir()
    script = place / "bin" / "systemctl"
    script.write_text(f'#!/bin/sh\n[ "$1" = show ] && echo active || echo "$*" >> {place}/said\n')
    script.chmod(0o755)
    monkeypatch.setattr(process, "PATH", f"{place}/bin:{process.PATH}")
    monkeypatch.setattr(service, "_BOOTED", place)
    open_consumer("mx", kind, {"file": str(place / "mx.pem")}).reload()
    assert (place / "said").read_text() == f"{said}\n"
    if kind != "opensmtpd":  # whose own way there is none
        config: object = [f"{place}/other.conf"] if kind == "haproxy" else f"{place}/other.conf"
        extra = {"pid-file": f"{place}/pid"} if kind == "haproxy" else {}
        with pytest.raises(DeployError):
            open_consumer("mx", kind, {"file": str(place / "mx.pem"), "config": config, **extra}).reload()
        assert (place / "said").read_text() == f"{said}\n"
