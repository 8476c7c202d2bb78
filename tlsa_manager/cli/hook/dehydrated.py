"""`hook dehydrated`: called as dehydrated calls its hook, with an operation and its words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.cli.hook.taking import take_over
from tlsa_manager.cli.leaving import end_at_once
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import BadInput, TlsaManagerError, UsageError

if TYPE_CHECKING:
    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.lineage import Lineage

_WORDS = {"generate_csr": 3, "deploy_cert": 6}  # that dehydrated gives with an operation


@click.command(
    cls=Command,
    name="dehydrated",
    short_help="Take over what dehydrated has obtained, and give it requests for our key.",
    context_settings={"ignore_unknown_options": True},
)
@click.option("--lineage", "asked", metavar="NAME", default="", help="The lineage it belongs to.", shell_complete=lineage_names)
@click.argument("operation")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(context: click.Context, asked: str, operation: str, words: tuple[str, ...]) -> None:
    """Do what dehydrated asks of its hook: deploy_cert and generate_csr; every other operation is none of ours.

    generate_csr DOMAIN CERTDIR ALTNAMES prints a request for the next key of the lineage that has the name of CERTDIR, else
    the one whose hosts are among ALTNAMES; nothing where there is none, or next-key = false: then dehydrated makes a key itself.

    deploy_cert DOMAIN KEYFILE CERTFILE FULLCHAINFILE CHAINFILE TIMESTAMP takes the certificate over. Where it is for a key of
    ours, KEYFILE is made to lead to that key, so that whatever else reads dehydrated's files finds what belongs together.
    """
    if operation not in _WORDS:
        return
    if len(words) != _WORDS[operation]:
        message = f"{operation} has {len(words)} words, and dehydrated gives {_WORDS[operation]}"
        raise UsageError(message, "this is to be called by dehydrated, as its HOOK")
    voice = voice_of(context)
    if operation == "generate_csr":
        _request(voice, asked, Path(words[1]).name, words[2].split())
        return
    key, chain, timestamp = Path(words[1]), Path(words[3]), words[5]
    try:
        _key_beside(voice, asked, key, chain, timestamp)
    except TlsaManagerError as error:  # the certificate comes first
        voice.complain(error.message, error.hint)
    take_over(voice, chain, key, origin="dehydrated", asked=asked, directory=key.parent.name)


def _request(voice: Voice, asked: str, directory: str, names: list[str]) -> None:
    """Print a request for the names that dehydrated wants, signed with our next key; or nothing."""
    from tlsa_manager.handover import lineage_for
    from tlsa_manager.keys import request
    from tlsa_manager.wiring import house

    config = voice.config()
    lineage = lineage_for(config, names, asked=asked, directory=directory)
    if lineage is None or lineage.keys.next_key is False or not _covers(voice, lineage, names):
        return
    home = house(config)
    handed = home.hand_out(lineage.name)
    try:
        text = request(handed.pem, names).decode()
    except ValueError:
        raise BadInput(f"a name among {' '.join(names)[:200]!r} is none for a certificate", "look at domains.txt") from None
    voice.answer({"lineage": lineage.name, "key": handed.id, "request": text}, text.rstrip("\n"))
    if home.is_publishing:
        end_at_once()


def _covers(voice: Voice, lineage: Lineage, names: list[str]) -> bool:
    """Whether a certificate for these names would do for a lineage; if not, dehydrated goes on by itself, and it is said."""
    from tlsa_manager.keys import names_cover

    missing = [one.host for one in lineage.services if not names_cover(names, one.host)]
    if missing:
        voice.complain(
            f"dehydrated asks for {' '.join(names)}, without {missing[0]} of {lineage.name}: it gets no request for our key,"
            " and what it brings will be held back",
            "add the name in domains.txt",
        )
    return not missing


def _key_beside(voice: Voice, asked: str, key: Path, chain: Path, timestamp: str) -> None:
    """Have the client's link lead to the key of its certificate, if that is ours and does not stand there. Raises BadInput."""
    from tlsa_manager.handover import content, lineage_of
    from tlsa_manager.handover.keyslot import provide
    from tlsa_manager.keys import read_chain
    from tlsa_manager.wiring import house

    config = voice.config()
    chain_pem = content(chain, "certificate")
    lineage = lineage_of(config, chain_pem, asked=asked, directory=key.parent.name)
    wanted = read_chain(chain_pem)[0].leaf.spki_sha256
    if lineage is None or _spki_in(key) == wanted:
        return
    ours = house(config).store.key_of(lineage.name, wanted)
    if ours is not None and timestamp.isascii() and timestamp.isdigit():
        provide(key, f"privkey-{timestamp}.pem", ours)


def _spki_in(key: Path) -> str:
    """SHA-256 of the public half of the key in a file; empty where there is none."""
    from tlsa_manager.handover import content
    from tlsa_manager.keys import public_half

    try:
        return public_half(content(key, "private key"), "").spki_sha256
    except BadInput:
        return ""
