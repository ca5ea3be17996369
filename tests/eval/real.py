"""`python -m tests.eval.real petshop|nezha`: one line per real fault, with its findings."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.eval import nezha, petshop, shared
from tests.eval.detector import ALERTING, Line, describe, evaluate, is_available, kinds
from tests.eval.nezha import NezhaTruth

ALL_SEVERITIES = ("notice", "warning", "critical")


@dataclass
class RealScore:
    """The counts of one data set, and one line per fault or false alert."""

    name: str = ""
    detected: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def per_day(self, what: str, windows: str, minutes: float) -> float:
        """Counted windows per service-day, over all `windows` of that many minutes."""
        return self.detected[what] * 1440 / minutes / self.total[windows] if self.total[windows] else 0.0


def nezha_cases() -> Iterator[tuple[str, Line, NezhaTruth]]:
    """Label, line and truth of Nezha's windows; empty if the data set is absent."""
    for place in shared.nezha_folders():
        yield from nezha.nezha_cases(place)


def score_petshop(folder: Path) -> RealScore:
    """The faults at the user-facing node and the quiet days of one traffic pattern; chronic nodes count apart."""
    score = RealScore(name=folder.name.replace("_", " "))
    for label, line, truth in petshop.petshop_cases(folder):
        answer = evaluate(line)
        has_finding, sick = bool(kinds(answer, *ALL_SEVERITIES)), bool(answer["sick"])
        is_new = any(
            finding["severity"] in ALERTING and not finding["chronic"] for finding in answer["findings"]
        )
        if truth.fault and truth.is_user_facing:
            score.total[truth.metric] += 1
            score.detected[truth.metric] += has_finding
            score.detected[f"{truth.metric} alarmed"] += sick
            score.lines.append(
                f"{'found ' if has_finding else 'MISSED'} {truth.metric:12} {label}: {describe(answer)}"
            )
        elif not truth.fault:
            group = "chronic" if truth.is_chronic else "quiet"
            score.total[group] += 1
            score.detected[group] += sick
            score.detected[f"{group} noticed"] += has_finding
            score.detected[f"{group} new"] += is_new
            if sick and not truth.is_chronic:
                score.lines.append(f"FALSE  {label}: {describe(answer)}")
    return score


def score_nezha() -> RealScore:
    """Detected windows with a CPU fault of the pod itself, and alerts elsewhere."""
    score = RealScore()
    answers_by_fault: dict[str, list[str]] = defaultdict(list)
    for label, line, truth in nezha_cases():
        answer = evaluate(line)
        sick = bool(answer["sick"])
        score.total["windows"] += 1
        if truth.fault:
            score.total["fault"] += 1
            score.detected["fault"] += sick
            answers_by_fault[f"{truth.pod} {truth.fault}"].append(
                f"{'found' if sick else 'MISSED'} {label[:5]}: {describe(answer)}"
            )
        elif not truth.is_unclear:
            score.total["quiet"] += 1
            score.detected["quiet"] += sick
            score.detected["quiet, a fault elsewhere"] += sick and truth.fault_elsewhere
            if sick:
                score.lines.append(
                    f"FALSE{' (fault elsewhere)' if truth.fault_elsewhere else ''} {label}: {describe(answer)}"
                )
    faults = [
        line
        for name, answers in answers_by_fault.items()
        for line in (name, *(f"    {answer}" for answer in answers))
    ]
    score.lines = faults + score.lines
    return score


def render_petshop(score: RealScore) -> list[str]:
    """The figures of PetShop as lines."""
    detected, of = score.detected, score.total
    faults = [
        f"{name} {detected[key]}/{of[key]} with a finding ({detected[f'{key} alarmed']} with an alert)"
        for name, key in (("latency", "latency"), ("errors", "availability"))
    ]
    rate, noticed = (score.per_day(what, "quiet", 25) for what in ("quiet", "quiet noticed"))
    return [
        f"PetShop, {score.name} (real): {', '.join(faults)}",
        (f"  quiet hours: {rate:.2f} alerts per service-day ({detected['quiet']} of {of['quiet']} windows), "
        f"{noticed:.2f} with any finding ({detected['quiet noticed']})"),
        (f"  chronically failing nodes: {detected['chronic']} of {of['chronic']} windows with an alert, "
        f"{detected['chronic new']} of them not marked as chronic"),
    ]  # fmt: skip


def render_nezha(score: RealScore) -> list[str]:
    """The figures of Nezha as lines."""
    detected, of = score.detected, score.total
    hits, false = detected["fault"], detected["quiet"]
    rate = score.per_day("quiet", "quiet", nezha.STEP_MINUTES)
    precision = hits / (hits + false or 1)
    return [
        f"Nezha (real CPU faults of 3 minutes): recall {hits}/{of['fault']} windows, precision {precision:.2f}",
        (f"  elsewhere: {rate:.2f} alerts per pod-day ({false} of {of['quiet']} windows), "
        f"{detected['quiet, a fault elsewhere']} during a fault of another pod"),
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """Print one data set, or both."""
    if not is_available():
        print("workers.cli.evaluation cannot be imported")
        return 1
    for name in arguments or ["petshop", "nezha"]:
        if name == "petshop":
            scores = [(render_petshop, score_petshop(folder)) for folder in shared.petshop_folders()]
        else:
            scores = [(render_nezha, score_nezha())] if shared.nezha_folders() else []
        for render, score in scores:
            print(*score.lines, *render(score), sep="\n")
        if not scores:
            print(f"{name}: skipped: not beside the repository (TRACKWALKER_DETECTION names the folder)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
