"""Postfix, the real one: what it is configured to read, and that an install and reload arrive on the wire."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import smtplib
import ssl
import subprocess
import time
from typing import TYPE_CHECKING

import pki
import pytest
from lab import namespace, programs
from lab.daemon import until
from lab.fixtures import needs
from lab.postfix import Postfix as Instance

from tlsa_manager import keys
from tlsa_manager.deploy import Consumer, open_consumer
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS = "127.25.9.2"
MASTER = "587 inet n - n - - smtpd -o smtpd_tls_security_level=encrypt\n"
_numbers = itertools.count()


@pytest.fixture
def directory(lab_dir: Path) -> Iterator[Path]:
    """Make a place for one instance and its files."""
    needs(*programs.MAIL)
    place = lab_dir / f"postfix-{next(_numbers)}"
    (place / "tls").mkdir(parents=True)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def instance(directory: Path) -> Iterator[Instance]:
    """Start a Postfix that reads tls/mx.pem."""
    main = f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {directory}/tls/mx.pem\n"
    started = Instance(directory / "rx", address=ADDRESS, hostname="mx.example", main=main, master=MASTER)
    started.start()
    yield started
    started.stop()


def configured(directory: Path, main: str = "", master: str = "", address: str = ADDRESS) -> Consumer:
    """Make a consumer for an instance that is configured, but need not run."""
    namespace.add_address(address)  # Postfix refuses a configuration with an address that no interface has
    Instance(directory / "cold", address=address, hostname="mx.example", main=main, master=master)
    return consumer(directory, directory / "cold" / "conf")


def consumer(directory: Path, configuration: Path) -> Consumer:
    return open_consumer("postfix", "postfix", {"file": f"{directory}/tls/mx.pem", "config-directory": str(configuration)})


def pair(name: str = "mx.example", kind: str = "ECDSA") -> keys.Pair:
    return keys.load_pair(*pki.pair(name, kind=kind))


def presented(port: int = 25, sni: str | None = None) -> str:
    """Return the fingerprint of the certificate that the server presents now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(ADDRESS, port, timeout=10) as client:
        client.ehlo("test.example")
        client.docmd("STARTTLS")
        assert client.sock is not None
        with context.wrap_socket(client.sock, server_hostname=sni) as secured:
            client.sock = None
            certificate = secured.getpeercert(binary_form=True)
            assert certificate is not None
            return hashlib.sha256(certificate).hexdigest()


def problems(one: Consumer, word: str) -> list[str]:
    return [problem for problem in one.look().problems if word in problem]


def reload_left_out(problem: str) -> str:
    """Return the commands of a remedy, for an instance that does not run."""
    return problem.partition("to have it read: ")[2].rpartition(" && postfix ")[0]


def test_an_install_and_reload_arrive_on_the_wire(directory: Path, instance: Instance) -> None:
    """Check, install, reload: all ports present the new certificate; the view agrees; the way back works the same."""
    one = consumer(directory, instance.config_directory)
    old, new = pair(), pair()
    for each in (old, new, old):
        one.check()
        one.install(each.combined)
        one.reload()
        until(lambda each=each: {presented(25), presented(587)} == {each.chain.fingerprint}, "both ports present it")
        view = one.look()
        assert (view.configured, view.fingerprint, view.problems) == (True, each.chain.fingerprint, ())


def test_an_indexed_sni_map_is_made_anew(directory: Path, instance: Instance) -> None:
    """An indexed map holds a copy of the file: reload puts the new one into it; maps of other files are not touched."""
    one = consumer(directory, instance.config_directory)
    default, other = pair("default.example"), directory / "tls" / "other.pem"
    other.write_bytes(default.combined)
    table = directory / "sni"
    table.write_text(f"# {directory}/tls/mx.pem\nmx.example {directory}/tls/mx.pem\nother.example {other}\n")
    foreign = directory / "foreign"
    foreign.write_text(f"# {directory}/tls/mx.pem\nfar.example {other}\n")
    first, second = pair(), pair()
    one.install(first.combined)
    for source in (table, foreign):
        subprocess.run(["postmap", "-c", str(instance.config_directory), "-F", f"hash:{source}"], check=True)
    untouched = (directory / "foreign.db").stat().st_mtime_ns
    main = instance.config_directory / "main.cf"
    text = main.read_text().replace(f"smtpd_tls_chain_files = {directory}/tls/mx.pem", f"smtpd_tls_chain_files = {other}")
    main.write_text(text + f"tls_server_sni_maps = hash:{table}, hash:{foreign}\n")
    os.utime(main, (time.time() - 60,) * 2)
    one.reload()
    until(lambda: presented(sni="mx.example") == first.chain.fingerprint, "the map's certificate")
    assert one.look().configured
    one.install(second.combined)
    instance.reload()
    assert presented(sni="mx.example") == first.chain.fingerprint, "a bare reload leaves the copy in the map"
    one.reload()
    until(lambda: presented(sni="mx.example") == second.chain.fingerprint, "the new certificate")
    assert presented(sni="none.example") == default.chain.fingerprint
    assert (directory / "foreign.db").stat().st_mtime_ns == untouched


