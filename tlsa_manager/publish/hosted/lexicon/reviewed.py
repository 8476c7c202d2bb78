"""The providers of dns-lexicon 3.25 whose code has been read, and what was found.

Each lists what stands with its TTL, creates one record beside the others, and deletes one by its content only. Not here, because
of what was found: azure, onapp, infoblox, cloudns, dynu, arvancloud (no TLSA); ddns (says True when it is refused); mythicbeasts
(says how it went in words); and all that have a backend of their own: cloudflare, desec, gandi, googleclouddns, hetzner, inwx,
netcup (deletes by a name that is not relative), ovh, route53 (says True when it is refused), transip.
"""

from __future__ import annotations

from tlsa_manager.value import dataclass


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One provider. Options that are secret, required, optional; `addresses`: which of them are URLs; `least_ttl`: in seconds."""

    secrets: tuple[str, ...]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    least_ttl: int = 60


REVIEWED = {
    "hostingde": Reviewed(("auth_token",)),
    "httpnet": Reviewed(("auth_token",)),
    "infomaniak": Reviewed(("auth_token",)),  # it puts blanks into hexadecimal
    "porkbun": Reviewed(("auth_key", "auth_secret"), least_ttl=600),
    "powerdns": Reviewed(("auth_token",), ("pdns_server",), ("pdns_server_id",), ("pdns_server",), least_ttl=0),  # whole sets
    "rcodezero": Reviewed(("auth_token",)),  # whole sets
}
