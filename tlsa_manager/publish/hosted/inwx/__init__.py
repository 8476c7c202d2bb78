"""INWX: single records over JSON-RPC (https://www.inwx.de/en/help/apidoc/f/ch02s15.html), in a session that begins with a login.

There is no compare-and-swap; single records are created and deleted, so what others write survives. An answer has HTTP status 200
whatever it says; its `code` tells, with the numbers of EPP (RFC 5730 §3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.errors import PublishError
from tlsa_manager.option import Option, mistake
from tlsa_manager.publish.hosted import Zone, hosted_options, parents, zone_option
from tlsa_manager.publish.hosted.api import Api, UnclearError, address
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.publish.hosted.inwx.session import Session, secret_key
from tlsa_manager.publish.hosted.singles import Single, standing_of
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind, Standing

SERVERS = (".inwx.de.", ".inwx.eu.", ".inwx.com.", ".inwx.net.", ".inwx.ch.")
OPTIONS = (
    Option("user", "str", "the name of the account, best a sub-account that may change nothing but DNS", required=True),
    *secret_options("password", "its password"),
    *secret_options("totp-secret", "the shared secret of its two-factor authentication, where that is on"),
    *hosted_options("INWX", "https://api.domrobot.com/jsonrpc"),
)
LEAST_TTL = 300
_POWER = "can change the DNS records of the mail servers, and what else the account may"
_ACCESS = (
    "are name and password right, and may this (sub-)account manage the zone's DNS? With two-factor authentication"
    " totp-secret is needed: docs/backends/inwx.md"
)
_EXISTS, _ABSENT, _NOT_YOURS = 2302, 2303, 2201


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    password = secret_of(settings, "password", _POWER)
    totp = secret_of(settings, "totp-secret", _POWER, required=False)
    try:
        key = secret_key(totp)
    except ValueError:
        where, what = f"{settings.section}.totp-secret", "what stands there is not a shared secret in base32 (A-Z, 2-7)"
        raise mistake(where, what, "take the text that INWX shows beside the QR code") from None
    api = Api("INWX", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS, secrets=(password, totp))
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Inwx(Session(api, settings.text("user"), password, key), zone), zone)


@dataclass(frozen=True, slots=True)
class Inwx:
    """An account."""

    session: Session
    only: str = ""
    title: str = "INWX"

    def zone_of(self, name: str) -> Zone | None:
        """Ask for each name above, the longest first, whether it is a zone here."""
        for candidate in parents(name, self.only):
            answer = self.session.call("nameserver.info", {"domain": candidate.rstrip("."), "type": "SOA"})
            if answer["code"] not in {_ABSENT, _NOT_YOURS}:
                self._accept(answer, f"to tell whether {candidate} is a zone")
                return Zone(candidate, candidate.rstrip("."), LEAST_TTL)
        return None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read the records of one name, of all types: a CNAME among them means that it is an alias."""
        answer = self.session.call("nameserver.info", {"domain": zone.id, "name": name.rstrip(".")})
        self._accept(answer, f"to read {name}")
        return standing_of(
            [
                Single(f"{one['name']}.", one["type"], one["content"], int(one["ttl"]), int(one["id"]))
                for one in answer["resData"].get("record", [])  # it is left out where there is none
            ],
            name, kind,
        )  # fmt: skip

    def write(self, edit: Edit) -> str:
        """Create, or delete by number, one record after the other. What exists already, or no more, is as it should be."""
        record = {"domain": edit.zone.id, "name": edit.name.rstrip("."), "type": edit.kind, "ttl": edit.ttl}
        for value in edit.add:
            answer = self.session.call("nameserver.createRecord", {**record, "content": value})
            self._accept(answer, f"the change of {edit.name}", _EXISTS)
        for one in edit.remove:
            answer = self.session.call("nameserver.deleteRecord", {"id": one.raw})
            self._accept(answer, f"the change of {edit.name}", _ABSENT)
        return ""

    def _accept(self, answer: dict[str, Any], act: str, *also: int) -> None:
        """Raise PublishError, or UnclearError where INWX itself has failed, unless the code is a success or one of `also`."""
        code = answer["code"]
        if 1000 <= code < 2000 or code in also:
            return
        said = self.session.said(answer)
        if code in {2400, 2500}:  # RFC 5730 §3: command failed
            hint = "tried again by itself; if it stays so, look at its status page"
            raise UnclearError(f"INWX has trouble of its own: {said}", hint)
        if 2200 <= code < 2300:
            raise self.session.api.shut(said)
        raise PublishError(f"INWX refused {act}: {said}; nothing was changed", "its own words say what it wants")
