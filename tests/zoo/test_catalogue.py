"""The catalogue of 110 faults: each has a code, a story, and a scenario of its own in the zoo."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tlsa_manager.checks import faults

# Row 16 of the catalogue has two codes: usages 0 and 1.
CATALOGUE = [
    "F-SEL01", "F-SEL10", "F-MT12", "F-PEM", "F-PEMKEY", "F-EMPTY", "F-CSR", "F-RSAKEY", "F-SHA1", "F-LEN", "F-ODD",
    "F-B64", "F-TYPO", "F-CAASEE", "F-EEASCA", "F-U0", "F-U1", "F-U1HIDE", "F-UNDEF", "F-FULL", "F-512ONLY", "F-AGILITY",
    "F-30ACME", "F-COMBO", "F-DUP", "F-MANY", "F-SINGLE", "F-LEFTOVER", "F-WEAKKEY", "F-KEYREUSE", "F-OLDKEY", "F-NAME-DOM",
    "F-NAME-US", "F-PORT", "F-CNAME-BASE", "F-CNAME-INSEC", "F-CNAME-DANGLE", "F-CNAME-AND-TLSA", "F-WILD", "F-MXCOVER",
    "F-MXUNSIGNED", "F-DOMUNSIGNED", "F-AINSEC", "F-IPMX", "F-IMPLICIT", "F-SPLIT", "F-FOREIGN", "F-TTLLONG", "F-TTLTINY",
    "F-TTLMIX", "F-NEGLONG", "F-TLSRPT", "F-NODS", "F-BADDS", "F-SIGEXP", "F-SIGEXP1", "F-SIGSOON", "F-SIGFUT", "F-SIGMISS",
    "F-SIGBAD", "F-ZSKGONE", "F-NSECBROKEN", "F-ENT", "F-OPTOUT", "F-N3ITER", "F-ALGOLD", "F-ALGNEW", "F-TYPEDROP", "F-TCP",
    "F-FRAG", "F-EDNS", "F-SECSYNC", "F-NSDOWN", "F-NSSET", "F-ADLIE", "F-NOVALID", "F-BOGUSCACHE", "F-STALE", "F-OLDCERT",
    "F-MIXED", "F-IPDIFF", "F-PORTDIFF", "F-SNIDIFF", "F-SNIREQ", "F-ALGDIFF", "F-KEYTYPE", "F-NOTLS", "F-NOTLSSEL",
    "F-STRIP", "F-454", "F-KEYMISMATCH", "F-ORDER", "F-CHAINSHORT", "F-TANOTSENT", "F-CAPIN", "F-CAPIN0", "F-TANAME",
    "F-TAEXP", "F-EEEXP", "F-EXPSOON", "F-TLSVER", "F-STS", "F-HOOK", "F-PERM", "F-TSIGFILE", "F-SKEW", "F-CONCUR",
    "F-PARTIAL", "F-RETRACT", "F-STATE", "F-RESIGN",
]  # fmt: skip
_HERE = Path(__file__).parent
_SCENARIOS = "".join(file.read_text() for file in sorted(_HERE.glob("test_*.py")) if file.name != Path(__file__).name)


def test_there_are_110_of_them() -> None:
    """The list here is whole."""
    assert len(CATALOGUE) == len(set(CATALOGUE)) == 111


@pytest.mark.parametrize("code", CATALOGUE)
def test_each_fault_is_explained_and_has_a_scenario(code: str) -> None:
    """Each can be found, told in whole sentences, and is provoked in the lab."""
    fault = faults()[code]
    assert fault.title
    assert not fault.title.endswith(".")
    for text in (fault.story, fault.consequence):
        assert text.endswith("."), text
        assert len(text) > 30
    assert fault.remedy
    assert re.search(rf'["\']{re.escape(code)}["\']', _SCENARIOS), f"nothing in the zoo provokes {code}"


def test_every_reference_names_a_standard() -> None:
    """A finding says where its rule comes from; only our own files have none."""
    bare = {fault.code for fault in faults().values() if "RFC" not in fault.reference}
    assert bare == {"F-CRASH", "F-FILE", "F-STATE"}
