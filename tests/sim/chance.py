"""What hypothesis may choose: worlds and lives. Faults that nobody could survive are left out, each with its reason."""

from __future__ import annotations

from hypothesis import strategies as st

from sim.fate import Fate, ServerFate, Span
from sim.life import Renewal, Setting, foreign
from sim.story import POLICY
from sim.turns import TURNS, Turn
from tlsa_manager.policy import KeyPolicy

FAULTS_END = 1500.0
LATEST = 25.0  # how late a timer may be
BLINK = 2 * (POLICY.check_interval + LATEST)  # a relapse that is over before two looks is seen by nobody

indices = st.frozensets(st.integers(1, 30), max_size=6)


def spans(shortest: float, longest: float, most: int = 2) -> st.SearchStrategy[tuple[Span, ...]]:
    """Some times within which something is wrong."""
    one = st.builds(Span, st.floats(0, FAULTS_END - longest), st.floats(shortest, longest))
    return st.lists(one, max_size=most).map(tuple)


servers = st.builds(
    ServerFate,
    lag=st.one_of(st.just(0.0), st.floats(0, 120)),
    down=spans(5, 400),
    relapses=spans(BLINK, 500, most=1),
    depth=st.integers(1, 3),
    broken=spans(5, 300, most=1),
)

# Behind an anycast address: nobody but the provider can tell what it has, and the provider is asked and tells the truth.
instances = st.builds(ServerFate, lag=st.one_of(st.just(0.0), st.floats(0, 400)), hidden=st.sampled_from([True]))

fates = st.builds(
    Fate,
    ttl=st.sampled_from([10, 60, 60, 120, 300]),
    servers=st.tuples(st.lists(servers, min_size=1, max_size=3), st.lists(instances, max_size=1)).map(
        lambda two: (*two[0], *two[1])
    ),
    stretch=st.sampled_from([0.0, 0.0, 100.0, POLICY.cache_floor]),
    lost=indices,
    refused=indices,
    silent=indices,
    unserved=indices,
    crashes=st.frozensets(st.integers(1, 400), max_size=8),
    timers=st.lists(st.floats(-9, LATEST), max_size=5).map(tuple),
    clock_steps=st.lists(
        st.tuples(st.floats(1, FAULTS_END), st.sampled_from([-86400.0, -7200.0, -300.0, -31.0, 31.0, 300.0, 7200.0, 86400.0])),
        max_size=2,
    ).map(tuple),
    reload_delays=st.lists(st.sampled_from([0.0, 0.5, 4.0, 15.0]), min_size=1, max_size=4).map(tuple),
    failed_deploys=st.frozensets(st.integers(1, 4), max_size=2),
    seed=st.integers(0, 2**16),
)

quiet_fates = st.builds(
    Fate,
    ttl=st.sampled_from([10, 60, 120, 300]),
    servers=st.lists(st.builds(ServerFate, lag=st.floats(0, 200)), min_size=1, max_size=3).map(tuple),
    stretch=st.sampled_from([0.0, POLICY.cache_floor]),
    seed=st.integers(0, 2**16),
)

settings_of_a_life = st.builds(
    Setting,
    lineages=st.integers(1, 2),
    owners=st.integers(1, 2),
    addresses=st.integers(1, 2),
    foreign=st.sampled_from(["", "", "issuer", "stale", "pkix"]).map(foreign),
    readable=st.sampled_from([True, True, False]),
)

renewals = st.lists(
    st.builds(Renewal, st.floats(1, FAULTS_END), st.integers(0, 1), st.sampled_from(["new", "new", "current", "latest"])),
    min_size=1, max_size=4,
).map(tuple)  # fmt: skip

settings_with_keys = st.builds(
    Setting,
    lineages=st.integers(1, 2),
    owners=st.integers(1, 2),
    addresses=st.integers(1, 2),
    foreign=st.sampled_from(["", "", "issuer", "pkix"]).map(foreign),  # a foreign 3 1 1 would never let ours go
    readable=st.sampled_from([True, True, False]),
    keys=st.builds(KeyPolicy, next_key=st.sampled_from([True, True, False]), reuse=st.booleans()),
)

renewals_with_keys = st.lists(
    st.builds(Renewal, st.floats(1, FAULTS_END), st.integers(0, 1), st.sampled_from(["next", "next", "next", "new", "current"])),
    min_size=1, max_size=4,
).map(tuple)  # fmt: skip

turns = st.lists(st.builds(Turn, st.floats(1, FAULTS_END), st.sampled_from(TURNS), st.integers(0, 1)), max_size=3).map(tuple)
