"""Nine states of DNS before one server, in which other checkers give the wrong exit code, or one by chance."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from cli.program import Say

from tlsa_manager.sender.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zoo.zoo import Host, Zoo

TIMES = 20
_OTHER, _THIRD = (f"3 1 1 {random.Random(seed).randbytes(32).hex()}" for seed in (1, 2))


def _match(zoo: Zoo) -> Host:
    return zoo.mx("3 1 1")


def _current_and_next(zoo: Zoo) -> Host:
    return zoo.mx("3 1 1", _OTHER)


def _three_records(zoo: Zoo) -> Host:
    return zoo.mx("3 1 1", _OTHER, _THIRD)


def _ec_and_rsa(zoo: Zoo) -> Host:
    host = zoo.host()
    other = zoo.host(name=host.name, address=host.address, kind="RSA")
    zoo.serve(host, host.pair, other.pair)
    zoo.publish(host, host.record(), other.record())
    return host


def _stale(zoo: Zoo) -> Host:
    return zoo.mx(_OTHER)


def _none(zoo: Zoo) -> Host:
    return zoo.mx()


def _insecure(zoo: Zoo) -> Host:
    return zoo.mx("3 1 1", host=zoo.host(zone="insecure.example"))


def _insecure_and_stale(zoo: Zoo) -> Host:
    return zoo.mx(_OTHER, host=zoo.host(zone="insecure.example"))


def _bogus(zoo: Zoo) -> Host:
    return zoo.host(name="mx.expired.example")  # nobody comes as far as its server


# State -> outcome and exit code: 0 all is well, 1 no protection though mail flows, 2 mail is deferred.
STATES: dict[str, tuple[Callable[[Zoo], Host], Delivery, int]] = {
    "match": (_match, Delivery.AUTH, 0),
    "current+next": (_current_and_next, Delivery.AUTH, 0),
    "3 records": (_three_records, Delivery.AUTH, 0),
    "EC + RSA pair": (_ec_and_rsa, Delivery.AUTH, 0),
    "stale only": (_stale, Delivery.DEFER, 2),
    "none": (_none, Delivery.OPPORTUNISTIC, 1),
    "insecure zone + match": (_insecure, Delivery.OPPORTUNISTIC, 1),
    "insecure zone + stale": (_insecure_and_stale, Delivery.OPPORTUNISTIC, 1),
    "bogus zone": (_bogus, Delivery.DEFER, 2),
}


@pytest.mark.parametrize("state", STATES)
def test_the_exit_code_is_right_each_of_twenty_times(zoo: Zoo, state: str) -> None:
    """Whatever the order of the records in the answers, the verdict is the same, with everything on and with --quick."""
    build, outcome, code = STATES[state]
    host = build(zoo)
    zoo.lab.flush()
    full = [zoo.check(f"{host.name}:25") for _ in range(TIMES)]
    assert {(one.outcome, one.exit_code) for one in full} == {(outcome, code)}, full[0].findings
    quick = [zoo.check(f"{host.name}:25", quick=True) for _ in range(TIMES)]
    assert {(one.outcome, one.exit_code) for one in quick} == {(outcome, code)}, quick[0].findings


@pytest.mark.parametrize("state", STATES)
def test_the_program_ends_with_that_code(zoo: Zoo, tmp_path: Path, state: str) -> None:
    """The process ends as a deploy script or a monitoring system expects, also through a domain's MX."""
    build, outcome, code = STATES[state]
    host = build(zoo)
    zoo.lab.flush()
    say = Say(tmp_path / "none.toml")
    words = ("check", f"{host.name}:25", "--json", "--resolver", zoo.lab.resolver, "--trust-anchor", str(zoo.lab.anchor))
    ended = say(*words)
    assert ended.code == code, ended.err + ended.out
    assert ended.json["targets"][0]["outcome"] == str(outcome)
    assert not ended.err
