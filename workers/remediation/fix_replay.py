"""Makes a recorded fix again with the recorded answers of the model: no provider is asked and nothing is recorded.

The repository, the agent's program and the verification are those of today, so that the result shows what a change of
Trackwalker, of its settings or of the agent makes of the same answers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from workers.agent.config import Role
from workers.clients.git import Repositories
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.codec import Record
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_id
from workers.errors import Refused
from workers.gateway.recording import Recording, check_playable
from workers.models import Fix, Plan, Repository, Transcript, Verification
from workers.remediation import attempt
from workers.remediation.resources import Remediation

PROVIDER = "recording"
"""Name of the provider that stands for the recorded one. Only the model's id decides on opencode's tools."""
PACKAGES = {
    "chat": "@ai-sdk/openai-compatible",
    "responses": "@ai-sdk/openai",
    "messages": "@ai-sdk/anthropic",
    "gemini": "@ai-sdk/google",
}
"""Format of the recorded answers → the package with which opencode reads them."""
UNUSED_URL = "http://127.0.0.1:9/v1"  # the discard port: no request is ever sent
NO_LIMIT_USD = 1e9  # the answers were paid for when they were recorded
MADE_AGAIN: tuple[Record[Any], ...] = (
    records.READER_CALLS, records.PLAN, records.RUNNER_HINT, records.WRITER_CALLS, records.FIX, records.VERIFICATION,
    records.USAGE,
)  # fmt: skip
"""Records that the replay makes for itself, in memory."""


class OfflineClaim(Claim):
    """A claim on a copy of a journal: everything is kept in memory, and nothing can be changed outside."""

    def __init__(self, store: JournalStore, key: str, fields: Mapping[str, bytes]) -> None:
        kept = {name: value for name, value in fields.items() if not name.startswith("began:")}
        for record in MADE_AGAIN:
            kept.pop(record.field, None)
        super().__init__(
            store, key, "fix", {"fence": b"0", "token": b"", "lease": b"0", **kept}, time.monotonic()
        )

    def _write_fields(self, fields: dict[str, bytes], counts: str = "") -> None:  # noqa: ARG002 (a replay counts nothing)
        self.fields |= fields

    def check_fence(self) -> None:
        """Raises Refused: a replay changes nothing."""
        raise Refused("a replay changes nothing outside")


@dataclass(frozen=True)
class Recorded:
    """The fix as the journal records it."""

    plan: Plan
    fix: Fix | None
    verification: Verification | None
    calls: Mapping[Role, Transcript]
    repository: Repository


@dataclass(frozen=True)
class Replayed:
    """The recorded values beside those that the same answers give now."""

    recorded: Recorded
    plan: Plan
    fix: Fix | None
    verification: Verification | None


def read_recorded(store: JournalStore, key: str) -> Recorded:
    """The records from which the fix of an incident can be made again.

    Raises:
        Refused: the incident has no plan, or not all answers of the model are recorded whole.
    """
    plan, evidence = store.read_record(key, records.PLAN), store.read_record(key, records.EVIDENCE)
    if plan is None or evidence is None or evidence.repository is None:
        raise Refused(f"{journal_id(key)}: no plan is recorded, so there is no fix to make again")
    fix, verification = store.read_record(key, records.FIX), store.read_record(key, records.VERIFICATION)
    needed: tuple[Role, ...] = ("reader", "writer") if fix is not None else ("reader",)
    calls: dict[Role, Transcript] = {}
    for role in needed:
        calls[role] = store.read_record(key, records.CALLS[role]) or Transcript()
        try:
            check_playable(calls[role])
        except Refused as error:
            raise Refused(f"{journal_id(key)}, {role}: {error}") from None
    return Recorded(plan, fix, verification, calls, evidence.repository)


def replay_fix(
    store: JournalStore, key: str, remediation: Remediation, make_repositories: Callable[[Path], Repositories]
) -> Replayed:
    """Make the plan, the patch and the verification again.

    Args:
        remediation: the resources of a worker; the agent and the folders are replaced by those of the replay.
        make_repositories: makes the clones in a folder.

    Raises:
        Refused: as `read_recorded`; or the agent, a program or a setting refuses.
        NotAvailable: the repository cannot be read, or the agent broke off.
    """
    recorded = read_recorded(store, key)
    claim = OfflineClaim(store, key, store.fields(key))
    with tempfile.TemporaryDirectory(prefix="trackwalker-replay-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)  # the sandbox's other user passes through it to the clone
        own = _resources(remediation, folder, make_repositories(folder / "work"), recorded)
        plan = attempt.make_plan(claim, own, recorded.repository)
        if recorded.fix is None or plan.verdict != recorded.plan.verdict:
            return Replayed(recorded, plan, None, None)
        fix = attempt.make_fix(claim, own, recorded.repository, plan, recorded.fix.base_commit)
        if recorded.verification is None:
            return Replayed(recorded, plan, fix, None)
        return Replayed(recorded, plan, fix, attempt.verify_fix(claim, own, recorded.repository, plan, fix))


def _resources(
    remediation: Remediation, folder: Path, repositories: Repositories, recorded: Recorded
) -> Remediation:
    """The worker's resources with the recorded model, without a limit of cost, in a folder of their own."""
    first = recorded.calls["reader"]
    model = f"{PROVIDER}/{first.model.partition('/')[2] or 'm1'}"
    entry = {"npm": PACKAGES[first.api], "options": {"baseURL": UNUSED_URL}}
    limits = {"max_cost_per_incident_usd": NO_LIMIT_USD, "max_cost_per_day_usd": NO_LIMIT_USD}
    settings = remediation.settings.model_copy(update={"model": model, "opencode_config": None, **limits})
    own = replace(remediation, settings=settings, repositories=repositories, folder=folder)
    own.agent = replace(own.agent, provider_config={PROVIDER: entry}, price=None)
    own.ask = partial(_ask_recorded, remediation.ask, recorded.calls)
    return own


def _ask_recorded(
    ask: Callable[..., Any], calls: Mapping[Role, Transcript], agent: Any, role: Role, clone: Path, prompt: str,
    **options: Any,
) -> Any:  # fmt: skip
    recording = Recording(calls[role], str(clone.resolve()))
    return ask(agent, role, clone, prompt, model_provider=recording, **options)
