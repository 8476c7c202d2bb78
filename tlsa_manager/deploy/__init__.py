"""Deploy: how software that reads a certificate is given a new one. One protocol, one table, one small file a consumer.

Every consumer reads one combined file, key first, that this program alone writes. It is replaced by rename, so that
there is no moment in which key and certificate do not fit. Whether it is time for that is decided elsewhere; here it is
done, and done the same way twice if asked twice.

A consumer reads alone: it declares its options as data (`OPTIONS`) and is made by `build(name, settings)`. Somebody else's
package plugs in by an entry point of the group `tlsa_manager.consumers` that names a module with these two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from tlsa_manager.option import settle
from tlsa_manager.plugin import Kinds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tlsa_manager.option import Option, Settings
    from tlsa_manager.snapshot import FileView

ENTRY_POINTS = "tlsa_manager.consumers"
KINDS = {
    "postfix": "tlsa_manager.deploy.postfix",
    "exim": "tlsa_manager.deploy.exim",
    "dovecot": "tlsa_manager.deploy.dovecot",
    "opensmtpd": "tlsa_manager.deploy.opensmtpd",
    "nginx": "tlsa_manager.deploy.nginx",
    "haproxy": "tlsa_manager.deploy.haproxy",
    "command": "tlsa_manager.deploy.command",
}


class Consumer(Protocol):
    """Software that presents the certificate."""

    @property
    def name(self) -> str:
        """The section of the configuration: `postfix` of `[consumer.postfix]`."""

    @property
    def path(self) -> Path:
        """The combined file that this program writes and the consumer reads."""

    def look(self) -> FileView:
        """Say what stands at the file, whose and with which mode, and whether the consumer is configured to read it.

        Never raises: what cannot be told is a problem in the view. Changes nothing.
        """

    def current(self) -> bytes | None:
        """Return what stands at the file, None when there is none. Raises DeployError when it cannot be read."""

    def check(self) -> None:
        """Have the consumer check its own configuration, before anything is changed. Raises DeployError."""

    def install(self, combined: bytes) -> None:
        """Replace the file atomically, after proof that key and chain belong together; afterwards it is on the disk.

        Raises DeployError; then the old file stands as before and nothing else is left. Installing what stands is done.
        """

    def reload(self) -> None:
        """Have the consumer read the file anew. Raises DeployError, also when it takes too long.

        Returning is no proof that the new certificate is presented: that is seen only on the wire.
        """


class _Module(Protocol):
    """What a module of a consumer offers."""

    OPTIONS: tuple[Option, ...]

    def build(self, name: str, settings: Settings) -> Consumer:
        """Make the consumer. Raises ConfigError where the options cannot be obeyed. Touches nothing."""


def open_consumer(name: str, kind: str, options: Mapping[str, object]) -> Consumer:
    """Make the consumer of section `[consumer.NAME]` from its options (without `type = KIND`). Raises ConfigError."""
    from tlsa_manager.deploy import leaving  # its commands may run in any thread, and only this one can prepare for a signal

    leaving.mind()
    module = _kind(f"consumer.{name}", kind)
    return module.build(name, settle(f"consumer.{name}", module.OPTIONS, options))


def options_of(kind: str) -> tuple[Option, ...]:
    """Return what the kind of consumer declares. Raises ConfigError when there is no such kind."""
    return _kind("consumer", kind).OPTIONS


def _kind(section: str, kind: str) -> _Module:
    return cast("_Module", Kinds("consumer", "type", ENTRY_POINTS, KINDS).module(section, kind))
