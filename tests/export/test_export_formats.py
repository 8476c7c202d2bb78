"""Texts for those who keep DNS in git: each is read by the tool it is for, or by a strict reader, and means what was given."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.fixtures import needs_only
from octodns.provider.yaml import YamlProvider
from octodns.zone import Zone

from tlsa_manager.errors import BadInput
from tlsa_manager.export import FORMATS, RecordSet, render
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

A, B, C = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc")
TA = Tlsa.parse("2 0 2 " + "d" * 128)
MX = RecordSet("_25._tcp.mx.example.org.", "example.org.", 3600, frozenset({A, B}), frozenset({A}))
IMAP = RecordSet("_993._tcp.mx.example.org.", "example.org.", 300, frozenset({C, TA}))
DANE = RecordSet(
    "_dane.example.net.", "example.net.", 60, frozenset({A}), frozenset({A}), frozenset({C}),
    ("_25._tcp.a.example.com.", "_25._tcp.b.example.com."),
)  # fmt: skip
APEX = RecordSet("tlsa.example.net.", "tlsa.example.net.", 60, frozenset({A}))
Sets = dict[str, tuple[int, set[str]]]
LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?", fullmatch=True)


def meant(*sets: RecordSet) -> Sets:
    """What a reader has to find."""
    return {one.name: (one.ttl, {str(record) for record in one.records}) for one in sets if one.records}


def of_zone(text: str) -> Sets:
    """Read a zone file as a name server does."""
    zone = dns.zone.from_text("$ORIGIN .\n" + text, origin=".", relativize=False, check_origin=False)
    found = zone.iterate_rdatasets("TLSA")
    return {str(name): (rdataset.ttl, {str(Tlsa.parse(str(one))) for one in rdataset}) for name, rdataset in found}


def of_octodns(text: str, zone: str, directory: Path) -> Sets:
    """Read a file as octoDNS does, its validation included."""
    (directory / f"{zone}yaml").write_text(text)
    read = Zone(zone, [])
    YamlProvider("config", str(directory), strict_supports=True, escaped_semicolons=False).populate(read)
    return {one.fqdn: (one.ttl, {str(value.to_rdata_text()) for value in one.values}) for one in read.records}


def of_dnscontrol(text: str) -> Sets:
    """Run the JavaScript with functions of the names and arguments that DNSControl documents."""
    needs_only("node")
    program = """
        const found = {};
        const TTL = (seconds) => ({ttl: seconds});
        const TLSA = (name, usage, selector, matching, data, ...more) => {
          if (typeof name !== "string" || ![usage, selector, matching].every(Number.isInteger)) throw new Error("arguments");
          return {name, data: [usage, selector, matching, data].join(" "), ttl: more[0].ttl};
        };
        const D_EXTEND = (zone, ...records) => records.forEach(one => {
          const name = (one.name === "@" ? "" : one.name + ".") + zone + ".";
          (found[name] = found[name] || [one.ttl, []])[1].push(one.data);
        });
    """
    argv = ["node", "--use_strict", "-"]
    done = subprocess.run(
        argv, input=f"{program}\n{text}\nconsole.log(JSON.stringify(found));", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name: (ttl, set(records)) for name, (ttl, records) in json.loads(done.stdout).items()}


def of_terraform(text: str) -> Sets:
    """Read the locals: whole sets and records in parts say the same."""
    values: Mapping[str, dict[str, object]] = json.loads(text)["locals"]["tlsa_records"]
    assert not re.search(r"[$%]\{", text), "Terraform would compute something"
    found: Sets = {}
    for key, one in values.items():
        parts = one["records"].values()  # type: ignore[attr-defined]
        texts = {f"{each['usage']} {each['selector']} {each['matching_type']} {each['certificate']}" for each in parts}
        assert texts == set(one["rrset"])  # type: ignore[call-overload]
        name = f"{one['zone']}." if one["name"] == "@" else f"{one['name']}.{one['zone']}."
        assert name == key == one["fqdn"]
        found[key] = (one["ttl"], texts)  # type: ignore[assignment]
    return found


def test_a_zone_file_is_read_by_a_name_server() -> None:
    """Absolute names, TTLs, every record."""
    assert of_zone(render("zone", [MX, IMAP, DANE])) == meant(MX, IMAP, DANE)


def test_octodns_reads_its_zone(tmp_path: Path) -> None:
    """In the order that it demands, names without the zone, its own validation content."""
    ten = RecordSet("_465._tcp.mx.example.org.", "example.org.", 60, frozenset({A}))
    assert of_octodns(render("octodns", [IMAP, ten, MX]), "example.org.", tmp_path) == meant(MX, IMAP, ten)
    assert of_octodns(render("octodns", [APEX]), "tlsa.example.net.", tmp_path) == meant(APEX)
    assert of_octodns(render("octodns", []), "example.org.", tmp_path) == {}


@given(names=st.sets(st.lists(LABELS, min_size=1, max_size=3).map(".".join), max_size=6))
def test_octodns_takes_any_order_of_names(names: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Numbers inside names, long and short: it refuses a file whose keys are not in its natural order."""
    sets = [RecordSet(f"{name}.example.org.", "example.org.", 60, frozenset({A})) for name in names]
    assert of_octodns(render("octodns", sets), "example.org.", tmp_path_factory.mktemp("zone")) == meant(*sets)


