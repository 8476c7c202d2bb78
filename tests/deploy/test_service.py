"""By systemd where systemd runs the server, else in its own way; what the administrator says wins. With a systemctl of ours."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.daemon import until

from tlsa_manager.deploy import process, service
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Answers as systemctl 252 does: one state for each unit, an empty line between two, exit code 0 also for unknown units.
_SYSTEMCTL = """#!/bin/sh
echo "$*" >> {log}
[ "$1" = show ] || exit {code}
shift 4
for unit; do [ -n "$next" ] && echo; next=1; case $unit in {active}) echo active;; *) echo inactive;; esac; done
"""


class Host:
    """A host that systemd runs, with these units active."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.directory, self.log = directory, directory / "log"
        self.log.touch()
        (directory / "booted").mkdir()
        patch.setattr(service, "_BOOTED", directory / "booted")
        patch.setattr(process, "PATH", f"{directory}:{process.PATH}")
        self.own: list[str] = []

    def runs(self, unit: str, *, code: int = 0) -> None:
        """Have systemctl tell this unit active; what it is asked to do ends with this code."""
        script = self.directory / "systemctl"
        script.write_text(_SYSTEMCTL.format(log=self.log, active=unit, code=code))
        script.chmod(0o755)

    def tell(self, *given: str, verb: service.Verb = "reload") -> list[str]:
        """Return what was done, in order."""
        service.tell(("exim4", "exim"), lambda: self.own.append("own way"), 20.0, given=given, verb=verb)
        return [line for line in self.log.read_text().splitlines() if not line.startswith("show ")] + self.own


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_an_active_unit_is_reloaded_by_systemd(host: Host) -> None:
    """Where systemd runs the server, it is told through systemd: else its limits and its view of files would not be those."""
    host.runs("exim4")
    assert host.tell() == ["reload exim4"]
    assert host.tell(verb="restart") == ["reload exim4", "restart exim4"]


def test_the_second_name_of_a_unit_counts_too(host: Host) -> None:
    """Distributions call it differently: whichever is active is told."""
    host.runs("exim")
    assert host.tell() == ["reload exim"]


def test_a_server_that_systemd_does_not_run_is_told_in_its_own_way(host: Host) -> None:
    """Started by hand, its unit is inactive: systemctl reload would fail, or tell another server."""
    host.runs("postfix")
    assert host.tell() == ["own way"]


def test_without_systemd_nobody_asks_it(host: Host) -> None:
    """In a container, or under another init, systemctl is not even started."""
    host.runs("exim4")
    (host.directory / "booted").rmdir()
    assert host.tell() == ["own way"]
    assert host.log.read_text() == ""


def test_a_systemctl_that_cannot_be_asked_is_no_obstacle(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory may be mounted into a container without systemctl; then the own way decides."""
    monkeypatch.setattr(process, "PATH", str(host.directory))
    assert host.tell() == ["own way"]


def test_a_reload_that_systemd_refuses_is_an_error_and_nothing_else_is_tried(host: Host) -> None:
    """Two ways, one after the other, could hide that the first one failed."""
    host.runs("exim4", code=1)
    with pytest.raises(DeployError, match="systemctl reload exim4 failed with exit code 1"):
        host.tell()
    assert host.own == []


def test_the_administrator_s_words_win(host: Host) -> None:
    """An own command is run as written, and systemd is not asked."""
    host.runs("exim4")
    script = host.directory / "mine"
    script.write_text(f'#!/bin/sh\necho "mine $*" >> {host.log}\n')
    script.chmod(0o755)
    assert host.tell(str(script), "now") == ["mine now"]


def is_called(process: subprocess.Popen[bytes], name: str) -> bool:
    """Whether the kernel calls the process so; a moment after its start it is still called like us."""
    return Path(f"/proc/{process.pid}/comm").read_text().strip() == name


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "600"]) as process:
        until(lambda: is_called(process, "sleep"), "it is what it shall be")
        yield process
        process.kill()


def test_a_signal_reaches_the_server_that_its_pid_file_names(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """The pid file's process is told, when it runs the program that it should."""
    (tmp_path / "pid").write_text(f"{sleeper.pid}\n")
    service.hang_up(tmp_path / "pid", ("exim4", "sleep"))
    assert sleeper.wait(20) == -signal.SIGHUP


@pytest.mark.parametrize("content", [None, "", "not a number", "4194305"])
def test_a_server_that_does_not_run_cannot_be_told(tmp_path: Path, content: str | None) -> None:
    """No file, nothing in it, or a process that is gone: an error, so that nobody believes in a swap that did not happen."""
    if content is not None:
        (tmp_path / "pid").write_text(content)
    with pytest.raises(DeployError, match="exim4 does not run"):
        service.hang_up(tmp_path / "pid", ("exim4",))


def test_a_long_name_is_known_by_its_beginning(tmp_path: Path) -> None:
    """The kernel keeps fifteen characters of a program's name."""
    program = tmp_path / "a-mail-server-of-ours"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "600"]) as process:
        until(lambda: is_called(process, "a-mail-server-o"), "it is what it shall be")
        (tmp_path / "pid").write_text(f"{process.pid}\n")
        service.hang_up(tmp_path / "pid", (program.name,))
        assert process.wait(20) == -signal.SIGHUP


def test_a_stranger_with_an_old_number_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A pid file outlives a crash; a SIGHUP to whoever has the number now would end him."""
    (tmp_path / "pid").write_text(f"{sleeper.pid}\n")
    with pytest.raises(DeployError, match="which is"):
        service.hang_up(tmp_path / "pid", ("exim4", "exim"))
    assert sleeper.poll() is None
