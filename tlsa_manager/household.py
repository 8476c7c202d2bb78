"""What this machine itself says about a lineage: configuration, journal, files and modes. Values only, and no secrets."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.state import Phase


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a consumer's file. `kind` of its key, empty where there is none that can be used; `modified`: when written.

    `strangers`: why its key and its certificate do not belong together; `disorder`: why its parts stand in the wrong order;
    both empty where all is well. Times in seconds since 1970, 0 where nobody knows.
    """

    path: str
    kind: str = ""
    modified: float = 0.0
    strangers: str = ""
    disorder: str = ""


@dataclass(frozen=True, slots=True)
class Exposed:
    """A file or directory that somebody else can read or change. `command` mends it; `credential`: it opens the way into DNS."""

    path: str
    problem: str
    command: str
    credential: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on the lineage at this moment. `heard`: when it last said that it lives, seconds since 1970."""

    host: str
    pid: int
    heard: float


@dataclass(frozen=True, slots=True)
class Household:
    """One lineage at home.

    `digests`: what a hexadecimal digest is of: files with keys and requests (theirs, never the secret itself); `contents`: by
    consumer; `trouble`: what is wrong with the journal or the store, each with what to do, as (problem, remedy); `missing`: the
    generations and keys that the journal needs and the store does not have; `clock_step`: by how many seconds somebody moved the
    clock since the last look; `steps`: (when, seconds) of the steps that were noticed lately.
    """

    lineage: Lineage
    facts: Facts
    phase: Phase
    digests: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, Content] = field(default_factory=dict)
    exposed: tuple[Exposed, ...] = ()
    trouble: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    holder: Holder | None = None
    clock_step: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()
