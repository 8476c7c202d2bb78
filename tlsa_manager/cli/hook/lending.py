"""Before and after an order of a client that takes the key for its next certificate from a file: our key goes there, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tlsa_manager.errors import TlsaManagerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.handover.keyslot import Slot
    from tlsa_manager.wiring import House

Thing = TypeVar("Thing")


def lend(voice: Voice, home: House, name: str, slot: Slot) -> None:
    """Put the key for the next certificate of a lineage where its client looks for it. Raises TlsaManagerError."""
    handed = home.hand_out(name)
    slot.mend()  # whose mode it is that is told of
    exposure = slot.exposure()
    lent = slot.lend(handed.pem)
    notes = [*handed.notes, *([exposure] if exposure and lent else ())]
    text = f"key {handed.id} stands in {slot.key}" + ("" if lent else " already") + ": the next certificate is for it"
    value = {"lineage": name, "key": handed.id, "file": str(slot.key), "lent": lent, "notes": notes}
    voice.event(value, "; ".join([f"{name}: {text}", *notes]))


def mend(voice: Voice, slots: Iterable[Slot]) -> None:
    """Put the former keys back wherever ours stands beside a certificate that is not for it. Raises TlsaManagerError."""

    def back(slot: Slot) -> None:
        if slot.mend():
            voice.event({"file": str(slot.key), "put_back": True}, f"{slot.key} has its former key again")

    each(voice, slots, back)


def each(voice: Voice, things: Iterable[Thing], act: Callable[[Thing], None]) -> None:
    """Do something with each: what fails for one is told, and bars no other. Raises the last failure at the end."""
    failed: TlsaManagerError | None = None
    for thing in things:
        try:
            act(thing)
        except TlsaManagerError as error:
            if failed is not None:
                voice.complain(failed.message, failed.hint)
            failed = error
    if failed is not None:
        raise failed
