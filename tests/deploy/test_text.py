"""Configurations that are no plain files, or without end: looking at them ends, with a sentence, whatever the server is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.deploy import Consumer, open_consumer, process, running, service
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INCLUDES = {"nginx": "include %s;", "opensmtpd": "include %s", "haproxy": "listen web\n  bind :443 ssl crt-list %s"}


def consumer(kind: str, config: Path) -> Consumer:
    """Make the consumer of a server that need not be installed."""
    words: dict[str, object] = {"file": str(config.parent / "mx.pem"), "config": str(config), "reload": ["/bin/true"]}
    return open_consumer("mx", kind, {**words, "config": [str(config)]} if kind == "haproxy" else words)


def problem(one: Consumer) -> str:
    (found,) = [told for told in one.look().problems if "cannot be told what mx reads" in told]
    assert "the option config" in found.partition("; ")[2]
    return found


def pipe(file: Path) -> None:
    os.mkfifo(file)


def device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def huge(file: Path) -> None:
    file.touch()
    os.truncate(file, (16 << 20) + 1)


ODD = [(pipe, "it is no regular file"), (device, "it is no regular file"), (huge, "it is larger than 16 MiB")]


@pytest.mark.parametrize(("make", "words"), ODD)
@pytest.mark.parametrize("kind", INCLUDES)
def test_what_is_no_plain_file_is_neither_waited_for_nor_swallowed(
    kind: str, make: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    """As the configuration itself, and as what it includes."""
    odd, including = tmp_path / "odd", tmp_path / "config"
    make(odd)
    including.write_text(f"{INCLUDES[kind] % odd}\n")
    for config in (odd, including):
        assert f"{odd} cannot be read: {words}" in problem(consumer(kind, config))


def test_a_certificate_and_a_pid_file_may_be_pipes(tmp_path: Path) -> None:
    """HAProxy's file of a chain, where a key lies beside it, and the number of a process: looked at without waiting."""
    pipe(tmp_path / "site")
    (tmp_path / "site.key").write_text("")
    (tmp_path / "config").write_text(f"listen web\n  bind :443 ssl crt {tmp_path}/site\n")
    assert consumer("haproxy", tmp_path / "config").look().configured is False
    assert running.status(tmp_path / "site") == {}
    with pytest.raises(DeployError, match="names no process"):
        service.hang_up(tmp_path / "site", ("nginx",))


@pytest.mark.parametrize("kind", ["nginx", "opensmtpd"])
def test_a_long_chain_of_includes_is_told(kind: str, tmp_path: Path) -> None:
    """Some levels are read; a thousand are none that somebody wrote."""
    for number in range(1000):
        (tmp_path / f"{number}").write_text(f"{INCLUDES[kind] % (tmp_path / str(number + 1))}\n")
    (tmp_path / "1000").write_text("\n")
    assert "is nested too deeply" in problem(consumer(kind, tmp_path / "0"))
    assert not [told for told in consumer(kind, tmp_path / "920").look().problems if "cannot be told" in told]


def test_blocks_in_blocks_are_told(tmp_path: Path) -> None:
    """Twenty thousand of them."""
    (tmp_path / "config").write_text("a {\n" * 20_000)
    assert "is nested too deeply" in problem(consumer("nginx", tmp_path / "config"))
    (tmp_path / "config").write_text("a {\n" * 90 + "}\n" * 90)
    assert not [told for told in consumer("nginx", tmp_path / "config").look().problems if "cannot be told" in told]


@pytest.mark.parametrize("kind", ["nginx", "opensmtpd"])
def test_files_that_are_included_twice_by_files_that_are_included_twice(kind: str, tmp_path: Path) -> None:
    """Twenty-five small files would be read thirty million times."""
    for number in range(25):
        (tmp_path / f"{number}").write_text(f"{INCLUDES[kind] % (tmp_path / str(number + 1))}\n" * 2)
    (tmp_path / "25").write_text("\n")
    assert "more than 20000 files are included" in problem(consumer(kind, tmp_path / "0"))


def test_a_list_that_many_listeners_have_is_read_once(tmp_path: Path) -> None:
    """It counts once, so a large one is no hindrance."""
    (tmp_path / "list").write_text("#" + "x" * (15 << 20) + f"\n{tmp_path}/site\n")
    (tmp_path / "config").write_text("listen web\n" + f"  bind :443 ssl crt-list {tmp_path}/list\n" * 10)
    assert not [told for told in consumer("haproxy", tmp_path / "config").look().problems if "cannot be told" in told]


def test_all_of_a_configuration_has_an_end(tmp_path: Path) -> None:
    """Each of its files is of a size that is allowed, all of them are not."""
    (tmp_path / "part").write_text("#" + "x" * (13 << 20) + "\n")
    (tmp_path / "config").write_text(f"include {tmp_path}/part;\n" * 5)
    assert "is larger than 64 MiB" in problem(consumer("nginx", tmp_path / "config"))


def test_a_name_begins_no_line_of_its_own(tmp_path: Path) -> None:
    """A newline in the name of a file could pass for a message of this program."""
    (tmp_path / "config").write_text(f'include "{tmp_path}/x\nmx.a.example: all is well";\n')
    (tmp_path / "x\nmx.a.example: all is well").mkdir()
    told = problem(consumer("nginx", tmp_path / "config"))
    assert "\n" not in told
    assert "x\\nmx.a.example: all is well cannot be read" in told


def test_what_a_server_reads_begins_no_line_of_its_own(tmp_path: Path) -> None:
    """Names of servers and certificates are shown as well, here with a quoted newline and an escape for terminals."""
    odd = "/x\nmx.a.example: all is well\x1b[2J"
    ssl = f'ssl_certificate "{odd}"; ssl_certificate_key "{tmp_path}/mx.pem";'
    (tmp_path / "config").write_text(f'http {{ server {{ server_name "{odd}"; listen 443 ssl; {ssl} }} }}')
    problems = consumer("nginx", tmp_path / "config").look().problems
    assert [told for told in problems if "\\nmx.a.example: all is well\\x1b[2J" in told]
    assert all(told.isprintable() for told in problems)
    with pytest.raises(DeployError) as caught:
        process.run(("/bin/sh", "-c", "exit 1", odd), 20)
    assert caught.value.message.isprintable()
