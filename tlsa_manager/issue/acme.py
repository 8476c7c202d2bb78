"""ACME (RFC 8555) on the `acme` package: Let's Encrypt and every other authority that speaks it.

Not here, because nothing needs it: changing the account's key, closing an account, revoking, choosing among several chains.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from typing import TYPE_CHECKING

from tlsa_manager.errors import ConfigError, IssueError
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlsa_manager.issue import Advice, Diary, Prover, Wish
    from tlsa_manager.issue.account import Holder
    from tlsa_manager.issue.authority import Authority
    from tlsa_manager.issue.keeping import Keeping
    from tlsa_manager.issue.responder import Listener, Webroot
    from tlsa_manager.option import Settings
    from tlsa_manager.order import Order

OPTIONS = (
    Option(
        "directory", "str", "the authority's directory", required=True, example="https://acme-v02.api.letsencrypt.org/directory",
    ),
    Option(
        "staging", "str", "its directory for rehearsals (--dry-run); known for Let's Encrypt",
        example="https://acme-staging-v02.api.letsencrypt.org/directory",
    ),
    Option(
        "agree-to-terms", "bool", "whether you agree to the authority's terms of service; it makes no account otherwise",
        example=True,
    ),
    Option("contact", "list", "whom the authority may write to: addresses of mail", example=("mailto:postmaster@example.org",)),
    Option(
        "ca-bundle", "file", "certificates (PEM) that vouch for the authority's own server, where the system's do not",
        example="/etc/tlsa-manager/authority.pem",
    ),
    Option(
        "eab-kid", "str", "key identifier of an account that exists at the authority already (external account binding)",
        example="kid-1",
    ),
    Option(
        "eab-key-file", "file", "the key that goes with it, base64url as the authority gave it; readable by its owner only",
        example="/etc/tlsa-manager/eab.key",
    ),
    Option(
        "profile", "str", "the kind of certificate, where the authority offers several; Let's Encrypt: tlsserver, shortlived",
        example="tlsserver",
    ),
    Option("challenge", "str", "how a name is proven: dns-01 (through the lineage's DNS backend) or http-01", default="dns-01"),
    Option("webroot", "file", "http-01: the directory that a web server shows at http://HOST/", example="/var/www/html"),
    Option(
        "listen", "str", "http-01 without a web server: where to listen while it is proven, ADDRESS:PORT; :80 is every address",
        example="[::]:80",
    ),
    Option("timeout", "duration", "how long to wait for each answer of the authority", default="30s"),
)  # fmt: skip

STAGING = {
    "https://acme-v02.api.letsencrypt.org/directory": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})|\*?):([0-9]{1,5})")
_CONTACT = re.compile(r"mailto:[^\s@,?:]{1,64}@[^\s@,?:]{1,253}")  # RFC 8555 §7.3: one address, no header fields


@dataclass(frozen=True, slots=True)
class Acme:
    """An authority that speaks ACME. `directory`: where its accounts are kept. `timeout` in seconds."""

    name: str
    url: str
    staging: str
    trust: str
    timeout: float
    holder: Holder
    profile: str
    web: Webroot | Listener | None
    directory: Path = field(repr=False)

    def obtain(self, wish: Wish, former: Order | None, diary: Diary, prover: Prover) -> bytes:
        """Return a chain for the wish; see Issuer."""
        from tlsa_manager.issue.keeping import Keeping

        needed = former is not None and bool(former.url)
        return self._run(wish, former, diary, prover, Keeping(prover, diary, needed=needed))

    def rehearse(self, wish: Wish, diary: Diary, prover: Prover) -> None:
        """Do all of it at the staging directory, with an account of its own there; see Issuer."""
        if not self.staging:
            msg = f"there is no directory for rehearsals of issuer {self.name}, so nothing was tried"
            raise IssueError(msg, f"set `staging` in [issuer.{self.name}] to the authority's staging directory, if it has one")
        from tlsa_manager.issue.keeping import Clearing

        rehearsal = _Rehearsal(diary)
        staged = replace(self, url=self.staging)
        staged._run(replace(wish, replaces=b""), None, rehearsal, prover, Clearing(prover, rehearsal))  # noqa: SLF001  its own

    def advice(self, certificate: bytes, now: float) -> Advice | None:
        """Ask when a certificate should be renewed; see Issuer."""
        from tlsa_manager.issue import ari
        from tlsa_manager.issue.authority import Authority

        with Authority(self.url, self.trust, self.timeout) as authority:
            return ari.ask(authority, certificate, now)

    def _run(self, wish: Wish, former: Order | None, diary: Diary, prover: Prover, keeping: Keeping) -> bytes:
        """Return a chain for the wish; `keeping`: what becomes of the proofs."""
        from tlsa_manager.issue.account import open_account
        from tlsa_manager.issue.authority import Authority
        from tlsa_manager.issue.errand import Errand, in_order

        wanted = in_order(wish)
        self._provable(wanted)
        with keeping, Authority(self.url, self.trust, self.timeout) as authority:
            self._check_profile(authority)
            open_account(authority, self.directory, self.holder)
            return Errand(authority, wanted, self.profile, self.web, diary, prover, keeping).run(former)

    def _provable(self, wish: Wish) -> None:
        """Refuse before anything is asked what can never be proven (RFC 8555 §8.3 is for no wildcard)."""
        wild = [name for name in wish.names if name.startswith("*.")]
        if self.web is not None and wild:
            msg = f"{', '.join(wild)} cannot be proven over HTTP, so no certificate was asked for"
            raise IssueError(msg, f'set challenge = "dns-01" in [issuer.{self.name}], or leave the wildcard out')

    def _check_profile(self, authority: Authority) -> None:
        offered = authority.directory.profiles
        if self.profile and self.profile not in offered:
            there = ", ".join(sorted(offered)) or "none"
            msg = f"{authority.host} has no profile {self.profile[:60]!r}, so no certificate was asked for; it offers: {there}"
            raise IssueError(msg, f"correct `profile` in [issuer.{self.name}], or leave it out")


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """A diary that keeps nothing of an order that leads to nothing."""

    real: Diary

    def ordering(self, order: Order) -> None:
        """Keep nothing."""

    def ordered(self, order: Order) -> None:
        """Keep nothing."""

    def ended(self, url: str, reason: str) -> None:
        """Keep nothing."""

    def told(self, text: str) -> None:
        """Say that it is a rehearsal."""
        self.real.told(f"rehearsal: {text}")


def build(name: str, settings: Settings, directory: Path) -> Acme:
    """Make the issuer; `directory`: where accounts are kept. Raises ConfigError. No network."""
    if mistakes := tuple(f"issuer.{name}.{mistake}" for mistake in _mistakes(settings)):
        raise ConfigError("; ".join(mistakes), f"correct section [issuer.{name}] of the configuration", mistakes)
    from tlsa_manager.issue.account import Holder

    url = settings.text("directory")
    contact = tuple(_contact(one) for one in settings.words("contact"))
    holder = Holder(
        f"issuer.{name}", contact, settings.flag("agree-to-terms"), settings.text("eab-kid"), settings.text("eab-key-file")
    )
    return Acme(
        name, url, settings.text("staging") or STAGING.get(url, ""), settings.text("ca-bundle"), settings.seconds("timeout"),
        holder, settings.text("profile"), _web(settings), directory,
    )  # fmt: skip


def _mistakes(settings: Settings) -> Iterator[str]:
    """Yield what options say that does not go together."""
    for word in ("directory", "staging"):
        if settings.text(word) and not _is_url(settings.text(word)):
            yield f"{word}: must be a URL that begins with https:// (RFC 8555 §6.1)"
    for one in settings.words("contact"):
        if _CONTACT.fullmatch(_contact(one)) is None:
            yield f"contact: {one[:60]!r} is not one address of mail, such as mailto:postmaster@example.org"
    if bool(settings.text("eab-kid")) != bool(settings.text("eab-key-file")):
        yield "eab-kid: goes together with eab-key-file; one of them is missing"
    yield from _mistakes_of_proof(settings)
    if settings.seconds("timeout") <= 0:
        yield "timeout: must be more than zero"


def _mistakes_of_proof(settings: Settings) -> Iterator[str]:
    if settings.text("challenge") not in {"dns-01", "http-01"}:
        yield f"challenge: {settings.text('challenge')[:20]!r} is not a way to prove a name; there is dns-01, http-01"
    places = [word for word in ("webroot", "listen") if settings.text(word)]
    if settings.text("challenge") == "http-01" and len(places) != 1:
        both = "has both webroot and listen; take one out: it" if places else "http-01"
        yield f"challenge: {both} needs either webroot (where a web server runs) or listen (where none does)"
    if settings.text("challenge") == "dns-01" and places:
        yield f'{places[0]}: is for challenge = "http-01"'
    if settings.text("listen") and _listener(settings.text("listen")) is None:
        yield f"listen: {settings.text('listen')[:60]!r} is not ADDRESS:PORT, such as [::]:80"


def _is_url(given: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(given)
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and given.isascii() and " " not in given
    except ValueError:
        return False


def _contact(given: str) -> str:
    return given if ":" in given else f"mailto:{given}"


def _web(settings: Settings) -> Webroot | Listener | None:
    if settings.text("challenge") != "http-01":
        return None
    from tlsa_manager.issue.responder import Webroot

    return Webroot(settings.text("webroot")) if settings.text("webroot") else _listener(settings.text("listen"))


def _listener(given: str) -> Listener | None:
    import ipaddress

    from tlsa_manager.issue.responder import Listener

    found = _LISTEN.fullmatch(given)
    if found is None or not 0 < int(found[3]) < 65536:
        return None
    host = found[1] or found[2] or ""
    try:
        return Listener(str(ipaddress.ip_address(host)) if host else "", int(found[3]))
    except ValueError:
        return None
