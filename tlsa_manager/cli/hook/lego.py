"""`hook lego`: the hook of lego, which names its files in the environment; version 5 by other names than version 4."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.cli.hook.taking import take_over
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import UsageError


@click.command(cls=Command, name="lego", short_help="Take over what lego has obtained, from its hook.")
@click.option("--lineage", "asked", metavar="NAME", default="", help="The lineage it belongs to.", shell_complete=lineage_names)
@click.pass_context
def command(context: click.Context, asked: str) -> None:
    """Take over what lego has obtained: --run-hook and --renew-hook of version 4, --deploy-hook of version 5.

    The lineage is the one that has the certificate's name in lego, else the one whose hosts the certificate names. With --csr
    lego has no key, or only the file of an earlier one: then the key is ours.
    """
    certificate = _told("LEGO_HOOK_CERT_PATH", "LEGO_CERT_PATH")
    if not certificate:
        raise UsageError(
            "neither LEGO_HOOK_CERT_PATH nor LEGO_CERT_PATH is set: this is a hook of lego",
            "try it with: LEGO_CERT_PATH=/path/certificates/NAME.crt tlsa-manager hook lego",
        )
    key = _told("LEGO_HOOK_CERT_KEY_PATH", "LEGO_CERT_KEY_PATH")
    name = _told("LEGO_HOOK_CERT_NAME", "LEGO_CERT_DOMAIN")
    take_over(voice_of(context), Path(certificate), Path(key) if key else None, origin="lego", asked=asked, directory=name)


def _told(current: str, former: str) -> str:
    """What version 5 says, else what version 4 does."""
    return os.environ.get(current, "") or os.environ.get(former, "")
