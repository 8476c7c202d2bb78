"""JSON Schema of the configuration file, for editors: made of the declarations that the reader itself uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlsa_manager.config.sections import KIND_KEY, declaration, kinds
from tlsa_manager.config.tables import DefaultsTable, LineageTable, Timing

if TYPE_CHECKING:
    from tlsa_manager.option import Kind, Option

_TYPES: dict[Kind, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "minimum": 0},
    "bool": {"type": "boolean"},
    "duration": {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*[smhdw]\s*$"},
    "file": {"type": "string"},
    "argv": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "list": {"type": "array", "items": {"type": "string"}},
}


def schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12). Kinds that other packages bring are not in it."""
    tables, definitions = msgspec.json.schema_components((DefaultsTable, Timing, LineageTable), ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition["additionalProperties"] = False
    defaults, timing, lineage = tables
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tlsa-manager configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "defaults": defaults,
            "timing": timing,
            "dns": _named({"oneOf": [_kind("dns", kind) for kind in kinds("dns")]}),
            "consumer": _named({"oneOf": [_kind("consumer", kind) for kind in kinds("consumer")]}),
            "issuer": _named({"oneOf": [_kind("issuer", kind) for kind in kinds("issuer")]}),
            "lineage": _named(lineage),
        },
        "$defs": definitions,
    }


def _named(table: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": table}


def _kind(name: str, kind: str) -> dict[str, Any]:
    options = declaration(name, kind).values()
    return {
        "type": "object",
        "title": kind,
        "additionalProperties": False,
        "required": [KIND_KEY[name], *(option.name for option in options if option.required)],
        "properties": {KIND_KEY[name]: {"const": kind}} | {option.name: _option(option) for option in options},
    }


def _option(option: Option) -> dict[str, Any]:
    shown: dict[str, Any] = _TYPES[option.type] | {"description": option.help}
    if option.default is not None:
        shown["default"] = option.default
    if option.example is not None:
        shown["examples"] = [option.example]
    return shown
