"""`rollover start NAME`: with a given certificate and key, with a new key, or go on with what is held."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import name, one
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import UsageError

if TYPE_CHECKING:
    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.wiring import House


@click.command(cls=Command, name="start", short_help="Begin with a given or a new key, or go on with what is held.")
@name
@click.option("--certificate", metavar="FULLCHAIN", type=click.Path(readable=False), help="Chain, leaf first, PEM.")
@click.option("--key", metavar="KEY", type=click.Path(readable=False), help="Private key, PEM.")
@click.option("--new-key", is_flag=True, help="Roll over to the next key; without an issuer its certificate is signed by itself.")
@click.option("--accept-key-type", is_flag=True, help="Go on although the certificate has another kind of key, RSA or ECDSA.")
@click.pass_context
def command(
    context: click.Context, wanted: str, certificate: str | None, key: str | None, *, new_key: bool, accept_key_type: bool
) -> int:
    """Begin a rollover with --certificate and --key, whatever a hook would have doubted about them: you insist. Only that another
    kind of key shuts some senders out has to be accepted in words: --accept-key-type.

    With --new-key it rolls over to the next key; where there is none, one is made. Where the lineage has an issuer, that makes
    the certificate, at once. Elsewhere it is signed by itself, for the hosts of the lineage: DANE senders accept that; mail
    programs and MTA-STS senders do not, until the ACME client's next renewal takes its place.

    Without any of them it goes on with what is held: the doubts are yours now.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.cli.rollover.acting import go_on
    from tlsa_manager.handover import content
    from tlsa_manager.rollover.succession import SELF_SIGNED
    from tlsa_manager.wiring import house

    if (certificate is None) != (key is None):
        raise UsageError("--certificate and --key belong together", "give both, or neither")
    if new_key and certificate is not None:
        raise UsageError("--new-key makes what --certificate and --key would give", "give one or the other")
    voice = voice_of(context)
    config = voice.config()
    lineage = one(config, wanted)
    home = house(config)
    if new_key and lineage.issuer not in ("", SELF_SIGNED):
        return _ordered(voice, home, lineage.name, accept_kind=accept_key_type)
    if new_key:
        return go_on(
            voice, home, lineage.name, f"{lineage.name}: {home.stage_new_key(lineage.name, accept_kind=accept_key_type)}"
        )
    if certificate is None or key is None:
        home.release(lineage.name, accept_key_type=accept_key_type)
        return go_on(voice, home, lineage.name, f"{lineage.name} goes on")
    files = content(Path(certificate), "certificate"), content(Path(key), "private key")
    taken = home.stage(lineage.name, *files, "rollover start", insist=True, accept_kind=accept_key_type)
    return go_on(voice, home, lineage.name, f"{lineage.name}: {taken}")


def _ordered(voice: Voice, home: House, name: str, *, accept_kind: bool) -> int:
    """Have the issuer make the certificate."""
    from tlsa_manager.cli.rollover.acting import go_on
    from tlsa_manager.rollover.renewal import newest

    before = newest(home.journal.facts(name))
    errors = home.order_new_key(name, accept_kind=accept_kind)
    made = newest(home.journal.facts(name)) != before
    later = f"its next certificate is for the next key; it is ordered when it is due, or now: tlsa-manager renew {name}"
    said = "its issuer has made a certificate for the next key" if made else later
    return go_on(voice, home, name, f"{name}: {said}", errors)
