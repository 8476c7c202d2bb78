"""A steady stream of mail through the DANE-only sender, counted: what a rollover must not hurt."""

from __future__ import annotations

import itertools
import smtplib
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lab.sender import submit

if TYPE_CHECKING:
    from types import TracebackType

    from lab.sender import Delivery, SenderLab


@dataclass(frozen=True, slots=True)
class Totals:
    """What became of the mails of a stream. A mail that was deferred and later sent counts in both."""

    submitted: int
    sent: int
    deferred: int
    bounced: int
    pending: int  # no final outcome yet
    seconds: float  # from the first to the last submission
    reasons: tuple[str, ...]  # why mails were deferred or bounced, each text once

    @property
    def rate(self) -> float:
        """Mails handed over a second."""
        return self.submitted / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        """Return one line for a report."""
        text = f"{self.submitted} mails in {self.seconds:.0f} s ({self.rate:.1f}/s): {self.sent} sent, {self.deferred} deferred"
        return f"{text}, {self.bounced} bounced, {self.pending} pending{''.join(f'; {reason}' for reason in self.reasons)}"


class Stream:
    """Hands a mail to the sender every `every` seconds, each to a recipient of its own, while the `with` block runs."""

    def __init__(self, sender: SenderLab, domain: str = "a.example", *, every: float = 0.2) -> None:
        self._sender, self._domain, self._every = sender, domain, every
        self._prefix = f"stream-{uuid.uuid4().hex[:8]}-"
        self._submitted: list[float] = []
        self._failure: Exception | None = None
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._keep_sending, name="stream of mail", daemon=True)

    def __enter__(self) -> Self:
        """Start to send."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Stop sending; outcomes may still be open until `drain`. A test that fails meanwhile shows what became of its mail."""
        self._ends.set()
        self._thread.join(30)
        if problem is not None and not self._failure:
            print(f"mail to {self._domain} from {self._sender.address}: {self.totals()}")

    def totals(self) -> Totals:
        """Count what is known by now."""
        if self._failure:
            raise AssertionError("the stream of mail broke off: the sender took no more mail") from self._failure
        attempts = [attempt for attempt in self._sender.deliveries() if attempt.recipient.startswith(self._prefix)]
        by_status = {status: _recipients(attempts, status) for status in ("sent", "deferred", "bounced")}
        submitted = len(self._submitted)
        return Totals(
            submitted=submitted,
            sent=len(by_status["sent"]),
            deferred=len(by_status["deferred"]),
            bounced=len(by_status["bounced"]),
            pending=submitted - len(by_status["sent"] | by_status["bounced"]),
            seconds=self._submitted[-1] - self._submitted[0] if self._submitted else 0.0,
            reasons=tuple(sorted({attempt.text for attempt in attempts if attempt.status != "sent"})),
        )

    def drain(self, *, timeout: float = 90.0) -> Totals:
        """Stop sending, wait until every mail has its final outcome, and count; fail with the log if some never have."""
        self._ends.set()
        self._thread.join(30)
        deadline = time.monotonic() + timeout
        while (totals := self.totals()).pending:
            assert time.monotonic() < deadline, f"{totals}\n{self._sender.log()[-6000:]}"
            time.sleep(0.5)
        return totals

    def _keep_sending(self) -> None:
        try:
            self._send_until_told()
        except (OSError, smtplib.SMTPException) as failure:  # told by totals(), in the test's own thread
            self._failure = failure

    def _send_until_told(self) -> None:
        begin = time.monotonic()
        with self._sender.connect() as connection:
            for number in itertools.count():
                if self._ends.wait(max(0.0, begin + number * self._every - time.monotonic())):
                    return
                submit(connection, f"{self._prefix}{number}@{self._domain}")
                self._submitted.append(time.monotonic())


def _recipients(attempts: list[Delivery], status: str) -> set[str]:
    return {attempt.recipient for attempt in attempts if attempt.status == status}
