"""What the suite of promises needs of a backend with its server behind it, real or a double, and the troubles it can be in."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Literal, Protocol

import pytest

from tlsa_manager.errors import PublishError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tlsa_manager.publish import Backend, Change, Text

Trouble = Literal[
    "refusal",  # we may not: wrong secret, or not allowed
    "limit",  # asked too often, with Retry-After (or what the provider has instead)
    "broken",  # trouble of its own (5xx, SERVFAIL) before anything is done
    "dead",  # nobody listens
    "lost-request",  # no answer in time, nothing done
    "lost-answer",  # done, but the answer never comes
    "nonsense",  # an answer that is not what it should be
    "conflict",  # somebody else changes the set between our reading and our writing
]


class Stand(Protocol):
    """One backend as the program opens it, and what stands behind it. A test keeps apart from others by its owner name."""

    kind: str
    zone: str  # absolute; the names that tests use lie in it
    troubles: frozenset[Trouble]  # that this one can be brought into; the suite demands the same behaviour in each

    def backend(self, **options: object) -> Backend:
        """Open the backend; options replace or add."""

    def put(self, name: str, ttl: int, *records: str, kind: str = "TLSA") -> None:
        """Make these records (presentation form) the whole set of a name, beside the backend's back."""

    def stands(self, name: str, kind: str = "TLSA") -> tuple[set[str], int]:
        """Return what stands at a name on the server: records in presentation form (TLSA in lower case), and the TTL."""

    def trouble(self, which: Trouble, name: str) -> AbstractContextManager[None]:
        """Be in trouble while the test writes at this name. `conflict` adds a record of somebody else there in the middle."""

    def secrets(self) -> set[str]:
        """Return what no message may hold."""


def refusal(stand: Stand, change: Change | Text, log: pytest.LogCaptureFixture, backend: Backend | None = None) -> PublishError:
    """Return the error a change ends with, having made sure that it tells what to do and tells no secret."""
    one = backend or stand.backend()
    with pytest.raises(PublishError) as caught:
        one.text(change) if hasattr(change, "value") else one.change(change)
    error = caught.value
    assert error.hint, "an error names its remedy"
    everything = "".join(traceback.format_exception(error)) + error.message + error.hint + repr(one) + log.text
    assert not [secret for secret in stand.secrets() if secret in everything]
    return error
