"""Issue: who makes certificates for keys of ours. One protocol, one table, one small file an issuer.

The key comes first and is ours: it is kept, and mostly published, before anybody is asked for a certificate. An issuer is
asked for one thing, a chain for that key, and may be asked again after a crash: what was journalled of the order lets it go
on where it stood, so that no order is repeated that is still good (RFC 8555 §7.4).

An issuer reads alone: it declares its options as data (`OPTIONS`) and is made by `build(name, settings, directory)`. Somebody
else's package plugs in by an entry point of the group `tlsa_manager.issuers` that names a module with these two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from tlsa_manager.option import settle
from tlsa_manager.plugin import Kinds
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tlsa_manager.option import Option, Settings
    from tlsa_manager.order import Order

ENTRY_POINTS = "tlsa_manager.issuers"
KINDS = {"acme": "tlsa_manager.issue.acme"}
SELF_SIGNED = "self-signed"  # needs no section: the key signs for itself


@dataclass(frozen=True, slots=True)
class Wish:
    """A certificate that is wanted. `request`: PKCS #10, PEM, signed with the key. `key`: the id under which the key is kept.

    `replaces`: the certificate (PEM) that this one takes the place of, for ARI (RFC 9773 §5), or empty.
    """

    names: tuple[str, ...]
    request: bytes
    key: str
    replaces: bytes = b""


@dataclass(frozen=True, slots=True)
class Advice:
    """When an authority wants a certificate renewed: a window (RFC 9773 §4.2), seconds since 1970, and when to ask again."""

    start: float
    end: float
    ask_again: float
    explanation: str = ""


class Diary(Protocol):
    """What an issuer writes down before and after each act; each line is on the disk when the call returns."""

    def ordering(self, order: Order) -> None:
        """About to ask for a certificate; `order.url` is empty."""

    def ordered(self, order: Order) -> None:
        """The authority has named the order."""

    def ended(self, url: str, reason: str) -> None:
        """The order leads to nothing any more. A certificate that was made is not said here: it is in the store first.

        `url` is empty for an order that was about to be asked for, and whose URL never came.
        """

    def told(self, text: str) -> None:
        """Tell a person what is being done, in a sentence."""


class Prover(Protocol):
    """Who puts TXT records into DNS for dns-01 (RFC 8555 §8.4)."""

    def show(self, records: Mapping[str, tuple[str, ...]]) -> None:
        """Add these values by name (`_acme-challenge.mx.example.org.`, as the authority asks for it, before aliases).

        Returns when every authoritative server answers all of them; those of other values that were shown before are removed.
        Asked for the same again it goes on. Raises PublishError, PublishTemporary (not everywhere yet), IssueTemporary.
        """

    def take_away(self) -> None:
        """Remove everything that was shown and is still there, also what an earlier process left. Raises as `show` does."""


class Issuer(Protocol):
    """Who makes certificates."""

    @property
    def name(self) -> str:
        """The section of the configuration: `letsencrypt` of `[issuer.letsencrypt]`."""

    def obtain(self, wish: Wish, former: Order | None, diary: Diary, prover: Prover) -> bytes:
        """Return a chain for the wish, leaf first, PEM.

        `former`: the order that the diary says was begun for the same key and names and has not ended; it is gone on with if it
        is still good, else `diary.ended` says why not and a new one is made. Raises IssueTemporary (try again, with `until` if
        the authority named a moment), IssueError (somebody has to do something first), ConfigError (a file that the options
        name), StateError (the account cannot be kept), and what `prover.show` raises.

        `prover.take_away` is called however it ends, and what that raises is told in the diary; but where a temporary error
        leaves an order whose names are not proven yet, what was shown stays, for the next call goes on with both.
        """

    def rehearse(self, wish: Wish, diary: Diary, prover: Prover) -> None:
        """Do all of it at the authority's staging directory, and throw the certificate away. Raises as `obtain` does.

        `prover.take_away` is called however it ends.
        """

    def advice(self, certificate: bytes, now: float) -> Advice | None:
        """Ask when a certificate (PEM) should be renewed; None where the authority does not say. Raises IssueTemporary."""


class _Module(Protocol):
    """What a module of an issuer offers."""

    OPTIONS: tuple[Option, ...]

    def build(self, name: str, settings: Settings, directory: Path) -> Issuer:
        """Make the issuer; `directory`: where its account is kept. Raises ConfigError. No network."""


def open_issuer(name: str, kind: str, options: Mapping[str, object], directory: Path) -> Issuer:
    """Make the issuer of section `[issuer.NAME]` from its options (without `type = KIND`). Raises ConfigError."""
    module = _kind(f"issuer.{name}", kind)
    return module.build(name, settle(f"issuer.{name}", module.OPTIONS, options), directory)


def options_of(kind: str) -> tuple[Option, ...]:
    """Return what the kind of issuer declares. Raises ConfigError when there is no such kind."""
    return _kind("issuer", kind).OPTIONS


def _kind(section: str, kind: str) -> _Module:
    return cast("_Module", Kinds("issuer", "type", ENTRY_POINTS, KINDS).module(section, kind))
