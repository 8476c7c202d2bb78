"""Postfix' ways to come to a certificate, with the real one: maps by name, chroot, postscreen, several instances, systemd."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pki
import pytest
from lab import programs
from lab.daemon import until
from lab.fixtures import needs, refuse
from lab.postfix import Postfix as Instance
from lab.wire import presented

from tlsa_manager import keys
from tlsa_manager.deploy import Consumer, open_consumer, process, service
from tlsa_manager.deploy.postfix import instances, snimaps
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Begin = Callable[..., Consumer]

ADDRESS, SECOND = "127.25.9.6", "127.25.9.7"
NAME = "sni.example"
POSTSCREEN = "smtpd pass - - n - - smtpd\ntlsproxy unix - - {chroot} - 0 tlsproxy\ndnsblog unix - - n - 0 dnsblog\n"
INDEXED = ("hash", "btree", "lmdb", "cdb")
_numbers = itertools.count()


@pytest.fixture
def directory(lab_dir: Path) -> Iterator[Path]:
    """Make a place for instances and their files: ours, and one for those who ask for no name."""
    needs(*programs.MAIL)
    place = lab_dir / f"ways-{next(_numbers)}"
    (place / "tls").mkdir(parents=True)
    (place / "tls" / "mx.pem").touch(mode=0o600)
    (place / "tls" / "mx.pem").write_bytes(pair().combined)
    shutil.copy(place / "tls" / "mx.pem", place / "tls" / "default.pem")
    yield place
    shutil.rmtree(place)


@pytest.fixture
def begin(directory: Path) -> Iterator[Begin]:
    """Give what starts an instance and makes its consumer."""
    started: list[Instance] = []

    def start(main: str, *, chain: str = "default", **words: str) -> Consumer:
        text = f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {directory}/tls/{chain}.pem\n{main}"
        started.append(Instance(directory / "rx", address=ADDRESS, hostname="mx.example", main=text, **words))
        started[-1].start()
        return consumer(directory, started[-1].config_directory)

    yield start
    for each in started:
        each.stop()


def consumer(directory: Path, configuration: Path) -> Consumer:
    return open_consumer("postfix", "postfix", {"file": f"{directory}/tls/mx.pem", "config-directory": str(configuration)})


def pair() -> keys.Pair:
    return keys.load_pair(*pki.pair("mx.example"))


def swaps(one: Consumer, *, port: int = 25, sni: str | None = None) -> bool:
    """Swap as a rollover does, and tell whether it arrives; the file must be told as read before and after."""
    new = pair()
    assert one.look().configured is True
    one.check()
    one.install(new.combined)
    one.reload()
    until(lambda: presented(ADDRESS, port, sni=sni) == new.chain.fingerprint, "the new certificate is presented")
    return (one.look().configured, one.look().problems) == (True, ())


def table(directory: Path, kind: str) -> str:
    """Make a map with our file, of a kind that may have others inside, and return its name."""
    inner = kind.rpartition(":")[2]
    if inner == "inline":
        return f"inline:{{ {{ {NAME} = {directory}/tls/mx.pem }} }}"
    if inner == "static":
        return f"static:{directory}/tls/mx.pem"
    source = directory / f"sni-{next(_numbers)}"
    source.write_text(f"{'/^sni.example$/' if inner == 'regexp' else NAME} {directory}/tls/mx.pem\n")
    if inner in INDEXED:
        if inner not in subprocess.run(["postconf", "-m"], capture_output=True, text=True, check=True).stdout.split():
            refuse(f"not installed: Debian package postfix-{inner}")
        subprocess.run(["postmap", "-F", f"{inner}:{source}"], check=True)
    made = f"{kind}:{source}"
    return (
        f"unionmap:{{ inline:{{ {{ x.example = {directory}/tls/default.pem }} }}, {made[9:]} }}"
        if kind.startswith("unionmap")
        else made
    )


@pytest.mark.parametrize("chroot", ["n", "y"])
@pytest.mark.parametrize("kind", [*INDEXED, "texthash", "regexp", "inline", "static", "proxy:hash", "unionmap:hash"])
def test_a_map_by_name_of_every_kind_arrives_on_the_wire(directory: Path, begin: Begin, kind: str, chroot: str) -> None:
    """Whatever kind of map names the file, in a chroot or not: it is told as read, and a swap is seen by who asks by name."""
    one = begin(f"tls_server_sni_maps = {table(directory, kind)}\n", inbound=f"n - {chroot} - - smtpd")
    assert swaps(one, sni=NAME)


def test_maps_inside_maps_are_split_as_postfix_does() -> None:
    """Blanks and commas inside braces part nothing, however deep they are."""
    inline = "inline:{ { a.example = /a.pem, /b.pem }, b.example=/c.pem }"
    value = f"hash:/one, unionmap:{{ {inline}, pipemap:{{proxy:cdb:/two}} }}\ttexthash:/three {inline}"
    assert snimaps.words(value) == ("hash:/one", value[value.index("unionmap") : value.index("\t")], "texthash:/three", inline)
    assert snimaps.tables(value) == ("hash:/one", inline, "cdb:/two", "texthash:/three", inline)
    assert snimaps.tables("") == snimaps.tables("}} {") == ()


def test_a_bare_reload_leaves_what_an_indexed_map_holds(directory: Path, begin: Begin) -> None:
    """Why the map is made anew: also behind proxy:, also inside another, a reload alone changes nothing on the wire."""
    for kind in ("proxy:hash", "unionmap:hash"):
        (found,) = (one for one in snimaps.tables(table(directory, kind)) if one.startswith("hash:"))
        assert snimaps.copies((found,), directory / "tls" / "mx.pem") == (found,)
    one = begin(f"tls_server_sni_maps = {table(directory, 'proxy:hash')}\n")
    old = presented(ADDRESS, sni=NAME)
    one.install(pair().combined)
    subprocess.run(["postfix", "-c", directory / "rx" / "conf", "reload"], check=True, stdin=subprocess.DEVNULL)
    assert presented(ADDRESS, sni=NAME) == old
    one.reload()
    until(lambda: presented(ADDRESS, sni=NAME) != old, "the new certificate is presented")


def test_several_maps_and_those_of_one_service(directory: Path, begin: Begin) -> None:
    """Maps in a list, and one that only -o of a service names: those with our file are made anew, others are left alone."""
    ours, of_service, foreign = (table(directory, "hash") for _ in range(3))
    source = Path(foreign.partition(":")[2])
    source.write_text(f"far.example {directory}/tls/default.pem\n# {directory}/tls/mx.pem\n")
    subprocess.run(["postmap", "-F", foreign], check=True)
    untouched = source.with_name(f"{source.name}.db").stat().st_mtime_ns
    master = f"587 inet n - n - - smtpd -o smtpd_tls_security_level=may -o tls_server_sni_maps={of_service}\n"
    one = begin(f"tls_server_sni_maps = {foreign}, {ours}\n", master=master)
    assert swaps(one, sni=NAME)
    assert swaps(one, port=587, sni=NAME)
    assert source.with_name(f"{source.name}.db").stat().st_mtime_ns == untouched


@pytest.mark.parametrize("chroot", ["n", "y"])
def test_in_a_chroot_the_file_is_read_before_it(begin: Begin, chroot: str) -> None:
    """A chroot takes no file away: smtpd reads its certificates before it goes in, root's own files, too."""
    assert swaps(begin("", chain="mx", inbound=f"n - {chroot} - - smtpd"))


