"""Dynamic update (RFC 2136) at the primary: BIND, Knot, PowerDNS and others. One transaction, compared by the server.

Every exchange is signed with TSIG and goes over TCP. An update carries as prerequisites that the name is no alias and that
the TLSA set is exactly the expected one; after NOERROR the set is read again, because NOERROR is not proof (§3.4.2.2).
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from tlsa_manager.errors import PublishError
from tlsa_manager.option import Option, mistake, patience
from tlsa_manager.publish import Ticket, inside
from tlsa_manager.publish.rfc2136 import key as tsig
from tlsa_manager.publish.rfc2136 import refusals
from tlsa_manager.snapshot import Held
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    import dns.message

    from tlsa_manager.option import Settings
    from tlsa_manager.publish import Change, Text
    from tlsa_manager.publish.rfc2136.wire import Reply

OPTIONS = (
    Option(
        "server", "str", "the primary of the zone, by address (or name); another port as address#port",
        required=True, example="192.0.2.53",
    ),
    Option("port", "int", "TCP port of the server, where `server` names none", default=53),
    Option(
        "tsig-key-file", "file", "the TSIG key, as tsig-keygen writes it; readable by its owner only",
        required=True, example="/etc/tlsa-manager/tsig.key",
    ),
    Option("zone", "str", "the zone to update; found by asking the server when left out", example="example.org"),
    patience("how long to wait for each answer of the server", "10s"),
)  # fmt: skip

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")


@dataclass(frozen=True, slots=True)
class Server:
    """Where updates go. `timeout` in seconds, for one question and its answer."""

    host: str
    port: int
    timeout: float

    def __str__(self) -> str:
        """Return the address, with the port where it is not 53."""
        return self.host if self.port == 53 else f"{self.host}#{self.port}"


@dataclass(frozen=True, slots=True)
class Rfc2136:
    """The primary of one or more zones, and the key it knows us by. `zone`: absolute, or empty to ask the server."""

    name: str
    server: Server
    key: tsig.TsigKey
    zone: str = ""

    def read(self, target: str) -> Held:
        """Ask the primary, over TCP and signed, so that it answers from the view that it updates."""
        try:
            return self._look(target)
        except PublishError as error:
            return Held(target, None, reason=error.message, failed=True)

    def change(self, change: Change) -> Ticket:
        """Write in one transaction: all of it or nothing, compared by the server with `expect` in the same moment."""
        from tlsa_manager.publish.rfc2136 import wire  # dnspython is slow to import

        self._inside(change.target)
        held = self._look(change.target)
        records = held.records or frozenset()
        if change.stands_in(records):
            return Ticket("done", f"{change.target} is so already at {self.server}")
        change.compare(records)
        zone = self._zone(change.target)
        self._send(wire.update(change, zone, held.ttl if records else change.ttl), change.target, zone, "TLSA")
        if not change.stands_in(self._look(change.target).records or frozenset()):
            raise self._not_applied(change.target, "records are not as they should be")
        return Ticket("done", f"{change.target} changed at {self.server} in zone {zone}")

    def text(self, text: Text) -> Ticket:
        """Write one record in one transaction; then read the name again."""
        from tlsa_manager.publish.rfc2136 import wire  # dnspython is slow to import

        self._inside(text.target)
        reply = self._ask(text.target, "TXT", "TXT")
        if not text.present and reply.alias() and reply.authoritative:
            return Ticket("done", f"{text.target} is an alias at {self.server}: no TXT record can stand there")
        self._own(reply, text.target)
        standing, ttl = reply.texts(text.target)
        if text.present and text.fits(standing):
            return Ticket("done", f"the TXT record stands at {text.target} at {self.server} already")
        if text.present and (wildcard := reply.eclipsed(text.target)):
            raise self._eclipsing(text.target, wildcard)
        # A removal is sent in any case: what a process that was killed has asked for may still be on its way.
        zone = self._zone(text.target, "TXT")
        self._send(wire.update_text(text, zone, ttl or text.ttl), text.target, zone, "TXT")
        if not text.fits(self._ask(text.target, "TXT", "TXT").texts(text.target)[0]):
            raise self._not_applied(text.target, "TXT record is not as it should be")
        return Ticket("done", f"TXT record {'added at' if text.present else 'removed from'} {text.target} at {self.server}")

    def _look(self, target: str) -> Held:
        """Read the set at the target. Raises PublishError where it cannot be told, or cannot be written."""
        reply = self._ask(target, "TLSA")
        self._own(reply, target)
        if wildcard := reply.wildcard(target):
            raise PublishError(
                f"{target} does not exist at {self.server}, the wildcard {wildcard} answers for it: "
                "a record written there would hide the wildcard's records from senders at once",
                f"write the records of {wildcard} at {target} as well, by hand, then run again",
            )
        records, ttl = reply.tlsa(target)
        return Held(target, records, ttl)

    def _not_applied(self, target: str, what: str) -> PublishError:
        return PublishError(
            f"{self.server} accepted the update of {target} (NOERROR), but the {what}",
            "does `server` name the primary itself? A secondary that forwards updates, or a second program that manages "
            "the same records, looks like this",
        )

    def _own(self, reply: Reply, target: str) -> None:
        """Raise PublishError where records at the target would not be this server's, or would be ignored."""
        if reply.alias():
            raise PublishError(
                f"{target} is an alias (it leads to {reply.alias()}) at {self.server}, where records beside it would be ignored",
                "remove the alias, or let it be found by the name servers that the world asks: "
                "then the records go where it leads",
            )
        self._authoritative(reply, target)

    def _eclipsing(self, target: str, wildcard: str) -> PublishError:
        host = target.partition(".")[2]
        return PublishError(
            f"{host} does not exist at {self.server}, the wildcard {wildcard} answers for it: "
            f"a TXT record at {target} would take from it all that it has from the wildcard, its addresses too",
            f"write the records of {wildcard} at {host} as well, by hand, then run again",
        )

    def _inside(self, target: str) -> None:
        """Refuse what is not in the configured zone, before anybody is asked."""
        if self.zone and not inside(target, self.zone):
            raise PublishError(
                f"{target} is not inside zone {self.zone}, which is all that backend {self.name} updates",
                f"give the lineage another backend, or correct dns.{self.name}.zone",
            )

    def _zone(self, target: str, kind: str = "TLSA") -> str:
        """Return the zone the target lies in: as configured, or the owner of the SOA that the server sends for it."""
        if self.zone:
            return self.zone
        reply = self._ask(target, "SOA", kind)
        self._authoritative(reply, target)
        zone = reply.soa()
        if not zone or not inside(target, zone):
            raise PublishError(
                f"{self.server} does not tell in which of its zones {target} lies",
                f"set dns.{self.name}.zone; is the name an alias?",
            )
        return zone

    def _authoritative(self, reply: Reply, target: str) -> None:
        if cut := reply.delegated():
            raise PublishError(
                f"{self.server} has delegated {cut} to other servers, so it is not the primary for {target}",
                f"name the primary of {cut} in dns.{self.name}.server",
            )
        if not reply.authoritative:
            raise PublishError(
                f"{self.server} answers for {target} without authority: it is a resolver, or not a server of that zone",
                f"name the primary of the zone in dns.{self.name}.server",
            )

    def _ask(self, target: str, asked: str, kind: str = "TLSA") -> Reply:
        """Ask for the type `asked`, on behalf of records of the type `kind`."""
        from tlsa_manager.publish.rfc2136 import wire  # dnspython is slow to import

        place = refusals.Place(str(self.server), self.key.name, target, self.zone, kind=kind)
        reply = wire.ask(wire.question(target, asked), self.server, self.key, place)
        if reply.rcode not in {"NOERROR", "NXDOMAIN"}:
            raise refusals.rcode(reply.rcode, place, signed=True)
        return reply

    def _send(self, message: dns.message.Message, target: str, zone: str, kind: str) -> None:
        from tlsa_manager.publish.rfc2136 import wire

        place = refusals.Place(str(self.server), self.key.name, target, zone, update=True, kind=kind)
        reply = wire.ask(message, self.server, self.key, place)
        if reply.rcode != "NOERROR":
            raise refusals.rcode(reply.rcode, place, signed=True)


