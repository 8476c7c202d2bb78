"""The states of DNSSEC, and the causes of everything short of secure."""

from __future__ import annotations

from enum import StrEnum


class Security(StrEnum):
    """The four states of RFC 4033 §5."""

    SECURE = "secure"
    INSECURE = "insecure"
    BOGUS = "bogus"
    INDETERMINATE = "indeterminate"


class Cause(StrEnum):
    """Why an answer is not known or not secure, in one word for machines; the `reason` beside it says it to people."""

    NONE = ""
    # not known
    SILENT = "silent"  # nothing came back in time
    GONE = "gone"  # nobody is there: refused, no route, connection closed
    CUT_OFF = "cut-off"  # too long for UDP, and over TCP it cannot be had
    GARBAGE = "garbage"  # what came back cannot be read, or answers something else
    RCODE = "rcode"  # SERVFAIL, REFUSED, NOTIMP ...
    MANY = "many"  # more records of one type than resolvers take
    EDNS = "edns"  # the server does not take EDNS: FORMERR or BADVERS
    LAME = "lame"  # the server is not authoritative for it
    EMPTY = "empty"  # an answer that denies nothing (no SOA, RFC 2308 §2)
    LOOP = "loop"  # aliases go round in a circle, or never end
    LOST = "lost"  # it is not known who serves it
    # insecure
    NO_DS = "no-ds"  # the parent proves that there is no DS record
    OLD_ALGORITHM = "old-algorithm"  # only algorithms or DS digests that no longer count (RFC 9904, RFC 9905)
    OPT_OUT = "opt-out"  # NSEC3 opt-out leaves it out (RFC 5155 §6)
    NSEC3_PARAMETERS = "nsec3-parameters"  # too many iterations (RFC 9276 §3.2)
    # bogus
    DS_MISMATCH = "ds-mismatch"  # no key fits the DS records
    ANCHOR = "anchor"  # no key fits our own trust anchor: it is out of date, or this is another DNS; others may validate well
    NO_DNSKEY = "no-dnskey"  # the parent has DS, the zone has no keys
    SIGNATURE_MISSING = "signature-missing"
    SIGNATURE_EXPIRED = "signature-expired"
    SIGNATURE_FUTURE = "signature-future"
    SIGNATURE_BAD = "signature-bad"  # does not fit the data
    SIGNATURE_STRANGE = "signature-strange"  # by another zone, or with an algorithm that does not count
    KEY_GONE = "key-gone"  # made with a key that is not among the zone's
    DENIAL_MISSING = "denial-missing"  # an absence without NSEC or NSEC3
    DENIAL_UNPROVEN = "denial-unproven"  # an absence whose proof does not prove it (indeterminate)
    # insecure or not known, on the word of the resolver alone
    RESOLVER = "resolver"
