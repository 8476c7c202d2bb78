"""Exim, the real one: what it is configured to read, whether it can, and that an install and reload arrive on the wire."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pki
import pytest
from lab.daemon import until
from lab.exim import GROUP, USER, both
from lab.exim import Exim as Instance
from lab.fixtures import needs
from lab.wire import NOBODY, presented

from tlsa_manager import keys
from tlsa_manager.deploy import Consumer, open_consumer
from tlsa_manager.deploy.exim import answers
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlsa_manager.snapshot import FileView

    Start = Callable[[str], Instance]

ADDRESS = "127.25.9.5"
SIGHUP = "SIGHUP received"
_numbers = itertools.count()


@pytest.fixture
def directory(lab_dir: Path) -> Iterator[Path]:
    """Make a place for one Exim and its files, which Exim's user can walk to."""
    needs("exim4")
    place = lab_dir / f"exim-{next(_numbers)}"
    (place / "tls").mkdir(parents=True)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def start(directory: Path) -> Iterator[Start]:
    """Give what starts an Exim with these options for TLS."""
    started: list[Instance] = []

    def begin(tls: str) -> Instance:
        started.append(made(directory, tls))
        started[-1].start()
        return started[-1]

    yield begin
    for each in started:
        each.stop()


def made(directory: Path, tls: str) -> Instance:
    """Configure an Exim, which need not run."""
    return Instance(directory / f"made-{next(_numbers)}", address=ADDRESS, hostname="mx.example", tls=tls)


def consumer(exim: Instance, file: Path, **options: object) -> Consumer:
    words = {"file": str(file), "configuration": str(exim.configuration), "command": str(exim.command)}
    return open_consumer("exim", "exim", {**words, **options})


def looked(directory: Path, tls: str, file: Path) -> FileView:
    """Look at a file for an Exim with these options for TLS."""
    return consumer(made(directory, tls), file).look()


def pair(name: str = "mx.example", kind: str = "ECDSA") -> keys.Pair:
    return keys.load_pair(*pki.pair(name, kind=kind))


def put(file: Path, content: keys.Pair, *, mode: int = 0o640, group: int = 65534) -> None:
    """Put a file there by hand, as an administrator might: by rename."""
    fresh = file.with_name(f"{file.name}.fresh")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content.combined)
    os.chown(fresh, 0, group)
    fresh.chmod(mode)
    fresh.rename(file)


def shows(pair: keys.Pair, **client: str) -> bool:
    return presented(ADDRESS, **client) == pair.chain.fingerprint  # type: ignore[arg-type]  # sni, kind


def number_of(exim: Instance) -> str:
    """Return what its pid file says; told to start anew, it writes that anew."""
    file = exim.directory / "exim.pid"
    return file.read_text() if file.exists() else ""


def has_tls() -> bool:
    return presented(ADDRESS) not in {"", NOBODY}


def test_an_install_and_reload_arrive_on_the_wire(directory: Path, start: Start) -> None:
    """Check, install, reload: all ports present the new certificate, the daemon keeps its number; the way back is the same."""
    file = directory / "tls" / "mx.pem"
    old, new = pair(), pair()
    put(file, old)
    exim = start(both(file))
    one, number = consumer(exim, file), number_of(exim)
    assert shows(old)
    for each in (new, old):
        one.check()
        one.install(each.combined)
        one.reload()
        until(lambda each=each: shows(each) and presented(ADDRESS, 587) == each.chain.fingerprint, "both ports present it")  # type: ignore[misc]
        view = one.look()
        assert (view.configured, view.fingerprint, view.problems) == (True, each.chain.fingerprint, ())
        until(lambda: number_of(exim) == number, "its pid file names the same process")


def test_no_connection_is_refused_where_exim_takes_the_file_up_by_itself(directory: Path, start: Start) -> None:
    """A SIGHUP would close the door for a moment, and mail that comes then is deferred: it is not sent where it is not needed."""
    file = directory / "tls" / "mx.pem"
    put(file, pair())
    exim = start(both(file))
    one, new = consumer(exim, file), pair()
    with ThreadPoolExecutor(1) as sender:
        over = Event()
        knocking = sender.submit(knock, over)
        one.install(new.combined)
        one.reload()
        over.set()
        assert shows(new)
        assert knocking.result() == 0
    assert SIGHUP not in exim.log()


def knock(over: Event) -> int:
    """Connect again and again; return how often that was refused."""
    refused = 0
    while not over.is_set():
        try:
            socket.create_connection((ADDRESS, 25), timeout=10).close()
        except ConnectionRefusedError:
            refused += 1
    return refused


