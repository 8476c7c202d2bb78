"""HAProxy: `bind ... ssl crt FILE` names the combined file, by itself, in a directory, in a crt-list or in a crt-store.

There is no program that prints what it reads, so its files are read here. A reload starts new workers beside the old ones: the
master process does it on SIGUSR2. An HAProxy without a master (neither -W nor -Ws) would be ended by that signal, so it is asked
first whether it heeds it. The certificate could be replaced over the statistics socket as well, but what stands there is lost
with the next reload unless the file is replaced, too, and a reload loses no connection.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import process, running, server, service
from tlsa_manager.deploy.haproxy import configuration
from tlsa_manager.deploy.reading import Reading
from tlsa_manager.errors import DeployError
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Settings

_CONFIG = ("/etc/haproxy/haproxy.cfg",)
OPTIONS = server.options(
    Option("config", "list", "what haproxy is started with after -f: files, or directories of *.cfg", default=_CONFIG),
    Option("program", "file", "the haproxy itself, where it is not the one in PATH", example="/usr/local/sbin/haproxy"),
    Option("pid-file", "file", "where the master writes its number; for a reload without systemd", default="/run/haproxy.pid"),
    file="/etc/haproxy/tls/mx.pem", reload=("/usr/bin/systemctl", "reload", "haproxy"),
    unasked="systemctl reload haproxy where systemd runs it, else SIGUSR2 to its master process",
)  # fmt: skip


def build(name: str, settings: Settings) -> server.Server:
    """Make the consumer. Raises ConfigError."""
    software = HAProxy(
        name, settings.words("config"), settings.text("program") or "haproxy", Path(settings.text("pid-file")),
        settings.words("reload"), settings.seconds("timeout"),
    )  # fmt: skip
    return server.consumer(name, settings, software)


@dataclass(frozen=True, slots=True)
class HAProxy:
    """One HAProxy, by its configuration files."""

    name: str
    configs: tuple[str, ...]
    program: str
    pid_file: Path
    reload_words: tuple[str, ...] = ()
    timeout: float = 60.0

    def ask(self, path: Path) -> Reading:
        """Read the configuration. Raises DeployError."""
        uses = tuple(configuration.uses(configuration.read(map(Path, self.configs))))
        is_open = any("$" in file for use in uses for file in use.files)
        reload = " ".join(self.reload_words) or "systemctl reload haproxy"
        return Reading(
            "HAProxy", uses, f"bind ... ssl crt {path}", f"{' '.join(self._checks())} && {reload}",
            "its configuration takes the name of a file from the environment" if is_open else "",
            running.user(self.pid_file, Path(self.program).name),
        )  # fmt: skip

    def check(self) -> None:
        """Run `haproxy -c`. Raises DeployError."""
        process.run(self._checks(), self.timeout)

    def reload(self) -> None:
        """Have the master start new workers; the old ones end with their last connection. Raises DeployError."""
        units = ("haproxy.service",) if self.configs == _CONFIG else ()  # any other is told by its own pid file
        service.tell(units, self._tell_master, self.timeout, given=self.reload_words)

    def _checks(self) -> tuple[str, ...]:
        return (self.program, "-c", *(word for one in self.configs for word in ("-f", one)))

    def _tell_master(self) -> None:
        if running.user(self.pid_file, Path(self.program).name) and not running.heeds(self.pid_file, signal.SIGUSR2):
            message = f"the HAProxy of {self.pid_file} has no master process, so it cannot be told to reload"
            hint = f"start it with -W or -Ws, or say how it is replaced: consumer.{self.name}.reload = [...]"
            raise DeployError(message, hint)
        service.hang_up(self.pid_file, (Path(self.program).name,), number=signal.SIGUSR2)
