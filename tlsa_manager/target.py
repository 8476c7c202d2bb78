"""What is to be diagnosed: a mail domain, one service, services behind SRV records, or a configured lineage."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.service import Service, host_name, literal
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection


class Kind(StrEnum):
    """The kinds of targets."""

    DOMAIN = "domain"  # reached over its MX records (RFC 7672 §2.2)
    SERVICE = "service"
    SRV = "srv"  # _imaps._tcp.example.org (RFC 7673)
    LINEAGE = "lineage"


@dataclass(frozen=True, slots=True)
class Target:
    """One target. `name`: the mail domain, the SRV owner, the lineage, or the service as text; all without a final dot."""

    kind: Kind
    name: str
    service: Service | None = None

    def __str__(self) -> str:
        """Return the target as a person names it."""
        return self.name

    @classmethod
    def parse(cls, text: str, lineages: Collection[str] = ()) -> Target:
        """Read DOMAIN, HOST:PORT[/PROTOCOL], _SERVICE._tcp.DOMAIN, or the name of a configured lineage. Raises BadInput.

        A lineage goes before a domain of the same name: who has configured it means it.
        """
        words = text.strip()
        if words in lineages:
            return cls(Kind.LINEAGE, words)
        if address := literal(words.rpartition("@")[2].strip("[]")):
            msg = f"{address} is an address, and DANE needs names: it is no mail domain"
            raise BadInput(msg, f"to look at the server there, name its port: {Service(address, 25, 'smtp')}")
        if ":" in words or "/" in words:
            service = Service.parse(words, bracketed=True)
            return cls(Kind.SERVICE, str(service), service)
        labels = words.split(".")
        if len(labels) > 2 and labels[0].startswith("_") and labels[1].lower() in {"_tcp", "_udp"}:
            if labels[0][1:].isdigit():
                where = f"{'.'.join(labels[2:])}:{labels[0][1:]}"
                raise BadInput(f"{text[:80]!r} is where TLSA records stand", f"to look at that service, write: {where}")
            return cls(Kind.SRV, host_name(words))
        domain = host_name(words.rpartition("@")[2])
        if "." not in domain:
            msg = f"{text[:80]!r} is neither a mail domain nor a service nor a configured lineage"
            raise BadInput(msg, "give a domain such as example.org, or HOST:PORT such as mx.example.org:25")
        return cls(Kind.DOMAIN, domain)
