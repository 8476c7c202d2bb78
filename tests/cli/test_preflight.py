"""`preflight` without a network, as CI calls it: chains against records in presentation form, exit codes, JSON."""

from __future__ import annotations

import dataclasses
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pki import key_pem
from sender.papers import HOST, ISSUER, ROOT, Paper, key_of, leaf, record

from tlsa_manager.certificates import to_pem
from tlsa_manager.errors import BadInput
from tlsa_manager.preflight.record_file import place_of, read_records
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from pathlib import Path

    from program import Ending, Say

AT = "2026-06-01T00:00:00Z"
LEAF = leaf().der()
OWNER = f"_25._tcp.{HOST}."
GOOD, STALE = record("3 1 1", LEAF), record("3 1 1", leaf(key="other").der())
ANCHOR = record("2 1 1", ISSUER.der())
EXPIRED = leaf(days=(-100, -1))
VERDICTS = [
    (f"{GOOD}", 0),
    (f"{STALE}", 1),
    (f"{STALE}\n{GOOD}", 0),
    (f"{GOOD}\n{STALE}\n", 0),
    (f"; comment\n\n  {str(GOOD).upper()}  ; and another\n", 0),
    (f"3 1 1 (\n {GOOD.data[:30]} ; first half\n {GOOD.data[30:]}\n)", 0),
    (f"DANE-EE SPKI SHA2-256 {GOOD.data}", 0),
    (str(record("1 1 1", LEAF)), 1),  # unusable with SMTP
    (f"{record('1 1 1', LEAF)}\n{GOOD}", 0),
    (f"{GOOD}\n{record('3 1 2', leaf(key='other').der())}", 1),  # agile senders look at SHA-512 only
    (f"{GOOD}\n{record('3 1 2', LEAF)}", 0),
    ("3 1 1 " + GOOD.data[:-2], 1),
    (f"{OWNER} 300 IN TLSA {GOOD}", 0),
    (f"{OWNER} TLSA {GOOD}\n{OWNER} TLSA {STALE}", 0),
    (f"{OWNER} TLSA {GOOD}\n_465._tcp.{HOST}. TLSA {STALE}", 1),
    (f"{OWNER} TLSA {GOOD}\n_465._tcp.{HOST}. TLSA {GOOD}", 0),
    (f"{OWNER} TLSA {GOOD}\n{STALE}", 1),  # bare records are a set of their own
    (f"$ORIGIN example.org.\n$TTL 60\nmx A 192.0.2.1\n_25._tcp.mx TLSA ( 3 1 1\n {GOOD.data} )", 0),
    (f"{OWNER} IN TYPE52 \\# 35 030101{GOOD.data}", 0),
    (f"{OWNER.upper()} IN TLSA {GOOD}", 0),
    (str(ANCHOR), 1),  # nobody said what senders call the server
    (f"{OWNER} TLSA {ANCHOR}", 0),
    (f"_25._tcp.other.example.org. TLSA {ANCHOR}", 1),
    (f"{OWNER} TLSA {record('2 1 1', ROOT.der())}", 1),
    (f"{OWNER} TLSA {record('2 0 0', ROOT.der())}", 0),
    (f"{OWNER} TLSA {record('2 1 0', ROOT.der())}", 1),
]


@pytest.fixture
def ask(say: Say, tmp_path: Path) -> Ask:
    """Return the command, with files that the test gives as values."""
    return Ask(say, tmp_path)


class Ask:
    """Calls preflight with a chain and records."""

    def __init__(self, say: Say, directory: Path) -> None:
        self.say, self.directory = say, directory

    def chain(self, *papers: Paper | bytes) -> Path:
        """Write a chain."""
        ders = [one if isinstance(one, bytes) else one.der() for one in papers]
        file = self.directory / "chain.pem"
        file.write_bytes(b"".join(map(to_pem, ders)))
        return file

    def __call__(self, records: str, *words: str | Path, papers: tuple[Paper, ...] = (leaf(), ISSUER), at: str = AT) -> Ending:
        """Ask about records."""
        (self.directory / "records").write_text(records)
        file = self.chain(*papers)
        return self.say("preflight", "--certificate", file, "--records", self.directory / "records", f"--at={at}", *words)


@pytest.mark.parametrize(("records", "code"), VERDICTS, ids=range(len(VERDICTS)))
def test_verdicts(ask: Ask, records: str, code: int) -> None:
    """Safe only if every conforming sender, agile or not, authenticates the chain; every owner counts."""
    ending = ask(records)
    assert ending.code == code, ending.out + ending.err
    assert ending.out.startswith("safe" if code == 0 else "unsafe")


