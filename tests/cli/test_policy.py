"""`policy`: what a domain can be held to, a table that never becomes weaker, and Postfix that reads it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from acted import act, argv, environment
from hypothesis import given
from hypothesis import strategies as st
from lab.fixtures import needs_only

from tlsa_manager.cli.check.result import FactsValue, Result, ServiceValue, StsValue, TargetValue
from tlsa_manager.cli.policy.choice import Choice, choice
from tlsa_manager.cli.policy.table import STRENGTH, Entry, merged, page, read, weaker

if TYPE_CHECKING:
    from pathlib import Path

ENFORCED = StsValue(mode="enforce", mx=["mx.example.org", "*.example.net"], problem="")
HOSTS = ["mx.example.org", "mx2.example.net"]
NAMES = ("match=mx.example.org:.example.net", "servername=hostname")


def result(outcome: str, *at: str, kind: str = "domain", why: str = "a reason", **facts: Any) -> Result:
    """Return the result for example.org. `at`: outcomes at single addresses."""
    services = [
        ServiceValue(service="mx.example.org:25", address="192.0.2.1", outcome=one, dnssec="secure", records=[]) for one in at
    ]
    value = TargetValue(
        target="example.org", kind=kind, outcome=outcome, why=why, services=services, findings=[], facts=FactsValue(**facts)
    )
    return Result(value, 0)


@pytest.mark.parametrize(
    ("one", "level", "attributes", "known"),
    [
        (result("auth", "auth", "auth"), "dane-only", (), True),
        (result("auth", "auth", "unknown"), "", (), False),  # a host that is down just now: its records may match nothing
        (result("auth", "auth", "defer"), "", (), False),  # one that refuses connections
        (result("auth", "auth", "opportunistic"), "", (), True),  # one that is down, and without DANE
        (result("opportunistic", "auth"), "", (), True),  # MX records that are not signed
        (result("encrypt", "encrypt", "unknown"), "", (), False),
        (result("auth", kind="service"), "", (), False),
        (result("defer", "defer", "auth"), "", (), False),
        (result("unknown"), "", (), False),
        (result("encrypt", "encrypt"), "encrypt", (), True),
        (result("opportunistic"), "", (), True),
        (result("opportunistic", "opportunistic", tls=True), "encrypt", (), True),
        (result("opportunistic", "opportunistic", tls=False), "", (), True),
        (result("opportunistic", "opportunistic", tls=None), "", (), True),
        (result("opportunistic", "auth", "opportunistic", tls=True), "", (), True),  # dane does more for the first than encrypt
        (result("opportunistic", "opportunistic", tls=True, pkix="", hosts=HOSTS, sts=ENFORCED), "secure", NAMES, True),
        (result("encrypt", "encrypt", tls=True, pkix="", hosts=HOSTS, sts=ENFORCED), "secure", NAMES, True),
        (result("opportunistic", "opportunistic", tls=True, pkix="expired", hosts=HOSTS, sts=ENFORCED), "encrypt", (), True),
        (result("opportunistic", "opportunistic", tls=True, pkix=None, hosts=HOSTS, sts=ENFORCED), "encrypt", (), True),
        (result("opportunistic", "opportunistic", tls=True, pkix="", hosts=["mx.other.org"], sts=ENFORCED), "encrypt", (), True),
        (result("opportunistic", "opportunistic", tls=True, pkix="", hosts=["a.b.example.net"], sts=ENFORCED), "encrypt", (), 1),
        (
            result("opportunistic", tls=True, pkix="", hosts=HOSTS, sts=StsValue(mode="testing", mx=HOSTS, problem="")),
            "encrypt", (), True,
        ),
        (
            result("opportunistic", tls=True, pkix="", hosts=HOSTS, sts=StsValue(mode="enforce", mx=["mx x\ny"], problem="")),
            "encrypt", (), True,
        ),
    ],
)  # fmt: skip
def test_what_a_domain_can_be_held_to(one: Result, level: str, attributes: tuple[str, ...], known: bool) -> None:  # noqa: FBT001
    """DANE everywhere; what it has promised by MTA-STS and keeps; TLS everywhere; else nothing. In doubt nothing is known."""
    made = choice(one)
    assert (made.level, made.attributes, made.known) == (level, attributes, known)
    assert made.reason


@pytest.mark.parametrize("evil", ["mx.org none\nother.org none", "a b.org", "mx.org:evil", "", "x" * 300, "*.org"])
def test_what_a_file_of_results_names_is_no_line_of_the_table(evil: str) -> None:
    """A file for --resume that somebody has tampered with puts nothing into the table that is not a host name."""
    one = result("auth", "auth")
    made = choice(Result({**one.value, "target": evil}, 0))
    assert (made.level, made.known) == ("", False)
    for more in ({"hosts": [evil]}, {"hosts": HOSTS, "sts": StsValue(mode="enforce", mx=[evil], problem="")}):
        made = choice(result("opportunistic", "opportunistic", tls=True, pkix="", **more), pkix=True)
        assert made.level == "encrypt" or made.attributes[0] == "match=mx.example.org:mx2.example.net"
    table = page(merged({}, [Choice(evil, "", "", known=False)]))
    assert read(table) == {}


def test_certificates_without_a_promise_count_on_demand_only() -> None:
    """With --pkix public certificates are enough; the names are the hosts that DNS tells."""
    one = result("opportunistic", tls=True, pkix="", hosts=HOSTS)
    assert choice(one).level == "encrypt"
    made = choice(one, pkix=True)
    assert (made.level, made.attributes[0], made.vouched) == ("secure", "match=mx.example.org:mx2.example.net", False)


LEVELS = ("", *STRENGTH, "fingerprint", "someday")
choices = st.builds(
    Choice,
    st.just("example.org"),
    st.sampled_from(["", "encrypt", "secure", "dane-only"]),
    st.text(max_size=20),
    st.sampled_from([(), ("match=a.org",), ("match=b.org:a.org",)]),
    st.booleans(),
    st.booleans(),
)


@given(st.sampled_from(LEVELS), st.sampled_from(["", " match=a.org", " protocols=>=TLSv1.2 ciphers=high"]), choices)
def test_no_line_becomes_weaker(level: str, attributes: str, one: Choice) -> None:
    """Whatever stood there and whatever is found out: the level never goes down, and what was demanded besides still is."""
    former = read(f"example.org {level}{attributes}\n")
    after = read(page(merged(former, [one])))
    assert "example.org" in after
    old, new = former["example.org"], after["example.org"]
    assert new == Entry(old.key, old.level, old.attributes, old.text, new.comments) or (
        STRENGTH[new.level] >= STRENGTH[old.level]
        and {each for each in old.attributes if not each.startswith("match=")} <= set(new.attributes)
    )
    assert one.known or new.text == old.text
    assert page(merged(after, [one])) == page(merged(former, [one]))


def test_weaker_on_demand() -> None:
    """With --weaken what is known now counts; what is not known keeps the line even then."""
    former = read("example.org dane-only\n")
    gone = Choice("example.org", "", "no TLS")
    assert read(page(merged(former, [gone], weaken=True))) == {}
    dark = Choice("example.org", "", "unknown", known=False)
    assert read(page(merged(former, [dark], weaken=True)))["example.org"].level == "dane-only"


@given(st.sampled_from(LEVELS[1:]), choices, st.sampled_from([".example.org", ".org"]), st.booleans())
def test_no_domain_undercuts_the_line_of_a_parent(level: str, one: Choice, parent: str, carry: bool) -> None:  # noqa: FBT001
    """Where a domain has no line, Postfix goes by the nearest `.parent`: no line of its own undercuts that one."""
    former = read(f"{parent} {level}{' ciphers=high' if carry else ''}\n.net dane-only\n")
    one = replace(one, domain="sub.example.org")
    after = read(page(merged(former, [one])))
    assert after[parent].text == former[parent].text
    own = after.get("sub.example.org")
    assert own is None or STRENGTH[own.level] >= STRENGTH[level]
    assert own is None or not carry or "ciphers=high" in own.attributes
    assert page(merged(after, [one])) == page(merged(former, [one]))


def test_the_nearest_parent_counts() -> None:
    """As Postfix looks keys up; a line of one's own goes before, --weaken allows less, the parent is no parent of itself."""
    former = read(".org dane-only\n.example.org encrypt\nown.example.org may\n")
    made = {
        name: read(page(merged(former, [Choice(name, "encrypt", "why")]))).get(name)
        for name in ("sub.example.org", "own.example.org", "example.org", "other.org", "else.net")
    }
    assert {name: one.level if one else "" for name, one in made.items()} == {
        "sub.example.org": "encrypt", "own.example.org": "encrypt", "example.org": "", "other.org": "", "else.net": "encrypt",
    }  # fmt: skip
    left = page(merged(former, [Choice("other.org", "encrypt", "why")]))
    assert "#: other.org: left to .org, encrypt may be weaker: why" in left
    assert read(page(merged(former, [Choice("other.org", "encrypt", "why")], weaken=True)))["other.org"].level == "encrypt"


