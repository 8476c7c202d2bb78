"""Files that mean harm: chains, keys, records, lists, results of former runs, disks. Each ends in a clear word, soon."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pki
import pytest

from zoo import strange
from zoo.measured import Program

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.hierarchy import DnsLab

NOBODY = ("--resolver", "127.53.1.96", "--timeout", "0.1")  # answers nothing: what is tested here comes before any look
WRONG = {1, 2}  # an error that is told; preflight says "safe" only with 0


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Return the program, with its bounds."""
    return Program(tmp_path)


@pytest.fixture
def good(tmp_path: Path) -> tuple[Path, Path, str]:
    """Write a good chain and its key; the record belongs to them."""
    chain, key = pki.pair("mx.example.org")
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "key.pem").touch(0o600)
    (tmp_path / "key.pem").write_bytes(key)
    from tlsa_manager.certificates import read_chain
    from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256

    return tmp_path / "chain.pem", tmp_path / "key.pem", str(read_chain(chain)[0].leaf.record(DANE_EE_SPKI_SHA256))


def sparse(path: Path, size: int = 1 << 30) -> Path:
    """Make a file that claims a gigabyte."""
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


def written(path: Path, content: bytes) -> Path:
    """Make a file of these bytes, which nobody else may read: keys are refused otherwise."""
    path.touch(0o600)
    path.write_bytes(content)
    return path


def fifo(path: Path) -> Path:
    """Make a pipe to which nobody ever writes."""
    os.mkfifo(path)
    return path


BLOCK = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
FILES: dict[str, Callable[[Path], Path]] = {
    "empty": lambda at: written(at / "x", b""),
    "garbage": lambda at: written(at / "x", random.Random(1).randbytes(5000)),
    "evil": lambda at: written(at / "x", b"\x1b[2J\r\nINJECTED\n" * 100),
    "bad-base64": lambda at: written(at / "x", BLOCK % b"\x1b[2J===INJECTED"),
    "no-certificate": lambda at: written(at / "x", BLOCK % b"AAAA"),
    "never-ends": lambda at: written(at / "x", b"-----BEGIN CERTIFICATE-----\n" * 10_000),
    "ten-thousand": lambda at: written(at / "x", (BLOCK % b"MAA=") * 10_000),
    "bottomless": lambda at: written(at / "x", b"\x30\x80" * 100_000),
    "megabytes": lambda at: written(at / "x", b"a" * (5 << 20)),
    "sparse": lambda at: sparse(at / "x"),
    "directory": lambda at: at,
    "absent": lambda at: at / "\x1b[31mINJECTED\nx",
    "pipe": lambda at: fifo(at / "x"),
    "zero": lambda _: Path("/dev/zero"),
    "long-name": lambda at: at / ("x" * 5000),
}


@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("place", ["--certificate", "--key", "--records"])
def test_preflight_of_files_that_are_none(
    program: Program, good: tuple[Path, Path, str], tmp_path: Path, what: str, place: str
) -> None:
    """Never safe, never a traceback, never for ever, whichever of its files is not what it should be."""
    (tmp_path / "at").mkdir()
    chain, key, record = good
    records = written(tmp_path / "records", f"_25._tcp.mx.example.org. IN TLSA {record}\n".encode())
    files = {"--certificate": chain, "--key": key, "--records": records}
    files[place] = FILES[what](tmp_path / "at")
    run = program("preflight", *(word for pair in files.items() for word in pair))
    assert run.code in WRONG, run
    assert len(run.err) < 10_000
    assert run.err.startswith("tlsa-manager: error: ")
    assert "unexpected" not in run.err