def test_the_order_of_records_changes_nothing(ask: Ask) -> None:
    """The same set, in any order, gives the same answer in every word."""
    found = [GOOD, STALE, ANCHOR, record("1 1 1", LEAF), record("3 1 2", LEAF)]
    answers = set()
    for seed in range(4):
        random.Random(seed).shuffle(found)
        answers.add(ask("\n".join(map(str, found)), "--json").out)
    assert len(answers) == 1


def test_names_and_dates(ask: Ask) -> None:
    """Usage 3 knows neither; usage 2 asks for both, at the time of --at, under the names of --name."""
    assert ask(str(ANCHOR), "--name", HOST).code == 0
    assert ask(str(ANCHOR), "--name", "www.example.org").code == 1
    nameless = ask(str(ANCHOR))
    assert nameless.code == 1
    assert "--name HOST" in nameless.out
    assert "--name HOST" not in ask(str(STALE)).out
    both = ask(str(ANCHOR), "--name", "www.example.org", "--name", HOST.upper())
    assert both.code == 1  # senders that come to the first would refuse it
    assert "(for www.example.org)" in both.out
    assert f"(for {HOST})" not in both.out
    two = (leaf(HOST, "www.example.org"), ISSUER)
    assert ask(str(ANCHOR), "--name", "www.example.org", "--name", HOST, papers=two).code == 0
    old = ask(str(GOOD), papers=(EXPIRED, ISSUER))
    assert old.code == 0
    assert "it has expired" in old.out
    refused = ask(f"{OWNER} TLSA {ANCHOR}", papers=(EXPIRED, ISSUER))
    assert refused.code == 1
    assert "certificate 1 has expired on 2026-05-31" in refused.out
    assert ask(f"{OWNER} TLSA {ANCHOR}", papers=(EXPIRED, ISSUER), at="2026-05-25").code == 0
    assert ask(f"{OWNER} TLSA {ANCHOR}", at="2036-06-01 12:00:00+02:00").code == 1
    assert ask(f"{OWNER} TLSA {ANCHOR}", at="1780272000").code == 0


def test_whole_records_are_judged_under_their_own_host(ask: Ask) -> None:
    """`--name` says what bare records cannot; who comes to a host asks for that host, by an alias and a wildcard, too."""
    others = f"_25._tcp.other.example.org. TLSA {ANCHOR}"
    assert ask(others, "--name", HOST).code == 1
    assert ask(f"{OWNER} TLSA {ANCHOR}\n{others}", "--name", HOST).code == 1
    assert ask(f"{OWNER} TLSA {ANCHOR}", "--name", "other.example.org").code == 0
    assert ask(f"*._tcp.{HOST}. TLSA {ANCHOR}").code == 0
    assert ask(f"*._tcp.other.example.org. TLSA {ANCHOR}", "--name", HOST).code == 1
    assert ask(f"{OWNER} TLSA {ANCHOR}\n_25._tcp.other.example.org. CNAME {OWNER}").code == 1
    assert ask(f"{OWNER} TLSA {GOOD}\n_25._tcp.other.example.org. CNAME {OWNER}").code == 0
    shared = f"dane.example.org. TLSA {ANCHOR}"
    assert ask(shared).code == 1
    assert ask(shared, "--name", HOST).code == 0
    assert ask(f"{shared}\n_25._tcp.other.example.org. CNAME dane.example.org.", "--name", HOST).code == 1


def test_other_protocols_ask_public_authorities(ask: Ask, tmp_path: Path) -> None:
    """Usages 0 and 1 count where SMTP is not spoken, with --ca-file; by the owner's port or --protocol."""
    mine = tmp_path / "ca.pem"
    mine.write_bytes(to_pem(ROOT.der()))
    web = f"_443._tcp.{HOST}. TLSA "
    for params, paper in (("1 1 1", leaf()), ("1 0 2", leaf()), ("0 1 1", ISSUER)):
        wanted = str(record(params, paper.der()))
        assert ask(web + wanted, "--ca-file", mine).code == 0
        assert ask(web + wanted).code == 1  # the system's authorities do not know it
        assert ask(f"{OWNER} TLSA {wanted}", "--ca-file", mine).code == 1
        assert ask(f"{OWNER} TLSA {wanted}", "--ca-file", mine, "--protocol", "https").code == 0
        assert ask(wanted, "--ca-file", mine, "--protocol", "imaps", "--name", HOST).code == 0
        assert ask(wanted, "--ca-file", mine, "--protocol", "imaps", "--name", "other.example.org").code == 1
        assert ask(wanted, "--ca-file", mine, "--protocol", "imaps", "--name", HOST, "--name", "other.example.org").code == 1
        assert ask(web + wanted, "--ca-file", mine, "--protocol", "smtp").code == 1
        assert ask(web + wanted, "--ca-file", mine, at="2027-06-01").code == 1
    assert ask(web + str(record("3 1 1", LEAF))).code == 0


