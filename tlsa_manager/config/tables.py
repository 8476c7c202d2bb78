"""The fixed tables of the configuration, declared once: the reader, the schema, the example and the reference use them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from tlsa_manager.service import PROTOCOLS

Duration = Annotated[str | int | float, Meta(description="500ms, 90s, 10m, 2h, 7d, or a number of seconds")]


class DefaultsTable(Struct, rename="kebab", frozen=True):
    """What holds for everything."""

    resolver: Annotated[
        tuple[str, ...],
        Meta(description="validating, recursive resolvers: addresses, with #PORT where it is not 53", examples=[["127.0.0.1"]]),
    ] = ("127.0.0.1",)
    trust_anchor: Annotated[
        str | None,
        Meta(
            description="DNSKEY or DS of the root in zone-file form; without it the system's, else the built-in root anchors",
            examples=["/usr/share/dns/root.key"],
        ),
    ] = None
    directory: Annotated[
        str, Meta(description="where keys, certificates and the journal are kept", examples=["/var/lib/tlsa-manager"])
    ] = "/var/lib/tlsa-manager"
    state: Annotated[
        str | None,
        Meta(
            description="the journal; without it state.db in the directory", examples=["sqlite:////var/lib/tlsa-manager/state.db"]
        ),
    ] = None
    authority_port: Annotated[
        int, Meta(description="port of the authoritative servers; other than 53 only in a laboratory", ge=1, le=65535)
    ] = 53


class Timing(Struct, rename="kebab", frozen=True):
    """How long to wait. Only laboratories need less; a lineage may have its own."""

    ttl: Annotated[Duration, Meta(description="TTL of records published where none stood")] = "1h"
    ttl_multiplier: Annotated[float, Meta(description="how many TTLs an old record set may live in caches")] = 2.0
    cache_floor: Annotated[Duration, Meta(description="wait at least this long, for resolvers that raise small TTLs")] = "2h"
    margin: Annotated[Duration, Meta(description="added to every wait for caches")] = "10m"
    rollback_window: Annotated[Duration, Meta(description="how long the way back stays open after a swap")] = "24h"
    poll_interval: Annotated[Duration, Meta(description="between two looks while a rollover goes on")] = "1m"
    check_interval: Annotated[Duration, Meta(description="between two looks at a stable lineage")] = "1h"
    confirm_within: Annotated[Duration, Meta(description="after a swap every server must show the new certificate in this")] = (
        "2m"
    )
    signature_margin: Annotated[Duration, Meta(description="DNSSEC signatures must live at least this long at a swap")] = "24h"


class ServiceTable(Struct, rename="kebab", frozen=True):
    """A service that needs more than its name."""

    at: Annotated[
        str,
        Meta(
            description=f"HOST:PORT or HOST:PORT/PROTOCOL, which is one of {', '.join(PROTOCOLS)}",
            examples=["mx.example.org:465"],
        ),
    ]
    probe: Annotated[
        bool, Meta(description="false: it cannot be reached from here, and you vouch that it serves the consumer's file")
    ] = True
    connect: Annotated[
        tuple[str, ...], Meta(description="probe these ADDRESS:PORT instead of the host's own", examples=[["192.0.2.1:465"]])
    ] = ()


class WatchTable(Struct, rename="kebab", frozen=True):
    """Files of a client without hooks: they are taken over when they change."""

    certificate: Annotated[str, Meta(description="chain, leaf first, PEM", examples=["/var/lib/caddy/mx.example.org.crt"])]
    key: Annotated[
        str, Meta(description="private key, PEM; empty where the key is ours", examples=["/var/lib/caddy/mx.example.org.key"])
    ] = ""


class LineageTable(Struct, rename="kebab", frozen=True):
    """A series of certificates for one purpose."""

    services: Annotated[
        tuple[str | ServiceTable, ...], Meta(description="what presents the certificate", examples=[["mx.example.org:25"]])
    ]
    dns: Annotated[str, Meta(description="name of a [dns.NAME] section", examples=["ns1"])]
    consumers: Annotated[tuple[str, ...], Meta(description="names of [consumer.NAME] sections", examples=[["postfix"]])]
    params: Annotated[
        tuple[str, ...],
        Meta(
            description="usage, selector, matching type of the records: 3 1 1, 3 1 2, 3 0 1, 3 0 2 and, beside one of these, "
            "2 1 1, 2 1 2, 2 0 1, 2 0 2; the same in all lineages with records at one name",
            examples=[["3 1 1"]],
        ),
    ] = ("3 1 1",)
    issuer: Annotated[
        str | None,
        Meta(
            description='who makes its certificates: an [issuer.NAME] section, or "self-signed"; without it a hook brings them',
            examples=["letsencrypt"],
        ),
    ] = None
    names: Annotated[
        tuple[str, ...],
        Meta(description="names in its certificates besides the hosts of the services", examples=[["example.org"]]),
    ] = ()
    next_key: Annotated[
        bool | None,
        Meta(
            description="publish a next key beside the current one, weeks ahead: its renewal need not wait, and a stolen key "
            "is replaced at once; without it: where keys are taken from this program (by an issuer, or a client that asks)",
            examples=[True],
        ),
    ] = None
    reuse_key: Annotated[bool, Meta(description="renewals keep the key, until it is due or somebody says so")] = False
    key_lifetime: Annotated[
        Duration | None,
        Meta(
            description="renewals keep the key for so long, then it is replaced; without it at every renewal, with reuse-key "
            "only when told",
            examples=["180d"],
        ),
    ] = None
    key_type: Annotated[
        Literal["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"] | None,
        Meta(
            description="type of the keys that are made here; without it that of the key in service, else ecdsa-p256",
            examples=["ecdsa-p256"],
        ),
    ] = None
    accept_key_type: Annotated[
        tuple[Literal["RSA", "ECDSA"], ...],
        Meta(description="kinds of key to which a renewal may change without asking", examples=[["ECDSA"]]),
    ] = ()
    watch: Annotated[
        WatchTable | UnsetType,
        Meta(
            description="files that a client without hooks rewrites, a table",
            examples=[{"certificate": "/var/lib/caddy/mx.example.org.crt", "key": "/var/lib/caddy/mx.example.org.key"}],
        ),
    ] = UNSET
    leaving: Annotated[bool, Meta(description="give the lineage up: its records go when nothing presents its key any more")] = (
        False
    )
    timing: Annotated[Timing | UnsetType, Meta(description="overrides of [timing]")] = UNSET