def build(name: str, settings: Settings) -> Rfc2136:
    """Make the backend: the key file is read and checked here. Raises ConfigError."""
    section = settings.section
    server = _server(settings)
    zone = settings.text("zone").lower()
    if zone and _HOST.fullmatch(zone.rstrip(".") or "root") is None:
        raise mistake(f"{section}.zone", f"{zone[:60]!r} is not a zone name", "for example example.org")
    key = tsig.load(settings.text("tsig-key-file"), f"{section}.tsig-key-file")
    return Rfc2136(name, server, key, zone.rstrip(".") + "." if zone else "")


def _server(settings: Settings) -> Server:
    host, hash_sign, port_text = settings.text("server").partition("#")
    port = settings.number("port")
    if hash_sign:
        port = int(port_text) if port_text.isascii() and port_text.isdigit() and len(port_text) < 6 else 0
    if not 0 < port < 65536:
        raise mistake(f"{settings.section}.server", "the port is not a number from 1 to 65535", "for example 192.0.2.53#53")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if _HOST.fullmatch(host) is None or host.replace(".", "").isdigit():
            message = f"{host[:60]!r} is neither an address nor a name"
            raise mistake(f"{settings.section}.server", message, "for example 192.0.2.53 or 2001:db8::53#53") from None
    return Server(host, port, settings.seconds("timeout"))