@pytest.mark.parametrize("attribute", ["tafile=/etc/postfix/ca.pem", "policy_ttl=86400", "someday", "TAFILE=/x"])
def test_a_line_made_by_hand_is_kept(attribute: str) -> None:
    """What an attribute demands that is not known here cannot be weighed: the line stays, even with --weaken."""
    line = f"example.org secure match=mx.example.org {attribute}"
    for level in ("dane-only", "secure", ""):
        for weaken in (False, True):
            one = Choice("example.org", level, "why")
            made = page(merged(read(line), [one], weaken=weaken))
            assert read(made)["example.org"].text == line
            assert "change it by hand" in made
    below = read(f".example.org encrypt {attribute}\n")
    assert "a.example.org" not in read(page(merged(below, [Choice("a.example.org", "dane-only", "")], weaken=True)))


def test_names_that_only_dns_tells_are_not_added() -> None:
    """Who forges unsigned MX records must not get a name of his into the table; a name less, or the domain's own word, may."""
    old = read("example.org secure match=mx.example.org\n")["example.org"]
    forged = Choice("example.org", "secure", "", ("match=mx.example.org:mx.evil.org",), vouched=False)
    assert weaker(forged, old)
    assert not weaker(Choice("example.org", "secure", "", ("match=MX.example.org",), vouched=False), old)
    assert not weaker(Choice("example.org", "secure", "", ("match=mx3.example.org",)), old)
    assert weaker(forged, read("example.org secure\n")["example.org"])


