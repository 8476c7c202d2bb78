"""A service: host, port and protocol of something that presents a certificate. `mx.example.org:25`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlsa_manager.errors import BadInput
from tlsa_manager.tlsa import owner_name

# How TLS begins on a port: the word after the slash in HOST:PORT/PROTOCOL. `tls` = TLS from the first byte.
PROTOCOLS = ("smtp", "submission", "lmtp", "imap", "pop3", "sieve", "xmpp-client", "xmpp-server", "tls")
_BY_PORT = {
    24: "lmtp", 25: "smtp", 587: "submission", 2525: "smtp", 143: "imap", 110: "pop3", 4190: "sieve",
    5222: "xmpp-client", 5269: "xmpp-server", 443: "tls", 465: "tls", 853: "tls", 993: "tls", 995: "tls",
    5223: "tls", 5270: "tls",
}  # fmt: skip
_ALIASES = {"smtps": "tls", "imaps": "tls", "pop3s": "tls", "https": "tls", "managesieve": "sieve", "xmpp": "xmpp-client"}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
MAX_NAME = 253


@dataclass(frozen=True, slots=True, order=True)
class Service:
    """One service. `connect`: where to probe it instead of the host's own addresses; `probe`: False = operator vouches."""

    host: str
    port: int
    protocol: str
    connect: tuple[str, ...] = ()
    probe: bool = True

    def __str__(self) -> str:
        """Return `host:port`, with the protocol where the port does not tell it; `[::1]:25` where the host is an IPv6 address."""
        usual = _BY_PORT.get(self.port)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + ("" if self.protocol == usual else f"/{self.protocol}")

    @property
    def owner(self) -> str:
        """The TLSA owner name, before aliases are followed."""
        return owner_name(self.host, self.port)

    @property
    def opportunistic(self) -> bool:
        """Whether RFC 7672 applies: there usages 0 and 1 are unusable (§3.1.3)."""
        return self.protocol == "smtp"

    @classmethod
    def parse(cls, text: str, *, connect: tuple[str, ...] = (), probe: bool = True, bracketed: bool = False) -> Service:
        """Read `HOST:PORT[/PROTOCOL]`; `bracketed`: an IPv6 address in brackets may be the host, too. Raises BadInput."""
        place, _, protocol = text.partition("/")
        host, colon, port_text = place.rpartition(":")
        if not colon or not port_text.isascii() or not port_text.isdigit() or not 0 < int(port_text[:6]) < 65536:
            msg = f"{text[:80]!r} is not a service: HOST:PORT or HOST:PORT/PROTOCOL is needed"
            raise BadInput(msg, "for example mx.example.org:25")
        port = int(port_text)
        protocol = _ALIASES.get(protocol.lower(), protocol.lower()) or _BY_PORT.get(port, "tls")
        if protocol not in PROTOCOLS:
            msg = f"protocol {protocol[:40]!r} of service {text[:80]!r} is unknown"
            raise BadInput(msg, "use one of: " + ", ".join((*PROTOCOLS, *_ALIASES)))
        address = literal(host[1:-1]) if bracketed and host.startswith("[") and host.endswith("]") else ""
        return cls(address or host_name(host), port, protocol, connect, probe)


def literal(text: str) -> str:
    """Return an IPv4 or IPv6 address in its usual form, an empty text for everything else: an address is no name."""
    if ":" not in text and not text[-1:].isdigit():
        return ""
    from ipaddress import ip_address

    try:
        return "" if "%" in text else str(ip_address(text))
    except ValueError:
        return ""


def host_name(text: str) -> str:
    """Return a host name in lower case, as A-labels, without the final dot. Raises BadInput."""
    name = text.strip().rstrip(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            msg = f"{text[:80]!r} is not a valid internationalised host name"
            raise BadInput(msg, "write it in its ASCII form (xn--...)") from None
    name = name.lower()
    if not name or len(name) > MAX_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        msg = f"{text[:80]!r} is not a host name"
        raise BadInput(msg, "use the name that the MX record or the clients use, for example mx.example.org")
    return name
