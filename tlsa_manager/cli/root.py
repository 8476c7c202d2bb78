"""The command line: `tlsa-manager COMMAND`. Each command lives in a module of its own, imported when it is called."""

from __future__ import annotations

import click

from tlsa_manager import __version__
from tlsa_manager.cli.command import LazyGroup

_HERE = "tlsa_manager.cli."
COMMANDS = {
    "run": (_HERE + "run", "Do what is due, for every lineage; what the timer calls."),
    "status": (_HERE + "status", "Where each lineage stands, what it waits for, when the next step is due."),
    "check": (_HERE + "check", "What senders with DANE see, what is wrong, how to mend it."),
    "preflight": (_HERE + "preflight", "Would putting this certificate into service now break any sender?"),
    "policy": (_HERE + "policy", "Postfix TLS policy table of what mail domains can be held to."),
    "rollover": (_HERE + "rollover", "Begin, give up, take back, hurry, or foresee a rollover."),
    "issue": (_HERE + "issue", "Have the configured issuer make a certificate, for a key that is published ahead."),
    "renew": (_HERE + "renew", "Renew certificates of configured issuers that are due."),
    "records": (_HERE + "records", "Wanted, published and foreign records, for people or for other tools."),
    "history": (_HERE + "history", "What happened, from the journal."),
    "digest": (_HERE + "digest", "TLSA record of a certificate, key or certificate request."),
    "next-key": (_HERE + "next_key", "The key that the next renewal should use: record, request, the key itself."),
    "hook": (_HERE + "hook", "Entry for ACME clients: take over a new certificate, and return."),
    "config": (_HERE + "config", "Check, show, describe or begin the configuration."),
    "completion": (_HERE + "completion", "Script that completes commands in your shell."),
    "demo": (_HERE + "demo", "A whole rollover in half a minute, with servers of its own."),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="tlsa-manager %(version)s")
def root() -> None:
    """Roll the key of a mail server without any DANE sender ever meeting a mismatch.

    The next key's TLSA record is published ahead; the mail server has the new certificate only when no cache can lack
    that record; the old record goes last.
    """
