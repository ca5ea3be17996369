"""`python -m tests.windows.real petshop|nezha`: real faults, one line each: found or not, and what was said."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.eval import nezha, petshop, shared
from tests.eval.detector import Line, ask, is_there, kinds, said
from tests.eval.nezha import NezhaTruth
from tests.eval.petshop import PetShopTruth

ALL = ("notice", "warning", "critical")


@dataclass
class RealScore:
    """Counts over one set; `share` and `per_day` turn them into what is printed."""

    found: Counter[str] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def per_day(self, what: str, windows: str, minutes: float) -> float:
        """Counted windows per service-day, where so many windows of so many minutes were looked at."""
        return self.found[what] * 1440 / minutes / self.of[windows] if self.of[windows] else 0.0


def petshop_cases() -> Iterator[tuple[str, Line, PetShopTruth]]:
    """Label, line and truth of PetShop's windows; nothing where the set is not here."""
    place = shared.petshop_folder()
    return petshop.petshop_cases(place) if place else iter(())


def nezha_cases() -> Iterator[tuple[str, Line, NezhaTruth]]:
    """Label, line and truth of Nezha's windows; nothing where the set is not here."""
    for place in shared.nezha_folders():
        yield from nezha.nezha_cases(place)


def score_petshop() -> RealScore:
    """Faults found at the user-facing node at notice and up, alarms on quiet days, chronic nodes apart."""
    score = RealScore()
    for label, line, truth in petshop_cases():
        answer = ask(line)
        seen, sick = bool(kinds(answer, *ALL)), bool(answer["sick"])
        if truth.fault and truth.user_facing:
            score.of[truth.metric] += 1
            score.found[truth.metric] += seen
            score.found[f"{truth.metric} alarmed"] += sick
            score.lines.append(f"{'found ' if seen else 'MISSED'} {truth.metric:12} {label}: {said(answer)}")
        elif not truth.fault:
            group = "chronic" if truth.chronic else "quiet"
            score.of[group] += 1
            score.found[group] += sick
            score.found[f"{group} noticed"] += seen
            if sick and not truth.chronic:
                score.lines.append(f"FALSE  {label}: {said(answer)}")
    return score


def score_nezha() -> RealScore:
    """Windows with a CPU fault of the pod's own that were found, and alarms elsewhere."""
    score = RealScore()
    told: dict[str, list[str]] = defaultdict(list)
    for label, line, truth in nezha_cases():
        answer = ask(line)
        sick = bool(answer["sick"])
        score.of["windows"] += 1
        if truth.fault:
            score.of["fault"] += 1
            score.found["fault"] += sick
            told[f"{truth.pod} {truth.fault}"].append(
                f"{'found' if sick else 'MISSED'} {label[:5]}: {said(answer)}"
            )
        elif not truth.unclear:
            score.of["quiet"] += 1
            score.found["quiet"] += sick
            score.found["quiet, a fault elsewhere"] += sick and truth.elsewhere
            if sick:
                score.lines.append(
                    f"FALSE{' (fault elsewhere)' if truth.elsewhere else ''} {label}: {said(answer)}"
                )
    faults = [line for name, answers in told.items() for line in (name, *(f"    {one}" for one in answers))]
    score.lines = faults + score.lines
    return score


def say_petshop(score: RealScore) -> list[str]:
    """The figures of PetShop in words."""
    found, of = score.found, score.of
    faults = [
        f"{name} {found[key]}/{of[key]} found at notice and up ({found[f'{key} alarmed']} alarmed)"
        for name, key in (("latency", "latency"), ("errors", "availability"))
    ]
    rate, noticed = (score.per_day(what, "quiet", 25) for what in ("quiet", "quiet noticed"))
    return [
        f"PetShop (real): {', '.join(faults)}",
        (f"  quiet hours: {rate:.2f} alarms per service-day ({found['quiet']} of {of['quiet']} windows), "
        f"{noticed:.2f} with a notice or more ({found['quiet noticed']})"),
        f"  nodes that always fail: {found['chronic']} of {of['chronic']} windows alarmed",
    ]  # fmt: skip


def say_nezha(score: RealScore) -> list[str]:
    """The figures of Nezha in words."""
    found, of = score.found, score.of
    hits, false = found["fault"], found["quiet"]
    rate = score.per_day("quiet", "quiet", nezha.EVERY)
    precision = hits / (hits + false or 1)
    return [
        f"Nezha (real CPU faults of 3 minutes): recall {hits}/{of['fault']} windows, precision {precision:.2f}",
        (f"  elsewhere: {rate:.2f} alarms per pod-day ({false} of {of['quiet']} windows), "
        f"{found['quiet, a fault elsewhere']} while another pod's fault was on"),
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """Print one set, or both."""
    if not is_there():
        print("workers.cli.evaluation is not there: nothing to ask")
        return 1
    for name in arguments or ["petshop", "nezha"]:
        here: Path | bool | None = (
            shared.petshop_folder() if name == "petshop" else bool(shared.nezha_folders())
        )
        if not here:
            print(f"{name}: skipped, not beside the repository (TRACKWALKER_DETECTION names another place)")
            continue
        score = score_petshop() if name == "petshop" else score_nezha()
        print(*score.lines, *(say_petshop(score) if name == "petshop" else say_nezha(score)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
