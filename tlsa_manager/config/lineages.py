"""The `[timing]` and `[lineage."NAME"]` sections as values."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from tlsa_manager.config.duration import seconds
from tlsa_manager.config.mistake import converted, unknown_keys
from tlsa_manager.config.tables import LineageTable, ServiceTable, Timing, WatchTable
from tlsa_manager.errors import BadInput
from tlsa_manager.issue import SELF_SIGNED
from tlsa_manager.lineage import Lineage, lineage_name
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.service import Service, literal
from tlsa_manager.tlsa import DIGEST_BYTES, Params

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tlsa_manager.config.mistake import Mistakes, Place
    from tlsa_manager.policy import Policy

_HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MUST_PASS = {"poll_interval", "check_interval", "confirm_within"}  # zero would be a busy loop, or no chance to confirm
_LONGEST_TTL = 604800  # BIND and Unbound keep nothing longer (max-cache-ttl), and a rollover would take weeks
_LINEAGE_KEYS = {field.encode_name for field in msgspec.structs.fields(LineageTable)}
_SMALLEST_MULTIPLIER, _LARGEST_MULTIPLIER = 1.0, 100.0


def fields(shape: type[msgspec.Struct], table: Mapping[str, object], place: Place, mistakes: Mistakes) -> dict[str, Any]:
    """Convert a table key by key: the keys that are given and right, by the names of the shape; all else is noted."""
    known = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    unknown_keys(table, known, place, mistakes)
    values: dict[str, Any] = {}
    for key, field in known.items():
        if key in table:
            value = converted(table[key], field.type, place.at(key), mistakes)
            if value is not None:
                values[field.name] = value
        elif field.required:
            mistakes.add(place.at(key), "is missing")
    return values


def policy(table: Mapping[str, object], base: Policy, place: Place, mistakes: Mistakes) -> Policy:
    """Return the timing of `base` with what this table overrides."""
    changes: dict[str, Any] = {}
    for name, value in fields(Timing, table, place, mistakes).items():
        at = place.at(name.replace("_", "-"))
        try:
            changes[name] = _timing(name, value)
        except BadInput as error:
            mistakes.add(at, error.message, error.hint)
    return replace(base, **changes)


def lineage(
    name: str, table: Mapping[str, object], base: Policy, place: Place, mistakes: Mistakes, *, base_directory: Path
) -> Lineage | None:
    """One lineage, or None where too much is wrong to make a value of it. `base_directory`: of relative files."""
    try:
        lineage_name(name)
    except BadInput as error:
        mistakes.add(place, error.message, error.hint)
    if (meant := _unquoted(name, table)) != name:
        mistakes.add(place, "is no lineage", f'a name with dots needs quotes: [lineage."{meant}"]')
        return None
    timing = table.get("timing", {})
    own = policy(timing, base, place.at("timing"), mistakes) if isinstance(timing, dict) else base
    plain = {key: value for key, value in table.items() if key not in {"timing", "watch"} or not isinstance(value, dict)}
    given = fields(LineageTable, _services_alone(plain, place, mistakes), place, mistakes)
    services = _services(table.get("services", ()), place.at("services"), mistakes)
    if not services or "dns" not in given:
        return None
    consumers = tuple(dict.fromkeys(given.get("consumers", ())))
    params = _params(given.get("params"), place.at("params"), mistakes)
    keys = key_policy(given, params, place, mistakes)
    _check_issuer(given, params, place, mistakes)
    return Lineage(
        name, services, given["dns"], consumers, params, own, keys,
        issuer=given.get("issuer") or "", names=_names(given.get("names", ()), place.at("names"), mistakes),
        leaving=given.get("leaving", False), watch=_watch(table.get("watch"), base_directory, place.at("watch"), mistakes),
    )  # fmt: skip


def key_policy(given: Mapping[str, Any], params: tuple[Params, ...], place: Place, mistakes: Mistakes) -> KeyPolicy:
    """What is wanted of the keys; what contradicts itself is noted."""
    lifetime = 0.0
    if given.get("key_lifetime") is not None:
        try:
            lifetime = seconds(given["key_lifetime"])
        except BadInput as error:
            mistakes.add(place.at("key-lifetime"), error.message, error.hint)
        else:
            if lifetime <= 0:
                mistakes.add(
                    place.at("key-lifetime"), "must be more than zero", "leave it out to replace the key at every renewal"
                )
    alone = any(one.usage == 3 and one.selector == 1 for one in params)
    if given.get("next_key") and not alone:
        mistakes.add(
            place.at("next-key"),
            "needs records of the key alone",
            'write params = ["3 1 1"]: a key without certificate has no others',
        )
    return KeyPolicy(
        given.get("next_key"), given.get("reuse_key", False), lifetime, given.get("key_type") or "",
        tuple(given.get("accept_key_type", ())),
    )  # fmt: skip


def _names(given: tuple[str, ...], place: Place, mistakes: Mistakes) -> tuple[str, ...]:
    """The further names of its certificates; a wildcard is allowed as the whole first label (RFC 8555 §7.1.3)."""
    found = []
    for number, name in enumerate(given, 1):
        plain = name.removesuffix(".").lower()
        if literal(plain.removeprefix("*.") or "-"):
            mistakes.add(
                place.at(str(number)), f"{name[:60]!r} is an address", "certificates that are ordered here have host names"
            )
        elif _HOST.fullmatch(plain.removeprefix("*.")) is None or plain.rpartition(".")[2].isdigit():
            mistakes.add(place.at(str(number)), f"{name[:60]!r} is not a host name", "for example example.org or *.example.org")
        found.append(plain)
    return tuple(dict.fromkeys(found))


def _check_issuer(given: Mapping[str, Any], params: tuple[Params, ...], place: Place, mistakes: Mistakes) -> None:
    """Note records of an issuer for certificates that have none."""
    wrong = [str(one) for one in params if one.usage == 2]
    if given.get("issuer") == SELF_SIGNED and wrong:
        mistakes.add(
            place.at("params"),
            f"{', '.join(wrong)} is of an issuer's certificate, and what signs itself has none",
            f"leave {' and '.join(wrong)} out, or name an authority as issuer",
        )


def _watch(given: object, base: Path, place: Place, mistakes: Mistakes) -> tuple[str, str]:
    """The files of a client without hooks, absolute. What is no table was noted with the lineage."""
    if not isinstance(given, dict):
        return "", ""
    found = fields(WatchTable, given, place, mistakes)
    certificate, key = found.get("certificate", ""), found.get("key", "")
    if "certificate" in found and not certificate.strip():
        mistakes.add(place.at("certificate"), "is empty", "name the file with the chain")
    return str(base / certificate), str(base / key) if key else ""


def _unquoted(name: str, table: Mapping[str, object]) -> str:
    """Return the name that was meant by [lineage.mx.example.org], which TOML takes for tables in tables."""
    while len(table) == 1 and not set(table) & _LINEAGE_KEYS:
        (key, inner), *_ = table.items()
        if not isinstance(inner, dict):
            break
        name, table = f"{name}.{key[:63]}", inner
    return name


def _timing(name: str, value: str | float) -> float:
    """Check one value of [timing]. Raises BadInput."""
    if name == "ttl_multiplier":
        if not _SMALLEST_MULTIPLIER <= float(value) <= _LARGEST_MULTIPLIER:
            msg = f"{value} is not between 1 and 100"
            raise BadInput(msg, "2 is what RFC 7671 section 8.1 asks for; less than 1 would swap before caches have expired")
        return float(value)
    length = seconds(value)
    if name == "ttl":
        if not 1 <= length <= _LONGEST_TTL or length != int(length):
            msg = f"{value} is not a TTL: whole seconds from 1s to 7d"
            raise BadInput(msg, "1h is usual")
        return int(length)
    if name in _MUST_PASS and length <= 0:
        msg = "must be more than zero"
        raise BadInput(msg)
    return length


def _services_alone(table: dict[str, object], place: Place, mistakes: Mistakes) -> dict[str, object]:
    """Take the services out where they are a list: each is converted by itself, so that each mistake is named."""
    services = table.get("services")
    if not isinstance(services, list):
        return table
    if not services:
        mistakes.add(place.at("services"), "is empty", "name what presents the certificate, for example mx.example.org:25")
    return {**table, "services": []}


def _services(given: object, place: Place, mistakes: Mistakes) -> tuple[Service, ...]:
    found: dict[tuple[str, int], Service] = {}
    for number, entry in enumerate(given if isinstance(given, list) else ()):
        at = place.at(str(number + 1))
        service = _service(entry, at, mistakes)
        if service is None:
            continue
        if (service.host, service.port) in found:
            mistakes.add(at, f"{service} is named twice")
        found[service.host, service.port] = service
    return tuple(found.values())


def _service(entry: object, place: Place, mistakes: Mistakes) -> Service | None:
    try:
        if isinstance(entry, str):
            return _named(Service.parse(entry))
        if not isinstance(entry, dict):
            mistakes.add(place, "is not a service", 'write "mx.example.org:25" or { at = "mx.example.org:25", probe = false }')
            return None
        given = fields(ServiceTable, entry, place, mistakes)
        if "at" not in given:
            return None
        service = Service.parse(given["at"], connect=given.get("connect", ()), probe=given.get("probe", True))
        _check_connect(service, place.at("connect"), mistakes)
        return _named(service)
    except BadInput as error:
        mistakes.add(place, error.message, error.hint)
        return None


def _named(service: Service) -> Service:
    """Return a service that has a name. Raises BadInput: TLSA records stand at names (RFC 6698 §3)."""
    if literal(service.host):
        msg = f"{service.host} is an address, and TLSA records stand at names"
        raise BadInput(msg, "use the name in the MX record; an address to probe it at goes into connect")
    return service


def _check_connect(service: Service, place: Place, mistakes: Mistakes) -> None:
    if service.connect:
        from tlsa_manager.observe.places import given as places

        _, wrong = places(service)
        if wrong:
            mistakes.add(place, wrong)


def _params(given: tuple[str, ...] | None, place: Place, mistakes: Mistakes) -> tuple[Params, ...]:
    """Return the parameters of the records: DANE-EE, since this tool rolls the server's own key, and DANE-TA beside it."""
    found: list[Params] = []
    for text in ("3 1 1",) if given is None else given:
        try:
            params = Params.parse(text)
        except BadInput as error:
            mistakes.add(place, error.message, error.hint)
            continue
        if params.usage not in {2, 3} or params.selector not in {0, 1} or params.matching not in DIGEST_BYTES:
            mistakes.add(
                place, f"{str(params)!r} cannot be managed", "use 3 1 1; 3 1 2, 3 0 1, 3 0 2 and, beside them, 2 1 1 work too"
            )
        found.append(params)
    if given == ():
        mistakes.add(place, "is empty", 'leave it out, or write ["3 1 1"]')
    elif found and all(one.usage == 2 for one in found):  # the issuer changes when it likes; the key is ours (RFC 7671 §5.1)
        only = ", ".join(repr(str(one)) for one in found)
        mistakes.add(place, f"{only} cannot be managed alone: the issuer may change without notice", 'write ["3 1 1", "2 1 1"]')
    return tuple(dict.fromkeys(found))
