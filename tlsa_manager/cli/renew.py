"""`renew [NAME...]`: what is due, of the lineages that have an issuer; with a name even what failed a moment ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import chosen, names
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import Unsafe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.errors import TlsaManagerError
    from tlsa_manager.wiring import House


@click.command(cls=Command, name="renew", short_help="Renew certificates of configured issuers that are due.")
@names
@click.option("--force", is_flag=True, help="Even if nothing is due, or the authority wants to be left alone.")
@click.option("--dry-run", is_flag=True, help="Order at the authority's staging directory, and throw the certificate away.")
@click.pass_context
def command(context: click.Context, wanted: tuple[str, ...], force: bool, dry_run: bool) -> int:  # noqa: FBT001
    """Renew the certificates that are due, of all lineages that have an issuer. The timer's run does the same.

    One that is named is ordered even if the latest attempt failed a moment ago, unless its authority said until when it does not
    want to be asked; --force asks all the same, and renews what is not due.

    Exit code 0 if all is in order; 1 if something was refused; 75 if an authority or DNS says "later".
    """
    from tlsa_manager.cli.ordering import order
    from tlsa_manager.issuing import issuer_needed

    voice = voice_of(context)
    config = voice.config()
    meant = [one for one in chosen(config, wanted) if wanted or one.issuer]
    for one in meant:
        issuer_needed(one)
    if not meant:
        raise Unsafe("nothing can be renewed: no lineage has an issuer", "hooks bring the certificates; or see docs/issue.md")
    names = [one.name for one in meant]

    def act(home: House) -> Mapping[str, TlsaManagerError]:
        if dry_run:
            return home.rehearse(names)
        return home.order(names, insist=force) if wanted or force else home.run(names, anyway=True)

    return order(voice, config, names, act, rehearsal=dry_run)