def test_octodns_wants_one_zone_at_a_time() -> None:
    """Names of several zones are refused, and each is named."""
    with pytest.raises(BadInput) as refused:
        render("octodns", [MX, DANE])
    assert "--zone example.net." in refused.value.hint
    assert "--zone example.org." in refused.value.hint


def test_dnscontrol_runs_the_script() -> None:
    """By a JavaScript engine: a statement for each zone, @ at the top of one."""
    assert of_dnscontrol(render("dnscontrol", [MX, IMAP, DANE, APEX])) == meant(MX, IMAP, DANE, APEX)
    assert of_dnscontrol(render("dnscontrol", [])) == {}


def test_terraform_reads_the_locals() -> None:
    """Whole sets for providers that have sets, records in parts for the others."""
    assert of_terraform(render("terraform", [MX, IMAP, DANE, APEX])) == meant(MX, IMAP, DANE, APEX)
    value = json.loads(render("terraform", [DANE]))["locals"]["tlsa_records"]["_dane.example.net."]
    assert value["owners"] == ["_25._tcp.a.example.com.", "_25._tcp.b.example.com."]


@pytest.mark.parametrize("form", FORMATS)
def test_records_that_begin_alike_are_two(form: str) -> None:
    """Whole certificates do: none takes the place of the other."""
    records = frozenset(Tlsa.parse(f"3 0 0 {'30820300' * 20}{digit * 64}") for digit in "12")
    one = RecordSet(MX.name, MX.zone, 60, records, records)
    text = render(form, [one])
    assert all(record.data in text for record in records)
    if form == "terraform":
        assert of_terraform(text) == meant(one)


def test_nsupdate_adds_what_is_ours_and_removes_what_was_asked_for() -> None:
    """What others published is neither; an alias at the name makes the server refuse."""
    lines = render("nsupdate", [MX, IMAP, DANE]).splitlines()
    assert [line for line in lines if line.startswith("update")] == [
        f"update add _dane.example.net. 60 TLSA {A}",
        f"update delete _dane.example.net. TLSA {C}",
        f"update add _25._tcp.mx.example.org. 3600 TLSA {A}",
    ]
    assert lines.count("send") == 2
    assert "prereq nxrrset _dane.example.net. CNAME" in lines


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_gives_the_same_text(form: str) -> None:
    """In whatever order it is given: git sees a change only where there is one. Owners that are aliases are named."""
    assert render(form, [DANE]) == render(form, (DANE,))
    if form != "octodns":
        assert render(form, [MX, IMAP, DANE]) == render(form, [DANE, IMAP, MX])
    assert "_25._tcp.b.example.com." in render(form, [DANE])


@pytest.mark.parametrize("form", ["octodns", "dnscontrol", "terraform"])
def test_a_zone_that_is_not_known_or_another_is_refused(form: str) -> None:
    """These tools want to know in which zone a name lies; a guess could publish it elsewhere."""
    for zone, told in (("", "it is not known in which zone"), ("example.net.", "does not lie in the zone")):
        with pytest.raises(BadInput, match=told):
            render(form, [RecordSet(MX.name, zone, 60, frozenset({A}), owners=(MX.name,))])


HOSTILE = (
    r"a\"b.example.org.", r"a\032b.example.org.", r"${file(\"x\")}.example.org.", r"a'b.example.org.", "a:b.example.org.",
    r"a\.b.example.org.", "a#b.example.org.", "a%{b}.example.org.",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_strange_names_are_quoted_or_refused(name: str) -> None:
    """A zone file has rules for every octet of a name; the other tools have rules of their own, and are not given it."""
    one = RecordSet(name, "example.org.", 60, frozenset({A}), frozenset({A}))
    for form in ("octodns", "dnscontrol", "terraform"):
        with pytest.raises(BadInput, match="characters"):
            render(form, [one])
    assert f"update add {name} 60 TLSA {A}" in render("nsupdate", [one])


@given(octets=st.binary(min_size=1, max_size=20))
def test_any_octets_of_a_name_come_through_a_zone_file(octets: bytes) -> None:
    """As DNS has them: written as DNS libraries write them, they are read as what they were."""
    name = dns.name.Name((octets, b"example", b"org", b""))
    one = RecordSet(name.to_text(), "example.org.", 60, frozenset({A}))
    zone = dns.zone.from_text("$ORIGIN .\n" + render("zone", [one]), origin=".", relativize=False, check_origin=False)
    (found,) = (found for found, _ in zone.iterate_rdatasets(dns.rdatatype.TLSA))
    assert found == name


@pytest.mark.parametrize("name", ["no dot at the end", "two\nlines.", "a blank.", "", "tab\t."])
def test_what_is_no_name_never_gets_into_a_text(name: str) -> None:
    """It could end a line, and begin one of its own."""
    for broken in ({"name": name}, {"name": MX.name, "owners": (name,)}):
        with pytest.raises(ValueError, match="presentation form"):
            RecordSet(**{"name": "", "zone": "", "ttl": 60, "records": frozenset({A})} | broken)  # type: ignore[arg-type]
