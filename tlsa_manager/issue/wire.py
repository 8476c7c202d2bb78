"""Questions to an authority over HTTPS, and its answers: never longer than a bound, and never waited for longer than told.

The `acme` package signs. Its own client is not used here: it reads answers of any length, gives up what a refusal says of when
to come again, and writes what it sends into its log.
"""

from __future__ import annotations

import re
from typing import Any

from tlsa_manager import web
from tlsa_manager.errors import IssueError
from tlsa_manager.issue.refusal import STAYS, Problem, garbage, problem, unreachable
from tlsa_manager.value import dataclass

_NONCE = re.compile(r"[A-Za-z0-9_-]{1,512}")
_LINK = re.compile(r'<([^<>\s]{1,2000})>\s*;[^,<]*?\brel="?([a-z-]{1,40})"?')


@dataclass(frozen=True, slots=True)
class Answer(web.Answer):
    """What an authority answered."""

    @property
    def problem(self) -> Problem:
        """What it says is wrong, as far as it does."""
        return problem(self.parsed) if not self.ok else Problem()

    @property
    def content(self) -> dict[str, Any]:
        """The JSON object that it must be. Raises IssueTemporary."""
        found = self.parsed
        if not isinstance(found, dict):
            raise garbage(self.url, "not a JSON object")
        return found

    @property
    def location(self) -> str:
        """The URL of what was made. Raises IssueTemporary."""
        return secure(self.headers.get("location"), self.url, "Location")

    @property
    def nonce(self) -> str:
        """What makes the next message unique (RFC 8555 §6.5.1); empty where it has none."""
        found = self.headers.get("replay-nonce", "")
        return found if _NONCE.fullmatch(found) else ""

    def link(self, relation: str) -> str:
        """Return the URL of a Link header (RFC 8288), empty where there is none."""
        found = _LINK.findall(self.headers.get("link", "")[:20000])
        return next((url for url, rel in found if rel == relation and url.startswith("https://")), "")


def secure(value: object, url: str, what: str) -> str:
    """Return a URL that the answer from `url` named. Raises IssueTemporary unless it is https (RFC 8555 §6.1)."""
    if isinstance(value, str) and value.startswith("https://") and value.isascii() and value.isprintable() and len(value) < 2000:
        return value
    raise garbage(url, f"{what} is no https URL")


class Wire:
    """One conversation. `trust`: a file of certificates, or empty for the system's. `timeout` in seconds, for each answer."""

    def __init__(self, trust: str, timeout: float) -> None:
        """Open nothing yet. Raises IssueError when the file is no file of certificates."""
        _check_trust(trust)
        self._web = web.Web(timeout, trust)

    def close(self) -> None:
        """Hang up."""
        self._web.close()

    def send(self, method: str, url: str, body: bytes | None = None, accept: str = "*/*") -> Answer:
        """Ask, and return the answer whatever its status is. Raises IssueTemporary, IssueError (its certificate, our bundle)."""
        import requests
        from urllib3.exceptions import HTTPError

        headers = {"Accept": accept} | ({"Content-Type": "application/jose+json"} if body is not None else {})
        try:
            found = self._web.send(method, url, body, headers=headers)
        except web.TooLongError:
            raise garbage(url, f"longer than {web.LARGEST >> 10} KiB") from None
        except (requests.RequestException, HTTPError, TimeoutError) as error:
            raise unreachable(url, error) from None
        except OSError:  # before anything was sent: requests looks for its own file
            raise _no_trust("the file that REQUESTS_CA_BUNDLE names") from None
        return Answer(found.url, found.status, found.headers, found.body, found.at)


def _check_trust(trust: str) -> None:
    """Say now what would look like a fault of the authority later."""
    if trust and web.bundle_flaw(trust):
        raise _no_trust(trust)


def _no_trust(file: str) -> IssueError:
    msg = f"{file} has no certificates that can be read, so the authority's own cannot be checked; {STAYS}"
    return IssueError(msg, "name a PEM file with the authority's root as ca-bundle, or leave it out")
