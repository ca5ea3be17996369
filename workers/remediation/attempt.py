"""One round of mending: the plan of the reading agent, the patch of the writing one, what the host proved of it.

Each function does one stage under a claim and answers the Outcome that ends the active part of the round, or None
when the next stage follows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from workers.agent import prompts, run, workspaces
from workers.agent.config import Role, find_tool
from workers.agent.plan import PlanError, parse_plan, parse_writer_answer
from workers.agent.providers import read_providers
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.engine import records, scripts
from workers.engine.journal import CANCELLED_RESERVATION_SECONDS, PREFIX, Claim, JournalStore
from workers.errors import AgentRefused, NotAvailable, Refused
from workers.incidents import budget, rejections
from workers.models import (
    Category,
    Evidence,
    Fix,
    Incident,
    Outcome,
    Plan,
    Repository,
    Usage,
    Verification,
    digest,
)
from workers.pull_requests import propose
from workers.remediation import checks, proof
from workers.runtime.settings import Settings
from workers.sandbox.builder import build_sandbox
from workers.sandbox.commands import kill
from workers.sandbox.sandbox import Sandbox

RUN_SECONDS: dict[Role, float] = {"reader": 900.0, "writer": 1500.0}
RESERVED_SECONDS = 30 * 86_400
OTHERS_LOOKED_AT = 30
"""Open pull requests of other people whose files are asked for."""


@dataclass
class Remediation:
    """What mending needs; the wall and the agent are made when first used, as most sweeps never mend."""

    settings: Settings
    github: GitHub
    repositories: Repositories
    store: JournalStore
    folder: Path
    ask: Callable[..., run.Answer] = run.ask
    verify: Callable[..., Verification] = proof.verify
    """One run of the agent, and of the proof: what takes minutes and another program."""

    @cached_property
    def project(self) -> Path:
        """The folder this product runs from."""
        return Path(__file__).resolve().parents[2]

    @cached_property
    def sandbox(self) -> Sandbox:
        """Raises AgentRefused where none can be built."""
        scratch = self.folder / "scratch"
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        hide = [self.folder, self.project / ".env", Path.cwd() / ".env"]
        return build_sandbox(hide=hide, scratch=scratch, allow_unsandboxed=self.settings.allow_unsandboxed)

    @cached_property
    def agent(self) -> run.Agent:
        """Raises AgentRefused naming the setting that is missing."""
        tools, settings = self.project / ".tools", self.settings
        config = settings.opencode_config
        # Keys may stand in `.env` only.
        environ = dict(os.environ) | {
            name: key.get_secret_value() for name, key in settings.provider_keys.items()
        }
        return run.Agent(
            binary=find_tool("opencode", settings.opencode_bin, tools, "OPENCODE_BIN"),
            rg=find_tool("rg", None, tools, ".tools"),
            sandbox=self.sandbox,
            model=settings.model or "",
            provider_config=read_providers(config, environ) if config else {},
            keys=settings.provider_keys,
            price=settings.model_price,
            cost_limit_usd=settings.max_cost_per_incident_usd,
            deadline_seconds=RUN_SECONDS["reader"],
        )


def missing_requirement(settings: Settings, evidence: Evidence) -> str | None:
    """Why nothing can be mended here, in words; None when it can."""
    if settings.mode in ("shadow", "report"):
        return f"TRACKWALKER_MODE is {settings.mode}"
    if not settings.model:
        return "TRACKWALKER_MODEL is not set"
    if not settings.can_fix:
        return "GITHUB_TOKEN is not set"
    if evidence.repository is None:
        return "the service's repository could not be read"
    return None


# ---- plan ------------------------------------------------------------------------------------


def plan(claim: Claim, mender: Remediation) -> Outcome | None:
    """Ask the reading agent for a plan, and reserve its cause in the code."""
    incident, evidence = claim.need(records.INCIDENT), claim.need(records.EVIDENCE)
    repository = evidence.repository
    why_not = missing_requirement(mender.settings, evidence)
    if repository is None or why_not:
        return Outcome(kind="reported", headline=f"not mended: {why_not}")
    if not evidence.facts:
        return Outcome(kind="reported", headline="not mended: there are no facts to hand to an agent")
    commit_key = _suspect_digest(repository, evidence)
    if commit_key and (closed := rejections.closed_by_human(mender.store, [commit_key])):
        return _closed_by_human(closed)
    if claim.get(records.PLAN) is None and (
        gone := budget.reserve(mender.store, mender.settings, claim, incident, datetime.now(UTC))
    ):
        return _raw(incident, gone)
    made = claim.step(records.PLAN, lambda: _ask_reader(claim, mender, incident, evidence, repository))
    if made.verdict not in (Category.CODE, Category.DEPLOYMENT):
        return _left_the_code(made)
    keys = [_digest(repository, made.cause.file or ""), *([commit_key] if commit_key else [])]
    return _reserve(claim, mender, repository, keys)


def _ask_reader(
    claim: Claim, mender: Remediation, incident: Incident, evidence: Evidence, repository: Repository
) -> Plan:
    verdict = claim.need(records.VERDICT)
    with _place(claim, mender, "reader", repository.name, repository.deployed) as place:

        def parse(text: str) -> Plan:
            return parse_plan(text, evidence, _files_of(place.clone))

        answer = _ask(
            claim, mender, "reader", place, prompts.reader_prompt(incident, evidence, verdict), parse
        )
        try:
            return parse(answer.text)
        except PlanError as error:
            raise AgentRefused(f"the agent gave no usable plan: {error}") from error


def _files_of(clone: Path) -> Callable[[str], bool]:
    """Whether a path names a file inside the clone; a link that leads out of it does not."""

    def exists(path: str) -> bool:
        place = (clone / path).resolve()
        return place.is_relative_to(clone.resolve()) and place.is_file()

    return exists


def _left_the_code(made: Plan) -> Outcome:
    lines = [f"ruled out: {one}" for one in made.ruled_out[:3]]
    lines += [f"unknown: {one}" for one in made.unknown[:3]]
    lines += [f"next: {one}" for one in made.next_checks[:5]]
    headline = f"the agent read the code and says {made.verdict.value}: {made.cause.summary}"
    return Outcome(kind="reported", headline=headline, lines=tuple(lines))


def _raw(incident: Incident, why: str) -> Outcome:
    """The raw facts, where nobody may work on them."""
    facts = tuple(finding.named_sentence for finding in incident.findings)
    return Outcome(kind="reported", headline=f"not mended: {why}", lines=facts)


# ---- one open pull request per cause in the code ---------------------------------------------


def _digest(repository: Repository, what: str) -> str:
    return f"{PREFIX}reserved:{digest(repository.name.lower(), what)}"


def _suspect_digest(repository: Repository, evidence: Evidence) -> str | None:
    commit = evidence.suspect.commit if evidence.suspect else None
    return _digest(repository, commit) if commit else None


def _closed_by_human(number: str) -> Outcome:
    headline = f"{number} for this cause was closed unmerged: not proposed again without new evidence"
    return Outcome(kind="reported", headline=headline)


def _reserve(claim: Claim, mender: Remediation, repository: Repository, keys: list[str]) -> Outcome | None:
    """Ours, or attach to whoever holds the cause already."""
    if closed := rejections.closed_by_human(mender.store, keys):
        return _closed_by_human(closed)
    milliseconds = (int(RESERVED_SECONDS * 1000), int(CANCELLED_RESERVATION_SECONDS * 1000))
    holder = mender.store.script(scripts.RESERVE, keys, claim.key, *milliseconds).decode()
    if holder != claim.key:
        other = mender.store.read_record(holder, records.INCIDENT)
        name = other.subject.name if other else "another incident"
        return Outcome(kind="attached", headline=f"the same cause in the code as {name}: it is mended there")
    # A plan that was made again may name another cause.
    before = [key for key in claim.text("reserved").split(",") if key and key not in keys]
    if before:
        mender.store.script(scripts.RELEASE_RESERVATIONS, before, claim.key)
    claim.set_fields(repository=repository.name, reserved=",".join(keys))
    return None


def release(claim: Claim, journal: JournalStore) -> None:
    """Give the reservations back where no pull request came of them."""
    keys = [key for key in claim.text("reserved").split(",") if key]
    if keys:
        journal.script(scripts.RELEASE_RESERVATIONS, keys, claim.key)


# ---- mend ------------------------------------------------------------------------------------


def fix(claim: Claim, mender: Remediation) -> Outcome | None:
    """Let the writing agent change a copy of the base branch, and prove what it did."""
    evidence, made = claim.need(records.EVIDENCE), claim.need(records.PLAN)
    repository = evidence.repository
    if repository is None:
        raise Refused("the service's repository is not known")  # `plan` ended the round before
    incident = claim.need(records.INCIDENT)
    base = claim.step(records.BASE, lambda: mender.github.head(repository.name, repository.base))
    digests = [key.rpartition(":")[2] for key in claim.text("reserved").split(",") if key]
    if claim.get(records.FIX) is None and (
        stop := _in_the_way(mender, repository, made, base, digests, incident.branch)
    ):
        release(claim, mender.store)
        return stop
    # Whoever stood aside for a while, or ended, has given its budget back.
    if (
        claim.get(records.FIX) is None
        and not budget.is_reserved(claim)
        and (gone := budget.reserve(mender.store, mender.settings, claim, incident, datetime.now(UTC)))
    ):
        release(claim, mender.store)
        return _raw(incident, gone)
    fix = claim.step(records.FIX, lambda: _write(claim, mender, repository, made, base))
    certificate = claim.step(records.VERIFICATION, lambda: _certify(claim, mender, repository, made, fix))
    if certificate.decision in ("ready", "draft"):
        return None
    release(claim, mender.store)
    if certificate.decision == "already fixed":
        return Outcome(
            kind="reported", headline="; ".join(certificate.reasons) or "already mended, deploy it"
        )
    lines = (f"cause: {made.cause.summary} ({made.cause.file}:{made.cause.line})", *certificate.reasons[:6])
    return Outcome(kind="nothing proposed", headline="a fix was made but not proposed", lines=lines)


def _in_the_way(
    mender: Remediation, repository: Repository, made: Plan, base: str, digests: list[str], branch: str
) -> Outcome | None:
    """Newer commits or an open pull request of somebody else that touch the culprit, or one of ours for the cause."""
    culprit = made.cause.file or ""
    newer = mender.repositories.commits_touching(repository.name, culprit, repository.deployed, base)
    cause = f"cause: {made.cause.summary} ({culprit}:{made.cause.line})"
    if newer:
        sha, subject = newer[0]
        headline = (
            f"{culprit} was changed after the deployed commit, in {sha[:7]} ({subject}): deploy or look there"
        )
        return Outcome(kind="reported", headline=headline, lines=(cause,))
    pulls = mender.github.open_pulls(repository.name)
    if ours := propose.find_ours(pulls, digests, besides=branch):
        headline = f"the same cause in the code is mended by #{ours[0].number}"
        return Outcome(kind="attached", headline=headline, link=ours[0].url)
    for pull in [one for one in pulls if one not in propose.find_ours(pulls)][:OTHERS_LOOKED_AT]:
        if culprit in mender.github.pull_files(repository.name, pull.number):
            headline = f"an open pull request of somebody else touches {culprit}"
            return Outcome(kind="reported", headline=headline, lines=(cause,), link=pull.url)
    return None


def _write(claim: Claim, mender: Remediation, repository: Repository, made: Plan, base: str) -> Fix:
    with _place(claim, mender, "writer", repository.name, base) as place:
        hint = claim.step(records.RUNNER_HINT, lambda: checks.runner_hint(place.clone, repository.root) or "")
        prompt = prompts.writer_prompt(made, hint)
        answer = _ask(claim, mender, "writer", place, prompt, parse_writer_answer)
        patch, files = mender.repositories.patch(repository.name, base, place.clone)
    if not files:
        raise AgentRefused("the agent changed nothing")
    try:
        summary, not_done = parse_writer_answer(answer.text)
    except PlanError:
        # What was done is read from the files, never from what is said of it.
        summary, not_done = "", []
    path = made.reproduction.path if made.reproduction.kind in ("test", "script") else None
    return Fix(
        base_commit=base, patch=patch, files=tuple(files), reproduction_path=path, summary=summary,
        not_done=tuple(not_done), committed_at=datetime.now(UTC).replace(microsecond=0),
    )  # fmt: skip


def _certify(claim: Claim, mender: Remediation, repository: Repository, made: Plan, fix: Fix) -> Verification:
    return mender.verify(
        fix, made, claim.need(records.VERDICT), repository,
        service=claim.need(records.INCIDENT).subject.name, repositories=mender.repositories,
        wall=mender.sandbox, on_start=lambda process: claim.on_loss(lambda: kill(process)), alive=claim.check_alive,
        secrets=_own_secrets(mender.settings),
    )  # fmt: skip


def _own_secrets(settings: Settings) -> tuple[str, ...]:
    """Our own secrets' values: a patch that holds one of them is never proposed."""
    values = [
        settings.secret, settings.redis_url, settings.railway_api_token, settings.railway_token,
        settings.github_token, settings.github_app_private_key, settings.slack_bot_token,
        settings.slack_webhook_url, settings.heartbeat_url, *settings.provider_keys.values(),
    ]  # fmt: skip
    return tuple(value.get_secret_value() for value in values if value)