def test_a_file_that_postfix_does_not_read_is_told_with_the_command(directory: Path) -> None:
    """Not configured: the problem holds the postconf command, and obeying it mends it."""
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/tls/rsa.pem\n")
    one.install(pair().combined)
    assert one.look().configured is False
    (problem,) = problems(one, "does not read")
    command = reload_left_out(problem)
    assert f"{directory}/tls/rsa.pem, {directory}/tls/mx.pem" in command
    subprocess.run(["sh", "-c", command], check=True)
    view = one.look()
    assert (view.configured, view.problems) == (True, ())


def test_obeying_leaves_no_moment_without_a_certificate(directory: Path) -> None:
    """Where the file is not there yet, the command first makes it, of what Postfix presents: senders see no change."""
    chain, key = pki.pair("mx.example")
    (directory / "cert.pem").write_bytes(chain)
    (directory / "key.pem").write_bytes(key)
    one = configured(directory, main=f"smtpd_tls_cert_file = {directory}/cert.pem\nsmtpd_tls_key_file = {directory}/key.pem\n")
    (directory / "tls").rmdir()
    assert problems(one, "does not exist; to make it")
    (problem,) = problems(one, "does not read")
    subprocess.run(["sh", "-c", reload_left_out(problem)], check=True)
    view = one.look()
    assert (view.configured, view.problems, view.fingerprint) == (True, (), keys.load_pair(chain, key).chain.fingerprint)
    assert (directory / "tls" / "mx.pem").stat().st_mode & 0o777 == 0o600


def test_a_copy_takes_the_place_of_what_it_was_made_from(directory: Path) -> None:
    """A combined file of somebody else is superseded, not named beside its own copy; two of them are for a person to sort."""
    (directory / "other.pem").write_bytes(pair().combined)
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/other.pem\n")
    (problem,) = problems(one, "does not read")
    assert f"cat {directory}/other.pem > " in problem
    assert f"smtpd_tls_chain_files = {directory}/tls/mx.pem'" in problem
    shutil.rmtree(directory / "cold")
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/other.pem {directory}/more.pem\n")
    (problem,) = problems(one, "does not read")
    assert "cat KEY-IN-USE CHAIN-IN-USE > " in problem


def test_rsa_and_ecdsa_side_by_side_are_fine_and_two_of_a_kind_are_not(directory: Path) -> None:
    """Postfix presents one key of each algorithm: a second file of the same kind is told."""
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/tls/rsa.pem $one\none = {directory}/tls/mx.pem\n")
    one.install(pair().combined)
    (directory / "tls" / "rsa.pem").write_bytes(pair(kind="RSA").combined)
    assert (one.look().configured, one.look().problems) == (True, ())
    (directory / "tls" / "rsa.pem").write_bytes(pair().combined)
    assert problems(one, "two files with ECDSA keys")


def test_the_older_parameters(directory: Path) -> None:
    """Named by the older parameters alone, the file is read, at a price; beside the newer one they are ignored: both told."""
    one = configured(directory, main=f"smtpd_tls_cert_file = {directory}/tls/mx.pem\nsmtpd_tls_eccert_file = none\n")
    one.install(pair().combined)
    assert one.look().configured is True
    assert problems(one, "through the older parameters, opening it twice")
    with (directory / "cold" / "conf" / "main.cf").open("a") as file:
        file.write(f"smtpd_tls_chain_files = {directory}/tls/new.pem\n")
    assert one.look().configured is False
    (told,) = problems(one, "ignores")
    assert told.endswith("-X smtpd_tls_cert_file smtpd_tls_key_file")


