"""Every backend with the server behind it that the suite of promises runs over: one line each, by what the tests are called."""

from __future__ import annotations

import importlib
from typing import Any

STANDS = {
    "rfc2136-bind": "contract.dynamic:BindStand",
    "rfc2136-knot": "contract.dynamic:KnotStand",
    "rfc2136-pdns": "contract.dynamic:PowerDnsStand",
    "exec-bind": "contract.dynamic:ExecStand",
    "powerdns-old": "contract.powerdns:OldStand",
    "powerdns-new": "contract.powerdns:NewStand",
    "zonefile-nsd": "contract.zonefile:NsdStand",
    "desec": "contract.desec:DesecStand",
    "cloudflare": "contract.cloudflare:CloudflareStand",
    "gandi": "contract.gandi:GandiStand",
    "hetzner": "contract.hetzner:HetznerStand",
    "route53": "contract.route53:Route53Stand",
    "google": "contract.google:GoogleStand",
    "azure": "contract.azure:AzureStand",
    "inwx": "contract.inwx:InwxStand",
    "lexicon": "contract.lexicon:LexiconStand",
    "netcup": "contract.netcup:NetcupStand",
    "ovh": "contract.ovh:OvhStand",
    "transip": "contract.transip:TransipStand",
}


def stand_of(name: str) -> Any:
    """Return the class of a stand (`contract.stand.Stand`), which tells its class variables before it is made."""
    module, _, attribute = STANDS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
