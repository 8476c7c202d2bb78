"""Theory of operation: how a key is rolled over without any sender ever meeting a mismatch.

The safety law. For every TLSA owner name, at every instant, for every RRset that a conforming cache may still hold, at least
one usable record matches what every server instance behind that name may present, separately for each certificate usage,
selector and matching type in the set (RFC 7671 §8).

A rollover adds first and removes last:

    staged ──▶ publishing ──▶ waiting ──▶ ready ──▶ swapping ──▶ swapped ──▶ retiring ──▶ stable
               add the next   until no    live      files, then  until the    remove the
               key's records  cache can   files     until every  rollback     old records
                              lack them   change    answer is    window is
                                                    new          over

All of it is pure: no network, no disk, no clock, no chance. Data flows one way:

    Snapshot ──note──▶ events ──apply──▶ Facts ──decide──▶ Decision          (decide.py runs rules.py in order)

- `events`: what happened, in the past tense. `facts`: the fold of the events; applying one cannot fail.
- `note`: what a look at the world adds to what is known. The heart of it is one list an owner: every RRset that some cache
  may still hold, with its TTL and the moment since which no server hands it out any more.
- `timing`: one function an interval. `law`: which records a set lacks for a chain. `state`: where a record, a lineage stands,
  computed and never stored.
- `gates`: may we publish, swap, retire? Each answers with the blockers, and each blocker with the moment it ends, if it is
  only a matter of time.
- `rules`: one small function each; the first that speaks wins. `safety`: the veto, asked again just before acting, which
  knows nothing of the rules' reasons. (`forecast.py`, beside the engine, runs all of it in an ideal world: `rollover plan`.)

A crash between any two steps loses nothing: an intent is journalled before the act, so the next run looks again and does the
step once more, or undoes it. Every step may be done twice.
"""