# ---- the agent -------------------------------------------------------------------------------


def _place(
    claim: Claim, mender: Remediation, role: Role, name: str, commit: str
) -> AbstractContextManager[workspaces.Workspace]:
    # What a person had begun anew does not go on with what was begun before.
    run_name = f"{claim.id} {role}{claim.text('generation')}"
    return workspaces.open_workspace(mender.folder / "runs", run_name, mender.repositories, name, commit)


def _ask(
    claim: Claim,
    mender: Remediation,
    role: Role,
    place: workspaces.Workspace,
    prompt: str,
    parse: Callable[[str], object],
) -> run.Answer:
    """One run of the agent; its cost is added to the round's, however the run ends."""

    def validate_answer(text: str) -> str | None:
        try:
            parse(text)
        except PlanError as error:
            return prompts.retry_prompt(error)
        return None

    began = claim.text(f"began:{role}")
    # What a run that goes on has spent already is part of its own sum.
    before = (
        Usage.model_validate_json(began) if began and place.resumed else claim.get(records.USAGE) or Usage()
    )
    left = mender.settings.max_cost_per_incident_usd - before.cost_usd
    if left <= 0:
        raise AgentRefused(
            f"the round has used up TRACKWALKER_MAX_COST_PER_INCIDENT_USD ({before.cost_usd:.2f} USD)"
        )
    used: list[Usage] = []

    def record_usage(so_far: Usage) -> None:
        # At once, as who dies here has spent it all the same; a store that is away for a moment ends no run.
        used[:] = [so_far]
        with suppress(NotAvailable):
            claim.record(records.USAGE, _sum(before, so_far))

    if began and not place.resumed:
        # One that was begun and is not on this disk: another run.
        budget.count_again(mender.store, claim)
    if not began or not place.resumed:
        claim.set_fields(**{f"began:{role}": before.model_dump_json()})
    agent = replace(mender.agent, cost_limit_usd=left, deadline_seconds=RUN_SECONDS[role])
    try:
        return mender.ask(
            agent, role, place.clone, prompt, run_folder=place.folder, validate_answer=validate_answer,
            check_alive=claim.check_alive, on_start=lambda process: claim.on_loss(lambda: kill(process)),
            on_usage=record_usage,
        )  # fmt: skip
    except NotAvailable:
        if not any(one.tokens for one in used):
            # The model never answered: no run was begun, and an outage of hours does not use up the day's.
            claim.set_fields(**{f"began:{role}": ""})
        raise
    finally:
        if used:
            claim.record(records.USAGE, _sum(before, used[-1]))


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        cost_usd=one.cost_usd + other.cost_usd,
        tokens=one.tokens + other.tokens,
        calls=one.calls + other.calls,
        seconds=one.seconds + other.seconds,
    )
