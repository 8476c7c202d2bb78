"""A token for a while, as Google and Microsoft give them: got when needed, used until shortly before its end, never on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager import clock

if TYPE_CHECKING:
    from collections.abc import Callable

_RENEW = 120.0  # seconds before its end that a token is not used any more


class Bearer:
    """Who asks. `fetch`: gets a token and says for how many seconds it is good; raises PublishError."""

    def __init__(self, fetch: Callable[[], tuple[str, float]]) -> None:
        """Ask nothing yet."""
        self._fetch, self._token, self._until = fetch, "", 0.0

    def token(self) -> str:
        """Return a token that is good now. Raises PublishError."""
        if not self._token or self._until - _RENEW < clock.now():
            began = clock.now()
            self._token, lasting = self._fetch()
            self._until = began + lasting
        return self._token

    def forget(self) -> None:
        """Get another one next time: this one is refused."""
        self._token = ""
