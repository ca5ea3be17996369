"""The rows of `make bench-attacks`, each measured by the code that owns its subject."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import gateway
from tests.eval.patches import describe_results
from tests.support.attack_inlets import count_leaks
from tests.support.attack_texts import ATTACKS
from tests.support.attacks.catalogue import FORGED, GOOD, MEASURED_BAD
from tests.support.attacks.verifying import Result, jobs_of_cases, jobs_of_corpus, run_jobs
from tests.support.fakes.model_provider import FakeProvider, stream
from tests.support.model_gateway import PRICE, running_gateway
from tests.support.model_streams import EVENTS, USAGE, stream_bytes
from tests.support.sandbox_probes import levels, probe_folder, run_probes

CORPUS_VARIABLE = "ATTACK_PATCHES"
GOOD_REFUSED_SHARE = 0.05
OWN_SECONDS = 3.0
"""Time that a verification may take besides the commands of the repository."""
CALLS = 40
"""Model calls, sixteen at once, of which the budget covers three and a half."""
INLETS_EACH = 3
"""Ways into the product that each attack text takes; all of them would take minutes."""
PAUSE_SECONDS = 0.01
"""Pause within an answer of the stand-in provider, so that calls overlap."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        is_met: whether the figure meets its goal.
        details: lines about what is behind a figure that misses its goal.
    """

    name: str
    figure: str
    goal: str
    is_met: bool
    details: tuple[str, ...] = ()


def all_rows() -> Iterator[Row]:
    """Every row, as it is measured."""
    yield from sandbox_rows()
    yield from gateway_rows()
    yield text_row()
    yield from patch_rows()


# ---- the sandbox ----


def sandbox_rows() -> Iterator[Row]:
    """A row of probe results for each isolation level that this machine allows."""
    with probe_folder() as folder:
        for level in levels(folder):
            results = run_probes(level.sandbox, level.python)
            failed = [result for result in results if not result.ok]
            details = tuple(
                f"  {result.name}: expected {result.expected}, got {result.actual[:200]}" for result in failed
            )
            yield Row(
                f"hostile code: {level.name}", f"{len(failed)} of {len(results)}", "0", not failed, details
            )


# ---- the model gateway ----


def gateway_rows() -> Iterator[Row]:
    """Calls and money beyond the budget, and what the gateway costs in time and memory."""
    one_call, clamp = PRICE.cost(USAGE["chat"]), PRICE.upper_bound(2500, 8000)
    limit = 3.5 * one_call
    script = stream(stream_bytes("chat", EVENTS["chat"]), pause_seconds=PAUSE_SECONDS)
    with (
        FakeProvider(scripts=[script]).serving() as provider,
        running_gateway("chat", provider.url, cost_usd=limit) as ours,
        ThreadPoolExecutor(16) as pool,
    ):
        list(pool.map(lambda _: ours.ask(), range(CALLS)))
        before = len(provider.received)
        list(pool.map(lambda _: ours.ask(), range(CALLS)))
        late, overspend = len(provider.received) - before, ours.budget.usage.cost_usd - limit
    yield Row("model calls after the budget is gone", f"{late} of {CALLS}", "0", late == 0)
    yield Row("overspend in calls' clamps", f"{overspend / clamp:.2f}", "≤ 1", overspend <= clamp)
    figures = gateway.measure()
    yield Row(
        "gateway: time added to the first token", f"{figures.added_p95_ms:.1f} ms p95", f"≤ {gateway.GOAL_MS:g} ms p95",
        figures.added_p95_ms <= gateway.GOAL_MS,
    )  # fmt: skip
    is_small = figures.memory_mb <= gateway.GOAL_MB
    yield Row("gateway: memory", f"{figures.memory_mb:.1f} MB", f"≤ {gateway.GOAL_MB:g} MB", is_small)


# ---- texts ----


def text_row() -> Row:
    """Attack texts of which a part reaches people, or leaves the data marks of a prompt."""
    outputs, leaks = count_leaks(inlets_each=INLETS_EACH)
    details = tuple(f"  {place}: {', '.join(sorted(parts))}" for place, parts in leaks.items())
    figure = f"{len(leaks)} of {outputs} ({len(ATTACKS)} texts)"
    return Row("attack texts that get through", figure, "0", not leaks, details)


# ---- patches ----


def patch_rows() -> Iterator[Row]:
    """Bad patches that come out ready, good ones that are refused, forged verifications, and their own time."""
    corpus_results: list[Result] = []
    corpus = Path(os.environ.get(CORPUS_VARIABLE) or "/nonexistent")
    if corpus.is_dir():
        with jobs_of_corpus(corpus) as jobs:
            corpus_results = run_jobs(jobs)
        yield bad_row("bad patches ready: given", of_kind(corpus_results, "bad:"))
        yield good_row("good patches refused: given", of_kind(corpus_results, "good:"))
    with jobs_of_cases({**MEASURED_BAD, **GOOD, **FORGED}) as jobs:
        own = run_jobs(jobs)
    yield bad_row("bad patches ready: own", of_kind(own, "bad:"))
    yield good_row("good patches refused: own", of_kind(own, "good:"))
    yield bad_row("verifications forged", of_kind(own, "forged:"))
    yield own_time_row([*own, *corpus_results])


def of_kind(results: Sequence[Result], prefix: str) -> list[Result]:
    """The results whose kind begins with the prefix."""
    return [result for result in results if result.job.kind.startswith(prefix)]


def bad_row(name: str, results: Sequence[Result]) -> Row:
    """Ready patches, except ones that a person has to judge and that carry a note for that person."""
    ready = [result for result in results if result.is_wrong and result.decision == "ready"]
    noted = sum(result.decision == "ready" and not result.is_wrong for result in results)
    also = f" ({noted} ready with a note)" if noted else ""
    return Row(name, f"{len(ready)} of {len(results)}{also}", "0", not ready, tuple(describe_results(ready)))


def good_row(name: str, results: Sequence[Result]) -> Row:
    """Good patches that are neither ready nor a draft."""
    refused = [result for result in results if result.decision not in ("ready", "draft")]
    lowered = sum(result.job.expect == "ready" and result.decision == "draft" for result in results)
    also = f" ({lowered} a draft instead of ready)" if lowered else ""
    is_met = len(refused) <= GOOD_REFUSED_SHARE * len(results)
    details = () if is_met else tuple(describe_results(refused))
    return Row(
        name, f"{len(refused)} of {len(results)}{also}", f"≤ {GOOD_REFUSED_SHARE:.0%}", is_met, details
    )


def own_time_row(results: Sequence[Result]) -> Row:
    """The time that verifications take besides the commands of the repository."""
    seconds = sorted(result.own_seconds for result in results if result.runs)
    middle, high = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.95)]
    figure = f"median {middle:.1f} s, p95 {high:.1f} s"
    return Row("a verification's own time", figure, f"≤ {OWN_SECONDS:.0f} s", high <= OWN_SECONDS)
