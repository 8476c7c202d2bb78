# noqa: INP001  a script, no package
"""Print docs/configuration.md or docs/findings.md from the declarations that the program itself goes by.

    python docs/make_reference.py > docs/configuration.md
    python docs/make_reference.py findings > docs/findings.md

Tests compare them, so that the pages cannot fall behind.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from tlsa_manager.config import toml
from tlsa_manager.config.sections import KIND_KEY, declaration, kinds
from tlsa_manager.config.tables import DefaultsTable, LineageTable, ServiceTable, Timing, WatchTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.fault import Fault
    from tlsa_manager.option import Option

HEAD = """\
# Configuration

One TOML file, `/etc/tlsa-manager/config.toml` unless `--config` or `TLSA_MANAGER_CONFIG` names another, and every
`conf.d/*.toml` beside it. Each key and each named section stands in one of them only. Relative paths are relative to the
directory of the main file. Durations are written `500ms`, `90s`, `10m`, `2h`, `7d`, or as a number of seconds.

- `tlsa-manager config init` writes a first file from what it finds on the host; it never touches a file that exists.
- `tlsa-manager config check` tells every mistake at once, in the files and on the host, and ends with 78 if there is any.
- `tlsa-manager config show` prints the values that hold, secrets masked.
- `tlsa-manager config schema` prints a JSON Schema, for editors that complete TOML.

An unknown key is a mistake, not a comment: a misspelt `margin` must not silently mean the default.

[examples/config.toml](../examples/config.toml) is a whole file. This page is made by `docs/make_reference.py`.
"""
LINEAGE = """\

A *lineage* is a series of certificates for one purpose: certbot's word, and certbot's name for it is the best one
(`certbot certificates` lists them). Its records are managed at the owner name of each service. RSA and ECDSA side by side
are two lineages with the same services, and a consumer with a file of its own each.
"""
SERVICE = """\

A service is `"HOST:PORT"`, or `"HOST:PORT/PROTOCOL"` where the port does not tell how TLS begins, or a table:
"""
WATCH = """\

`watch` is a table, for a client without hooks:
"""
FINDINGS = """\
# Findings

What `tlsa-manager check` can find, by what it looks at. The codes are stable. `tlsa-manager check --explain CODE` tells the same,
`tlsa-manager check --explain list` has all codes in one table.

| severity | means |
|---|---|
| critical | mail of senders with DANE is deferred now, or will be at a known moment |
| error | it breaks at the next routine event, or protection that was meant to be there is not |
| warning | it weakens the protection, or is fragile |
| notice | good to know |

The severity beside a code is the usual one. Where it does less harm than usual, a finding has a lower one: a wrong digest beside
a right one, for instance, or anything in a zone without DNSSEC, which senders with DANE pass over. This page is made by
`docs/make_reference.py findings`.
"""


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def findings() -> str:
    """Return the page of everything that can be found."""
    return "\n".join(_findings()) + "\n"


def _findings() -> Iterator[str]:
    yield FINDINGS
    for title, faults in _chapters().items():
        yield f"## {_plain(title)}\n"
        for fault in faults:
            yield from _story(fault)


def _chapters() -> dict[str, list[Fault]]:
    """Return the faults by chapter, in order; what belongs to none at the end."""
    from tlsa_manager import checks

    chapters: dict[str, list[Fault]] = {}
    for code, fault in checks.faults().items():
        name = checks.chapter(code)
        title = (import_module(f"{checks.__name__}.{name}").__doc__ or name) if name else "This program itself"
        chapters.setdefault(title.strip().rstrip("."), []).append(fault)
    return chapters


def _story(fault: Fault) -> Iterator[str]:
    yield f"### {fault.code}: {_plain(fault.title)}\n"
    yield f"*{fault.severity}*{' · ' + fault.reference if fault.reference else ''}\n"
    yield f"{_plain(fault.story)}\n"
    yield f"**Mail:** {_plain(fault.consequence)}\n"
    yield f"**To do:** {_plain(fault.remedy)}\n"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is: owner names have underscores, placeholders angle brackets."""
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", text)


def _lines() -> Iterator[str]:
    yield HEAD
    yield "## `[defaults]`\n"
    yield from _fixed(DefaultsTable)
    yield "\n## `[timing]`\n\nHow long to wait. Only laboratories need less; `timing` inside a lineage overrides single values.\n"
    yield from _fixed(Timing)
    yield '\n## `[lineage."NAME"]`' + "\n" + LINEAGE.rstrip() + "\n"
    yield from _fixed(LineageTable)
    yield SERVICE
    yield from _fixed(ServiceTable)
    yield WATCH
    yield from _fixed(WatchTable)
    yield from _kinds("dns", "a way to change DNS")
    yield from _kinds("consumer", "software that reads the certificate")
    yield from _kinds("issuer", "who makes certificates for keys of ours")


def _kinds(name: str, what: str) -> Iterator[str]:
    yield f"\n## `[{name}.NAME]`: {what}\n\n`{KIND_KEY[name]}` is one of: {', '.join(f'`{kind}`' for kind in kinds(name))}."
    for kind in kinds(name):
        options = declaration(name, kind).values()
        yield f'\n### `{KIND_KEY[name]} = "{kind}"`\n'
        yield from _table(map(_option, options)) if options else ("It has no options.",)


def _fixed(shape: type[msgspec.Struct]) -> Iterator[str]:
    schema = msgspec.json.schema(shape)["$defs"][shape.__name__]
    required = schema.get("required", [])
    yield from _table(_field(name, field, name in required) for name, field in schema["properties"].items())


def _field(name: str, field: dict[str, Any], required: bool) -> tuple[str, str, str]:  # noqa: FBT001  a column of the table
    default = field.get("default")
    if required:
        return name, "required", _meaning(field)
    return name, f"`{toml.value(default)}`" if default is not None else "", _meaning(field)


def _meaning(field: dict[str, Any]) -> str:
    example = field.get("examples", [None])[0]
    text: str = field.get("description", "")
    if words := list(_choices(field)):
        text += f"; {'any' if field.get('type') == 'array' else 'one'} of {', '.join(f'`{toml.value(word)}`' for word in words)}"
        return text
    return text + (f"; for example `{toml.value(example)}`" if example is not None and field.get("default") is None else "")


def _choices(field: Any) -> Iterator[str]:
    """Yield the words that a key allows, wherever they stand in its schema."""
    if isinstance(field, dict):
        yield from field.get("enum", ())
        yield from (word for part in (*field.get("anyOf", ()), field.get("items")) for word in _choices(part))


def _option(option: Option) -> tuple[str, str, str]:
    usual = "" if option.default is None else f"`{toml.value(option.default)}`"
    example = "" if usual or option.example is None else f"; for example `{toml.value(option.example)}`"
    return option.name, "required" if option.required else usual, option.help + example


def _table(rows: Iterator[tuple[str, str, str]]) -> Iterator[str]:
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    yield from (f"| `{name}` | {default} | {meaning} |" for name, default, meaning in rows)


if __name__ == "__main__":
    sys.stdout.write(findings() if sys.argv[1:] == ["findings"] else page())
