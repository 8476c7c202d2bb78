"""How long the TXT records stay that prove names: as long as an order needs them, also beyond this process (RFC 8555 §8.4).

A server that has them only when it next asks the primary by itself, or a person who adds them, takes longer than anybody waits.
So where an attempt ends for now, and its order is still to be proven, they stay with it. Everything else takes them away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tlsa_manager.errors import IssueTemporary, PublishTemporary, TlsaManagerError

if TYPE_CHECKING:
    from types import TracebackType

    from tlsa_manager.issue import Diary, Prover


class Keeping:
    """Removes what proves names when its body ends, unless an order needs it later. `needed`: whether one does, as is known."""

    def __init__(self, prover: Prover, diary: Diary, *, needed: bool) -> None:
        """Remove nothing yet."""
        self._prover, self._diary, self.needed = prover, diary, needed

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove, or keep; that removing fails must not hide what was, or was not, achieved."""
        if self.needed and error is not None and _is_for_now(error):
            return
        try:
            self._prover.take_away()
        except TlsaManagerError as failed:
            self._diary.told(f"the TXT records that proved the names could not be removed yet: {failed.message}")


class Clearing(Keeping):
    """Removes it however the body ends: nobody goes on with a rehearsal."""

    def __init__(self, prover: Prover, diary: Diary) -> None:
        """Remove nothing yet."""
        super().__init__(prover, diary, needed=False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove."""
        self.needed = False
        super().__exit__(kind, error, trace)


def _is_for_now(error: BaseException) -> bool:
    """Whether the same is tried again as it is: later, or by another process where this one was told to end."""
    return isinstance(error, IssueTemporary | PublishTemporary) or not isinstance(error, Exception)
