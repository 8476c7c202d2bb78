"""`check` as a user runs it: what it says, how it ends, and that no stranger speaks through it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from acted import OTHER, RECORD, act, argv, environment
from lab.fixtures import needs_only

if TYPE_CHECKING:
    from pathlib import Path

    from program import Ending

LINEAGE = """
    [dns.hand]
    backend = "manual"
    [consumer.mail]
    type = "command"
    file = "/nonexistent/mx.pem"
    reload = ["/bin/true"]
    [lineage."good.example.org"]
    services = ["good.example.org:25"]
    dns = "hand"
    consumers = ["mail"]
"""


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        (("good.org",), 0),
        (("weak.org",), 1),
        (("bad.org",), 2),
        (("good.org", "weak.org"), 1),
        (("weak.org", "dark.org"), 3),
        (("bad.org", "dark.org", "good.org"), 2),
    ],
)
def test_the_exit_code_is_the_worst_of_all(targets: tuple[str, ...], code: int) -> None:
    """Critical before unknown before warning; the severity to be shown changes nothing."""
    assert act("check", *targets, "--severity", "critical").code == code


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "nagios", "prometheus"])
def test_the_exit_code_is_the_same_in_every_format(form: str) -> None:
    """And --json beside a format that is named means nothing."""
    for target, code in (("good.org", 0), ("bad.org", 2)):
        assert act("check", target, "--format", form, "--json").code == code


def test_what_is_well_is_short() -> None:
    """The outcome, DNSSEC, and which record matched, in a line an address; a notice is one line more."""
    ending = act("check", "good.example.org")
    assert (ending.code, ending.err) == (0, "")
    assert ending.out.splitlines() == [
        "good.example.org: auth: senders with DANE deliver, and know whom to",
        "  mx.example.org:25",
        f"    192.0.2.1  auth, DNSSEC secure; 3 1 1 {RECORD.data[:16]}... matches",
        "  notice F-SINGLE  _25._tcp.mx.example.org.: there is one record",
    ]


def test_what_is_wrong_is_told_with_evidence_and_remedy() -> None:
    """The worst target first, the worst finding first, severity as a word; the record to publish in one piece."""
    ending = act("check", "good.org", "weak.org", "bad.org")
    assert ending.code == 2
    assert re.findall(r"^(\S+):", ending.out, re.MULTILINE) == ["bad.org", "weak.org", "good.org"]
    assert ending.out.index("CRITICAL F-STALE") < ending.out.index("notice F-SINGLE")
    assert f"published: {RECORD}" in ending.out
    assert f"computed:  {OTHER}" in ending.out
    assert f"to do: publish: _25._tcp.mx.example.org. 3600 IN TLSA {OTHER}\n" in ending.out
    assert "mail:  DANE senders defer all mail" in ending.out
    assert "RFC 7672 §2.2; tlsa-manager check --explain F-STALE" in ending.out
    assert ending.out.endswith("3 targets: 1 critical, 1 warning, 1 ok\n")


def test_verbose_tells_every_record_and_every_notice() -> None:
    """With -v the records that do not match, and why, and what a notice means."""
    ending = act("check", "-v", "bad.org")
    assert f"{RECORD}  does not match the leaf's public key" in ending.out
    assert "NOTICE F-SINGLE" in ending.out


def test_json_has_the_shape_that_is_promised() -> None:
    """Keys of all levels; --json and --format json are the same."""
    ending = act("check", "bad.org", "--json")
    assert act("check", "bad.org", "--format", "json").out == ending.out
    assert ending.json.keys() == {"schema", "targets"}
    (target,) = ending.json["targets"]
    assert target.keys() >= {"target", "outcome", "services", "findings"}
    assert target["services"][0].keys() >= {"service", "address", "outcome", "dnssec", "records"}
    assert target["services"][0]["records"][0].keys() >= {"record", "usable", "matches"}
    wanted = {"code", "severity", "subject", "message", "consequence", "remedy", "reference"}
    assert all(one.keys() >= wanted for one in target["findings"])
    assert act("check", "bad.org", "--json", "--severity", "critical").json["targets"][0]["findings"] == target["findings"][:1]
    assert act("check", "--json", stdin=b"", TLSA_MANAGER_CONFIG="/nonexistent").json["exit"] == 3


def test_nagios_says_it_in_one_line() -> None:
    """Status, the worst, performance data; then the findings."""
    ending = act("check", "bad.org", "good.org", "--format", "nagios")
    first, *others = ending.out.splitlines()
    assert re.fullmatch(r"DANE CRITICAL - 2 targets: 1 critical, 1 ok; bad\.org: F-STALE .* \| targets=2 ok=1 .*time=\S+s", first)
    assert others[0].startswith("CRITICAL bad.org: defer")
    assert act("check", "good.org", "--format", "nagios").out.startswith("DANE OK - good.org: auth")


def test_a_stranger_does_not_speak_through_it() -> None:
    """Escape codes, line breaks, bars and turned-round text of a server come out as text, in every format."""
    for form in ("text", "json", "jsonl", "nagios", "prometheus"):
        out = act("check", "-q", "evil.org", "--format", form).out
        assert not set(out) & set("\x1b\x07\u202e"), form
        assert "\nDANE OK" not in out, form
    (first, *_) = act("check", "evil.org", "--format", "nagios").out.splitlines()
    assert first.count("|") == 1


def mistakes() -> list[tuple[tuple[str, ...], str]]:
    """Return words that cannot be obeyed, and what is said of them."""
    return [
        (("--nope",), "No such option"),
        (("good.org", "--format", "xml"), "xml"),
        (("good.org", "--quick", "--thorough"), "contradict"),
        (("good.org", "-4", "-6"), "-4 and -6 contradict"),
        (("good.org", "--resolver", "localhost"), "is not an address"),
        (("good.org", "--source", "eth0"), "is not an address"),
        (("good.org", "--list", "/nonexistent"), "does not exist"),
        (("nonsense",), "is neither a mail domain nor"),
        (("good.org:99999",), "is not a service"),
        (("_25._tcp.mx.good.org",), "is where TLSA records stand"),
        (("::1",), "::1 is an address"),
        (("good.org", "--config", "/nonexistent/other.toml"), "there is no configuration"),
        (("good.org", "--output", "/nonexistent/x"), "No such file"),
        ((), "so there is no lineage to check"),
        (("--explain", "F-NOSUCH"), "there is no finding"),
    ]


@pytest.mark.parametrize(("words", "error"), mistakes())
def test_a_mistake_is_unknown_not_critical(words: tuple[str, ...], error: str) -> None:
    """Whatever keeps it from checking ends with 3: monitoring reads 2 as mail being deferred, and a misspelt option is none."""
    ending = act("check", *words)
    assert (ending.code, ending.out) == (3, "")
    assert error in ending.err
    first, *others = ending.err.splitlines()
    assert first.startswith("tlsa-manager: error: ")
    assert others[-1].startswith("tlsa-manager: hint: ")


@pytest.mark.parametrize("words", [("--nope",), ("nonsense",), ()])
def test_monitoring_has_its_line_even_then(words: tuple[str, ...]) -> None:
    """Where --format nagios is asked for, stdout has a status line whatever happens."""
    for asked in (("--format", "nagios"), ("--format=nagios",)):
        ending = act("check", *asked, *words)
        assert ending.code == 3
        assert ending.out.startswith("DANE UNKNOWN - ")
        assert len(ending.out.splitlines()) == 1


def test_without_a_target_all_lineages_are_checked(tmp_path: Path) -> None:
    """From the configuration; a lineage goes before a domain of the same name; completion offers it."""
    file = tmp_path / "config.toml"
    file.write_text(LINEAGE)
    for words in ((), ("good.example.org",)):
        (target,) = act("check", *words, "--json", TLSA_MANAGER_CONFIG=str(file)).json["targets"]
        assert (target["kind"], target["target"]) == ("lineage", "good.example.org")
    asked = {"_TLSA_MANAGER_COMPLETE": "bash_complete", "COMP_WORDS": "tlsa-manager check go", "COMP_CWORD": "2"}
    assert "good.example.org" in act(TLSA_MANAGER_CONFIG=str(file), **asked).out


def test_a_configuration_that_is_wrong_is_told(tmp_path: Path) -> None:
    """Its mistakes, and 3."""
    file = tmp_path / "config.toml"
    file.write_text("[oops]\n")
    ending = act("check", "good.org", TLSA_MANAGER_CONFIG=str(file))
    assert (ending.code, ending.out) == (3, "")
    assert "oops: unknown key" in ending.err


def test_a_configuration_that_is_not_for_everybody(tmp_path: Path) -> None:
    """Who may not read it goes on without it, and is told so; unless it was named."""
    needs_only("setpriv")
    file = tmp_path / "config.toml"
    file.write_text(LINEAGE)
    file.chmod(0)
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    for named, code in (((), 0), (("--config", str(file)), 3)):
        usual = environment(**({} if named else {"TLSA_MANAGER_CONFIG": str(file)}))
        words = [*(powerless if os.geteuid() == 0 else ()), *argv("check", "good.example.org", "--format", "jsonl", *named)]
        done = subprocess.run(words, capture_output=True, text=True, env=usual, check=False)
        assert done.returncode == code, done.stderr
        assert str(file) in done.stderr
        assert ('"kind": "domain"' in done.stdout) == (code == 0)


def test_no_resolver_answers() -> None:
    """One sentence that names it and the option, instead of a report in which everything is unknown."""
    for words in (("dark.org",), ("dark.org", "--format", "nagios"), ("dark.org", "--resolver", "127.0.0.1#1")):
        ending = act("check", *words, "--resolver", "127.0.0.1#2", "--timeout", "0.5")
        assert ending.code == 3
        assert "no resolver answers" in ending.err
        assert "127.0.0.1#2" in ending.err
        assert "--resolver ADDRESS" in ending.err


def on_a_terminal(*words: str, columns: int = 60, **more: str) -> Ending:
    """Run the acted program with its words on a terminal of its own."""
    from program import Ending

    ours, theirs = pty.openpty()
    usual = environment(TERM="xterm", COLUMNS=str(columns), **more)
    with subprocess.Popen(argv(*words), stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=usual) as process:
        os.close(theirs)
        said = b""
        while piece := _read(ours):
            said += piece
    os.close(ours)
    return Ending(process.returncode, said.decode().replace("\r\n", "\n"), "")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other side of a terminal is gone
        return b""


def test_colours_are_for_terminals() -> None:
    """Coloured there, the severity a word all the same; plain with NO_COLOR and when piped."""
    said = on_a_terminal("check", "bad.org")
    assert said.code == 2
    assert "\x1b[1;31m  CRITICAL F-STALE" in said.out
    assert "\x1b" not in on_a_terminal("check", "bad.org", NO_COLOR="1").out
    assert "\x1b" not in act("check", "bad.org").out


def test_prose_is_as_wide_as_the_terminal_and_records_stay_whole() -> None:
    """No line of prose is wider; a digest is never broken: it is there to be copied."""
    out = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal("check", "bad.org").out)
    long = [line for line in out.splitlines() if len(line) > 60]
    assert long
    assert all(RECORD.data in line or OTHER.data in line for line in long)
    assert "there is one\n    record" in out


def test_a_list_has_a_bar_on_a_terminal_only(tmp_path: Path) -> None:
    """Done, total: on stderr, and gone at the end; --quiet silences it."""
    (tmp_path / "list").write_text("".join(f"slow-good{number}.org\n" for number in range(9)))
    out = re.sub(r"\x1b\[[0-9;?]*\w", "", on_a_terminal("check", "--list", str(tmp_path / "list")).out)
    assert re.search(r"\b[1-9]/9\b", out)
    assert "slow-good8.org  auth" in out
    assert "/9" not in on_a_terminal("check", "-q", "--list", str(tmp_path / "list")).out
    assert act("check", "--list", tmp_path / "list").err == ""


def test_checking_begins_quickly() -> None:
    """The story of a finding needs none of the libraries that look at the world."""
    code = (
        "import sys; sys.argv = ['x', 'check', '--explain', 'list']; import tlsa_manager.__main__ as m; m.main();"
        " print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"dns", "cryptography", "OpenSSL", "requests", "acme", "asyncio", "rich", "multiprocessing"}
    assert not heavy & set(done.stderr.split())