def test_an_acme_client_s_directory_is_told(directory: Path, tmp_path: Path) -> None:
    """F-HOOK: Postfix reading a file that an ACME client replaces is told, also through a link, also in master.cf."""
    live = "/etc/letsencrypt/live/mx.example/fullchain.pem"
    one = configured(directory, main=f"smtpd_tls_chain_files = {live}\n")
    assert problems(one, f"reads {live}, which an ACME client replaces")
    assert problems(one, f"smtpd_tls_chain_files = {directory}/tls/mx.pem'")
    shutil.rmtree(directory / "cold")
    (directory / "tls" / "link.pem").symlink_to(live)
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/tls/link.pem\n")
    assert problems(one, "link.pem, which an ACME client replaces")
    shutil.rmtree(directory / "cold")
    main = f"smtpd_tls_chain_files = {directory}/tls/mx.pem\n"
    one = configured(directory, main=main, master=f"465 inet n - n - - smtpd -o smtpd_tls_chain_files={live}\n")
    assert problems(one, f"reads {live}, which an ACME client replaces")
    assert problems(one, "the service 465/inet has certificate files of its own")


def test_a_service_of_its_own_counts(directory: Path) -> None:
    """A file that only an override in master.cf names is read; overrides of older parameters beside the newer are ignored."""
    override = f"465 inet n - n - - smtpd -o smtpd_tls_chain_files={directory}/tls/mx.pem\n"
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/tls/other.pem\n", master=override)
    one.install(pair().combined)
    assert (one.look().configured, one.look().problems) == (True, ())
    shutil.rmtree(directory / "cold")
    main = f"smtpd_tls_chain_files = {directory}/tls/mx.pem\n"
    one = configured(directory, main=main, master="465 inet n - n - - smtpd -o smtpd_tls_cert_file=/x.pem\n")
    assert one.look().problems == ()


def test_another_name_of_the_file_is_the_file(directory: Path) -> None:
    """A link in main.cf that leads to the file counts as reading it, before the file exists and after."""
    (directory / "tls" / "link.pem").symlink_to(directory / "tls" / "mx.pem")
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/tls/link.pem\n")
    assert one.look().configured is True
    one.install(pair().combined)
    assert (one.look().configured, one.look().problems) == (True, ())


def test_a_missing_file_and_a_postfix_that_is_not_there(directory: Path) -> None:
    """A configured file that does not exist is told; a configuration that cannot be read is a problem, not an exception."""
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/tls/mx.pem\n")
    assert problems(one, "does not exist: it cannot offer TLS")
    lost = consumer(directory, directory / "nowhere")
    assert lost.look().configured is None
    assert problems(lost, "cannot be asked what it reads")
    with pytest.raises(DeployError):
        lost.check()


def test_a_postfix_that_does_not_run_cannot_be_reloaded(directory: Path) -> None:
    """Reloading what is stopped is an error, so nobody believes in a swap that did not happen."""
    one = configured(directory, main=f"smtpd_tls_chain_files = {directory}/tls/mx.pem\n")
    one.install(pair().combined)
    one.check()
    with pytest.raises(DeployError, match=r"reload failed with exit code 1: .*the Postfix mail system is not running"):
        one.reload()


def test_why_postfix_refuses_a_configuration_is_told(directory: Path) -> None:
    """Postfix tells a terminal or the mail log what is wrong; without an address of its own not even the log hears of it."""
    one = configured(directory, address="127.25.9.3")
    namespace.remove_address("127.25.9.3")
    with pytest.raises(DeployError, match=r"check failed with exit code 1: .*no local interface found for 127\.25\.9\.3"):
        one.check()


def test_inline_and_text_maps_need_no_postmap(directory: Path, instance: Instance) -> None:
    """Inline and texthash maps name the file itself; a reload is enough for them, and they count as reading it."""
    main = instance.config_directory / "main.cf"
    (directory / "sni").write_text(f"a.example {directory}/tls/mx.pem\n")
    text = main.read_text().replace(f"smtpd_tls_chain_files = {directory}/tls/mx.pem\n", "")
    for table in (f"inline:{{ {{ a.example = {directory}/tls/mx.pem }} }}", f"texthash:{directory}/sni"):
        main.write_text(f"{text}tls_server_sni_maps = {table}\n")
        os.utime(main, (time.time() - 60,) * 2)
        one = consumer(directory, instance.config_directory)
        new = pair("a.example")
        one.install(new.combined)
        one.reload()
        assert (one.look().configured, one.look().problems) == (True, ()), table
    assert not (directory / "sni.db").exists()
