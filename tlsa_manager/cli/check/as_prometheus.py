"""`--format prometheus`: the text format, for the textfile collector of the node exporter."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.cli.check.result import STATUS, Result, Tally, ends
from tlsa_manager.cli.voice import printable
from tlsa_manager.finding import Severity
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.cli.check.form import Wish
    from tlsa_manager.cli.check.paper import Paper

FAMILIES = {
    "tlsa_manager_status": "Exit code for the target: 0 ok, 1 warning, 2 critical, 3 unknown.",
    "tlsa_manager_outcome": "What becomes of mail at one address of a service, for a sender with DANE.",
    "tlsa_manager_findings": "Findings about the target, by severity.",
    "tlsa_manager_finding": "Finding about the target that is present, by code.",
    "tlsa_manager_certificate_until_seconds": "When the first certificate that is presented ends, in seconds since 1970.",
    "tlsa_manager_signature_until_seconds": "When the first DNSSEC signature ends, in seconds since 1970.",
    "tlsa_manager_targets": "Targets of the run, by status.",
    "tlsa_manager_run_seconds": "How long the run took.",
    "tlsa_manager_run_at_seconds": "When the run ended, in seconds since 1970.",
}


@dataclass(slots=True)
class Textfile:
    """Gathers samples by family: the format wants each family in one piece, and no two samples with the same labels."""

    paper: Paper
    wish: Wish
    _samples: dict[str, dict[str, str]] = field(default_factory=lambda: {name: {} for name in FAMILIES})

    def tell(self, one: Result) -> None:
        """Gather its samples."""
        target = {"target": one.value["target"], "kind": one.value["kind"]}
        self._add("status", one.code, **target)
        for at in one.value["services"]:
            self._add("outcome", 1, **target, service=at["service"], address=at["address"], outcome=at["outcome"])
        found = one.findings(self.wish.least)
        for level in Severity:
            if level >= self.wish.least:
                count = sum(each["severity"] == str(level) for each in found)
                self._add("findings", count, **target, severity=str(level))
        for each in found:
            self._add("finding", 1, **target, code=each["code"], severity=each["severity"], subject=each["subject"])
        for name, moment in ends(one.facts).items():
            self._add(f"{name}_until_seconds", moment, **target)

    def end(self, tally: Tally) -> None:
        """Write everything."""
        for code, count in tally.counts.items():
            self._add("targets", count, status=STATUS[code].lower())
        self._add("run_seconds", round(tally.seconds, 3))
        self._add("run_at_seconds", round(clock.now(), 3))
        for name, samples in self._samples.items():
            if samples:
                self.paper.line(f"# HELP {name} {FAMILIES[name]}\n# TYPE {name} gauge", "")
                for labels, value in samples.items():
                    self.paper.line(f"{name}{labels} {value}", "")

    def cut_off(self) -> None:
        """Nothing: the former file stays, and its time tells that it is old."""

    def _add(self, name: str, value: float, **labels: str) -> None:
        text = ",".join(f'{label}="{escaped(content)}"' for label, content in labels.items())
        self._samples[f"tlsa_manager_{name}"].setdefault(f"{{{text}}}" if text else "", repr(value))


make = Textfile


def escaped(text: str) -> str:
    """Return a label's value as the format writes it: backslash, quote and line feed are escaped."""
    clean = printable(text).replace("\t", "\\t")
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
