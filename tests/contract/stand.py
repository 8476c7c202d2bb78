"""What the suite of promises needs of a backend with its server behind it, real or a double, and the troubles it can be in."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, get_args

from tlsa_manager.errors import PublishError
from tlsa_manager.publish import Text

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import pytest

    from tlsa_manager.publish import Backend, Change, Ticket

Trouble = Literal[
    "refusal",  # we may not: wrong secret, or not allowed
    "limit",  # asked too often, with Retry-After (or what the provider has instead)
    "broken",  # trouble of its own (5xx, SERVFAIL) before anything is done
    "dead",  # nobody listens
    "lost-request",  # no answer in time, nothing done
    "lost-answer",  # done, but the answer never comes
    "nonsense",  # an answer that is not what it should be
    "conflict",  # somebody else adds a record between our reading and our writing; only where it must survive
]
TROUBLES: frozenset[Trouble] = frozenset(get_args(Trouble))
ALWAYS = TROUBLES - {"conflict"}  # what every API over HTTP can be brought into


class Stand(Protocol):
    """One backend as the program opens it, and what stands behind it. A test keeps apart from others by its owner name.

    Its class is made with a directory of its own, that is not there yet, and a function that returns a session fixture by its
    name (`server("bind")`); it is opened by `with`. The class variables are also what docs/backends/README.md says of the kind.
    """

    kind: ClassVar[str]  # of `[dns.NAME] backend`
    which: ClassVar[str]  # where a kind has several rows in docs/backends/README.md; otherwise empty
    troubles: ClassVar[frozenset[Trouble]]  # that this one can be brought into; the suite demands the same behaviour in each
    compares: ClassVar[bool]  # compares and writes in one step: Conflict when somebody else comes between
    together: ClassVar[bool]  # all records of one change are written in one step
    late: ClassVar[bool]  # changes come into force later, and it can be asked when
    renews: ClassVar[bool]  # what stands is put there once more, as it is, to have a number by which to ask that
    zone: ClassVar[str]  # absolute; the names that tests use lie in it
    patience: ClassVar[str]  # the `timeout` of the tests in which an answer never comes; they allow that others are late, too

    def backend(self, **options: object) -> Backend:
        """Open the backend; options replace or add."""

    def stranger(self) -> Backend:
        """Open the backend with a secret that the server does not know."""

    def put(self, name: str, ttl: int, *records: str, kind: str = "TLSA") -> None:
        """Make these records (presentation form) the whole set of a name, beside the backend's back."""

    def stands(self, name: str, kind: str = "TLSA") -> tuple[set[str], int]:
        """Return what stands at a name on the server: records in presentation form (TLSA in lower case), and the TTL."""

    def spelled(self, name: str, kind: str = "TLSA") -> list[str]:
        """Return what stands at a name as the server spells it, each record as often as it stands there."""

    def new_ttl(self, wanted: int) -> int:
        """Return the TTL of a new set for which `wanted` is asked."""

    def other_ttl(self) -> int:
        """Return a TTL that a set of somebody else may have here, other than all that tests ask for where that can be."""

    def trouble(self, which: Trouble, name: str, *, reads: bool = False, spared: int = 0) -> AbstractContextManager[None]:
        """Be in trouble while the test writes at this name; with `reads` at every question.

        `conflict` adds a record of somebody else there in the middle. `spared`: so many writes pass before it begins; only where
        a change is more than one.
        """

    def asked(self) -> int:
        """Return how many questions have come to the server."""

    def writes(self) -> int:
        """Return how many of them would change something."""

    def secrets(self) -> set[str]:
        """Return what no message may hold."""

    def complaints(self) -> list[str]:
        """Return what was not asked as the server's documents say, and forget it."""


def playing(*troubles: Trouble, apart: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Have a test collected for each of these troubles and every stand that can be brought into it.

    `apart`: only for those whose changes are not written in one step.
    """

    def note(test: Callable[..., None]) -> Callable[..., None]:
        test.apart = apart  # type: ignore[attr-defined]  # as below
        test.troubles = sorted(troubles)  # type: ignore[attr-defined]  # conftest.py looks for it; workers want one order
        return test

    return note


def refusal(stand: Stand, change: Change | Text, log: pytest.LogCaptureFixture, backend: Backend | None = None) -> PublishError:
    """Return the error a change ends with, having made sure that it tells what to do and tells no secret."""
    error = outcome(stand, change, log, backend or stand.backend())
    assert isinstance(error, PublishError), error
    return error


def outcome(stand: Stand, change: Change | Text, log: pytest.LogCaptureFixture, backend: Backend) -> Ticket | PublishError:
    """Return how a change ends: its ticket, or an error that tells what to do; neither it nor the log tells a secret."""
    try:
        end: Ticket | PublishError = backend.text(change) if isinstance(change, Text) else backend.change(change)
        words = end.message
    except PublishError as error:
        end, words = error, "".join(traceback.format_exception(error)) + error.message + error.hint
    assert not isinstance(end, PublishError) or end.hint, "an error names its remedy"
    assert not [secret for secret in stand.secrets() if secret in words + repr(backend) + log.text]
    return end
