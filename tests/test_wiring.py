"""The house: what the verbs of hook, timer and terminal do to each other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pki

from tlsa_manager import config, wiring
from tlsa_manager.rollover.steps import Wait

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONFIG = """
[defaults]
resolver = ["127.0.0.1"]
directory = "{directory}/state"
[dns.by-hand]
backend = "manual"
[consumer.postfix]
type = "postfix"
file = "{directory}/mx.pem"
[lineage."mx.example"]
services = ["mx.example:25"]
dns = "by-hand"
consumers = ["postfix"]
"""


class SlowEngine:
    """Publishes only when it is told to."""

    def __init__(self) -> None:
        self.may_publish = threading.Event()
        self.did: list[str] = []

    def publish(self, name: str) -> None:
        """Take a while."""
        self.may_publish.wait(30)
        self.did.append(f"publish {name}")

    def advance(self, name: str) -> Wait:
        """Have nothing to do for ever."""
        self.did.append(f"advance {name}")
        return Wait(float("inf"), "nothing is due")


def test_a_run_waits_for_what_is_still_being_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`rollover start` publishes and then runs: name servers slower than a hook's budget do not make it too busy for itself."""
    monkeypatch.setattr(wiring, "HOOK_BUDGET", 0.0)
    (tmp_path / "config.toml").write_text(CONFIG.format(directory=tmp_path))
    home, engine = wiring.House(config.load(tmp_path / "config.toml")), SlowEngine()
    home.__dict__["engine"] = engine
    home.stage("mx.example", *pki.pair("mx.example"), "test")
    assert home.is_publishing
    threading.Timer(0.3, engine.may_publish.set).start()
    assert home.run(["mx.example"], anyway=True) == {}
    assert engine.did == ["publish mx.example", "advance mx.example"]
