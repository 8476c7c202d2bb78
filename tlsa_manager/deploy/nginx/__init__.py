"""nginx, as a web server or in front of mail: `ssl_certificate` and `ssl_certificate_key` both name the combined file.

Its configuration is read as nginx reads it, file by file. `nginx -T` would print the same, but refuses to say anything while a
certificate file is missing, which is when somebody needs to be told; and it makes files. The pair that a `server` inherits from
`http`, `mail` or `stream` counts as its own (ngx_http_ssl_module: inherited where a level names none).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import process, running, server, service
from tlsa_manager.deploy.nginx import configuration, listeners
from tlsa_manager.deploy.reading import Reading
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Settings

_CONFIG = "/etc/nginx/nginx.conf"
OPTIONS = server.options(
    Option("config", "file", "nginx.conf; one consumer for each nginx that runs here", default=_CONFIG),
    Option("program", "file", "the nginx itself, where it is not the one in PATH", example="/usr/local/nginx/sbin/nginx"),
    file="/etc/nginx/tls/mx.pem", reload=("/usr/bin/systemctl", "reload", "nginx"),
    unasked="systemctl reload nginx where systemd runs it, else nginx -s reload",
)  # fmt: skip


def build(name: str, settings: Settings) -> server.Server:
    """Make the consumer. Raises ConfigError."""
    config, program = Path(settings.text("config")), settings.text("program") or "nginx"
    software = Nginx(config, program, settings.words("reload"), settings.seconds("timeout"))
    return server.consumer(name, settings, software)


@dataclass(frozen=True, slots=True)
class Nginx:
    """One nginx, by its configuration file."""

    config: Path
    program: str = "nginx"
    reload_words: tuple[str, ...] = ()
    timeout: float = 60.0

    def ask(self, path: Path) -> Reading:
        """Read the configuration. Raises DeployError."""
        directives = configuration.read(self.config)
        uses = tuple(listeners.uses(directives, self.config.parent))
        is_open = any("$" in use.chain for use in uses) or any("_by_lua" in one.name for one in configuration.walk(directives))
        pid_file = next((Path(one.words[0]) for one in directives if one.name == "pid" and one.words), Path("/run/nginx.pid"))
        return Reading(
            "nginx", uses,
            f'in a server block that listens with ssl "{listeners.CHAIN} {path}; {listeners.KEY} {path};"',
            f"{self.program} -t -c {self.config} && {self.program} -s reload -c {self.config}",
            "it makes the name of a certificate file at each handshake, of a variable or by a program" if is_open else "",
            running.user(pid_file, Path(self.program).name),
        )  # fmt: skip

    def check(self) -> None:
        """Run `nginx -t`. Raises DeployError."""
        process.run((self.program, "-t", "-q", "-c", str(self.config)), self.timeout)

    def reload(self) -> None:
        """Have the master start new workers; the old ones end with their last connection. Raises DeployError."""
        units = ("nginx.service",) if str(self.config) == _CONFIG else ()  # any other is told by its own pid file
        service.tell(units, self._signal, self.timeout, given=self.reload_words)

    def _signal(self) -> None:
        process.run((self.program, "-s", "reload", "-c", str(self.config)), self.timeout)
