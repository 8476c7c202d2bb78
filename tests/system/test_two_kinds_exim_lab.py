"""RSA and ECDSA side by side on one Exim: two files in its lists, two lineages, each rolled without hurting the other."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from lab.certificate import self_signed
from lab.daemon import until
from lab.exim import GROUP, USER, Exim
from lab.fixtures import needs_only
from lab.installation import Installation, Timer
from lab.maildomain import MailDomain, settle
from lab.stream import Stream

from tlsa_manager.observe.live import services
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.postfix import Postfix
    from lab.sender import SenderLab

ADDRESS = "127.25.0.9"
_CONSUMER = """type = "exim"
file = "{{file}}"
configuration = "{configuration}"
command = "{command}"
owner = "{user}"
mode = "0600"
"""
_BY_COMMAND = """type = "command"
file = "{{file}}"
owner = "{user}"
group = "{group}"
mode = "0600"
reload = [{reload}]
"""
_SECOND = """
[consumer.rsa]
{consumer}
[lineage."rsa.{host}"]
services = [{services}]
dns = "primary"
consumers = ["rsa"]
"""


@pytest.fixture
def exim(dns_lab: DnsLab, tmp_path: Path) -> Iterator[MailDomain]:
    """A mail host that is an Exim with two certificates, both in DNS."""
    needs_only("exim4")
    host = dns_lab.fresh_name("exim", zone="b.example", address=ADDRESS)
    place = dns_lab.dir / host  # Exim's user walks through it
    first, file = self_signed(host), place / "tls" / "ecdsa.pem"
    place.mkdir()
    first.install(file)
    first_rsa(host).install(file.with_name("rsa.pem"))
    for one in (file, file.with_name("rsa.pem")):
        os.chown(one, 65534, 65534)
    server = Exim(place / "exim", address=ADDRESS, hostname=host, files=(file.with_name("rsa.pem"), file))
    server.start()
    yield MailDomain(host, host, file, first, cast("Postfix", server))
    server.stop()


def first_rsa(host: str) -> object:
    """The RSA certificate to begin with, the same for the same host."""
    return _RSA.setdefault(host, self_signed(host, key=rsa.generate_private_key(65537, 2048)))


_RSA: dict[str, object] = {}


def test_each_lineage_rolls_on_an_exim(dns_lab: DnsLab, sender_lab: SenderLab, exim: MailDomain, tmp_path: Path) -> None:
    """Each kind is seen by its client alone, each is rolled with the reload of Exim, and no mail is deferred.

    One is installed by the kind of consumer for Exim, the other by a command, as for software that there is no kind for.
    """
    old_rsa = first_rsa(exim.host)
    for owner in exim.owners:
        dns_lab.put_tlsa(owner, exim.pair.record, old_rsa.record)  # type: ignore[attr-defined]  # a lab certificate
    settle(dns_lab, exim, exim.pair.record, old_rsa.record)  # type: ignore[attr-defined]
    assert shown(dns_lab, exim) == {"rsa": old_rsa.record, "ecdsa": exim.pair.record}  # type: ignore[attr-defined]
    server = cast("Exim", exim.postfix)
    reload = ", ".join(f'"{word}"' for word in server.reload_command)
    consumer = _CONSUMER.format(user=USER, configuration=server.configuration, command=server.command)
    by_command = _BY_COMMAND.format(user=USER, group=GROUP, reload=reload)
    installation = Installation(tmp_path, dns_lab, exim, consumer=consumer)
    listed = ", ".join(f'"{exim.host}:{port}"' for port in (25, 465, 587))
    rsa_file = exim.chain_file.with_name("rsa.pem")
    with installation.config.open("a") as file:
        file.write(_SECOND.format(consumer=by_command.format(file=rsa_file), host=exim.host, services=listed))
    installation.command("run")
    installation.command("records", "--adopt")
    sender_lab.flush()
    new = {
        exim.host: self_signed(exim.host),
        f"rsa.{exim.host}": self_signed(exim.host, key=rsa.generate_private_key(65537, 3072)),
    }
    with Timer(installation), Stream(sender_lab, exim.domain) as stream:
        for name, pair in new.items():
            pair.install(tmp_path / "new.pem")
            words = ("--certificate", str(tmp_path / "new.pem"), "--key", str(tmp_path / "new.pem"))
            installation.command("hook", "files", "--lineage", name, *words)
            done = partial(rolled, installation, name, pair.record)
            until(done, f"{name} is rolled", timeout=90, every=1.0)
    totals = stream.drain()
    print(f"RSA and ECDSA rolled on Exim: {totals}")

    assert totals.deferred == totals.bounced == 0, f"{totals}\n{exim.postfix.log()[-3000:]}"
    made = {one.record for one in new.values()}
    assert dns_lab.records(dns_lab.primary, exim.owners[0]) == made
    assert set(shown(dns_lab, exim).values()) == made


def rolled(installation: Installation, name: str, record: str) -> bool:
    """Whether a lineage is stable with the certificate of a record."""
    state = next(one for one in installation.statuses() if one["name"] == name)
    return state["phase"] == "stable" and state["current"] is not None and state["current"]["spki"] in record


def shown(dns_lab: DnsLab, exim: MailDomain) -> dict[str, str]:
    """What the clients that know one kind only are shown on port 25, as records."""
    service = Service.parse(f"{exim.host}:25")
    view = services((service,), repeats=1, resolver=(dns_lab.resolver,))[str(service)]
    return {
        one.client: str(next(iter(one.chain.records())))
        for one in view.presentations if one.outcome is Outcome.PRESENTED and one.chain and one.client in ("rsa", "ecdsa")
    }  # fmt: skip
