"""`python -m tests.eval.real petshop|nezha`: one line per real fault, with its findings."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.eval import nezha, petshop, shared
from tests.eval.detector import Line, describe, evaluate, is_available, kinds
from tests.eval.nezha import NezhaTruth
from tests.eval.petshop import PetShopTruth

ALL_SEVERITIES = ("notice", "warning", "critical")


@dataclass
class RealScore:
    """The counts of one data set, and one line per fault or false alert."""

    detected: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def per_day(self, what: str, windows: str, minutes: float) -> float:
        """Counted windows per service-day, over all `windows` of that many minutes."""
        return self.detected[what] * 1440 / minutes / self.total[windows] if self.total[windows] else 0.0


def petshop_cases() -> Iterator[tuple[str, Line, PetShopTruth]]:
    """Label, line and truth of PetShop's windows; empty if the data set is absent."""
    place = shared.petshop_folder()
    return petshop.petshop_cases(place) if place else iter(())


def nezha_cases() -> Iterator[tuple[str, Line, NezhaTruth]]:
    """Label, line and truth of Nezha's windows; empty if the data set is absent."""
    for place in shared.nezha_folders():
        yield from nezha.nezha_cases(place)


def score_petshop() -> RealScore:
    """Faults with a finding at the user-facing node, and alerts on quiet days, with chronic nodes counted apart."""
    score = RealScore()
    for label, line, truth in petshop_cases():
        answer = evaluate(line)
        has_finding, sick = bool(kinds(answer, *ALL_SEVERITIES)), bool(answer["sick"])
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
        f"PetShop (real): {', '.join(faults)}",
        (f"  quiet hours: {rate:.2f} alerts per service-day ({detected['quiet']} of {of['quiet']} windows), "
        f"{noticed:.2f} with any finding ({detected['quiet noticed']})"),
        f"  chronically failing nodes: {detected['chronic']} of {of['chronic']} windows with an alert",
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
        here: Path | bool | None = (
            shared.petshop_folder() if name == "petshop" else bool(shared.nezha_folders())
        )
        if not here:
            print(f"{name}: skipped: not beside the repository (TRACKWALKER_DETECTION names the folder)")
            continue
        score = score_petshop() if name == "petshop" else score_nezha()
        print(*score.lines, *(render_petshop(score) if name == "petshop" else render_nezha(score)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
