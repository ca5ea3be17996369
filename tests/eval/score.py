"""What is counted: windows flagged class by class, kinds named, causes listed, minutes until it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import mean

from tests.eval import shared, thresholds
from tests.eval.catalogue import CLASSES
from tests.eval.detector import Line, ask, kinds
from tests.eval.projects import project
from tests.eval.scenario import Scenario, draw, passing

MINUTES_A_DAY = 1440


@dataclass
class ClassScore:
    """One class: how many of its windows were flagged, by whom, and how."""

    name: str
    sick: bool
    windows: int = 0
    flagged: int = 0
    without_past: int = 0
    by_thresholds: int = 0
    by_critical_thresholds: int = 0
    right_kind: int = 0
    """Sick windows in which one of the expected kinds was found above a notice."""
    delays: list[int] = field(default_factory=list)
    """Minutes from the onset to the first window in which it is seen; what is not seen is in `unseen`."""
    unseen: int = 0

    @property
    def right(self) -> float:
        """The share of its windows that was judged rightly."""
        return (self.flagged if self.sick else self.windows - self.flagged) / max(1, self.windows)


@dataclass(frozen=True)
class Overall:
    """All classes together; `false_a_day` is for a service on a usual day, window after window."""

    precision: float
    recall: float
    false_a_day: float


def score_class(name: str, seeds: range, delay_seeds: range) -> ClassScore:
    """One of our classes over these seeds; the delay is measured on fewer."""
    scenario = CLASSES[name]
    score = ClassScore(name, scenario.sick)
    for seed in seeds:
        _count(score, draw(scenario, seed).line, scenario.kinds)
    for seed in delay_seeds if scenario.sick else ():
        _delay(score, scenario, seed)
    return score


def score_shared_class(name: str, seeds: range, minutes: int = 30, step: int = 60) -> ClassScore | None:
    """One class of the other generator, with samples every `step` seconds; None where it is not here."""
    other = shared.scenarios()
    if other is None:
        return None
    score = ClassScore(name, bool(other.CLASSES[name]))
    rules = shared.threshold_rules()
    for seed in seeds:
        window = other.make(name, seed, minutes, step)
        _count(score, shared.in_public_format(window), CLASSES[name].kinds)
        if rules is not None:  # theirs see single requests, ours minutes
            score.by_thresholds += rules.flagged(window) - thresholds.flags(shared.in_public_format(window))
    return score


def _count(score: ClassScore, line: Line, expected: frozenset[str]) -> None:
    answer = ask(line)
    score.windows += 1
    score.flagged += bool(answer["sick"])
    score.without_past += bool(ask({**line, "past": []})["sick"])
    score.by_thresholds += thresholds.flags(line)
    score.by_critical_thresholds += thresholds.flags(line, critical_only=True)
    score.right_kind += bool(expected & kinds(answer))


def _delay(score: ClassScore, scenario: Scenario, seed: int) -> None:
    minutes = None
    for minutes, line in passing(scenario, seed):
        if ask(line)["sick"]:
            score.delays.append(minutes)
            return
    score.unseen += minutes is not None


def overall(
    scores: list[ClassScore], day: dict[str, float], which: str = "flagged", minutes: int = 30
) -> Overall:
    """Precision and recall over all windows; `which` names the count: flagged, without_past, by_thresholds …"""
    hits = sum(getattr(one, which) for one in scores if one.sick)
    false = sum(getattr(one, which) for one in scores if not one.sick)
    rates = {one.name: getattr(one, which) / max(1, one.windows) for one in scores if not one.sick}
    known = {name: share for name, share in day.items() if name in rates}
    weight = sum(known.values()) or 1.0
    return Overall(
        precision=hits / max(1, hits + false),
        recall=hits / max(1, sum(one.windows for one in scores if one.sick)),
        false_a_day=MINUTES_A_DAY
        / minutes
        * sum(share * rates[name] for name, share in known.items())
        / weight,
    )


@dataclass
class ProjectScore:
    """One variant of projects. `listed` and `first` count projects, `names` how many were listed in each."""

    variant: str
    projects: int = 0
    listed: int = 0
    first: int = 0
    alarmed: int = 0
    """Projects in which any service is sick."""
    names: list[int] = field(default_factory=list)

    @property
    def mean_names(self) -> float:
        return mean(self.names) if self.names else 0.0


def score_projects(variant: str, seeds: range) -> ProjectScore:
    """Our projects of that variant: is every cause listed, and one of them first?"""
    score = ProjectScore(variant)
    for seed in seeds:
        made = project(variant, seed)
        _count_project(score, made.line, made.causes)
    return score


def score_shared_projects(variant: str, calls: bool, seeds: range) -> ProjectScore | None:
    """The other generator's projects, one of each class and seed: the sick, or only the clean ones."""
    other = shared.scenarios()
    if other is None:
        return None
    score = ProjectScore(f"{variant}, calls {'' if calls else 'not '}known")
    for name in other.SICK if variant == "sick" else other.DAY_MIX:
        for seed in seeds:
            made = other.make_project(name, seed)
            causes = frozenset({made["cause"]} - {None})
            _count_project(score, shared.project_in_public_format(made, calls=calls), causes)
    return score


def _count_project(score: ProjectScore, line: Line, causes: frozenset[str]) -> None:
    answer = ask(line)
    named = answer["cause"]
    score.projects += 1
    score.alarmed += any(one["sick"] for one in answer["services"])
    score.listed += bool(causes) and causes <= set(named)
    score.first += bool(causes) and bool(named) and named[0] in causes
    score.names.append(len(named))
