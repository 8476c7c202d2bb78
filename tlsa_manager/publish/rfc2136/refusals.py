"""What a server's "no" means, in the operator's words, and what to do about it. Pure.

Response codes are those of RFC 1035 §4.1.1 and RFC 2136 §2.2, TSIG errors those of RFC 8945 §3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.errors import PublishError, PublishTemporary
from tlsa_manager.publish import conflict
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Place:
    """What a sentence about an exchange needs to name."""

    server: str
    key: str
    target: str
    zone: str = ""  # empty while it is being looked for
    update: bool = False  # False: it was a question
    kind: str = "TLSA"  # type of the records


def rcode(word: str, place: Place, *, signed: bool) -> PublishError:
    """Return the error for a response code other than NOERROR. `signed`: the refusal itself bears a good TSIG."""
    if place.update and word in _UPDATE:
        return _UPDATE[word](place, "" if signed else " (in an answer that is not signed)")
    if word == "SERVFAIL":
        return _servfail(place, "")
    if word == "NOTAUTH":
        return _not_believed(place)
    what = "the update of" if place.update else "the question for"
    return PublishError(
        f"{place.server} answers {word} to {what} the {place.kind} records of {place.target}",
        _READ_HINTS.get(word, "see the log of that server").format(place=place),
    )


def tsig(word: str, place: Place, skew: float | None = None) -> PublishError:
    """Return the error for a TSIG that failed. `skew`: the server's clock minus ours, in seconds, where it tells."""
    if word == "BADTIME":
        return _bad_time(place, skew)
    message, hint = _NOT_ALLOWED if word == "BADKEY" and place.update else _TSIG.get(word, _TSIG_OTHER)
    return PublishError(message.format(place=place, word=word), hint.format(place=place, access=access(place)))


def access(place: Place) -> str:
    """Return the lines that let the key change just these records, for BIND and Knot; PowerDNS has none so narrow."""
    zone = place.zone.rstrip(".") or "."
    policy = f'of zone "{zone}"' if place.zone else f"of the zone of {place.target}"
    meta = f"    pdnsutil add-meta {zone if place.zone else 'ZONE'}"
    return (
        f"(And the same for each other name of the lineage.) BIND, one more line in the update-policy {policy}:\n"
        f"    grant {place.key} name {place.target} {place.kind};\n"
        f"Knot, in an acl that lets this key update {place.kind} already, one more name in update-owner-name: {place.target}\n"
        "Knot, where there is none yet, this acl, and its id in the list `acl` of the zone:\n"
        f"    acl:\n      - id: {_acl(place)}\n        key: {place.key}\n        action: update\n"
        f"        update-type: [{place.kind}]\n        update-owner: name\n        update-owner-match: equal\n"
        f"        update-owner-name: [{place.target}]\n"
        "PowerDNS, with dnsupdate=yes in pdns.conf (it knows no rules for single names, docs/backends/powerdns.md):\n"
        f"{meta} TSIG-ALLOW-DNSUPDATE {_plain(place.key)}\n{meta} ALLOW-DNSUPDATE-FROM ADDRESS-OF-THIS-HOST/32"
    )


def _acl(place: Place) -> str:
    """An id that the page's own acl does not have."""
    return f"{_plain(place.key)}-{place.kind.lower()}"


def _plain(key: str) -> str:
    return key.rstrip(".")


def _refused(place: Place, unsigned: str) -> PublishError:
    return PublishError(
        f"{place.server} refused the update of {place.target}{unsigned}, so nothing was changed: "
        f"key {place.key} may not change {place.kind} records there, or the zone takes no updates at present",
        "allow it, by the lines for that server; or the zone is frozen (rndc thaw ZONE, knotc zone-thaw ZONE); "
        "or that server is a secondary: name the primary in `server`\n" + access(place),
    )


def _notauth(place: Place, unsigned: str) -> PublishError:
    return PublishError(
        f"{place.server} says that it is not the primary of zone {place.zone}, or that key {place.key} may not update it"
        f"{unsigned}; nothing was changed",
        "name the primary in `server` and the zone as it is written there in `zone`, and allow the key\n" + access(place),
    )


def _notzone(place: Place, _unsigned: str) -> PublishError:
    return PublishError(
        f"{place.server} says that {place.target} is not inside zone {place.zone}; nothing was changed",
        "correct `zone`, or leave it out: then the server is asked",
    )


def _formerr(place: Place, unsigned: str) -> PublishError:
    old = ", or a server too old for TLSA records (BIND needs 9.9)" if place.kind == "TLSA" else ""
    return PublishError(
        f"{place.server} did not understand the update of {place.target}{unsigned}; nothing was changed",
        f"a firewall or proxy that rewrites DNS in between{old}",
    )


