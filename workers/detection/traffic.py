"""What the public edge counted for one service: failures, slowness, refusals, and whether anybody came at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workers.detection.latency import judge_latency
from workers.detection.sentences import ending, moment, since, span
from workers.detection.server_errors import judge_errors
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import Run, quantile, runs, step_of, wilson_low
from workers.models import Finding, GapPart, Severity, TrafficMinute

REFUSED_SHARE = 0.25
"""Of the requests of a step."""
FEWEST_REFUSED = 20
SUCCESSES_LEFT = 0.65
"""Of the successes that are usual: more is a scan or a badly written client beside them."""
REFUSED = 1.5
"""Times the persist time."""
BEFORE_STEPS = 4
DEPLOYED_WITHIN = 2.5
REPLACED_SUCCESSES_LEFT, SAME_TOTAL = 0.85, 1.3
"""Right after a deployment less is enough, where as many came as ever: refusals took the place of successes."""
TIMES_USUAL_REFUSED = 3.0
SURGE_TIMES, FEWEST_SURGING = 2.0, 60
LOST_REQUESTS = 50.0
"""So many requests should have come in the silence, by the quietest window of the past."""
QUIETEST_REQUESTS = 30.0
LOST = 2.0
"""Times the persist time."""
LOST_SHARE, RECENT_SHARE, LOST_NOISE = 0.05, 0.7, 2.0
"""Of the quietest window of the past, or of the last hours: nights and weekends leave more; a step may have twice."""


def judge_traffic(case: ServiceWindow) -> list[Finding]:
    """5xx, latency, 4xx in place of successes, a surge (evidence only), and requests that stay away."""
    minutes = sorted((one for one in case.service.traffic if one.requests > 0), key=lambda one: one.at)
    step = _step(case)
    found: list[Finding | None] = [_lost(case, minutes, step)]
    if minutes:
        found += [
            judge_errors(case, minutes, step), judge_latency(case, minutes, step),
            _refused(case, minutes, step), _surge(case, minutes, step),
        ]  # fmt: skip
    return [one for one in found if one is not None]


def _step(case: ServiceWindow) -> float:
    """Seconds per count, as the counts really came: empty steps are among them or not."""
    times = sorted({float(one.at) for one in case.service.traffic})
    known = float(case.service.traffic_step_seconds or case.survey.step_seconds)
    return min(known, step_of(times, known)) if known > 0 else step_of(times, 60.0)


# ---- 4xx -------------------------------------------------------------------------------------


def _refused(case: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Requests refused in place of successes: a client or a deployment broke, not a scan on top."""
    if sum(one.client_errors for one in minutes) < FEWEST_REFUSED:
        return None
    times = [float(one.at) for one in minutes]
    held = [one.client_errors >= REFUSED_SHARE * one.requests for one in minutes]
    least = max(case.persist, min(REFUSED * case.persist, 0.5 * case.survey.window.seconds))
    long = [run for run in runs(times, held, step) if run.seconds >= least]
    for run in sorted(long, key=lambda one: -one.seconds):
        stretch = minutes[run.first : run.last + 1]
        requests = sum(one.requests for one in stretch)
        refused = sum(one.client_errors for one in stretch)
        expected = _usual_successes(case, minutes[: run.first], step)
        now = sum(one.ok for one in stretch) / run.seconds
        sure = refused >= FEWEST_REFUSED and wilson_low(refused, requests) > REFUSED_SHARE / 2
        if expected is None or not sure or not _fewer(now * run.seconds, expected * run.seconds):
            continue
        if now <= _left(case, run, requests, refused) * expected:
            return _say_refused(case, run, requests, refused, now, expected, len(minutes))
    return None


def _fewer(seen: float, expected: float) -> bool:
    """Whether so few successes are no chance (three standard deviations of a Poisson count)."""
    return expected - seen >= 3 * math.sqrt(max(1.0, expected))


def _left(case: ServiceWindow, run: Run, requests: int, refused: int) -> float:
    """The share of the usual successes below which the refusals are no scan on top of them."""
    usual, total = case.usual.level("refused_share"), case.usual.recent("requests_per_second")
    if (
        usual is None
        or not total
        or not any(-case.persist <= run.start - at <= DEPLOYED_WITHIN * case.persist for at in case.rollouts)
    ):
        return SUCCESSES_LEFT
    replaced = requests / run.seconds <= SAME_TOTAL * total
    risen = wilson_low(refused, requests) >= max(TIMES_USUAL_REFUSED * usual, usual + REFUSED_SHARE / 2)
    return REPLACED_SUCCESSES_LEFT if replaced and risen else SUCCESSES_LEFT


