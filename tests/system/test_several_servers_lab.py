"""One certificate in Postfix, Exim and Dovecot: they swap together, and if one of them fails all go back."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest
from lab import handshake, wire
from lab.certificate import Pair, self_signed
from lab.daemon import until
from lab.exim import Exim
from lab.fixtures import needs_only
from lab.installation import Installation, Timer
from lab.maildomain import establish
from lab.readers import dovecot
from lab.rolling import await_end, hand_over
from lab.stream import Stream
from lab.zones import MX_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab
    from lab.sender import SenderLab

EXIM = "127.25.0.9"
FOREIGN = f"3 1 1 {'e' * 64}"
_MORE = """
[consumer.exim]
type = "exim"
file = "{exim}"
command = "{command}"
configuration = "{configuration}"

[consumer.dovecot]
type = "dovecot"
file = "{dovecot}"
config = "{dovecot_conf}"
{reload}
"""


class Servers:
    """Three servers on two addresses that present one certificate, each from a file of its own."""

    def __init__(self, dns_lab: DnsLab, mx_lab: MxLab, directory: Path) -> None:
        self.dns_lab, self.mail = dns_lab, establish(dns_lab, mx_lab, directory, dns_lab.zone)
        self.backup = dns_lab.fresh_name("exim", zone="b.example", address=EXIM)
        place = dns_lab.dir / self.backup  # Exim's user walks through it
        self.files = {"exim": place / "tls" / "mx.pem", "dovecot": directory / "imap" / "mx.pem"}
        place.mkdir()
        for file in self.files.values():
            self.mail.pair.install(file)
        os.chown(self.files["exim"], 0, 65534)
        self.files["exim"].chmod(0o640)
        self.exim = Exim(place / "exim", address=EXIM, hostname=self.backup, files=(self.files["exim"],))
        self.dovecot = dovecot(place / "imap", MX_ADDRESS)  # its sockets stand there, and their names must be short
        self.dovecot.configure(f"ssl_cert = <{self.files['dovecot']}\nssl_key = <{self.files['dovecot']}")
        self.owners = (*self.mail.owners, *(f"_{port}._tcp.{self.mail.host}." for port in (143, 993)), f"_25._tcp.{self.backup}.")
        for owner in self.owners:
            dns_lab.put_tlsa(owner, self.mail.pair.record, FOREIGN)

    def start(self) -> None:
        """Start what is not running yet; return when both name servers have all records."""
        self.exim.start()
        self.dovecot.start()
        until(lambda: self.stand({self.mail.pair.record, FOREIGN}), "the records are there", timeout=30)
        self.dns_lab.flush()

    def stop(self) -> None:
        """End what was started."""
        self.exim.stop()
        self.dovecot.stop()

    def stand(self, records: set[str]) -> bool:
        """Whether both name servers have exactly these records for every owner."""
        servers = (self.dns_lab.primary, self.dns_lab.secondary)
        return all(self.dns_lab.records(server, owner) == records for server in servers for owner in self.owners)

    def presented(self) -> dict[str, str]:
        """What each server presents, as fingerprints."""
        return {
            "postfix": wire.presented(MX_ADDRESS),
            "exim": wire.presented(EXIM),
            "imap": handshake.presented_imap(MX_ADDRESS),
            "imaps": handshake.presented(MX_ADDRESS, 993),
        }

    def installation(self, directory: Path, reload: str = "") -> Installation:
        """Set tlsa-manager up for all three; the first run adopts what stands there."""
        made = Installation(directory, self.dns_lab, self.mail)
        services = f'"{self.mail.host}:143", "{self.mail.host}:993", "{self.backup}:25"'
        text = made.config.read_text().replace('consumers = ["postfix"]', 'consumers = ["postfix", "exim", "dovecot"]')
        text = text.replace("services = [", f"services = [{services}, ")
        exim, conf = self.exim, self.dovecot.config
        more = _MORE.format(
            exim=self.files["exim"], command=exim.command, configuration=exim.configuration, dovecot=self.files["dovecot"],
            dovecot_conf=conf, reload=reload,
        )  # fmt: skip
        made.config.write_text(text + more)
        made.command("run")
        made.command("records", "--adopt")
        return made


@pytest.fixture
def servers(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> Iterator[Servers]:
    """Start all three."""
    needs_only("exim4", "dovecot", "doveadm")
    made = Servers(dns_lab, mx_lab, tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Watch:
    """Looks all the time, as mail clients would, at what Dovecot presents and whether a record in DNS matches it."""

    def __init__(self, servers: Servers, *pairs: Pair) -> None:
        self._servers, self._ends = servers, threading.Event()
        self._records = {fingerprint(pair): pair.record for pair in pairs}
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.mismatches: list[str] = []
        self.looks = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ends.set()
        self._thread.join(30)

    def _look(self) -> None:
        lab, owner = self._servers.dns_lab, f"_993._tcp.{self._servers.mail.host}."
        while not self._ends.wait(0.1):
            published = [lab.records(server, owner) for server in (lab.primary, lab.secondary)]
            try:
                shown = handshake.presented(MX_ADDRESS, 993)
            except OSError as error:
                self.mismatches.append(f"no TLS: {error}")
                continue
            self.looks += 1
            if not all(self._records.get(shown, "nobody's") in (one or ()) for one in published):
                self.mismatches.append(f"{shown} beside {published}")


def fingerprint(pair: Pair) -> str:
    """Return the SHA-256 of a certificate, DER."""
    import hashlib
    import ssl

    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.certificate.decode())).hexdigest()


def test_all_swap_together(servers: Servers, sender_lab: SenderLab, tmp_path: Path) -> None:
    """Into Exim and Dovecot beside Postfix: no mail deferred at either MX, IMAP matches all the time, foreign records stay."""
    installation = servers.installation(tmp_path)
    new = self_signed(servers.mail.host, servers.backup)
    old = servers.mail.pair
    sender_lab.flush()
    with (
        Timer(installation) as timer, Watch(servers, old, new) as watch,
        Stream(sender_lab, servers.mail.domain) as first, Stream(sender_lab, servers.backup) as second,
    ):  # fmt: skip
        hand_over(installation, new, tmp_path)
        await_end(installation, new.record)
        assert set(servers.presented().values()) == {fingerprint(new)}
        until(lambda: servers.stand({new.record, FOREIGN}), "the old record is gone everywhere", timeout=30)
    for stream in (first, second):
        totals = stream.drain()
        print(totals)
        assert totals.deferred == totals.bounced == 0, f"{totals}\n{servers.exim.log()[-2000:]}"
    print(f"{watch.looks} looks at Dovecot")
    assert watch.looks > 20
    assert watch.mismatches == []
    assert not [said for said, code in zip(timer.said, timer.codes, strict=True) if code not in (0, 75)]
    deployed = [event["event"] for event in installation.events() if event["event"] in {"Deploying", "Deployed", "RollingBack"}]
    assert deployed == ["Deploying", "Deployed"]


def test_if_one_fails_all_go_back(servers: Servers, sender_lab: SenderLab, tmp_path: Path) -> None:
    """Dovecot cannot take the new certificate: all have the former one back, nobody is harmed, and a person's word goes on."""
    new, old = self_signed(servers.mail.host, servers.backup), servers.mail.pair
    stubborn = tmp_path / "reload-dovecot"
    refusal = f"cmp -s {servers.files['dovecot']} {tmp_path}/refused && {{ echo 'no such certificate here' >&2; exit 1; }}"
    stubborn.write_text(f"#!/bin/sh\n{refusal}\nexec doveadm -c {servers.dovecot.config} reload\n")
    stubborn.chmod(0o755)
    installation = servers.installation(tmp_path, f'reload = ["{stubborn}"]')
    sender_lab.flush()
    with (
        Watch(servers, old, new) as watch,
        Stream(sender_lab, servers.mail.domain) as first, Stream(sender_lab, servers.backup) as second,
    ):  # fmt: skip
        hand_over(installation, new, tmp_path)
        (tmp_path / "refused").write_bytes(kept(installation, new, tmp_path))
        with Timer(installation):
            until(lambda: "Restored" in kinds(installation), "all have gone back", timeout=90, every=1.0)
        assert set(servers.presented().values()) == {fingerprint(old)}
        said = installation.start("status").communicate(timeout=60)[0]
        assert "no such certificate here" in said
        assert servers.stand({old.record, new.record, FOREIGN}), "both keys stay published"
        (tmp_path / "refused").unlink()
        installation.command("rollover", "start", installation.name)
        with Timer(installation):
            await_end(installation, new.record)
        time.sleep(1)
    for stream in (first, second):
        totals = stream.drain()
        print(totals)
        assert totals.deferred == totals.bounced == 0, str(totals)
    assert watch.mismatches == []
    assert set(servers.presented().values()) == {fingerprint(new)}


def kinds(installation: Installation) -> set[str]:
    """The kinds of events so far."""
    return {event["event"] for event in installation.events()}


def kept(installation: Installation, new: Pair, directory: Path) -> bytes:
    """What the program will write for this pair: its own copy, in its own spelling."""
    found = [file.read_bytes() for file in (directory / "state").rglob("combined.pem")]
    return next(content for content in found if new.certificate.strip() in content)