def _notimp(place: Place, _unsigned: str) -> PublishError:
    return PublishError(
        f"{place.server} does not take dynamic updates; nothing was changed",
        'NSD never does: use backend = "zonefile"; PowerDNS needs dnsupdate=yes; or name the real primary in `server`',
    )


def _servfail(place: Place, _unsigned: str) -> PublishError:
    what = "make the change at" if place.update else "answer for"
    return PublishTemporary(
        f"{place.server} failed to {what} {place.target} (SERVFAIL): something is wrong on that server",
        "see its log: a journal or zone file it cannot write, a full disk, signing keys it cannot read, an expired secondary",
    )


def _changed(place: Place, _unsigned: str) -> PublishError:
    return conflict(place.target, place.kind)


def _not_believed(place: Place) -> PublishError:
    """Return the error for NOTAUTH to a question: PowerDNS answers so to every TSIG that it does not like."""
    return PublishError(
        f"{place.server} does not accept the signature with TSIG key {place.key} (NOTAUTH), so nothing was changed",
        "compare the key's name, algorithm and secret on both sides (PowerDNS: pdnsutil list-tsig-keys), and both clocks "
        "(date -u); "
        f"PowerDNS also has to allow it: pdnsutil add-meta {place.zone or 'ZONE'} TSIG-ALLOW-DNSUPDATE {_plain(place.key)}",
    )


_UPDATE: dict[str, Callable[[Place, str], PublishError]] = {
    "REFUSED": _refused, "NOTAUTH": _notauth, "NOTZONE": _notzone, "FORMERR": _formerr, "NOTIMP": _notimp,
    "SERVFAIL": _servfail, "NXRRSET": _changed, "YXRRSET": _changed, "NXDOMAIN": _changed, "YXDOMAIN": _changed,
}  # fmt: skip

_READ_HINTS = {
    "REFUSED": "that server does not serve the zone of {place.target}, or does not answer this host and key {place.key} "
    "(BIND: allow-query); name the primary of the zone in `server`",
    "NOTIMP": "that is not an authoritative server for the zone; name the primary in `server`",
    "FORMERR": "a firewall or proxy that rewrites DNS in between, or not a DNS server",
}

_TSIG = {
    "BADSIG": (
        "{place.server} and this host have different secrets for TSIG key {place.key} (BADSIG), so nothing was changed",
        "copy the server's key file here again, whole; the algorithm must be the same too",
    ),
    "BADKEY": (
        (
            "{place.server} does not know TSIG key {place.key} (name and algorithm), or (Knot) no acl of that zone "
            "has it (BADKEY), so nothing was changed"
        ),
        (
            "give the server the same key file, names and algorithms must be equal (BIND: include it in named.conf; Knot: the "
            "section key of knot.conf; then reload); then allow the key to change these records\n{access}"
        ),
    ),
    "BADTRUNC": (
        "{place.server} wants longer TSIG signatures than it got (BADTRUNC), so nothing was changed",
        "something in between shortens them, or the server asks for more than the algorithm gives: use hmac-sha512 on both sides",
    ),
    "UNSIGNED": (
        "{place.server} answered a signed request without a signature: the answer may come from anybody and is not believed",
        "that server does not do TSIG for key {place.key}, or something in between answers in its place",
    ),
    "FORGED": (
        "the signature on the answer of {place.server} is not right: the answer is not believed, and may come from somebody else",
        "compare the key files of both sides; look for something in between that changes DNS answers",
    ),
    "ECHOED": (
        (
            "{place.server} sends our own signature back instead of one of its own: it does not know TSIG, as resolvers do not; "
            "nothing was changed"
        ),
        "is `server` a resolver? (Unbound answers so.) Name the primary of the zone, by the address at which it listens itself",
    ),
}
_NOT_ALLOWED = (  # a question with the same key has just been answered: Knot says BADKEY, and means its acl
    (
        "{place.server} knows TSIG key {place.key}, but its acl does not let it change {place.kind} records of {place.target} "
        "(BADKEY in answer to an update), so nothing was changed"
    ),
    "allow it, by the lines for that server; in Knot's lists names end with a dot\n{access}",
)
_TSIG_OTHER = (
    "{place.server} reports the TSIG error {word} for key {place.key}; nothing was changed",
    "see the log of that server",
)


def _bad_time(place: Place, skew: float | None) -> PublishError:
    if skew is None:
        off = "differ by more than five minutes"
    else:
        off = f"differ by {abs(skew):.0f} seconds ({'this host is behind' if skew > 0 else 'this host is ahead'})"
    return PublishError(
        f"the clocks of {place.server} and of this host {off}, so the server refused (BADTIME) and nothing was changed; "
        "with a wrong clock here the waiting times that protect mail delivery are wrong too",
        "set the clock that is wrong, and keep it right: timedatectl set-ntp true (or chrony); compare with: date -u",
    )