def test_the_key_has_to_belong_to_the_certificate(ask: Ask, tmp_path: Path) -> None:
    """A server given both would speak no TLS at all: every DANE sender would defer."""
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(key_pem(key_of("leaf")))
    wrong.write_bytes(key_pem(key_of("other")))
    assert ask(str(GOOD), "--key", right).code == 0
    refused = ask(str(GOOD), "--key", wrong)
    assert refused.code == 1
    assert "PRIVATE" not in refused.err + refused.out
    assert ask(str(GOOD), "--key", tmp_path / "none").code == 1


def test_a_chain_out_of_order_is_unsafe(ask: Ask) -> None:
    """Postfix does not take it, and then speaks no TLS."""
    assert ask(str(GOOD), papers=(leaf(), ROOT)).code == 1
    assert ask(str(ANCHOR), papers=(ISSUER, leaf())).code == 1


def test_what_cannot_be_read_is_never_safe(ask: Ask, say: Say, tmp_path: Path) -> None:
    """Files that are missing, empty, no text, or have no record end with 1 and one sentence."""
    for text in (
        "",
        "; nothing\n",
        "mx A 192.0.2.1\n",
        f"{OWNER} TLSA 3 1 1 zz\n",
        f"{OWNER} TLSA 3 1\n",
        "3 1 1 abc",
        "(",
        "$INCLUDE /etc/passwd",
    ):
        ending = ask(text)
        assert ending.code == 1, text
        assert ending.err.count("error:") == 1
        assert "root:" not in ending.err + ending.out
    (tmp_path / "records").write_bytes(b"\xff\xfe\x00")
    words = ("preflight", "--certificate", ask.chain(LEAF), "--records")
    assert say(*words, tmp_path / "records").code == 1
    assert say(*words, tmp_path / "missing").code == 1
    assert say("preflight", "--certificate", tmp_path / "missing", "--records", tmp_path / "records").code == 1


def test_standard_input(ask: Ask, say: Say) -> None:
    """`--records -` reads a pipe."""
    words = ("preflight", "--certificate", ask.chain(LEAF), "--records", "-")
    assert say(*words, stdin=str(GOOD).encode()).code == 0
    assert say(*words, stdin=str(STALE).encode()).code == 1
    assert say(*words).code == 1


def test_wrong_usage(ask: Ask, say: Say) -> None:
    """Exactly one of three ways; options that mean nothing are not swallowed; a lineage needs a configuration."""
    chain = ask.chain(LEAF)
    for words in (
        (), ("--lineage", "a", "--service", "b:25"), ("--records", "x", "--service", "b:25"), ("--service", "b:25", "--at", AT),
        ("--service", "b:25", "--protocol", "smtp"), ("--records", "x", "--since", AT), ("--records", "x", "--at", "yesterday"),
        ("--service", "b:25", "--since", "2999-01-01"), ("--service", "mx.example.org"), ("--service", "b:0"),
        ("--records", "x", "--protocol", "htps"), ("--records", "x", "--name", "a..b"),
    ):  # fmt: skip
        assert say("preflight", "--certificate", chain, *words).code == 2, words
    assert say("preflight", "--records", "x").code == 2
    assert say("preflight", "--certificate", chain, "--lineage", "mx").code == 78


@pytest.mark.parametrize(
    "moment", ["nan", "inf", "-inf", "1e400", "1e15", "-1", "0001-01-01", "9999-12-31T23:59:59Z", "1969-12-31"]
)
def test_a_moment_that_no_clock_shows_is_wrong_usage(ask: Ask, say: Say, moment: str) -> None:
    """Not a number, before 1970, beyond all calendars: said in a sentence, for --at and for --since."""
    at = ask(f"{OWNER} TLSA {ANCHOR}", at=moment)
    since = say("preflight", "--certificate", ask.chain(LEAF), "--service", "b:25", f"--since={moment}")
    for ending in (at, since):
        assert ending.code == 2
        assert "moment" in ending.err
        assert "Traceback" not in ending.err


