"""All servers of the demo, in one thread with one event loop; and what each of them has at this moment."""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Self, TypeVar

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.tsig

from tlsa_manager import clock
from tlsa_manager.demo import names
from tlsa_manager.demo.installation import TSIG_NAME
from tlsa_manager.demo.listening import Authority, Ears, listen
from tlsa_manager.demo.mailserver import MailServer
from tlsa_manager.demo.resolver import Resolver
from tlsa_manager.demo.zone import SignedZone, records, values
from tlsa_manager.errors import NotYet, TlsaManagerError
from tlsa_manager.observe.anchor import parse_anchor
from tlsa_manager.observe.ask import Place
from tlsa_manager.observe.chain_of_trust import trusted
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from dns.zone import Zone

    from tlsa_manager.tlsa import RRset

_OWNER = dns.name.from_text(names.OWNER)
_TLSA = dns.rdatatype.from_text("TLSA")
_TRIES = 20
_PATIENCE = 5.0  # seconds
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Copying:
    """A version of the zone on its way to the secondary, and when it arrives (monotonic)."""

    zone: Zone
    at: float


class World:
    """A root, a primary, a secondary that lags behind, two resolvers, and a mail server. Use it in `with`.

    `file`: the mail server's certificate, which must be there. Raises TlsaManagerError when loopback has not what is needed.
    """

    def __init__(self, file: Path) -> None:
        origin = dns.name.from_text(names.DOMAIN)
        self.zone = SignedZone(names.MAIL_ZONE, origin)
        self._root_zone = SignedZone(names.ROOT_ZONE, dns.name.root, children={origin: self.zone.ds})
        self.anchor = self._root_zone.ds.to_text()
        self.tsig_secret = secrets.token_bytes(32)
        key = dns.tsig.Key(TSIG_NAME, self.tsig_secret, "hmac-sha256")
        self.primary = Authority(self.zone.signed, master=self.zone, keys=(key,))
        self.primary.changed = self._changed
        self.secondary = Authority(self.zone.signed)
        self.mail = MailServer(file)
        self.lag = 0.0
        self._copying: tuple[Copying, ...] = ()
        self._ears: list[Ears] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_note)  # such as a sender that hangs up
        self._thread = Thread(target=self._loop.run_forever, name="world", daemon=True)

    def __enter__(self) -> Self:
        """Start all servers."""
        self._thread.start()
        try:
            self.dns_port = self._wait(self._open())
            self.mail_port = self._wait(self.mail.open(names.MAIL_ADDRESS))
            self._greet()
        except OSError as error:
            self.__exit__()
            raise _explained(error) from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all servers, and free their ports."""
        with suppress(TimeoutError):
            self._wait(self._close(), 3.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(3.0)
        if not self._thread.is_alive():
            self._loop.close()

    @property
    def sender_resolver(self) -> Place:
        """Where the sender asks."""
        return Place(names.FAR_RESOLVER_ADDRESS, self.dns_port)

    def forget(self) -> None:
        """Empty the sender's cache: a new day."""
        self.far.forget()

    def at_primary(self) -> RRset:
        """Return the records that the primary has."""
        return records(self.primary.zone, _OWNER)

    def at_secondary(self) -> tuple[RRset, float | None]:
        """Return the records that the secondary has, and in how many seconds the next ones arrive."""
        coming = [one.at for one in self._copying]
        return records(self.secondary.zone, _OWNER), max(0.0, coming[0] - clock.monotonic()) if coming else None

    def in_cache(self) -> tuple[RRset, float] | None:
        """Return the records in the sender's cache, and for how many seconds they stay; None: it has forgotten them."""
        kept = self.far.kept(_OWNER, _TLSA)
        if kept is None:
            return None
        found = [rdata for rrset in kept.answer if rrset.rdtype == _TLSA for rdata in rrset]
        return values(found), kept.ends - clock.monotonic()

    def _changed(self) -> None:
        """Send the secondary what the primary has, slowly."""
        copying = Copying(self.primary.zone, clock.monotonic() + self.lag)
        self._copying = (*self._copying, copying)
        self._loop.call_later(self.lag, self._copied, copying)

    def _copied(self, copying: Copying) -> None:
        self.secondary.zone = copying.zone
        self._copying = tuple(one for one in self._copying if one is not copying)

    def _greet(self) -> None:
        """Ask one server: loopback may be there and lead nowhere. Raises OSError."""
        try:
            dns.query.udp(dns.message.make_query(".", "SOA"), names.ROOT_ADDRESS, _PATIENCE, self.dns_port)
        except dns.exception.Timeout:
            raise OSError(errno.ETIMEDOUT, "what is sent to it does not arrive") from None

    async def _open(self) -> int:
        """Open all DNS servers at a port that is free at every address; return it."""
        for _ in range(_TRIES):
            port = 10240 + secrets.randbelow(20000)
            root = Place(names.ROOT_ADDRESS, port)
            anchor = trusted(dns.name.root, parse_anchor(f". IN DS {self.anchor}", "the demo")[dns.name.root])
            near, self.far = Resolver(root, anchor), Resolver(root, anchor)
            handlers = {
                names.ROOT_ADDRESS: Authority(self._root_zone.signed).handle,
                names.PRIMARY_ADDRESS: self.primary.handle,
                names.SECONDARY_ADDRESS: self.secondary.handle,
                names.RESOLVER_ADDRESS: near.handle,
                names.FAR_RESOLVER_ADDRESS: self.far.handle,
            }
            try:
                for address, handler in handlers.items():
                    self._ears.append(await listen(address, port, handler))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                await self._close()
            else:
                return port
        raise NotYet("no port is free at all of the demo's addresses", "try again")

    async def _close(self) -> None:
        for ears in self._ears:
            ears.close()
        self._ears.clear()
        self.mail.close()
        mine = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    def _wait(self, work: Coroutine[None, None, _Result], timeout: float = 10.0) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)


def _note(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Leave what a connection ended with to the log."""
    logging.getLogger(__name__).debug("%s: %r", context.get("message"), context.get("exception"))


def _explained(error: OSError) -> TlsaManagerError:
    """Say what is missing in this machine."""
    if error.errno == errno.EADDRNOTAVAIL:
        used = [value for name, value in vars(names).items() if name.endswith("_ADDRESS")]
        return TlsaManagerError(
            f"the demo's servers need addresses of loopback of their own, and this machine has not got them ({', '.join(used)})",
            f"Linux has all of 127.0.0.0/8; elsewhere, for each of them: sudo ifconfig lo0 alias {used[0]}",
        )
    what = f"the demo's servers could not be started: {error.strerror or error}"
    return TlsaManagerError(what, "is loopback up? see: ip addr show lo")
