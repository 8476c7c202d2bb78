"""keyslot: our key in the client's file, and back, whatever happens in between."""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING

import pytest
from lab.certificate import self_signed

from tlsa_manager.errors import BadInput, StateError
from tlsa_manager.handover import keyslot
from tlsa_manager.handover.keyslot import KEPT, Slot, provide

if TYPE_CHECKING:
    from pathlib import Path

OURS = self_signed("mx.example.org")


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    """A key and its certificate, as a client keeps them."""
    pair = self_signed("mx.example.org")
    made = Slot(tmp_path / "privkey1.pem", tmp_path / "cert1.pem")
    made.key.touch(mode=0o640)
    made.key.chmod(0o640)
    made.key.write_bytes(pair.key)
    made.certificate.write_bytes(pair.certificate)
    return made


def names(slot: Slot) -> set[str]:
    """All that lies there."""
    return {one.name for one in slot.key.parent.iterdir()}


def die(*_: object, **__: object) -> None:
    """End as a kill does."""
    raise KeyboardInterrupt


def refuse(*_: object, **__: object) -> None:
    """Fail as the system does."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_our_key_takes_the_place_and_the_mode(slot: Slot) -> None:
    """The client finds ours, readable by whom the former was."""
    assert slot.lend(OURS.key)
    assert slot.key.read_bytes() == OURS.key
    assert stat.S_IMODE(slot.key.stat().st_mode) == 0o640


def test_after_a_failed_order_the_former_is_back(slot: Slot) -> None:
    """The same file, not a copy: its owner, its mode, its attributes."""
    before, number = slot.key.read_bytes(), slot.key.stat().st_ino
    slot.lend(OURS.key)
    assert slot.mend()
    assert (slot.key.read_bytes(), slot.key.stat().st_ino) == (before, number)
    assert names(slot) == {"privkey1.pem", "cert1.pem"}
    assert not slot.mend()


def test_after_a_renewal_in_place_ours_stays(slot: Slot) -> None:
    """acme.sh writes the new certificate over the former: the key that was kept is of no use any more."""
    slot.lend(OURS.key)
    slot.certificate.write_bytes(OURS.certificate)
    assert not slot.mend()
    assert slot.key.read_bytes() == OURS.key
    assert names(slot) == {"privkey1.pem", "cert1.pem"}


def test_the_key_that_is_there_already_is_left_alone(slot: Slot) -> None:
    """Nothing is written where nothing changes."""
    number = slot.key.stat().st_ino
    assert not slot.lend(slot.key.read_bytes())
    assert slot.key.stat().st_ino == number
    assert names(slot) == {"privkey1.pem", "cert1.pem"}


@pytest.mark.parametrize("moment", ["write_new", "link", "rename", "fsync"])
def test_a_crash_is_mended_by_the_next(slot: Slot, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whichever step it dies: a key is there, and `mend` has the former one stand there; then it can be lent again."""
    before = slot.key.read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr(keyslot if moment == "write_new" else keyslot.os, moment, die)
        with pytest.raises(KeyboardInterrupt):
            slot.lend(OURS.key)
    assert slot.key.read_bytes() in (before, OURS.key)
    slot.mend()
    assert slot.key.read_bytes() == before
    assert slot.lend(OURS.key)
    assert slot.mend()
    assert names(slot) == {"privkey1.pem", "cert1.pem"}


def test_a_key_that_everybody_may_read_is_replaced_by_one_that_nobody_may(slot: Slot) -> None:
    """The mode is narrowed, and it is said; the client's own key comes back as it was."""
    assert not slot.exposure()
    slot.key.chmod(0o664)
    assert slot.exposure() == f"{slot.key} had mode 0664, too wide for a private key; ours has 0640"
    slot.lend(OURS.key)
    assert stat.S_IMODE(slot.key.stat().st_mode) == 0o640
    slot.mend()
    assert stat.S_IMODE(slot.key.stat().st_mode) == 0o664