@pytest.mark.parametrize("why", ["no access times", "written before"])
def test_where_it_is_not_seen_that_exim_reads_the_file_it_is_told(directory: Path, start: Start, why: str) -> None:
    """A file system without access times, or a run that died between write and reload: then a SIGHUP makes it certain."""
    file = directory / "tls" / "mx.pem"
    if why == "no access times":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "noatime,mode=0755", "tmpfs", directory / "tls"], check=True)
    try:
        put(file, pair())
        exim = start(both(file))
        one, new = consumer(exim, file), pair()
        one.install(new.combined)
        if why == "written before":
            file.read_bytes()
        one.reload()
        until(lambda: shows(new), "it presents the new one", timeout=60)
        until(lambda: SIGHUP in exim.log(), "it was told")
    finally:
        if why == "no access times":
            subprocess.run(["umount", "-l", directory / "tls"], check=True)


def test_the_write_is_the_cut_over_not_the_reload(directory: Path, start: Start) -> None:
    """Nobody tells Exim, and a few seconds after the file is replaced it presents the new one: so never too early."""
    file = directory / "tls" / "mx.pem"
    old, new = pair(), pair()
    put(file, old)
    one = consumer(start(both(file)), file)
    assert shows(old)
    one.install(new.combined)
    until(lambda: shows(new), "Exim presents it by itself", timeout=60, every=0.3)


def test_a_turned_directory_link_is_the_trap_that_is_told(directory: Path, start: Start) -> None:
    """Turned, a link on the way to the file changes nothing on the wire until a SIGHUP; beforehand the view says so."""
    old, new = pair(), pair()
    for name, content in (("one", old), ("two", new)):
        (directory / name).mkdir(mode=0o755)
        put(directory / name / "mx.pem", content)
    (directory / "live").symlink_to("one")
    exim = start(both(directory / "live" / "mx.pem"))
    (told,) = consumer(exim, directory / "one" / "mx.pem").look().problems
    assert "never notices" in told
    assert told.endswith(f"name {directory}/one/mx.pem itself in tls_certificate and tls_privatekey")
    (directory / "next").symlink_to("two")
    (directory / "next").rename(directory / "live")
    touched = directory / "one" / "beside.pem"  # what Exim does notice in there makes it read all anew, where the link led
    put(touched, new)
    until(lambda: shows(old), "it presents the old one", timeout=60)
    assert not shows(new)
    one = consumer(exim, directory / "two" / "mx.pem")
    one.reload()
    until(lambda: shows(new), "told, it presents the new one")


def test_a_link_as_the_file_s_name_is_told(directory: Path) -> None:
    """A link that leads to our file counts as reading it; whoever turns it would swap the key."""
    file, link = directory / "tls" / "mx.pem", directory / "tls" / "link.pem"
    put(file, pair())
    link.symlink_to("mx.pem")
    view = looked(directory, both(link), file)
    assert view.configured is True
    (told,) = view.problems
    assert f"({link} is {file}): whoever turns the link swaps the key within seconds" in told


def test_a_file_that_exim_does_not_read_is_told_with_what_to_write(directory: Path, start: Start) -> None:
    """Not configured: the problem says which two options; written so, and reloaded, it is read and presented."""
    file, other = directory / "tls" / "mx.pem", directory / "tls" / "rsa.pem"
    ours, theirs = pair(), pair(kind="RSA")
    put(file, ours)
    put(other, theirs)
    exim = start(both(other))
    one = consumer(exim, file)
    view = one.look()
    assert view.configured is False
    (told,) = view.problems
    assert told.startswith(f"Exim does not read {file}, but {other}, so")
    value = told.partition("write tls_certificate = ")[2].partition(" and ")[0]
    assert value == f"{other} : {file}"
    exim.configure(f"tls_certificate = {value}\ntls_privatekey = {value}")
    one.reload()
    until(lambda: shows(ours, kind="ECDSA") and shows(theirs, kind="RSA"), "both kinds are presented")
    assert (one.look().configured, one.look().problems) == (True, ())


def test_without_a_certificate_of_its_own(directory: Path, start: Start) -> None:
    """With no tls_certificate Exim (with GnuTLS) makes one up for each connection, which no record can match: told."""
    start("")
    assert presented(ADDRESS) != presented(ADDRESS) != ""
    view = looked(directory, "", directory / "tls" / "mx.pem")
    assert view.configured is False
    assert "but has no certificate of its own, so" in view.problems[0]


