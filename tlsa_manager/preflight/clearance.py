"""The answer of a preflight, as values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tlsa_manager.errors import EXIT_FAILED, EXIT_NOT_YET, EXIT_OK
from tlsa_manager.snapshot import Outcome, Presentation
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.chain import Chain
    from tlsa_manager.sender.delivery import Verdict
    from tlsa_manager.tlsa import Params


class Word(StrEnum):
    """The answer in a word."""

    SAFE = "safe"
    LATER = "later"  # safe at a moment that is known, if nothing changes
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class Candidate:
    """The chain that is to go into service. `certificates`: DER, leaf first; `names`: of the leaf; dates since 1970."""

    chain: Chain
    certificates: tuple[bytes, ...]
    names: tuple[str, ...]
    not_before: float
    not_after: float

    def presented(self, pkix: str | None = None) -> Presentation:
        """What senders would see."""
        return Presentation("", "any", Outcome.PRESENTED, self.chain, certificates=self.certificates, pkix=pkix)


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands in the way. `until`: when it ends by itself; None = when somebody changes something."""

    subject: str
    message: str
    until: float | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What senders do with the chain at one owner. `gaps`: parameters without a match, while others match (RFC 7671 §8)."""

    owner: str
    verdict: Verdict
    gaps: tuple[Params, ...] = ()


@dataclass(frozen=True, slots=True)
class Clearance:
    """The answer.

    `warnings`: (subject, sentence); `seen_since`: since when the records are known to stand, as far as asked; `offline`: nobody
    was asked, so nothing is known of caches.
    """

    owners: tuple[Judged, ...]
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    seen_since: float | None = None
    offline: bool = False

    @property
    def word(self) -> Word:
        """Unsafe as soon as one reason does not end by itself."""
        if not self.reasons:
            return Word.SAFE
        return Word.LATER if all(one.until is not None for one in self.reasons) else Word.UNSAFE

    @property
    def not_before(self) -> float | None:
        """When it becomes safe, in seconds since 1970, if that is known."""
        return max(one.until for one in self.reasons if one.until is not None) if self.word is Word.LATER else None

    @property
    def exit_code(self) -> int:
        """0 safe, 1 unsafe, 75 later."""
        return {Word.SAFE: EXIT_OK, Word.UNSAFE: EXIT_FAILED, Word.LATER: EXIT_NOT_YET}[self.word]
