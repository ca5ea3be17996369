"""Renders a conclusion as the texts of a verdict. With the modules that it joins, the only place of the wording.

Nothing decides by these texts: the reason and the category of a verdict are types.
"""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis import (
    code_sentences,
    connection_sentences,
    deployment_sentences,
    limit_sentences,
    platform_sentences,
    setting_sentences,
)
from workers.investigation.diagnosis.conclusion import (
    MAX_QUOTE_CHARS,
    Circumstances,
    Conclusion,
    Texts,
    quote_text,
)
from workers.models import Gap, VerdictReason, describe_gap
from workers.runtime.text import join_names, truncate

COMMIT_CHARS = 7  # as GitHub shortens commits
MAX_LISTED_GAPS = 2  # failed reads among the next checks; the evidence lists all of them


def render_verdict(conclusion: Conclusion, around: Circumstances) -> Texts:
    """The texts of the verdict, from the reason and the typed fields of the conclusion.

    Args:
        around: what the summary states beside the cause.
    """
    texts = RENDERERS[conclusion.reason](conclusion)
    return texts._replace(summary=f"{texts.summary}{_since(around)}{_hidden(around)}")


def _since(around: Circumstances) -> str:
    # The onset stands beside the verdict everywhere, in the reader's own time zone.
    return " (since before the history begins)" if around.is_chronic else ""


def _hidden(around: Circumstances) -> str:
    success = ". Railway still shows its deployment as SUCCESS" if around.shows_success else ""
    if not around.dropped_lines:
        return success
    lines = "log lines" if around.dropped_lines == 1 else f"{around.dropped_lines:,} log lines"
    return f"{success}. Railway dropped {lines} in this time, so that the logs may not show the cause"


def _inconclusive(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    summaries = {
        VerdictReason.NO_FACTS: f"nothing could be measured for {service}",
        VerdictReason.NO_LOGS_OF_FAILED_DEPLOYMENT: (
            f"the newest deployment of {service} failed, and none of its logs could be read"
        ),
        VerdictReason.NO_RULE_APPLIES: (
            f"the evidence does not show why {service} {_behaviour(conclusion.kinds)}"
            f"{_first_error(conclusion)}{_unrelated_commit(conclusion)}"
        ),
    }
    first, *others = _checks_of_kinds(conclusion.kinds)
    return Texts(
        summaries[conclusion.reason],
        f"Look at {service} by hand: {first}",
        (*_checks_of_gaps(conclusion.gaps), *others),
    )


def _behaviour(kinds: frozenset[str]) -> str:
    if kinds <= {"latency"}:
        return "is slow"
    if kinds <= {"cpu"}:
        return "uses so much CPU"
    return "uses more and more memory" if kinds <= {"memory_growth"} else "is failing"


def _unrelated_commit(conclusion: Conclusion) -> str:
    if not conclusion.commit:
        return ""
    files = join_names(conclusion.names)
    return f". Commit {conclusion.commit[:COMMIT_CHARS]} before it changed {files}, which nothing links to it"


def _first_error(conclusion: Conclusion) -> str:
    if not conclusion.quote:
        return ""
    if count := conclusion.numbers.get("lead_count"):
        return f"; best lead, logged {count:,.0f} times: {quote_text(conclusion)}"
    return f"; the first error is: {quote_text(conclusion)}"


def _checks_of_gaps(gaps: tuple[Gap, ...]) -> tuple[str, ...]:
    return tuple(
        f"check by hand: {truncate(describe_gap(gap), MAX_QUOTE_CHARS)}" for gap in gaps[:MAX_LISTED_GAPS]
    )


def _checks_of_kinds(kinds: frozenset[str]) -> tuple[str, ...]:
    checks = []
    if "client_errors" in kinds:
        checks.append("find the clients whose requests are refused, and the routes they call")
    if kinds & {"crashed", "restart_loop"}:
        checks.append(
            "look at the last log lines before the container exited, and at its exit code in Railway"
        )
    if "server_errors" in kinds:
        checks.append("send one failing request by hand, and look at its log lines")
    if kinds & {"latency", "cpu", "memory", "memory_growth"}:
        checks.append("profile the running service")
    return (
        *checks,
        "look for changes at the onset: deployments, variables, data, callers",
        "check the services that it calls",
    )


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.NO_FACTS: _inconclusive,
    VerdictReason.NO_RULE_APPLIES: _inconclusive,
    VerdictReason.NO_LOGS_OF_FAILED_DEPLOYMENT: _inconclusive,
    **setting_sentences.RENDERERS,
    **connection_sentences.RENDERERS,
    **deployment_sentences.RENDERERS,
    **code_sentences.RENDERERS,
    **limit_sentences.RENDERERS,
    **platform_sentences.RENDERERS,
}
"""The renderer of each reason. Tests replace the entries to prove that no decision depends on the wording."""