@pytest.mark.parametrize(
    "lines",
    [
        "$INCLUDE /etc/passwd",
        "$GENERATE 1-100000000 _$._tcp.mx.example.org. TLSA 3 1 1 {data}",
        "_25._tcp.mx.example.org. IN TLSA ( 3 1 1 {data}",
        "_25._tcp.mx.example.org. IN TLSA \\# 99999999999 030101",
        "_25._tcp.{label}.example.org. IN TLSA 3 1 1 {data}",
        "_25._tcp.mx.example.org. 99999999999999999999 IN TLSA 3 1 1 {data}",
        "3 1 1 " + "ab" * 400_000,
        "3 1 1 \x1b[31m\x00INJECTED",
        "999999999999999999999999 1 1 {data}",
        "\\000\\027[2J\\010INJECTED. IN TLSA 3 1 1 {data}",
    ],
    ids=["include", "generate", "open", "unknown", "label", "ttl", "long", "evil", "number", "name"],
)
def test_preflight_of_records_that_mean_harm(program: Program, good: tuple[Path, Path, str], tmp_path: Path, lines: str) -> None:
    """Never safe, since nobody would find these records, or they are of another key."""
    records = written(tmp_path / "records", lines.format(data="ab" * 32, label="x" * 500).encode() + b"\n")
    run = program("preflight", "--certificate", good[0], "--records", records)
    assert run.code in WRONG, run
    assert "unexpected" not in run.err
    assert len(run.out) < 2_000_000


def test_preflight_of_ten_thousand_records(program: Program, good: tuple[Path, Path, str], tmp_path: Path) -> None:
    """One of them is right; the answer can be read all the same."""
    chance = random.Random(1)
    lines = [f"3 1 1 {chance.randbytes(32).hex()}" for _ in range(9_999)]
    records = written(tmp_path / "records", "\n".join([*lines, good[2]]).encode())
    calm = program("preflight", "--certificate", good[0], "--records", written(tmp_path / "one", good[2].encode()))
    run = program("preflight", "--certificate", good[0], "--records", records, "--json")
    assert (calm.code, run.code) == (0, 0)
    assert run.json["verdict"] == "safe"
    assert run.peak < 3 * calm.peak


@pytest.mark.parametrize("form", ["text", "json"])
def test_preflight_of_a_chain_that_means_harm(program: Program, tmp_path: Path, form: str) -> None:
    """Names of a certificate come out clean, or the certificate is refused."""
    evil = b"\x1b]0;owned\x07\nINJECTED"
    made = strange.certificate(strange.alt_names(evil, b"*", b"x" * 3000), subject=b"a\nINJECTED")
    chain = written(tmp_path / "chain.pem", strange.pem(made))
    records = written(tmp_path / "records", b"3 1 1 " + b"ab" * 32)
    run = program("preflight", "--certificate", chain, "--records", records, *(["--json"] if form == "json" else []))
    assert run.code in WRONG
    if form == "json":
        assert run.json


HOSTILE_LINES = (
    b"\x00\x01\x02\n", b"\xff\xfe\x1b[2J\n", b"x" * (1 << 20) + b"\n", b"../../etc/passwd\n", b"--output=/etc/passwd\n",
    b"-rf\n", b"$(reboot)\n", b"a.example\x00.org\n", b"\x1b]0;owned\x07.example.org\n", b"INJECTED | x=1\n", b"[::1:25\n",
    b"mx.example.org:99999\n", b"a" * 64 + b".example.org\n", b".".join([b"a" * 60] * 5) + b"\n", b"\xe2\x80\xae.example.org\n",
    b"http://x.example.org/\n", b"..\n", b"*.example.org\n", b"\\010INJECTED.example.org\n", b'"\n', b"\\\n",
)  # fmt: skip


@pytest.mark.parametrize(
    ("command", "form"),
    [*(("check", form) for form in ("text", "json", "jsonl", "nagios", "prometheus")), ("policy", "text"), ("policy", "json")],
)
def test_lists_that_mean_harm(program: Program, tmp_path: Path, command: str, form: str) -> None:
    """Lines that name no target are told as such, and are nothing else: no options, no paths, no lines of ours."""
    file = written(tmp_path / "list", b"".join(HOSTILE_LINES))
    words = ("--format", form, "-v") if command == "check" else ("--json",) if form == "json" else ()
    run = program(command, "--list", file, *words, *NOBODY)
    assert run.code == {"check": 3, "policy": 1}[command], run
    assert len(run.out) < 1 << 20
    if form in {"json", "jsonl"} and command == "check":
        told = json.loads(run.out)["targets"] if form == "json" else [json.loads(line) for line in run.out.splitlines()]
        assert {one["kind"] for one in told} == {"unreadable"}
    assert {one.name for one in tmp_path.iterdir()} == {"list", "peak"}


