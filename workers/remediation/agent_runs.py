"""One run of an agent within a fix attempt. Its cost is added to the incident's however the run ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from workers.agent import prompts, workspaces
from workers.agent.coding_agent import AgentAnswer
from workers.agent.config import Role
from workers.agent.plan import PlanError
from workers.engine import records
from workers.engine.claim import Claim
from workers.errors import AgentRefused, NotAvailable
from workers.gateway.transcript import TranscriptRecorder
from workers.incidents import budget
from workers.models import Transcript, Usage
from workers.remediation.resources import RUN_SECONDS, Remediation
from workers.sandbox.commands import kill


def open_workspace(
    claim: Claim, remediation: Remediation, role: Role, repository: str, commit: str
) -> AbstractContextManager[workspaces.Workspace]:
    """The workspace of an agent run: the one of a crashed run of this attempt if it is on this disk, else a new one."""
    # `retry` raises the generation: a new attempt must not resume the session of the old one.
    name = f"{claim.id} {role}{claim.text('generation')}"
    return workspaces.open_workspace(
        remediation.folder / "runs", name, remediation.repositories, repository, commit
    )


def run_agent(
    claim: Claim, remediation: Remediation, role: Role, workspace: workspaces.Workspace, prompt: str,
    parse: Callable[[str], object],
) -> AgentAnswer:  # fmt: skip
    """The agent's answer to the prompt.

    Args:
        parse: raises PlanError for an unusable answer, which the agent may then correct once.

    Raises:
        AgentRefused: the incident's cost limit is used up, or the agent gives no answer.
        AgentBusy: the model provider does not answer now.
    """
    started = claim.text(f"began:{role}")
    before = _usage_before(claim, workspace, started)
    # As much as `budget.reserve` has reserved of the day's budget.
    limit = min(remediation.settings.max_cost_per_incident_usd, remediation.settings.max_cost_per_day_usd)
    budget_left = limit - before.cost_usd
    if budget_left <= 0:
        raise AgentRefused(
            f"the incident has used up TRACKWALKER_MAX_COST_PER_INCIDENT_USD ({before.cost_usd:.2f} USD)"
        )
    is_resumed = bool(started) and workspace.resumed
    if not is_resumed:
        _record_start(claim, remediation, role, before, is_rerun=bool(started))
    usage: Usage | None = None

    def record_usage(run_usage: Usage) -> None:
        # Recorded during the run: a worker that crashes has spent the money all the same. Redis being unavailable
        # for a moment must not end the run.
        nonlocal usage
        usage = run_usage
        with suppress(NotAvailable):
            claim.record(records.USAGE, _add(before, run_usage))

    agent = replace(remediation.agent, cost_limit_usd=budget_left, deadline_seconds=RUN_SECONDS[role])
    try:
        return remediation.ask(
            agent, role, workspace.clone, prompt, run_folder=workspace.folder,
            validate_answer=lambda text: _problem_prompt(parse, text), check_alive=claim.check_alive,
            on_start=lambda process: claim.on_loss(lambda: kill(process)), on_usage=record_usage,
            earlier_usage=_subtract(claim.get(records.USAGE) or Usage(), before) if is_resumed else Usage(),
            call_log=_transcript_recorder(claim, role, agent.model, workspace, is_resumed=is_resumed),
        )  # fmt: skip
    except NotAvailable:
        if usage is None or not usage.tokens:
            # The model never answered, so no run has begun: an outage of hours must not use up the day's runs.
            claim.set_fields(**{f"began:{role}": ""})
        raise
    finally:
        if usage is not None:
            claim.record(records.USAGE, _add(before, usage))


def _transcript_recorder(
    claim: Claim, role: Role, model: str, workspace: workspaces.Workspace, *, is_resumed: bool
) -> TranscriptRecorder:
    """Records each call of the model in the journal; a resumed run goes on with its own transcript."""
    record = records.CALLS[role]

    def store(transcript: Transcript) -> None:
        # As for the usage: Redis being unavailable for a moment must not end the run.
        with suppress(NotAvailable):
            claim.record(record, transcript)

    new = Transcript(model=model, directory=str(workspace.clone.resolve()))
    return TranscriptRecorder(store, (claim.get(record) if is_resumed else None) or new)


def _record_start(
    claim: Claim, remediation: Remediation, role: Role, before: Usage, *, is_rerun: bool
) -> None:
    """Record the usage before a run, so that a worker that resumes it does not count its usage twice."""
    if is_rerun:
        # The crashed run's workspace is on another disk, so this is a second run.
        budget.count_rerun(remediation.store, claim)
    claim.set_fields(**{f"began:{role}": before.model_dump_json()})


def _usage_before(claim: Claim, workspace: workspaces.Workspace, started: str) -> Usage:
    """The incident's usage without this run; a resumed run reports its earlier part again in its own total."""
    if started and workspace.resumed:
        return Usage.model_validate_json(started)
    return claim.get(records.USAGE) or Usage()


def _problem_prompt(parse: Callable[[str], object], text: str) -> str | None:
    """The prompt that asks for a corrected answer; None if the answer is usable."""
    try:
        parse(text)
    except PlanError as error:
        return prompts.retry_prompt(error)
    return None


def _add(first: Usage, second: Usage) -> Usage:
    return Usage(
        cost_usd=first.cost_usd + second.cost_usd,
        tokens=first.tokens + second.tokens,
        calls=first.calls + second.calls,
        seconds=first.seconds + second.seconds,
    )


def _subtract(total: Usage, part: Usage) -> Usage:
    return Usage(
        cost_usd=max(0.0, round(total.cost_usd - part.cost_usd, 6)),
        tokens=max(0, total.tokens - part.tokens),
        calls=max(0, total.calls - part.calls),
        seconds=max(0.0, total.seconds - part.seconds),
    )