def test_the_table_of_an_operator_survives() -> None:
    """Lines of domains on no list, continued lines, comments, keys with brackets stay; comments of ours are made anew."""
    text = (
        "# mine\n#: ours, of yesterday\n[mx.example.com]:587 secure\n  match=mx.example.com\n"
        "# about this one\nexample.org may\nEXAMPLE.org none\n.example.net\tencrypt\n# the end\n"
    )
    made = page(merged(read(text), [Choice("example.org", "dane-only", "well\nexample.com none")]))
    assert "# mine\n[mx.example.com]:587 secure\n  match=mx.example.com\n" in made
    assert "# the end\n.example.net\tencrypt\n" in made
    assert "# about this one\n#: example.org: well\\nexample.com none\nexample.org  dane-only\n" in made
    assert "ours, of yesterday" not in made
    assert read(made).keys() == {"[mx.example.com]:587", ".example.net", "example.org"}


def postmap(key: str, table: Path) -> str:
    """Ask Postfix."""
    needs_only("postmap")
    (table.parent / "main.cf").touch()
    words = ["postmap", "-c", str(table.parent), "-q", key, f"texthash:{table}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "warning" not in done.stderr
    return done.stdout.strip()


def test_postfix_reads_the_table(tmp_path: Path) -> None:
    """Through the program: levels as chosen, a former line kept where nothing can be told, nothing for what is left out."""
    table = tmp_path / "tls_policy"
    table.write_text("bad.org secure match=bad.org\nelsewhere.org encrypt\n")
    (tmp_path / "list").write_text("good1.org\ngood2.org\nbad.org\nbad2.org\nnonsense\n")
    ending = act("policy", "--list", tmp_path / "list", "--output", table)
    assert (ending.code, ending.out) == (0, "")
    assert "5 domains: 2 dane-only, 3 left as before" in ending.err
    assert {key: postmap(key, table) for key in ("good1.org", "good2.org", "bad.org", "bad2.org", "elsewhere.org")} == {
        "good1.org": "dane-only",
        "good2.org": "dane-only",
        "bad.org": "secure match=bad.org",
        "bad2.org": "",
        "elsewhere.org": "encrypt",
    }
    assert "#: bad.org: kept as it was: defer: no TLSA record matches" in table.read_text()
    before = table.read_text()
    assert act("policy", "--list", tmp_path / "list", "--output", table).code == 0
    assert table.read_text() == before


@pytest.mark.parametrize("option", ["--output", "--previous"])
def test_a_file_that_is_no_table_is_left_alone(tmp_path: Path, option: str) -> None:
    """The wrong name after --output costs nobody a file: it is told before any work, and nothing is written."""
    other, table = tmp_path / "passwd", tmp_path / "table"
    other.write_text("root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\n")
    ending = act("policy", "good.org", option, other, *(() if option == "--output" else ("--output", table)))
    assert (ending.code, ending.out) == (1, "")
    assert "passwd is no TLS policy table" in ending.err
    assert other.read_text().startswith("root:x:0:0:root:/root:/bin/sh\ndaemon:")
    assert not table.exists()


def test_the_answer_on_stdout(tmp_path: Path) -> None:
    """The table, or one object; what stood there before may be another file; a resumed run needs no look."""
    (tmp_path / "old").write_text("bad.org encrypt\n")
    ending = act("policy", "good.org", "bad.org", "--previous", tmp_path / "old", "--resume", tmp_path / "kept")
    assert list(read(ending.out)) == ["bad.org", "good.org"]
    told = act("policy", "good.org", "--json", "--resume", tmp_path / "kept").json
    assert told["domains"] == [
        {
            "domain": "good.org",
            "level": "dane-only",
            "attributes": [],
            "known": True,
            "reason": "every server is authenticated by DANE",
        }
    ]


def test_nothing_found_out(tmp_path: Path) -> None:
    """Exit code 1, and the table as it was; mistakes end as with every command."""
    table = tmp_path / "table"
    table.write_text("bad.org secure\n")
    assert act("policy", "bad.org", "--output", table).code == 1
    assert read(table.read_text())["bad.org"].level == "secure"
    assert act("policy").code == 2
    assert act("policy", "nonsense").code == 1
    assert act("policy", "good.org", "--output", "/nonexistent/table").code == 1


def test_an_interrupt_leaves_the_table(tmp_path: Path) -> None:
    """Half a list is no reason to write; the results are kept for the next run."""
    import signal

    table = tmp_path / "table"
    table.write_text("good.org may\n")
    words = argv("policy", "good.org", "halt.org", "--output", table, "--resume", tmp_path / "kept")
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, env=environment()) as process:
        while not (tmp_path / "kept").exists() or not (tmp_path / "kept").read_bytes():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    assert table.read_text() == "good.org may\n"