def test_a_list_without_end_of_line(program: Program, tmp_path: Path) -> None:
    """A huge line fills no memory, and is one line."""
    calm = program("check", "--list", written(tmp_path / "one", b"x\n"), *NOBODY)
    run = program("check", "--list", sparse(tmp_path / "list", 1 << 28), "--format", "jsonl", *NOBODY)
    assert (run.code, run.out.count("\n")) == (3, 1)
    assert run.peak < 2 * calm.peak


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("option", "form"), [("--output", "jsonl"), ("--output", "json"), ("--output", "prometheus"), ("--resume", "text")]
)
def test_a_disk_that_fills_up(program: Program, dns_lab: DnsLab, tmp_path: Path, option: str, form: str) -> None:
    """It is said, the exit code is unknown, and what is on the disk can be read, or is what was there before."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)], check=True)
    former = written(disk / "told", b"") if option == "--resume" else written(disk / "told", b"what was there\n")
    names = written(tmp_path / "list", b"".join(b"n%d.a.example\n" % number for number in range(60)))
    look = ("--resolver", dns_lab.resolver, "--trust-anchor", str(dns_lab.anchor), "--workers", "1")
    run = program("check", "--list", names, option, former, "--format", form, *look)
    content, left = former.read_bytes(), [one.name for one in disk.iterdir()]
    subprocess.run(["umount", str(disk)], check=True)
    assert run.code == 3, run
    assert "No space left" in run.err
    assert left == ["told"]
    if (option, form) == ("--output", "prometheus"):
        assert content == b"what was there\n"
    if option == "--resume":
        whole = content.splitlines(keepends=True)[:-1]
        assert whole
        assert all(json.loads(line)["outcome"] for line in whole)


def test_results_of_a_former_run_that_mean_harm(program: Program, dns_lab: DnsLab, tmp_path: Path) -> None:
    """A file of results is as little trusted as a server: what somebody wrote into it comes out clean, or is refused."""
    look = ("--resolver", dns_lab.resolver, "--trust-anchor", str(dns_lab.anchor))
    first = program("check", "n1.a.example", "--resume", tmp_path / "kept", *look)
    assert first.code == 2
    made = json.loads((tmp_path / "kept").read_text())
    evil = "\x1b[2J\r\nINJECTED | x=1 \u202e\u2028INJECTED"
    made["why"], made["services"] = evil, [{"service": evil, "address": evil, "outcome": "auth", "dnssec": evil, "records": []}]
    words = dict.fromkeys(("subject", "message", "consequence", "remedy", "reference"), evil)
    made["findings"] = [each | words for each in made["findings"]]
    for form in ("text", "json", "jsonl", "nagios", "prometheus"):
        written(tmp_path / "kept", json.dumps(made).encode() + b"\n")
        run = program("check", "n1.a.example", "--resume", tmp_path / "kept", "--format", form, "-v", *look)
        assert run.err == ""
    for spoilt in (
        b'{"schema": 1, "target": ' + b"[" * 100_000 + b"\n",
        b"\0" * 1000 + b"\n",
        json.dumps(made).encode()[:-1] + b', "kind": 3}\n',
    ):
        written(tmp_path / "kept", spoilt)
        run = program("check", "n1.a.example", "--resume", tmp_path / "kept", *look)
        assert run.code == 3, run
        assert "is no result of tlsa-manager check" in run.err
        assert (tmp_path / "kept").read_bytes() == spoilt
