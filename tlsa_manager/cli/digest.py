"""`digest FILE...`: the TLSA record of a certificate, chain, private key, public key or certificate request."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.voice import Voice, voice_of
from tlsa_manager.errors import BadInput, UsageError
from tlsa_manager.tlsa import Params, Tlsa, associate

if TYPE_CHECKING:
    from tlsa_manager.keys import Material

LARGEST = 1 << 20  # bytes
_LARGEST_TTL = 2**31 - 1  # RFC 2181 §8


@click.command(cls=Command, name="digest", short_help="TLSA record of a certificate, key or certificate request.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--params", "chosen", metavar="TEXT", multiple=True, help='Usage, selector, matching type; "3 1 1" if not given.')
@click.option("--service", "services", metavar="HOST:PORT", multiple=True, help="Print the whole record, as in a zone file.")
@click.option("--ttl", type=click.IntRange(0, _LARGEST_TTL), help="TTL of the record, in seconds; 3600 if not given.")
@click.pass_context
def command(
    context: click.Context, files: tuple[str, ...], chosen: tuple[str, ...], services: tuple[str, ...], ttl: int | None
) -> None:
    """Print the TLSA data of each FILE: a certificate, a chain (its first certificate), a private key, a public key or a
    certificate request, in PEM or DER. - reads standard input.

    Usage 2 or 0 takes the issuers of a chain. Nothing is asked of the network, and nothing is written.
    """  # noqa: D205  click makes paragraphs of it
    voice = voice_of(context)
    if ttl is not None and not services:
        raise UsageError("--ttl means nothing without --service", "add --service HOST:PORT to have the whole record")
    params = tuple(Params.parse(text) for text in chosen) or (Params(3, 1, 1),)
    owners = _owners(services)
    found = [(file, _material(file)) for file in files]
    answers = [_answer(file, material, params, voice) for file, material in found]
    lines = [
        line
        for answer in answers
        for record in answer["records"]
        for line in _lines(record, owners, 3600 if ttl is None else ttl, answer["file"] if len(files) > 1 else "")
    ]
    value = {"files": answers} | ({"owners": list(owners), "ttl": 3600 if ttl is None else ttl} if owners else {})
    voice.answer(value, "\n".join(lines))


def _owners(services: tuple[str, ...]) -> tuple[str, ...]:
    if not services:
        return ()
    from tlsa_manager.service import Service

    return tuple(dict.fromkeys(Service.parse(text).owner for text in services))


def _material(file: str) -> Material:
    """Read and recognise a file, with its name in whatever is wrong with it."""
    from tlsa_manager.keys import read_any

    try:
        return read_any(_content(file))
    except BadInput as error:
        raise BadInput(f"{file}: {error.message}", error.hint) from None
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}", "name a file that can be read") from None


def _content(file: str) -> bytes:
    """Read no more than is needed to see that a file is too large."""
    if file == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    with Path(file).open("rb") as stream:
        return stream.read(LARGEST + 1)


def _answer(file: str, material: Material, params: tuple[Params, ...], voice: Voice) -> dict[str, Any]:
    records = [str(record) for one in params for record in _records(file, material, one)]
    if material.what == "private key":
        voice.note(f"{file} is a private key; only its public half went into the record")
    return {"file": file, "what": material.what, "kind": material.kind, "records": records}


def _records(file: str, material: Material, params: Params) -> tuple[Tlsa, ...]:
    """Return the records of one file: one for the leaf, one an issuer for usages 0 and 2 (RFC 6698 §2.1.1)."""
    if not material.certificates:
        if params.selector != 1:
            msg = f"{file} is a {material.what}, and parameters {str(params)!r} need the certificate"
            raise BadInput(msg, "give the certificate, or use selector 1: 3 1 1")
        return (associate(params, b"", material.spki),)
    issuing = params.usage in {0, 2}
    chosen = material.certificates[1:] or material.certificates if issuing else material.certificates[:1]
    from tlsa_manager.der import certificate_spki

    return tuple(associate(params, one, certificate_spki(one)) for one in chosen)


def _lines(record: str, owners: tuple[str, ...], ttl: int, file: str) -> list[str]:
    """Write a record, alone or in zone-file form (RFC 1035 §5.1), with the file it is of as a comment."""
    mark = f"  ; {file}" if file else ""
    return [f"{owner} {ttl} IN TLSA {record}{mark}" for owner in owners] or [record + mark]
