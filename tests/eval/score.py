"""Scores: flagged windows per class, right kinds, listed causes, and minutes until detection."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import mean

from tests.eval import shared, thresholds
from tests.eval.catalogue import CLASSES
from tests.eval.detector import Line, evaluate, kinds
from tests.eval.projects import draw_project
from tests.eval.scenario import Scenario, draw_window, moving_windows

MINUTES_A_DAY = 1440


@dataclass
class ClassScore:
    """The counts of one class."""

    name: str
    is_failing: bool
    windows: int = 0
    flagged: int = 0
    noticed: int = 0
    """Windows with a notice and no alert."""
    without_history: int = 0
    by_thresholds: int = 0
    by_critical_thresholds: int = 0
    right_kind: int = 0
    """Failing windows in which a finding of an acceptable kind alerts."""
    delays: list[int] = field(default_factory=list)
    """Minutes from the onset to the first window that alerts; failures that never alert are in `missed`."""
    missed: int = 0

    @property
    def accuracy(self) -> float:
        """The share of its windows that were classified correctly."""
        return (self.flagged if self.is_failing else self.windows - self.flagged) / max(1, self.windows)


@dataclass(frozen=True)
class Overall:
    """All classes together; `false_per_day` is for a healthy service on a typical day of consecutive windows."""

    precision: float
    recall: float
    false_per_day: float


def score_class(name: str, seeds: range, delay_seeds: range) -> ClassScore:
    """One of our classes over these seeds; delays are measured on `delay_seeds`."""
    scenario = CLASSES[name]
    score = ClassScore(name, scenario.is_failing)
    for seed in seeds:
        _count_window(score, draw_window(scenario, seed).line, scenario.kinds, chronic=scenario.chronic)
    for seed in delay_seeds if scenario.is_failing else ():
        _measure_delay(score, scenario, seed)
    return score


def score_shared_class(name: str, seeds: range, minutes: int = 30, step: int = 60) -> ClassScore | None:
    """One class of the other generator, with samples every `step` seconds; None if the generator is not present."""
    other = shared.scenarios()
    if other is None:
        return None
    score = ClassScore(name, bool(other.CLASSES[name]))
    rules = shared.threshold_rules()
    for seed in seeds:
        window = other.make(name, seed, minutes, step)
        _count_window(score, shared.in_public_format(window), CLASSES[name].kinds)
        if rules is not None:  # the other implementation sees single requests, ours sees minutes
            score.by_thresholds += rules.flagged(window) - thresholds.flags(shared.in_public_format(window))
    return score


def _count_window(score: ClassScore, line: Line, expected: frozenset[str], *, chronic: bool = False) -> None:
    answer = evaluate(line)
    score.windows += 1
    score.flagged += bool(answer["sick"])
    score.noticed += bool(answer["findings"]) and not answer["sick"]
    score.without_history += bool(evaluate({**line, "past": []})["sick"])
    score.by_thresholds += thresholds.flags(line)
    score.by_critical_thresholds += thresholds.flags(line, critical_only=True)
    marked = {finding["kind"] for finding in answer["findings"] if finding["chronic"]}
    score.right_kind += bool(expected & (marked if chronic else kinds(answer) - marked))


def _measure_delay(score: ClassScore, scenario: Scenario, seed: int) -> None:
    minutes = None
    for minutes, line in moving_windows(scenario, seed):
        if evaluate(line)["sick"]:
            score.delays.append(minutes)
            return
    score.missed += minutes is not None


def overall(
    scores: list[ClassScore], day: dict[str, float], which: str = "flagged", minutes: int = 30
) -> Overall:
    """Precision and recall over all windows; `which` names the count, such as flagged or noticed."""
    hits = sum(getattr(score, which) for score in scores if score.is_failing)
    false = sum(getattr(score, which) for score in scores if not score.is_failing)
    rates = {
        score.name: getattr(score, which) / max(1, score.windows) for score in scores if not score.is_failing
    }
    shares = {name: share for name, share in day.items() if name in rates}
    weight = sum(shares.values()) or 1.0
    return Overall(
        precision=hits / max(1, hits + false),
        recall=hits / max(1, sum(score.windows for score in scores if score.is_failing)),
        false_per_day=MINUTES_A_DAY
        / minutes
        * sum(share * rates[name] for name, share in shares.items())
        / weight,
    )


@dataclass
class ProjectScore:
    """One variant of projects; `listed_counts` holds the number of listed services per project."""

    variant: str
    projects: int = 0
    all_listed: int = 0
    cause_first: int = 0
    alerting: int = 0
    """Projects in which any service alerts."""
    listed_counts: list[int] = field(default_factory=list)

    @property
    def mean_listed(self) -> float:
        return mean(self.listed_counts) if self.listed_counts else 0.0


def score_projects(variant: str, seeds: range) -> ProjectScore:
    """Our projects of this variant: whether every cause is listed, and whether a cause comes first."""
    score = ProjectScore(variant)
    for seed in seeds:
        project = draw_project(variant, seed)
        _count_project(score, project.line, project.causes)
    return score


def score_shared_projects(variant: str, calls: bool, seeds: range) -> ProjectScore | None:
    """The other generator's projects, one per class and seed, either failing or healthy."""
    other = shared.scenarios()
    if other is None:
        return None
    score = ProjectScore(f"{variant}, calls {'' if calls else 'not '}known")
    for name in other.SICK if variant == "sick" else other.DAY_MIX:
        for seed in seeds:
            project = other.make_project(name, seed)
            causes = frozenset({project["cause"]} - {None})
            _count_project(score, shared.project_in_public_format(project, calls=calls), causes)
    return score


def _count_project(score: ProjectScore, line: Line, causes: frozenset[str]) -> None:
    answer = evaluate(line)
    named = answer["cause"]
    score.projects += 1
    score.alerting += any(service["sick"] for service in answer["services"])
    score.all_listed += bool(causes) and causes <= set(named)
    score.cause_first += bool(causes) and bool(named) and named[0] in causes
    score.listed_counts.append(len(named))