def _usual_successes(case: ServiceWindow, before: Sequence[TrafficMinute], step: float) -> float | None:
    """Successes per second: of the windows just before, else of the window's own beginning."""
    recent = case.usual.recent("ok_per_second")
    if recent is not None:
        same = case.usual.same_hour("ok_per_second")
        return min(recent, quantile(same, 0.5)) if len(same) >= 3 else recent
    if len(before) < BEFORE_STEPS:
        return None
    return sum(one.ok for one in before) / (len(before) * step)


def _say_refused(
    case: ServiceWindow, run: Run, requests: int, refused: int, now: float, expected: float, steps: int
) -> Finding:
    window, onset, ongoing = case.survey.window, moment(run.start), run.last >= steps - 2
    share = 100 * refused / requests
    sentence = (
        f"{case.service.name} answered {share:.2g} % of {requests} requests with 4xx "
        f"{since(onset, window, run.seconds / (run.last - run.first + 1))}, and only {60 * now:.3g} successes a "
        f"minute are left of {60 * expected:.3g}; {ending(ongoing, moment(run.end), window)}"
    )
    numbers = {
        "refused": float(refused), "requests": float(requests), "refused_percent": round(share, 2),
        "minutes": round(run.seconds / 60, 2), "successes_per_minute": round(60 * now, 3),
        "usual_successes_per_minute": round(60 * expected, 3),
    }  # fmt: skip
    severity = Severity.WARNING if ongoing or run.seconds >= 2 * case.persist else Severity.NOTICE
    return case.found(
        "client_errors", severity, onset, sentence, ongoing=ongoing, numbers=numbers, confidence=0.8
    )


# ---- how many came ---------------------------------------------------------------------------


def _surge(case: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Many more requests than usual; harmless by itself, but it explains what else is found."""
    usual = case.usual.level("requests_per_second", 0.95)
    if not usual:
        return None
    times = [float(one.at) for one in minutes]
    held = [one.requests >= SURGE_TIMES * usual * step for one in minutes]
    found = [run for run in runs(times, held, step) if run.seconds >= case.persist]
    if not found:
        return None
    run = found[-1]
    came = sum(one.requests for one in minutes[run.first : run.last + 1])
    if came < FEWEST_SURGING:
        return None
    rate, ongoing, window = 60 * came / run.seconds, run.last >= len(minutes) - 2, case.survey.window
    sentence = (
        f"{case.service.name} got {rate:.3g} requests a minute for {span(run.seconds)} "
        f"{since(moment(run.start), window, step)}, where {60 * usual:.3g} are the most that is usual; "
        f"{ending(ongoing, moment(run.end), window)}"
    )
    numbers = {"requests_per_minute": round(rate, 2), "usual_per_minute": round(60 * usual, 2)}
    return case.found("traffic_surge", Severity.NOTICE, run.start, sentence, ongoing=ongoing, numbers=numbers)


def _lost(case: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Hardly a request any more where many came in every window of the past."""
    if case.service.sleeps or not case.service.public or not case.usual.known:
        return None
    if any(gap.part is GapPart.TRAFFIC for gap in case.survey.gaps_for(case.service.name)):
        return None
    came = case.usual.values("requests_per_second")
    if len(came) < len(case.usual.windows) or min(came) * case.usual.minutes * 60 < QUIETEST_REQUESTS:
        return None
    few = LOST_SHARE * max(min(came), RECENT_SHARE * (case.usual.recent("requests_per_second") or 0.0)) * step
    onset, left = case.start, 0
    for one in reversed(minutes):
        if one.requests > LOST_NOISE * few:
            onset = one.at + step
            break
        left += one.requests
    silent = case.end - onset
    if left * step > few * silent or silent < LOST * case.persist or silent * min(came) < LOST_REQUESTS:
        return None
    window, usual = case.survey.window, quantile(came, 0.5)
    sentence = (
        f"{case.service.name} got {left or 'no'} request{'s' if left > 1 else ''} in {span(silent)}, "
        f"{since(moment(onset), window, step)}, where {60 * usual:.3g} a minute are usual"
    )
    numbers = {
        "silent_minutes": round(silent / 60, 2), "usual_per_minute": round(60 * usual, 2),
        "requests": float(left),
    }  # fmt: skip
    return case.found("traffic_lost", Severity.WARNING, onset, sentence, numbers=numbers, confidence=0.8)
