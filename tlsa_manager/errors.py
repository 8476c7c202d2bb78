"""Every error this program raises on purpose, and how a process ends because of it.

    TlsaManagerError            exit 1   something failed, or is unsafe
    ├── UsageError              exit 2   the command line is wrong
    ├── ConfigError             exit 78  the configuration is wrong; carries every mistake found
    ├── BadInput                exit 1   a file, PEM text, name or record that cannot be accepted
    ├── Unsafe                  exit 1   the safety law forbids it
    ├── NotYet                  exit 75  try again later
    │   ├── Busy                exit 75  another process holds the lease
    │   └── Stale               exit 75  something happened since the decision was made
    ├── PublishError            exit 1   a DNS backend refused
    │   ├── PublishTemporary    exit 75  a DNS backend could not be reached or says "later"
    │   └── Conflict            exit 75  the RRset is not what the change was planned from (compare-and-swap)
    ├── DeployError             exit 1   a consumer could not be given its certificate
    ├── IssueError              exit 1   a certificate authority refused
    │   └── IssueTemporary      exit 75  a certificate authority could not be reached or says "later"
    └── StateError              exit 1   the journal or the store cannot be read or written

Each carries a sentence saying what is wrong and a hint saying what to do next (docs/…: every error names its remedy).
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_YET = 75
EXIT_CONFIG = 78


class TlsaManagerError(Exception):
    """Base of all. `message`: what is wrong and what it means; `hint`: what to do next (may be empty)."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the sentence and the hint."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TlsaManagerError):
    """The command line cannot be obeyed as given."""

    exit_code = EXIT_USAGE


class ConfigError(TlsaManagerError):
    """The configuration is wrong. `mistakes`: one line each, with file and key."""

    exit_code = EXIT_CONFIG

    def __init__(self, message: str, hint: str = "", mistakes: tuple[str, ...] = ()) -> None:
        """Keep all mistakes, so that they can be shown at once."""
        super().__init__(message, hint)
        self.mistakes = mistakes


class BadInput(TlsaManagerError):
    """A file, PEM text, name or record that cannot be accepted."""


class Unsafe(TlsaManagerError):
    """The safety law forbids the step."""


class NotYet(TlsaManagerError):
    """Nothing is wrong, but it is too early, or somebody else is at it."""

    exit_code = EXIT_NOT_YET


class Busy(NotYet):
    """Another process holds the lease of the lineage."""


class Stale(NotYet):
    """Something happened to the lineage since the decision was made; nothing was written, and it is decided anew."""


class PublishError(TlsaManagerError):
    """A DNS backend refused a change, or accepted it and did not do it."""


class PublishTemporary(PublishError):
    """A DNS backend could not be reached, or asked to be tried later.

    `until`: not before this moment, seconds since 1970; 0 = it did not say.
    """

    exit_code = EXIT_NOT_YET

    def __init__(self, message: str, hint: str = "", until: float = 0.0) -> None:
        """Keep the moment beside the sentence and the hint."""
        super().__init__(message, hint)
        self.until = until


class Conflict(PublishTemporary):
    """The RRset changed between reading and writing; nothing was written."""


class DeployError(TlsaManagerError):
    """A consumer could not be given its certificate, or did not take it."""


class IssueError(TlsaManagerError):
    """A certificate authority refused an account, an order or a proof."""


class IssueTemporary(IssueError):
    """A certificate authority could not be reached, or asked to be tried later.

    `until`: not before this moment, seconds since 1970; 0 = it did not say (RFC 8555 §6.6). `limited`: because it was asked too
    often, not because it has trouble of its own.
    """

    exit_code = EXIT_NOT_YET

    def __init__(self, message: str, hint: str = "", until: float = 0.0, *, limited: bool = False) -> None:
        """Keep the moment beside the sentence and the hint."""
        super().__init__(message, hint)
        self.until, self.limited = until, limited


class StateError(TlsaManagerError):
    """The journal or the store cannot be read or written."""