def test_a_file_that_is_not_there_yet_is_made_of_what_is_in_use(directory: Path, start: Start) -> None:
    """Doing as told changes nothing on the wire, and from then on the file is read."""
    file, old = directory / "new" / "mx.pem", directory / "tls" / "old.pem"
    first = pair()
    put(old, first)
    exim = start(both(old))
    one = consumer(exim, file)
    told = next(problem for problem in one.look().problems if "does not read" in problem)
    commands, _, rest = told.partition("; ")[2].partition(", then write tls_certificate = ")
    subprocess.run(["sh", "-euc", commands], check=True)
    exim.configure(both(*map(Path, rest.partition(" and ")[0].split(" : "))))
    one.reload()
    until(lambda: shows(first), "it presents the same")
    assert (one.look().configured, one.look().problems) == (True, ())
    one.install(pair().combined)
    until(lambda: has_tls() and not shows(first), "it presents the next", timeout=60, every=0.3)


def test_two_keys_of_a_kind_are_told(directory: Path) -> None:
    """Only one of them can be presented, and which one depends on the library; the remedy leaves the other out."""
    file, other, rsa = (directory / "tls" / name for name in ("mx.pem", "old.pem", "rsa.pem"))
    put(file, pair())
    put(other, pair())
    put(rsa, pair(kind="RSA"))
    (told,) = looked(directory, both(other, rsa, file), file).problems
    assert told.startswith(f"tls_certificate names two files with ECDSA keys, {file} and {other}")
    assert f"write tls_certificate = {rsa} : {file} and" in told
    assert looked(directory, both(rsa, file), file).problems == ()


def test_on_debian_its_macros_are_named(directory: Path) -> None:
    """Where update-exim4.conf makes the configuration, editing that would be lost."""
    put(directory / "tls" / "mx.pem", pair())
    made_by_debian = answers.Configuration(
        "/var/lib/exim4/config.autogenerated", "/x.pem", "", USER, GROUP, directory, "/usr/sbin/exim4"
    )
    (told,) = answers.problems(made_by_debian, directory / "tls" / "mx.pem")
    assert f"; write MAIN_TLS_ENABLE = yes and MAIN_TLS_CERTKEY = /x.pem : {directory}/tls/mx.pem into /etc/exim4/" in told


@pytest.mark.parametrize("keys_from", ["another file", "no file"])
def test_a_key_from_elsewhere_is_told_because_it_would_not_fit(directory: Path, start: Start, keys_from: str) -> None:
    """With the key taken from another file a swap takes TLS away; the view says so before, and Exim proves it."""
    file, other = directory / "tls" / "mx.pem", directory / "tls" / "old.pem"
    first = pair()
    put(file, first)
    put(other, first)
    tls = f"tls_certificate = {file}\ntls_privatekey = {other}"
    if keys_from == "no file":
        tls = f"tls_certificate = {other} : {file}\ntls_privatekey = {other}"
    exim = start(tls)
    one = consumer(exim, file)
    assert shows(first) == (keys_from == "another file")
    view = one.look()
    assert view.configured is False
    assert (
        f"takes the key for {file} from {other if keys_from == 'another file' else 'no file'}, so after a swap"
        in view.problems[0]
    )
    one.install(pair().combined)
    one.reload()
    until(lambda: presented(ADDRESS) == "", "there is no TLS any more")


def test_without_a_key_file_the_certificate_s_is_taken(directory: Path, start: Start) -> None:
    """Only tls_certificate is needed: nothing is told, and it works. Its list may have another separator."""
    file, other = directory / "tls" / "mx.pem", directory / "tls" / "rsa.pem"
    put(file, pair())
    put(other, pair(kind="RSA"))
    for tls in (f"tls_certificate = {file}", f"tls_certificate = <; {other} ; {file}"):
        view = looked(directory, tls, file)
        assert (view.configured, view.problems) == (True, ()), tls
    start(f"tls_certificate = <; {other} ; {file}")
    assert presented(ADDRESS, kind="ECDSA") != presented(ADDRESS, kind="RSA") != ""


