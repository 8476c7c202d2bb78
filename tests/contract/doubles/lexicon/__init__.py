"""dns-lexicon with its provider for PowerDNS, over a real PowerDNS behind a front that can bring it into trouble."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlencode

from lab import namespace

from contract.doubles.powerdns import Front, OldStand
from tlsa_manager.publish import open_backend
from tlsa_manager.publish.hosted.lexicon import guard, pipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from contract.doubles.double import Reply, Request
    from tlsa_manager.publish import Backend

_ABOVE = "/api/v1/servers/"
_BEGIN = 'umount /etc/resolv.conf && mount --bind "$0" /etc/resolv.conf && exec "$@"'


class LooseFront(Front):
    """It takes what lexicon sends: a body with every question."""

    def answer(self, request: Request) -> Reply:
        """Ask the real server."""
        if not request.path.startswith(_ABOVE):
            return self.complain(request, "not a path of the API")
        query = f"?{urlencode(request.query)}" if request.query else ""
        body = request.body if request.method == "PATCH" else None
        return self.passed(request, request.path.removeprefix(_ABOVE) + query, body)


class LexiconStand(OldStand):
    """The zone is in PowerDNS; dns-lexicon's process finds that out by asking it, in its own view of /etc/resolv.conf."""

    kind: ClassVar[str] = "lexicon"
    which: ClassVar[str] = ""
    together: ClassVar[bool] = False
    patience: ClassVar[str] = "4s"  # its process may have to start first
    front: ClassVar[type[Front]] = LooseFront

    def __init__(self, directory: Path, server: Callable[[str], Any]) -> None:
        super().__init__(directory, server)
        self._directory = directory
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Open the front; let lexicon's process see PowerDNS as its resolver."""
        super().__enter__()
        self._directory.mkdir()
        resolv_conf = self._directory / "resolv.conf"
        resolv_conf.write_text(namespace.resolv_conf(self.primary.address))
        usual, pipe.COMMAND = pipe.COMMAND, ("unshare", "--mount", "sh", "-c", _BEGIN, str(resolv_conf), *pipe.COMMAND)
        self._undo.callback(setattr, pipe, "COMMAND", usual)
        guard.pipe.cache_clear()
        return self

    def __exit__(self, *_: object) -> None:
        """Undo it."""
        end()
        self._undo.close()
        super().__exit__()

    def _with(self, name: str, key: str, options: dict[str, object]) -> Backend:
        path = self._directory / name
        path.touch(mode=0o600)
        path.write_text(f"# an account\nauth_token = {key}\npdns_server={self.double.url}/\n")
        given = {"provider": "powerdns", "zone": "pub.example", "options-file": str(path), **options}
        return open_backend("ns1", "lexicon", given)


def end() -> None:
    """End the process of dns-lexicon; the next question starts another."""
    guard.pipe()._kill()
    guard.pipe.cache_clear()


def with_client(module: str) -> tuple[str, ...]:
    """Return a command whose process uses `open_client` of a module beside this file, in the place of lexicon's own."""
    code = (
        f"import sys; sys.path.insert(0, {str(__file__).rpartition('/')[0]!r}); import {module}; "
        f"from tlsa_manager.publish.hosted.lexicon import worker; worker.open_client = {module}.open_client; worker.main()"
    )
    return (sys.executable, "-P", "-c", code)
