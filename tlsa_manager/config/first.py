"""A first configuration file, from what is found on the host, with every key explained by its own declaration."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, get_args

import msgspec

from tlsa_manager.config import toml
from tlsa_manager.config.backend import chosen
from tlsa_manager.config.mistake import choices
from tlsa_manager.config.sections import KIND_KEY, declaration
from tlsa_manager.config.tables import DefaultsTable, LineageTable, Timing

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from tlsa_manager.config.found import Found

_WIDTH = 52
_PROSE = 118  # characters a line of a comment
_HEAD = """\
# Configuration of tlsa-manager, begun by `tlsa-manager config init` from what it found on this host.
# Look through it, then try: tlsa-manager config check
# A key behind # has the value shown there unless you change it; what is called an example is not set without you.
# Durations: 500ms, 90s, 10m, 2h, 7d.
"""


def first_file(found: Found) -> str:
    """Return the text of a configuration. It is valid; what was not found on the host is an example, and says so."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Found) -> Iterator[str]:
    yield _HEAD
    yield "[defaults]"
    yield from _fixed(DefaultsTable, _defaults(found))
    yield "\n[timing]"
    yield from _fixed(Timing, {})
    yield from _dns(found)
    yield from _issuer(found)
    names = _names(found)
    for number, name in enumerate(names):
        last = "" if number == 0 else f"-{number + 1}"
        consumers = [f"{one.kind}{last}" for one in found.mail_servers]
        if found.postfix or not found.mail_servers:
            yield from _postfix(found, f"postfix{last}", name, found.chain_file if number == 0 else "")
            consumers.insert(0, f"postfix{last}")
        for one in found.mail_servers:
            yield f"\n[consumer.{one.kind}{last}]"
            file = one.file if number == 0 else ""
            yield from _section("consumer", one.kind, {"file": file or f"{one.directory}/{name}.pem"})
        yield from _lineage(found, name, consumers)


def _defaults(found: Found) -> dict[str, object]:
    given: dict[str, object] = {"resolver": list(found.resolvers)}
    return given | ({"trust-anchor": found.trust_anchor} if found.trust_anchor else {})


def _dns(found: Found) -> Iterator[str]:
    """The backend, with why it is this one: what DNS will say of it later counts, and this is only where to begin."""
    choice = chosen(found)
    yield ""
    yield from (f"# {line}" for sentence in choice.why for line in wrap(sentence, _PROSE))
    yield "[dns.primary]"
    yield from _section("dns", choice.kind, choice.given)


def _issuer(found: Found) -> Iterator[str]:
    """The other way to certificates, commented out: without a word an ACME client brings them."""
    yield "\n# Certificates, two ways: an ACME client gets them, and its hook hands them over (docs/clients.md); or tlsa-manager"
    yield "# orders them itself, for a key published ahead (docs/issue.md): take one # off these lines, and off `issuer` below."
    given = {"agree-to-terms": True, "contact": [f"mailto:postmaster@{found.host.partition('.')[2]}"]}
    yield from (f"# {line}" for line in ("[issuer.letsencrypt]", *_section("issuer", "acme", given)))


def _names(found: Found) -> tuple[str, ...]:
    """Return the certificates of the mail host; where none is called so, all, for a person to choose from."""
    mail = tuple(name for name in found.lineages if name == found.host or name.startswith(f"{found.host}-"))
    return mail or found.lineages or (found.host,)


def _postfix(found: Found, consumer: str, name: str, file: str) -> Iterator[str]:
    directory = found.postfix or "/etc/postfix"
    if not found.postfix:
        yield "\n# Postfix was not found on this host: this is an example."
    yield f"\n[consumer.{consumer}]"
    given = {"file": file or f"{directory}/tls/{name}.pem", "config-directory": directory}
    yield from _section("consumer", "postfix", given)


def _lineage(found: Found, name: str, consumers: list[str]) -> Iterator[str]:
    host = found.host if name.startswith(found.host) or "." not in name else name
    ports = sorted({*found.ports, *(port for one in found.mail_servers for port in one.ports)})
    services = [f"{host}:{port}" for port in ports]
    yield f"\n[lineage.{toml.key(name)}]"
    yield _line("services", services, "what presents the certificate: look whether these are all")
    yield _line("dns", "primary", "the [dns.NAME] that changes the zone of the services")
    yield _line("consumers", consumers, "the [consumer.NAME] that are given the certificate")
    yield from _fixed(LineageTable, {"next-key": True}, besides={"services", "dns", "consumers", "timing"})


def _fixed(shape: type[msgspec.Struct], given: Mapping[str, object], besides: Container[str] = ()) -> Iterator[str]:
    """Write a fixed table: what is given, and the rest commented out with its default; nothing of what stands there already."""
    for field in msgspec.structs.fields(shape):
        if field.encode_name in besides:
            continue
        meta = get_args(field.type)[-1]
        shown, note = given.get(field.encode_name, field.default), meta.description or ""
        if words := choices(field.type):
            note += f"; there is {', '.join(words)}"
        if shown in (None, (), msgspec.UNSET):
            shown, note = meta.examples[0], f"an example: {note}"
        yield _line(("" if field.encode_name in given else "# ") + field.encode_name, shown, note)


def _section(name: str, kind: str, given: Mapping[str, object]) -> Iterator[str]:
    yield _line(KIND_KEY[name], kind, "")
    for option in declaration(name, kind).values():
        if option.name in given or option.required:
            yield _line(option.name, given.get(option.name, option.example or f"your {option.name}"), option.help)
            continue
        if option.default not in (None, ()):
            yield _line("# " + option.name, option.default, option.help)
        elif option.example is not None:
            yield _line("# " + option.name, option.example, f"an example: {option.help}")


def _line(key: str, shown: object, note: str) -> str:
    text = f"{key} = {toml.value(shown)}"
    return f"{text:<{_WIDTH}}  # {note}" if note else text
