"""Providers of dns-lexicon (https://dns-lexicon.readthedocs.io/), behind a guard: it is not believed, and not all of it is used.

Its quality differs from provider to provider: some return True for what was refused, some delete a set to change one record. So
only providers are used whose code has been read (`reviewed`), only list, create and delete of one record with its content, never
update; what stands is not created; an answer other than True is no success; and then it is read again, others' records too. There
is no compare-and-swap. It works in a process of its own (`worker`), because it may wait without end.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from tlsa_manager.option import Option, Settings, mistake, patience, suggestion
from tlsa_manager.publish.hosted import zone_option
from tlsa_manager.publish.hosted.api import address
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.publish.hosted.lexicon.guard import Guard, Lexicon
from tlsa_manager.publish.hosted.lexicon.reviewed import REVIEWED
from tlsa_manager.secret import secret_of, secret_options

if TYPE_CHECKING:
    from tlsa_manager.publish.hosted.lexicon.reviewed import Reviewed

OPTIONS = (
    Option("provider", "str", f"the provider, as dns-lexicon calls it: {', '.join(REVIEWED)}", required=True),
    Option("zone", "str", "the zone to change", required=True, example="example.org"),
    *secret_options("options", "the provider's options, one `name = value` a line: docs/backends/lexicon.md"),
    patience("how long to wait for each change", "60s"),
)
_POWER = "can change the DNS records of the mail servers"


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError: not installed, not reviewed, or not its options."""
    provider = settings.text("provider")
    if provider not in REVIEWED:
        what = f"{provider[:40]!r} is not among the providers of dns-lexicon that are known to do what they say"
        hint = "take its own backend if there is one; any other provider is reached by the backend exec (docs/backends/exec.md)"
        raise mistake(f"{settings.section}.provider", f"{what}{suggestion(provider, REVIEWED)}", hint)
    if find_spec("lexicon") is None:
        hint = "pip install 'tlsa-manager[lexicon]' in the environment of tlsa-manager"
        raise mistake(f"{settings.section}.backend", "dns-lexicon is not installed, so this provider cannot be asked", hint)
    options = _options(settings, REVIEWED[provider], secret_of(settings, "options", _POWER, lines=True))
    zone = zone_option(settings.text("zone"))
    guard = Guard(provider, options, REVIEWED[provider].secrets, settings.seconds("timeout"))
    return Hosted(name, Lexicon(guard, zone, REVIEWED[provider].least_ttl), zone)


def _options(settings: Settings, reviewed: Reviewed, text: str) -> dict[str, str]:
    """Read the provider's options. No message shows a value."""
    lines = [line.strip() for line in text.splitlines()]
    found = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines if line and line[0] != "#")}
    known = (*reviewed.secrets, *reviewed.required, *reviewed.optional)
    for key, value in found.items():
        if key not in known or not value:
            shown = key if key in known or (value and key.isidentifier() and len(key) < 30) else "a line"
            what = f"{shown} is no option of this provider, or has no value"
            raise mistake(f"{settings.section}.options", what, f"there is {', '.join(known)}")
    for key in (*reviewed.secrets, *reviewed.required):
        if key not in found:
            raise mistake(f"{settings.section}.options", f"{key} is missing", f"a line {key} = VALUE")
    for key in reviewed.addresses:
        address(Settings(f"{settings.section}.options", found), key)
    return found
