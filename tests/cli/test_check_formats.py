"""The formats for machines: what they escape, and that a file is there whole or not at all."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from typing import TYPE_CHECKING

from acted import AT, act, argv, environment
from hypothesis import given
from hypothesis import strategies as st

from tlsa_manager.cli.check.as_nagios import clean, perfdata
from tlsa_manager.cli.check.as_prometheus import FAMILIES, Textfile, escaped
from tlsa_manager.cli.check.form import Wish
from tlsa_manager.cli.check.paper import Paper
from tlsa_manager.cli.check.result import FactsValue, FindingValue, Result, ServiceValue, Tally, TargetValue, of_line
from tlsa_manager.cli.voice import printable

if TYPE_CHECKING:
    from pathlib import Path

LABELS = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\"n])*)"')
SAMPLE = re.compile(rf"(\w+)(?:\{{({LABELS.pattern}(?:,{LABELS.pattern})*)\}})? (-?[0-9.e+]+)")
texts = st.text(st.characters(exclude_categories=[]), max_size=40)


def result(text: str) -> Result:
    """Return a result in which a stranger says this everywhere."""
    at = ServiceValue(service=text, address=text, outcome="auth", dnssec=text, records=[], why=text)
    found = FindingValue(
        code="F-X",
        severity="error",
        subject=text,
        message=text,
        consequence=text,
        remedy=text,
        reference=text,
        evidence={text: text},
    )
    facts = FactsValue(certificate_until=AT + 86400, signature_until=AT + 3600)
    value = TargetValue(
        target=text, kind="domain", outcome="auth", why=text, services=[at, at], findings=[found, found], facts=facts
    )
    return Result(value, 1)


def told(one: Result, form: type) -> list[str]:
    """Return the lines that a form makes of a result."""
    lines: list[str] = []
    made = form(Paper(lambda text, _: lines.append(text)), Wish())
    tally = Tally()
    tally.add(one)
    made.tell(one)
    made.end(tally)
    return "\n".join(lines).split("\n")


@given(texts)
def test_a_label_can_be_read_back(text: str) -> None:
    """Backslash, quote, line feed; what is not printable was made so before."""
    written = escaped(text)
    assert LABELS.fullmatch(f'x="{written}"')
    back = re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), written)
    assert back == printable(text).replace("\t", "\\t")


@given(texts)
def test_prometheus_reads_every_line(text: str) -> None:
    """Families in one piece with HELP and TYPE, samples with labels that no other sample of the family has."""
    lines = told(result(text), Textfile)
    met: list[str] = []
    for line in lines:
        if line.startswith("#"):
            name = line.split()[2]
            assert line in {f"# HELP {name} {FAMILIES[name]}", f"# TYPE {name} gauge"}
            met += [name] if line.startswith("# HELP") else []
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            assert found[1] == met[-1]
    assert len(met) == len(set(met))
    samples = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(samples) == len(set(samples))


@given(texts)
def test_nagios_text_is_never_performance_data(text: str) -> None:
    """One bar in all, on the first line; no line break, nothing that steers a terminal, no endless line."""
    from tlsa_manager.cli.check.as_nagios import Plugin

    first, *others = told(result(text), Plugin)
    assert first.startswith("DANE WARNING - ")
    assert first.count("|") == 1
    assert re.fullmatch(r"(?:\w+=-?[0-9.]+s? ?)+", first.partition(" | ")[2])
    assert all("|" not in line and line.isprintable() for line in others)
    assert len(clean(text * 100)) <= 300


def test_performance_data_has_counts_and_days() -> None:
    """What graphs are made of: counts, seconds, days until a certificate or a signature ends."""
    tally = Tally(seconds=0.25)
    tally.add(result("x"))
    said = perfdata(tally, AT)
    assert said == "targets=1 ok=0 warning=1 critical=0 unknown=0 time=0.250s certificate_days=1.00 signature_days=0.04"


@given(st.binary(max_size=60))
def test_a_line_that_is_no_result_is_refused(line: bytes) -> None:
    """Any other bytes: a ValueError, nothing else."""
    try:
        of_line(line)
    except ValueError:
        return
    raise AssertionError(line)


def test_prometheus_writes_by_rename(tmp_path: Path) -> None:
    """Mode as the umask leaves it, no other file beside it, a former file's mode kept, a symlink followed."""
    out = tmp_path / "dane.prom"
    old = os.umask(0o022)
    try:
        assert act("check", "bad.org", "--format", "prometheus", "--output", out).code == 2
    finally:
        os.umask(old)
    assert stat.S_IMODE(out.stat().st_mode) == 0o644
    assert 'tlsa_manager_status{target="bad.org",kind="domain"} 2' in out.read_text()
    out.chmod(0o640)
    (tmp_path / "link").symlink_to(out)
    node = out.stat().st_ino
    assert act("check", "good.org", "--format", "prometheus", "--output", tmp_path / "link").out == ""
    assert (stat.S_IMODE(out.stat().st_mode), out.stat().st_ino != node) == (0o640, True)
    assert {one.name for one in tmp_path.iterdir()} == {"dane.prom", "link"}


def test_a_run_that_was_interrupted_leaves_the_former_metrics(tmp_path: Path) -> None:
    """Half of the targets would look like all."""
    out = tmp_path / "dane.prom"
    out.write_text("before\n")
    words = argv("check", "good.org", "halt.org", "--format", "prometheus", "--output", out, "--resume", tmp_path / "kept")
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, env=environment()) as process:
        while not (tmp_path / "kept").exists() or not (tmp_path / "kept").read_bytes():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    assert out.read_text() == "before\n"
    assert {one.name for one in tmp_path.iterdir()} == {"dane.prom", "kept"}
