"""Every backend with the server behind it that the suite of promises runs over: one line each, by what the tests are called."""

from __future__ import annotations

import importlib
from typing import Any

STANDS = {
    "rfc2136-bind": "contract.dynamic:BindStand",
    "rfc2136-knot": "contract.dynamic:KnotStand",
    "rfc2136-pdns": "contract.dynamic:PowerDnsStand",
    "exec-bind": "contract.dynamic:ExecStand",
    "powerdns-old": "contract.doubles.powerdns:OldStand",
    "powerdns-new": "contract.doubles.powerdns:NewStand",
    "zonefile-nsd": "contract.zonefile:NsdStand",
    "desec": "contract.doubles.desec:DesecStand",
    "cloudflare": "contract.doubles.cloudflare:CloudflareStand",
    "gandi": "contract.doubles.gandi:GandiStand",
    "hetzner": "contract.doubles.hetzner:HetznerStand",
    "route53": "contract.doubles.route53:Route53Stand",
    "google": "contract.doubles.google:GoogleStand",
    "azure": "contract.doubles.azure:AzureStand",
    "inwx": "contract.doubles.inwx:InwxStand",
    "lexicon": "contract.doubles.lexicon:LexiconStand",
    "netcup": "contract.doubles.netcup:NetcupStand",
    "ovh": "contract.doubles.ovh:OvhStand",
    "transip": "contract.doubles.transip:TransipStand",
}


def stand_of(name: str) -> Any:
    """Return the class of a stand (`contract.stand.Stand`), which tells its class variables before it is made."""
    module, _, attribute = STANDS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
