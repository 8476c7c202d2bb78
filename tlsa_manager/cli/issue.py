"""`issue NAME`: the first certificate of a lineage from its own issuer, or the rest of an order that was begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import name, one
from tlsa_manager.cli.voice import voice_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.errors import TlsaManagerError
    from tlsa_manager.wiring import House


@click.command(
    cls=Command, name="issue", short_help="Have the configured issuer make a certificate, for a key that is published ahead."
)
@name
@click.option("--dry-run", is_flag=True, help="Order at the authority's staging directory, and throw the certificate away.")
@click.pass_context
def command(context: click.Context, wanted: str, dry_run: bool) -> int:  # noqa: FBT001  click gives flags so
    """Have the lineage's issuer make a certificate: the first one, or one to follow what another program brought. An order that
    was begun and interrupted is gone on with, never repeated. Where the certificate is the issuer's and young, nothing is done.

    The mail server has it when every cache knows its key: at once where the key was published ahead. What the services present
    until then stays in service.

    Exit code 0 if it is safely kept; 1 if it was refused; 75 if the authority or DNS says "later": the timer goes on by itself.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.cli.ordering import order
    from tlsa_manager.issuing import issuer_needed

    voice = voice_of(context)
    config = voice.config()
    lineage = one(config, wanted)
    issuer_needed(lineage)

    def act(home: House) -> Mapping[str, TlsaManagerError]:
        return home.rehearse([lineage.name]) if dry_run else home.order([lineage.name], take_over=True)

    return order(voice, config, [lineage.name], act, rehearsal=dry_run)