@pytest.mark.parametrize("chroot", ["n", "y"])
def test_behind_postscreen_the_reload_is_the_cut_over(begin: Begin, chroot: str) -> None:
    """One tlsproxy lives long and speaks to all newcomers: for them the write alone changes nothing, the reload does."""
    one = begin(_screened(), chain="mx", inbound="n - n - 1 postscreen", master=POSTSCREEN.format(chroot=chroot))
    old = presented(ADDRESS)
    one.install(pair().combined)
    assert presented(ADDRESS) == old
    assert swaps(one)


def test_a_certificate_of_tlsproxy_s_own_is_told(directory: Path, begin: Begin) -> None:
    """Set apart, what newcomers see is never swapped; the remedy puts it right."""
    own = f"{_screened()}tlsproxy_tls_chain_files = {directory}/tls/default.pem\n"
    one = begin(own, chain="mx", inbound="n - n - 1 postscreen", master=POSTSCREEN.format(chroot="n"))
    new = pair()
    one.install(new.combined)
    one.reload()
    until(lambda: (directory / "rx" / "maillog").read_text().count("reload -- version") == 1, "it is reloaded")
    assert presented(ADDRESS) != new.chain.fingerprint
    (told,) = one.look().problems
    assert told.startswith("postscreen's tlsproxy has certificate files of its own")
    subprocess.run(told.partition("take them out: ")[2].split(), check=True)
    assert swaps(one)


def _screened() -> str:
    return "postscreen_access_list =\npostscreen_greet_wait = 1s\npostscreen_cache_map =\npostscreen_pipelining_enable = yes\n"


@pytest.fixture
def pair_of_instances(directory: Path) -> Iterator[tuple[Instance, Instance]]:
    """Start a primary and a second instance that it names; both read the file, each is what its directory says."""
    main = f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {directory}/tls/mx.pem\n"
    second = Instance(
        directory / "second", address=SECOND, hostname="second.example", main=f"{main}multi_instance_name = postfix-second\n"
    )
    named = f"multi_instance_wrapper = /usr/sbin/postmulti -p --\nmulti_instance_directories = {second.config_directory}\n"
    first = Instance(directory / "first", address=ADDRESS, hostname="first.example", main=main + named)
    for each in (first, second):
        each.start()
    yield first, second
    for each in (second, first):
        each.stop()


