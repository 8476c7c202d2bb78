"""`hook certbot`: the deploy hook; and, with --before and --after, the pre-hook and post-hook that have it use our next key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.cli.hook.taking import take_over
from tlsa_manager.cli.voice import Voice, voice_of
from tlsa_manager.errors import BadInput, UsageError

if TYPE_CHECKING:
    from tlsa_manager.config import Config
    from tlsa_manager.handover.renewables import Renewable
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.wiring import House

_REUSE = "certbot renew --cert-name {0} --reuse-key --force-renewal"


@click.command(cls=Command, name="certbot", short_help="Take over what certbot has renewed, from its deploy hook.")
@click.option("--lineage", "asked", metavar="NAME", default="", help="The lineage it belongs to.", shell_complete=lineage_names)
@click.option("--before", is_flag=True, help="From its pre-hook: put our next key where certbot --reuse-key takes it.")
@click.option("--after", is_flag=True, help="From its post-hook: put the former keys back.")
@click.option("--cert-name", metavar="NAME", default="", help="With --before or --after: only this certificate of certbot.")
@click.option(
    "--config-dir", metavar="DIR", type=click.Path(), default="/etc/letsencrypt", show_default=True,
    help="With --before or --after: as certbot's own option.",
)  # fmt: skip
@click.pass_context
def command(context: click.Context, asked: str, *, before: bool, after: bool, cert_name: str, config_dir: str) -> None:
    """Take over what certbot has renewed: the directory in RENEWED_LINEAGE.

    The lineage is the one that has the name of that directory, else the one whose hosts the certificate names. A
    certificate that belongs to none is for something else, and is left alone: exit code 0.

    With --before, and --after when certbot is done, certbot is given the key that has been published ahead (docs/clients.md).
    """
    voice = voice_of(context)
    if before and after:
        raise UsageError("--before and --after exclude each other", "--before in the pre-hook, --after in the post-hook")
    if before:
        _before(voice, Path(config_dir), cert_name or asked, asked)
    elif after:
        _after(voice, Path(config_dir), cert_name or asked)
    else:
        _deploy(voice, asked)


def _deploy(voice: Voice, asked: str) -> None:
    directory = os.environ.get("RENEWED_LINEAGE", "")
    if not directory:
        raise UsageError(
            "RENEWED_LINEAGE is not set: this is a deploy hook of certbot",
            "try it with: RENEWED_LINEAGE=/etc/letsencrypt/live/NAME tlsa-manager hook certbot",
        )
    live = Path(directory)
    take_over(voice, live / "fullchain.pem", live / "privkey.pem", origin="certbot", asked=asked, directory=live.name)


def _before(voice: Voice, directory: Path, only: str, asked: str) -> None:
    """Lend our keys to the certificates of ours; what an earlier run left is put back first."""
    from tlsa_manager.cli.hook.lending import each, lend
    from tlsa_manager.cli.leaving import end_at_once
    from tlsa_manager.wiring import house

    config = voice.config()
    home = house(config)

    def one(name: str) -> None:
        found = _mended(voice, directory, name)
        lineage = _lineage(config, found, asked)
        if lineage is not None and lineage.keys.next_key is not False:
            _check(home, lineage, found)
            lend(voice, home, lineage.name, found.slot)

    each(voice, _names(directory, only), one)
    if home.is_publishing:
        end_at_once()


def _after(voice: Voice, directory: Path, only: str) -> None:
    """Put back what was lent, whether certbot was successful or not: the number that it renewed from keeps its own key."""
    from tlsa_manager.cli.hook.lending import each

    def one(name: str) -> None:
        _mended(voice, directory, name)

    each(voice, _names(directory, only), one)


def _mended(voice: Voice, directory: Path, name: str) -> Renewable:
    from tlsa_manager.cli.hook.lending import mend
    from tlsa_manager.handover.renewables import renewable

    found = renewable(directory, name)
    mend(voice, found.left_over())
    return found


def _names(directory: Path, only: str) -> tuple[str, ...]:
    """The certificates that are meant: one, if it is there (before the first issue it is not), or all."""
    from tlsa_manager.handover.renewables import names

    if not directory.is_dir():
        raise UsageError(f"there is no {directory}, where certbot would keep its certificates", "give certbot's own --config-dir")
    return tuple(name for name in names(directory) if only in ("", name))


def _lineage(config: Config, found: Renewable, asked: str) -> Lineage | None:
    """Whose certificate it is; nobody's where it is for something else than mail, or could belong to several."""
    from tlsa_manager.handover import content, lineage_of

    return lineage_of(config, content(found.chain, "certificate"), asked=asked, directory=found.name)


def _check(home: House, lineage: Lineage, found: Renewable) -> None:
    """Refuse where certbot would not take the key. Raises BadInput."""
    if not found.reuses_key:
        message = (
            f"certbot makes a new key for {found.name} at every renewal (no reuse_key = True in {found.file}), so it would not"
            " take the key that is published ahead; a renewal waits for DNS as usual"
        )
        once = f"once: {_REUSE.format(found.name)}; or remove this pre-hook"
        raise BadInput(message, f"{once}. While that command runs this is said once more: certbot notes it at its end")
    from tlsa_manager.keys import public_half

    identity, key_pem = home.key_for_renewal(lineage.name)
    wanted = public_half(key_pem, identity).type
    if wanted != found.key_type:
        kind, _, size = wanted.partition("-")
        say = f"rsa_key_size = {size}" if kind == "rsa" else f"elliptic_curve = secp{size[1:]}r1"
        message = (
            f"certbot expects {found.key_type} keys for {found.name}, and the next key is {wanted}: it would refuse to use it"
        )
        raise BadInput(message, f"in {found.file}, under [renewalparams]: key_type = {kind}, {say}")
