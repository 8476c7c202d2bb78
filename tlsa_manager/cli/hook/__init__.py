"""`hook CLIENT`: what ACME clients call."""

from __future__ import annotations

import click

from tlsa_manager.cli.command import LazyGroup

_HERE = "tlsa_manager.cli.hook."


@click.group(
    cls=LazyGroup,
    name="hook",
    short_help="Entry for ACME clients: take over a new certificate, and return.",
    table={
        "certbot": (_HERE + "certbot", "Take over what certbot has renewed, from its deploy hook."),
        "lego": (_HERE + "lego", "Take over what lego has obtained, from its hook."),
        "uacme": (_HERE + "uacme", "Take over what uacme has issued, from the wrapper around it."),
        "dehydrated": (_HERE + "dehydrated", "Take over what dehydrated has obtained, and give it requests for our key."),
        "acme.sh": (_HERE + "acme_sh", "Take over what acme.sh has obtained, and have it use our next key."),
        "files": (_HERE + "files", "Take over a certificate and key that any client has written."),
    },
)
def command() -> None:
    """Entry for ACME clients: take over a new certificate, and return.

    Key and chain are checked and kept, what can be published at once is published, and the rest is left to `run`. The
    files that the mail server reads are not touched. Exit code 0 once key and chain are safely on the disk.
    """
