"""`hook acme.sh`: its --reloadcmd or --renew-hook; and, with --before and --after, its --pre-hook and --post-hook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.cli.hook.taking import take_over
from tlsa_manager.cli.leaving import end_at_once
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import BadInput, UsageError

if TYPE_CHECKING:
    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.handover.keyslot import Slot

_ECC = "_ecc"  # with which acme.sh ends the name of a directory whose key is not RSA


@click.command(cls=Command, name="acme.sh", short_help="Take over what acme.sh has obtained, and have it use our next key.")
@click.option("--lineage", "asked", metavar="NAME", default="", help="The lineage it belongs to.", shell_complete=lineage_names)
@click.option("--before", is_flag=True, help="From its --pre-hook: put our next key where acme.sh takes it.")
@click.option("--after", is_flag=True, help="From its --post-hook: put the former key back if there is no new certificate.")
@click.pass_context
def command(context: click.Context, asked: str, *, before: bool, after: bool) -> None:
    """Take over what acme.sh has obtained, as it says in CERT_FULLCHAIN_PATH, CERT_KEY_PATH and Le_Domain.

    The lineage is the one that has the name of the domain, else the one whose hosts the certificate names.

    With --before, and --after when acme.sh is done, the certificate is for the key that has been published ahead. Both are
    called in the directory of the domain, as acme.sh calls its hooks (docs/clients.md).
    """
    voice = voice_of(context)
    if before and after:
        raise UsageError("--before and --after exclude each other", "--before in --pre-hook, --after in --post-hook")
    if before:
        _before(voice, _here(), asked)
    elif after:
        _after(voice, _here())
    else:
        _deploy(voice, asked)


def _deploy(voice: Voice, asked: str) -> None:
    chain, key = os.environ.get("CERT_FULLCHAIN_PATH", ""), os.environ.get("CERT_KEY_PATH", "")
    if not chain or not key:
        raise UsageError(
            "CERT_FULLCHAIN_PATH and CERT_KEY_PATH are not set: this is a --reloadcmd or --renew-hook of acme.sh",
            "by hand: tlsa-manager hook files --lineage NAME --certificate FULLCHAIN --key KEY",
        )
    domain = os.environ.get("Le_Domain", "")  # noqa: SIM112  so acme.sh writes it
    take_over(voice, Path(chain), Path(key), origin="acme.sh", asked=asked, directory=domain)


def _here() -> Path:
    """The directory of a domain, in which acme.sh runs its hooks. Raises UsageError."""
    try:
        here = Path.cwd()
    except OSError:
        message = "the directory that this was called in is not there any more"
        raise UsageError(
            message, "acme.sh calls its hooks in the directory of the domain: look whether that was removed"
        ) from None
    if not (here / f"{_domain(here)}.conf").is_file():
        raise UsageError(f"{here} is no directory of a domain of acme.sh", "this is a --pre-hook or --post-hook of acme.sh")
    return here


def _domain(here: Path) -> str:
    return here.name.removesuffix(_ECC)


def _slot(here: Path) -> Slot:
    from tlsa_manager.handover.keyslot import Slot

    return Slot(here / f"{_domain(here)}.key", here / f"{_domain(here)}.cer")


def _before(voice: Voice, here: Path, asked: str) -> None:
    """Lend our key, if there is a former one to keep: for its first certificate acme.sh insists on a key of its own."""
    from tlsa_manager.cli.hook.lending import lend, mend
    from tlsa_manager.handover import content, lineage_of
    from tlsa_manager.wiring import house

    slot, config = _slot(here), voice.config()
    if not slot.key.is_file() or not slot.certificate.is_file():
        return
    mend(voice, [slot])
    chain_pem = content(slot.certificate, "certificate")
    lineage = lineage_of(config, chain_pem, asked=asked, directory=_domain(here))
    if lineage is None or lineage.keys.next_key is False:
        return
    _check(here)
    home = house(config)
    lend(voice, home, lineage.name, slot)
    if home.is_publishing:
        end_at_once()


def _after(voice: Voice, here: Path) -> None:
    from tlsa_manager.cli.hook.lending import mend

    mend(voice, [_slot(here)])


def _check(here: Path) -> None:
    """Refuse where acme.sh would write a key of its own over ours. Raises BadInput."""
    from tlsa_manager.handover import content

    settings = content(here / f"{_domain(here)}.conf", "file of acme.sh").decode(errors="replace")
    for line in settings.splitlines():
        name, _, value = line.partition("=")
        if name == "Le_ForceNewDomainKey" and value.strip("'\"") == "1":
            message = (
                f"acme.sh makes a new key for {_domain(here)} at every renewal, so it would not take the one published ahead"
            )
            hint = f"remove the line {name} from {here / _domain(here)}.conf; or remove the --pre-hook"
            raise BadInput(message, hint)