def test_a_copy_that_a_kill_left_is_removed(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before anything was exchanged: `mend` finds nothing to put back, and yet no copy of our key stays."""
    with monkeypatch.context() as patch:
        patch.setattr(keyslot, "_remove", lambda *_: None)  # a killed process tidies nothing
        patch.setattr(keyslot.os, "link", die)
        with pytest.raises(KeyboardInterrupt):
            slot.lend(OURS.key)
    assert (slot.key.parent / ".privkey1.pem.new").read_bytes() == OURS.key
    assert keyslot.left_over(slot.key.parent, "privkey*.pem") == (slot.key,)
    assert not slot.mend()
    assert names(slot) == {"privkey1.pem", "cert1.pem"}
    assert keyslot.left_over(slot.key.parent, "privkey*.pem") == ()


def test_a_fault_leaves_no_copy(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links: the client's key stands, and ours lies nowhere."""
    monkeypatch.setattr(keyslot.os, "link", refuse)
    with pytest.raises(StateError, match="permission denied"):
        slot.lend(OURS.key)
    assert names(slot) == {"privkey1.pem", "cert1.pem"}


def test_a_key_beside_a_link_leaves_no_copy_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a killed one left goes with the next, under whichever name that is; a fault leaves nothing."""
    (tmp_path / "privkey-1.pem").write_bytes(b"former")
    link = tmp_path / "privkey.pem"
    link.symlink_to("privkey-1.pem")
    for number, when in enumerate(("rename", "symlink"), 2):
        with monkeypatch.context() as patch:
            patch.setattr(keyslot, "_remove", lambda *_: None)
            patch.setattr(keyslot.os, when, die)
            with pytest.raises(KeyboardInterrupt):
                provide(link, f"privkey-{number}.pem", OURS.key)
        provide(link, f"privkey-{number + 5}.pem", OURS.key)
        assert link.readlink().name == f"privkey-{number + 5}.pem"
        assert not list(tmp_path.glob(".*"))
    monkeypatch.setattr(keyslot.os, "rename", refuse)
    with pytest.raises(StateError):
        provide(link, "privkey-9.pem", OURS.key)
    assert not list(tmp_path.glob(".*"))


def test_only_a_link_is_led_elsewhere(tmp_path: Path) -> None:
    """A file in its place may be the only copy of the client's key. Where there is nothing yet, a link is made."""
    link = tmp_path / "privkey.pem"
    link.write_bytes(b"the client's")
    with pytest.raises(BadInput, match="is no link but a file of its own"):
        provide(link, "privkey-2.pem", OURS.key)
    assert (link.read_bytes(), [one.name for one in tmp_path.iterdir()]) == (b"the client's", ["privkey.pem"])
    link.unlink()
    provide(link, "privkey-2.pem", OURS.key)
    assert link.read_bytes() == OURS.key


def test_twice_lent_keeps_the_first(slot: Slot) -> None:
    """A second pre-hook without a post-hook in between does not take our key for the client's."""
    before = slot.key.read_bytes()
    slot.lend(OURS.key)
    slot.lend(self_signed("mx.example.org").key)
    slot.mend()
    assert slot.key.read_bytes() == before


def test_where_no_key_fits_nothing_is_touched(slot: Slot) -> None:
    """Somebody else was at it: a person decides."""
    slot.lend(OURS.key)
    slot.certificate.write_bytes(self_signed("mx.example.org").certificate)
    with pytest.raises(BadInput, match=r"neither .* nor the key kept beside it"):
        slot.mend()
    assert names(slot) == {"privkey1.pem", "privkey1.pem" + KEPT, "cert1.pem"}


def test_a_directory_that_others_may_write_to_gets_no_key(slot: Slot) -> None:
    """Whoever can write there could put anything under our names."""
    slot.key.parent.chmod(0o777)
    with pytest.raises(BadInput, match="writable by others"):
        slot.lend(OURS.key)


def test_without_a_directory_it_is_said(tmp_path: Path) -> None:
    """The system's error in our words."""
    with pytest.raises(StateError, match="cannot be exchanged: it does not exist"):
        Slot(tmp_path / "no" / "privkey1.pem", tmp_path / "no" / "cert1.pem").lend(OURS.key)


def test_a_symbolic_link_in_place_of_the_key_is_not_followed(slot: Slot, tmp_path: Path) -> None:
    """A key must not be read or replaced through a link that somebody planted."""
    elsewhere = tmp_path / "elsewhere"
    slot.key.rename(elsewhere)
    slot.key.symlink_to(elsewhere)
    with pytest.raises(StateError):
        slot.lend(OURS.key)