def test_a_certificate_that_is_chosen_for_each_connection(directory: Path, start: Start) -> None:
    """With $tls_in_sni nobody knows all names; our path in the text is good enough, else it is told that it cannot be told."""
    file = directory / "tls" / "mx.example.pem"
    first, second = pair(), pair()
    put(file, first)
    by_name = f"${{lookup{{$tls_in_sni.pem}}dsearch,ret=full{{{directory}/tls}}}}"
    exim = start(f"tls_certificate = {by_name}")
    view = consumer(exim, file).look()
    assert view.configured is None
    assert f"({by_name}), so whether {file} is among them cannot be told" in view.problems[0]
    assert shows(first, sni="mx.example")
    consumer(exim, file).install(second.combined)
    assert shows(second, sni="mx.example"), "read for each connection, so the write is the cut-over at once"
    literal = f"${{if eq{{$tls_in_sni}}{{}}{{{file}}}{{{by_name}}}}}"
    for tls in (f"tls_certificate = {literal}", f"tls_certificate = {literal}\ntls_privatekey = {literal}"):
        assert (looked(directory, tls, file).configured, looked(directory, tls, file).problems) == (True, ())
    for part in (f"{file}-$tls_in_sni", f"/chroot{file}", f"${{if eq{{$tls_in_sni}}{{}}{{{file}.old}}{{{file}$tls_in_sni}}}}"):
        view = looked(directory, f"tls_certificate = {part}" + ("$acl_c_x" if "$" not in part else ""), file)
        assert view.configured is None, part
        assert "cannot be told" in view.problems[0]
        assert looked(directory, f"tls_certificate = {literal}\ntls_privatekey = {part}$acl_c_x", file).configured is None
    for whole in (f"<; $acl_c_x;{file};/other", f"$acl_c_x : {file}", f"$acl_c_x:{file}:/other", f"${{sg{{{file}}}{{a}}{{b}}}}"):
        assert looked(directory, f"tls_certificate = {whole}", file).configured is True, whole
    assert looked(directory, f"tls_certificate = {file}\ntls_privatekey = {by_name}", file).configured is None
    assert looked(directory, f"tls_certificate = {literal}\ntls_privatekey = /other.pem", file).configured is False


def test_what_exim_s_user_cannot_read_is_told_and_nothing_is_swapped(directory: Path, start: Start) -> None:
    """A closed file takes TLS from Exim seconds after the write, without a reload; so the check refuses before."""
    file = directory / "tls" / "mx.pem"
    first = pair()
    put(file, first)
    exim = start(both(file))
    one = consumer(exim, file)
    one.check()
    put(file, first, mode=0o600)
    until(lambda: presented(ADDRESS) == "", "Exim cannot read it", timeout=60, every=0.3)
    (told,) = one.look().problems
    assert told.startswith(f"Exim's user {USER} cannot read {file} (")
    assert told.endswith(f"; chgrp {GROUP} {file} && chmod g+r {file}")
    with pytest.raises(DeployError, match=f"user {USER} cannot read") as caught:
        one.check()
    assert f"chgrp {GROUP}" in caught.value.hint
    configured = consumer(exim, file, group=GROUP, mode="0640")
    configured.check()  # the install will open it
    configured.install(pair().combined)
    configured.reload()
    until(has_tls, "TLS is back")
    (directory / "tls").chmod(0o700)
    with pytest.raises(DeployError, match="cannot reach"):
        configured.check()


def test_a_new_file_is_made_for_exim_to_read(directory: Path) -> None:
    """Where none stands, it is root's, with Exim's group and 0640; what the options say wins."""
    exim = made(directory, both(directory / "tls" / "mx.pem"))
    one = consumer(exim, directory / "tls" / "mx.pem")
    (told,) = one.look().problems
    assert "which does not exist: it cannot offer TLS; (umask 077; cat KEY-IN-USE CHAIN-IN-USE > " in told
    one.install(pair().combined)
    assert (one.look().configured, one.look().problems) == (True, ())
    found = one.path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, 65534, 0o640)
    other = consumer(exim, directory / "tls" / "other.pem", owner=USER, group="0", mode="0400")
    other.install(pair().combined)
    found = other.path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, 0, 0o400)


def test_an_acme_client_s_directory_is_told(directory: Path) -> None:
    """F-HOOK: Exim takes up what an ACME client replaces within seconds; the remedy leaves that file out."""
    live = "/etc/letsencrypt/live/mx.example/fullchain.pem"
    view = looked(directory, f"tls_certificate = {live}\ntls_privatekey = {live}", directory / "tls" / "mx.pem")
    assert view.configured is False
    (theirs,) = view.from_acme
    assert theirs in view.problems
    assert f"Exim reads {live}, which an ACME client replaces" in theirs
    assert f"cat {live} > {directory}/tls/mx.pem) && chgrp {GROUP}" in theirs
    assert f"write tls_certificate = {directory}/tls/mx.pem and tls_privatekey = the same" in theirs


def test_a_configuration_that_exim_refuses(directory: Path) -> None:
    """Exim says itself what is wrong; then nothing is told about the file, and nothing may be swapped."""
    exim = made(directory, "tls_certificates = /x.pem")
    one = consumer(exim, directory / "tls" / "mx.pem")
    with pytest.raises(DeployError, match=r'main option "tls_certificates" unknown'):
        one.check()
    view = one.look()
    assert view.configured is None
    assert [problem for problem in view.problems if problem.startswith("Exim cannot be asked what it reads: ")]
    absent = open_consumer("exim", "exim", {"file": str(directory / "tls" / "mx.pem"), "command": "/nonexistent/exim"})
    assert [problem for problem in absent.look().problems if "cannot be started" in problem]


