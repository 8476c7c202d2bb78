from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pki
import pytest

from tlsa_manager.deploy import Consumer, open_consumer
from tlsa_manager.errors import ConfigError, DeployError

if TYPE_CHECKING:
    from pathlib import Path


def consumer(directory: Path, **options: object) -> Consumer:
    return open_consumer("exim", "command", {"file": str(directory / "mx.pem"), "reload": ["/bin/true"], **options})


def install(one: Consumer) -> tuple[int, int, int]:
    chain, key = pki.pair()
    one.install(key + chain)
    found = one.path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.mark.usefixtures("as_root")
def test_owner_group_and_mode_are_set_and_the_rest_stays(tmp_path: Path) -> None:
    """What is configured is set, what is not stays as it stands, and without either the file is ours, 0600."""
    assert install(consumer(tmp_path)) == (0, 0, 0o600)
    assert install(consumer(tmp_path, group="nogroup", mode="0640")) == (0, 65534, 0o640)
    assert install(consumer(tmp_path, owner="nobody")) == (65534, 65534, 0o640)
    assert install(consumer(tmp_path, owner="0", group="0", mode="400")) == (0, 0, 0o400)


@pytest.mark.usefixtures("as_root")
def test_a_file_for_the_reader_s_own_directory(tmp_path: Path) -> None:
    """A directory may belong to the user the key is for: he may read it anyway. No other user's may."""
    place = tmp_path / "haraka"
    place.mkdir(mode=0o755)
    os.chown(place, 65534, 65534)
    assert install(consumer(place, owner="nobody", mode="0400"))[0] == 65534
    (place / "mx.pem").unlink()
    with pytest.raises(DeployError, match="belongs to another user"):
        install(consumer(place, owner="daemon"))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("mode", "0644", "not a mode for a private key"),
        ("mode", "0660", "not a mode for a private key"),
        ("mode", "rw-r-----", "not a mode for a private key"),
        ("mode", "4600", "not a mode for a private key"),
        ("owner", "no-such-user", "does not exist on this host"),
        ("group", "no-such-group", "does not exist on this host"),
        ("reload", ["systemctl", "reload", "exim4"], "absolute path"),
        ("reload", "systemctl reload exim4", "must be a list"),
    ],
)
def test_what_cannot_be_obeyed_is_a_mistake_of_the_configuration(tmp_path: Path, option: str, value: object, words: str) -> None:
    """Wide modes, unknown users and shell lines are refused before anything happens."""
    with pytest.raises(ConfigError, match=words) as caught:
        consumer(tmp_path, **{option: value})
    assert caught.value.mistakes
    assert f"consumer.exim.{option}" in caught.value.mistakes[0]


def test_the_documented_environment(tmp_path: Path) -> None:
    """Commands are told the consumer, the file and what is being done."""
    script = tmp_path / "told"
    script.write_text(f'#!/bin/sh\necho "$TLSA_MANAGER_ACTION $TLSA_MANAGER_CONSUMER $TLSA_MANAGER_FILE" >> {tmp_path}/log\n')
    script.chmod(0o755)
    one = consumer(tmp_path, check=[str(script)], reload=[str(script)])
    one.check()
    one.reload()
    assert (tmp_path / "log").read_text() == f"check exim {tmp_path}/mx.pem\nreload exim {tmp_path}/mx.pem\n"


def test_a_failing_check_is_an_error_and_no_check_is_none(tmp_path: Path) -> None:
    """The software's own check decides; without one nothing is checked, and whether it reads the file is unknown."""
    with pytest.raises(DeployError, match="exit code 1"):
        consumer(tmp_path, check=["/bin/false"]).check()
    consumer(tmp_path).check()
    assert consumer(tmp_path).look().configured is None


@pytest.mark.usefixtures("as_root")
def test_a_file_of_another_user_is_told(tmp_path: Path) -> None:
    """A key file that belongs to somebody nobody configured is a problem; a configured owner is none."""
    install(consumer(tmp_path, owner="nobody"))
    assert [problem for problem in consumer(tmp_path).look().problems if "another user (uid 65534)" in problem]
    assert not consumer(tmp_path, owner="nobody").look().problems


def test_the_order_in_a_foreign_file_does_not_hide_its_certificate(tmp_path: Path) -> None:
    """A file written by somebody else, chain first, is recognised: it can be adopted."""
    chain, key = pki.pair()
    (tmp_path / "mx.pem").touch(mode=0o600)
    (tmp_path / "mx.pem").write_bytes(chain + key)
    assert consumer(tmp_path).look().fingerprint


def test_a_file_of_an_acme_client_is_told(tmp_path: Path) -> None:
    """Whoever reads an ACME client's own file presents the new key unpublished; a link into its directory is no better."""
    live = tmp_path / ".acme.sh" / "mx.example.org"
    live.mkdir(parents=True)
    (tmp_path / "tls").symlink_to(live)
    for place in (live, tmp_path / "tls"):
        view = consumer(place).look()
        assert "ACME client" in view.from_acme[0]
        assert view.from_acme[0] in view.problems
    assert consumer(tmp_path).look().from_acme == ()