def test_moments_at_the_ends_of_time_are_judged(ask: Ask, tmp_path: Path) -> None:
    """The first and the last that are taken do no harm, to libraries either."""
    mine = tmp_path / "ca.pem"
    mine.write_bytes(to_pem(ROOT.der()))
    for moment in ("0", "9998-12-31"):
        refused = ask(f"_443._tcp.{HOST}. TLSA {record('1 1 1', LEAF)}\n{OWNER} TLSA {ANCHOR}", "--ca-file", mine, at=moment)
        assert (refused.code, refused.err) == (1, "")


def test_json(ask: Ask) -> None:
    """One object: the verdict, each owner with each record, reasons with remedies, warnings."""
    good = ask(f"{OWNER} TLSA {GOOD}\n{OWNER} TLSA {STALE}\n{OWNER} TLSA {ANCHOR}", "--json").json
    assert (good["schema"], good["verdict"], good["not_before"], good["reasons"]) == (1, "safe", None, [])
    (owner,) = good["owners"]
    assert (owner["owner"], owner["outcome"], owner["gaps"]) == (OWNER, "auth", [])
    assert {one["record"]: one["matches"] for one in owner["records"]} == {str(GOOD): True, str(STALE): False, str(ANCHOR): True}
    bad = ask(f"{OWNER} TLSA {STALE}", "--json").json
    assert bad["verdict"] == "unsafe"
    assert str(GOOD) in bad["reasons"][0]["remedy"]
    assert bad["reasons"][0]["subject"] == OWNER
    gap = ask(f"{OWNER} TLSA {STALE}\n{OWNER} TLSA {ANCHOR}", "--json").json
    assert (gap["verdict"], gap["owners"][0]["gaps"]) == ("safe", ["3 1 1"])
    assert "RFC 7671 §8" in gap["warnings"][0]["message"]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_text_is_records_or_refused(text: str) -> None:
    """Whatever stands in a file, the reader returns sets or raises BadInput."""
    with suppress(BadInput):
        assert read_records(text, "it")


WORDS = st.lists(
    st.sampled_from(["3 1 1", "TLSA", OWNER, "ab12", "(", ")", ";", "\n", "$TTL", "$ORIGIN", "IN", "300", "\\# 1 ab", '"', "@"])
)


@given(WORDS)
def test_any_words_of_a_zone_file_are_records_or_refused(words: list[str]) -> None:
    """The same with words that take the reader further."""
    with suppress(BadInput):
        assert read_records(" ".join(words), "it")


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5, unique=True), st.booleans())
def test_records_are_read_as_they_were_written(data: list[bytes], whole: bool) -> None:  # noqa: FBT001
    """Bare or whole, each record comes back."""
    wanted = frozenset(Tlsa(3, 1, 1, one.hex()) for one in data)
    text = "\n".join(f"{OWNER} 60 IN TLSA {one}" if whole else str(one) for one in wanted)
    assert read_records(text, "it") == {OWNER if whole else "": wanted}


def test_places() -> None:
    """An owner tells host and port; what is no TLSA owner tells nothing."""
    assert place_of(OWNER) == (HOST, 25)
    assert place_of("_443._TCP.www.example.org") == ("www.example.org", 443)
    assert place_of("*._tcp.mx.example.org.") == (HOST, 25)
    for odd in (
        "mx.example.org.",
        "_025._tcp.mx.example.org.",
        "_0._tcp.a.",
        "25._tcp.mx.example.org.",
        "_99999._tcp.a.",
        "_25._tcp.*.a.",
        "*.example.org.",
        "",
    ):
        assert place_of(odd) is None


def test_a_very_large_chain_of_words_ends_soon(ask: Ask) -> None:
    """Ten thousand records, and a certificate with a thousand names, are judged like any other."""
    crowd = dataclasses.replace(leaf(*(f"host{n}.example.org" for n in range(1000)), HOST))
    many = "\n".join(f"3 1 1 {n:064x}" for n in range(10_000))
    assert ask(many, papers=(crowd, ISSUER)).code == 1
    assert ask(f"{many}\n{GOOD}", papers=(crowd, ISSUER)).code == 0
