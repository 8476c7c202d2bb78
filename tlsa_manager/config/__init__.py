"""What should be: the configuration file as values, or every mistake in it at once."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.config.defaults import defaults
from tlsa_manager.config.lineages import lineage, policy
from tlsa_manager.config.merge import Sections
from tlsa_manager.config.mistake import Mistakes
from tlsa_manager.config.read import MORE, documents
from tlsa_manager.config.references import check_names, check_references
from tlsa_manager.config.sections import Section, section
from tlsa_manager.errors import ConfigError
from tlsa_manager.policy import Policy
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.lineage import Lineage

__all__ = ["DEFAULT_PATH", "Config", "Section", "load"]

DEFAULT_PATH = Path("/etc/tlsa-manager/config.toml")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. Every path is absolute; `state` is `sqlite:///` and a path; `files`: what was read."""

    path: Path
    resolver: tuple[str, ...]
    trust_anchor: str | None
    state: str
    directory: Path
    authority_port: int = 53
    policy: Policy = field(default_factory=Policy)
    lineages: Mapping[str, Lineage] = field(default_factory=dict)
    dns: Mapping[str, Section] = field(default_factory=dict)
    consumers: Mapping[str, Section] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    stamps: tuple[float, ...] = ()
    issuers: Mapping[str, Section] = field(default_factory=dict)

    def changed(self) -> bool:
        """Whether any of the files was written again, came or went away, since it was read."""
        return _stamps(self.files) != self.stamps

    def kept(self) -> Config:
        """Return the same configuration, held against the files as they are now."""
        return replace(self, stamps=_stamps(self.files))


def load(path: Path | str = DEFAULT_PATH) -> Config:
    """Read the configuration and `conf.d/*.toml` beside it.

    Relative paths in it are relative to the directory of the main file. No other file is opened, and nothing is asked of
    the network. Raises ConfigError with all mistakes, each as `file: key: what is wrong; what to do`.
    """
    path = Path(path).absolute()
    mistakes = Mistakes()
    read = documents(path, mistakes)
    sections = Sections(read, mistakes)
    common = defaults(sections.plain("defaults"), path.parent, mistakes)
    timing = _timing(sections, mistakes)
    dns = _named(sections, "dns", path.parent, mistakes)
    consumers = _named(sections, "consumer", path.parent, mistakes)
    issuers = _named(sections, "issuer", path.parent, mistakes)
    tables = list(sections.named("lineage"))
    lineages = {
        name: (place, made)
        for name, place, table in tables
        if (made := lineage(name, table, timing, place, mistakes, base_directory=path.parent)) is not None
    }
    for _, place, table in tables:
        check_names(table, place, sections, mistakes)
    check_references(lineages, consumers, mistakes)
    if mistakes.lines:
        raise _wrong(path, mistakes)
    files = tuple(document.file for document in read)
    return Config(
        path, common.resolver, common.trust_anchor, common.state, common.directory, common.authority_port, timing,
        {name: made for name, (_, made) in lineages.items()}, dns, consumers, files, _stamps(files), issuers,
    )  # fmt: skip


def _stamps(files: tuple[Path, ...]) -> tuple[float, ...]:
    """Return when each file was written, and conf.d beside the first; 0 for what cannot be asked."""
    return tuple(_stamp(file) for file in (*files, *(file.parent / MORE for file in files[:1])))


def _stamp(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _timing(sections: Sections, mistakes: Mistakes) -> Policy:
    timing = Policy()
    for place, table in sections.plain("timing"):
        timing = policy(table, timing, place, mistakes)
    return timing


def _named(sections: Sections, name: str, base: Path, mistakes: Mistakes) -> dict[str, Section]:
    made = {key: section(name, table, place, base, mistakes) for key, place, table in sections.named(name)}
    return {key: one for key, one in made.items() if one is not None}


def _wrong(path: Path, mistakes: Mistakes) -> ConfigError:
    count = len(mistakes.lines)
    what = "one mistake" if count == 1 else f"{count} mistakes"
    return ConfigError(
        f"the configuration has {what}, so nothing was done",
        f"correct what is named above, then try: tlsa-manager --config {path} config check",
        tuple(mistakes.lines),
    )