def test_a_running_exim_is_not_told_while_its_configuration_is_broken(directory: Path, start: Start) -> None:
    """It would end: a SIGHUP has the daemon read its configuration anew, and one that it refuses is the end of it."""
    file = directory / "tls" / "mx.pem"
    first = pair()
    put(file, first)
    exim = start(both(file))
    exim.configure("tls_certificates = /x.pem")
    with pytest.raises(DeployError, match=r'main option "tls_certificates" unknown'):
        consumer(exim, file).reload()
    assert shows(first)
    assert SIGHUP not in exim.log()


def test_an_exim_that_does_not_run_cannot_be_reloaded(directory: Path, start: Start) -> None:
    """Reloading what is stopped is an error, so nobody believes in a swap that did not happen."""
    file = directory / "tls" / "mx.pem"
    put(file, pair())
    exim = start(both(file))
    one = consumer(exim, file)
    one.reload()
    until(has_tls, "it listens again")
    exim.stop()
    with pytest.raises(DeployError, match="does not run"):
        one.reload()


def test_an_exim_that_would_lose_its_ports_is_never_told(directory: Path, start: Start) -> None:
    """With -C and a file that it does not trust a SIGHUP is the end of port 25: told, refused before anything, never sent."""
    file = directory / "tls" / "mx.pem"
    put(file, pair())
    exim = start(both(file))
    one, trusted = consumer(exim, file), exim.directory / "etc" / "exim4" / "trusted_configs"
    one.check()
    trusted.write_text("/etc/exim4/exim4.conf\n")
    (told,) = one.look().problems
    assert told.startswith("a SIGHUP would take its ports from Exim, and no mail would come in: it runs with -C")
    assert f" which /etc/exim4/trusted_configs does not list; add the line {exim.configuration} " in told
    for act in (one.check, one.reload):
        with pytest.raises(DeployError, match="would take its ports") as caught:
            act()
        assert caught.value.hint == told.partition("; ")[2]
    assert has_tls()
    assert SIGHUP not in exim.log()
    given = consumer(exim, file, reload=["/bin/true"])
    given.check()
    assert given.look().problems == ()
    trusted.write_text(f"# ours\n {exim.configuration}\n")
    for owner, mode, words in ((1, 0o644, "not root's"), (0, 0o646, "others may write"), (0, 0o644, "")):
        os.chown(trusted, owner, 0)
        trusted.chmod(mode)
        problems = one.look().problems
        assert words in problems[0] if words else not problems
    one.check()
    os.kill(int(number_of(exim)), 1)
    until(lambda: SIGHUP in exim.log() and has_tls(), "it listens again")
    trusted.unlink()
    assert "does not list; add the line" in one.look().problems[0]
    os.kill(int(number_of(exim)), 1)
    until(lambda: "lost privilege" in (exim.directory / "output").read_text() + exim.log(), "that would have been the end of it")


def test_an_exim_that_cannot_become_root_again_is_never_told(directory: Path) -> None:
    """A program that is not set-uid, or one that runs where nothing becomes root, has the same end."""
    file = directory / "tls" / "mx.pem"
    put(file, pair())
    for before, after, words in (
        ("chmod 4755", "chmod 755", "is not set-uid root"),
        ("exec ", "exec setpriv --no-new-privs ", "NoNewPrivs"),
    ):
        exim = made(directory, both(file))
        exim.daemon.argv = [word.replace(before, after) for word in exim.daemon.argv]
        exim.start()
        try:
            one = consumer(exim, file)
            assert words in one.look().problems[0]
            with pytest.raises(DeployError, match=words):
                one.check()
        finally:
            exim.stop()


def test_a_file_of_ours_that_is_a_link_is_one_problem(directory: Path) -> None:
    """Itself or its directory: told once, with one thing to do."""
    put(directory / "tls" / "real.pem", pair())
    (directory / "tls" / "mx.pem").symlink_to("real.pem")
    (told,) = looked(directory, both(directory / "tls" / "mx.pem"), directory / "tls" / "mx.pem").problems
    assert "could not be replaced: it is a symbolic link to 'real.pem'; name a file of this program's own" in told
    (directory / "live").symlink_to("tls")
    (told,) = looked(directory, both(directory / "live" / "real.pem"), directory / "live" / "real.pem").problems
    assert told.startswith(f"{directory}/live cannot be used")