def test_who_reads_the_same_file_is_reloaded_too(directory: Path, pair_of_instances: tuple[Instance, Instance]) -> None:
    """Every running instance that reads the file is told, whichever has the consumer; one that does not read it is left alone."""
    first, second = pair_of_instances
    for given, told in ((first, (1, 1)), (second, (1, 2))):  # the second, named by no primary of this host, knows of no other
        one = consumer(directory, given.config_directory)
        new = pair()
        one.install(new.combined)
        one.reload()
        until(lambda told=told: (reloads(first), reloads(second)) == told, f"{told} reloads")  # type: ignore[misc]
        until(lambda new=new: presented(SECOND) == new.chain.fingerprint, "the second presents it")  # type: ignore[misc]
    second.stop()
    one = consumer(directory, first.config_directory)
    one.reload()  # one that does not run needs no telling
    subprocess.run(["postconf", "-c", second.config_directory, "-e", "smtpd_tls_chain_files ="], check=True)
    second.start()
    one.reload()
    until(lambda: reloads(first) == 3, "the first is reloaded")
    assert reloads(second) == 2


def test_what_fails_bars_no_other_instance(
    directory: Path, pair_of_instances: tuple[Instance, Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map that cannot be made, an instance that cannot be told or asked: all others are; then the first failure is raised."""
    first, second = pair_of_instances
    good, broken = (Path(table(directory, "hash").partition(":")[2]) for _ in range(2))
    Path(f"{broken}.db").unlink()
    Path(f"{broken}.db").mkdir()
    maps = f"tls_server_sni_maps = hash:{broken}, hash:{good}"
    gone = directory / "gone"
    for change in (maps, f"multi_instance_directories = {gone}, {second.config_directory}"):
        subprocess.run(["postconf", "-c", first.config_directory, "-e", change], check=True)
    one = consumer(directory, first.config_directory)
    one.install(pair().combined)
    before = Path(f"{good}.db").read_bytes()
    with pytest.raises(DeployError, match=f"postmap .* hash:{broken} failed"):
        one.reload()
    until(lambda: (reloads(first), reloads(second)) == (1, 1), "both are reloaded")
    assert Path(f"{good}.db").read_bytes() != before
    subprocess.run(["postconf", "-c", first.config_directory, "-X", "tls_server_sni_maps"], check=True)
    with pytest.raises(DeployError, match=str(gone)):
        one.reload()
    until(lambda: (reloads(first), reloads(second)) == (2, 2), "both are reloaded again")
    first.stop()
    with pytest.raises(DeployError, match=f"postfix -c {first.config_directory} reload failed"):
        one.reload()
    until(lambda: reloads(second) == 3, "the second is told although the first does not run")
    first.start()
    monkeypatch.setattr(instances, "family", _unasked)
    with pytest.raises(DeployError, match="no postconf"):
        one.reload()
    until(lambda: reloads(first) == 3, "the first is told although nobody knows of others")


def _unasked(*_: object) -> None:
    raise DeployError("no postconf", "install it")


def reloads(instance: Instance) -> int:
    return instance.log().count("/master[") and instance.log().count("reload -- version")


@pytest.fixture
def home(pair_of_instances: tuple[Instance, Instance]) -> Iterator[tuple[Instance, Instance]]:
    """Have the primary's configuration stand where Postfix looks for it, in this process's own view of the file system."""
    first, _ = pair_of_instances
    subprocess.run(["mount", "--bind", first.config_directory, "/etc/postfix"], check=True)
    yield pair_of_instances
    subprocess.run(["umount", "/etc/postfix"], check=True)


def test_what_systemd_calls_each_instance(directory: Path, home: tuple[Instance, Instance]) -> None:
    """The primary is postfix@- or postfix, another postfix@NAME, and one that the primary does not name is not systemd's."""
    _, second = home
    primary = instances.Instance(Path("/etc/postfix"), "", ("postfix@-.service", "postfix.service"))
    named = instances.Instance(second.config_directory, "postfix-second", ("postfix@postfix-second.service",))
    assert instances.family(Path("/etc/postfix"), 20.0) == (primary, named)
    assert instances.family(second.config_directory, 20.0) == (named, primary)
    alone = Instance(directory / "third", address=ADDRESS, hostname="third.example", main="multi_instance_name = postfix-third\n")
    (found,) = instances.family(alone.config_directory, 20.0)
    assert found.units == ()


def test_where_systemd_runs_postfix_each_instance_s_own_unit_is_reloaded(
    directory: Path, home: tuple[Instance, Instance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not postfix.service: on Debian that is a cover, which hides whether the reload behind it failed."""
    _, second = home
    (tmp_path / "booted").mkdir()
    script = tmp_path / "systemctl"
    script.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/log\n[ "$1" != show ] || {{ shift 4; for u; do echo active; echo; done; }}\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(service, "_BOOTED", tmp_path / "booted")
    monkeypatch.setattr(process, "PATH", f"{tmp_path}:{process.PATH}")
    consumer(directory, second.config_directory).reload()
    said = (tmp_path / "log").read_text().splitlines()
    assert [line for line in said if line.startswith("reload")] == [
        "reload postfix@postfix-second.service", "reload postfix@-.service"
    ]  # fmt: skip
