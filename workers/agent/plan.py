"""Parses and validates the agent's answers: the reader's plan and the writer's report. Pure.

Both answers end with a fenced `json` block instead of opencode's structured output: opencode 1.18 does not validate
`format` against its schema, and a session with such a message fails each later read with 400.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from workers.agent.inert_text import inert_line
from workers.errors import TrackwalkerError
from workers.models import Category, Evidence, Plan
from workers.runtime.protected_paths import DEPLOYMENT_PATHS, PROTECTED_PATHS, matches_any, protected_group

MAX_ITEMS = 12
"""Entries of one list in an answer. The rest is dropped, because people read these lists."""
MAX_ITEM_CHARS = 600
"""Characters of one entry of such a list."""
MAX_PROBLEMS = 12
"""Validation errors of one answer that the agent gets back: enough to correct it, short enough to read."""
MAX_PATH_CHARS = 300
"""Characters of a path in an answer. No real repository comes near."""
FIXABLE = (Category.CODE, Category.DEPLOYMENT)
"""Categories whose plan leads to a patch, so that it must name facts, steps and an existing file."""
CATEGORIES = ", ".join(f"`{category.value}`" for category in Category)
"""All categories, as the prompt and the error messages list them."""

FileExists = Callable[[str], bool]
"""True for a path, relative to the root of the repository, that names a file in it."""


class PlanError(TrackwalkerError):
    """An answer that breaks its contract. `problems` holds one sentence per breach."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def parse_plan(text: str, evidence: Evidence, exists: FileExists, protected: Sequence[str] = ()) -> Plan:
    """The plan in the last fenced `json` block of the reader's answer.

    Args:
        text: the whole answer.
        evidence: the facts that the plan may name, and the root directory of the service. A `cause.file` that is
            relative to that directory is completed to a path from the root of the repository.
        exists: tells whether a path names a file of the repository.
        protected: globs that the repository itself protects, in addition to `PROTECTED_PATHS` and `DEPLOYMENT_PATHS`.

    Raises:
        PlanError: the answer breaks the contract; the error lists every breach.
    """
    answer = _last_object(text)
    try:
        plan = Plan.model_validate(_normalise(answer))
    except ValidationError as error:
        # `from None`: pydantic's text quotes the whole answer, and PlanError goes back to the agent.
        raise PlanError([_validation_problem(entry) for entry in error.errors()[:MAX_PROBLEMS]]) from None
    root = evidence.repository.root if evidence.repository else ""
    file = _complete_path(plan.cause.file, root, exists)
    plan = plan.model_copy(update={"cause": plan.cause.model_copy(update={"file": file})})
    problems = [*_fact_problems(plan, evidence), *_cause_problems(plan, exists)]
    if plan.verdict in FIXABLE:
        problems += _reproduction_problems(plan, exists, protected)
    if problems:
        raise PlanError(problems)
    return plan


def parse_writer_answer(text: str) -> tuple[str, list[str]]:
    """The writer's summary, and the parts of the plan that it left out.

    Raises:
        PlanError: the answer has no readable `json` block of the agreed shape.
    """
    answer = _last_object(text)
    summary = answer.get("summary")
    not_done = answer.get("not_done") or []
    problems = []
    if not isinstance(summary, str) or not summary.strip():
        problems.append("summary: must be a sentence")
    if not isinstance(not_done, list) or not all(isinstance(item, str) for item in not_done):
        problems.append("not_done: must be a list of sentences")
    if problems:
        raise PlanError(problems)
    return inert_line(str(summary)), [inert_line(item)[:MAX_ITEM_CHARS] for item in not_done[:MAX_ITEMS]]


def _last_object(text: str) -> dict[str, Any]:
    # The last block counts: models show drafts and excerpts before they answer.
    blocks = re.findall(r"(?ms)^[ \t]*```[ \t]*(?:json)?[ \t]*\n(.*?)^[ \t]*```", text)
    blocks = [block for block in blocks if block.lstrip().startswith("{")]
    if not blocks:
        raise PlanError(["there is no fenced json block at the end"])
    try:
        value = json.loads(blocks[-1])
    except (ValueError, RecursionError) as error:  # json recurses, so nested brackets exhaust the stack
        raise PlanError([f"the last json block cannot be read: {error}"]) from None
    if not isinstance(value, dict):
        raise PlanError(["the last json block must be an object"])
    return value


def _normalise(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with a category in any spelling, an absent reproduction and lists that are too long corrected."""
    normal = {key: value for key, value in answer.items() if value is not None}
    if isinstance(normal.get("verdict"), str):
        normal["verdict"] = re.sub(r"[\s_-]+", " ", normal["verdict"]).strip().lower()
    normal.setdefault("reproduction", {"kind": "none"})
    for key, value in normal.items():
        if isinstance(value, list):
            normal[key] = [
                inert_line(item)[:MAX_ITEM_CHARS] if isinstance(item, str) else item
                for item in value[:MAX_ITEMS]
            ]
        elif isinstance(value, str) and key != "verdict":
            normal[key] = inert_line(value)
    return normal


def _validation_problem(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if field == "verdict":
        return f"verdict: must be one of {CATEGORIES}"
    return f"{field}: {error['msg']}"


def _fact_problems(plan: Plan, evidence: Evidence) -> list[str]:
    ids = {fact.id for fact in evidence.facts}
    unknown = [name for name in plan.evidence if name not in ids]
    if unknown:
        listed = ", ".join(sorted(ids))[:200]
        return [f"evidence: there are no facts {', '.join(unknown[:5])}; the prompt has {listed}"]
    if plan.verdict in FIXABLE and not plan.evidence:
        return ["evidence: name the facts that support the verdict"]
    return []


def _cause_problems(plan: Plan, exists: FileExists) -> list[str]:
    file, problems = plan.cause.file, []
    if plan.verdict is Category.CODE and (not file or plan.cause.line is None):
        problems.append("cause: the verdict `code` needs cause.file and cause.line")
    if plan.verdict in FIXABLE and not plan.change:
        problems.append("change: name at least one step")
    if file and (problem := _path_problem(file)):
        problems.append(f"cause.file: {problem}")
    elif file and plan.verdict in FIXABLE and not exists(file):
        problems.append(f"cause.file: there is no file {file} in the repository")
    return problems


def _reproduction_problems(plan: Plan, exists: FileExists, protected: Sequence[str]) -> list[str]:
    kind, path = plan.reproduction.kind, plan.reproduction.path
    if kind not in ("test", "script"):
        return []
    if not path:
        return [f"reproduction.path: the kind `{kind}` needs the path of a new file"]
    if problem := _path_problem(path):
        return [f"reproduction.path: {problem}"]
    # The patch policy refuses these paths too, but only after a run of the writer has been paid for.
    group = protected_group(path, {**PROTECTED_PATHS, **DEPLOYMENT_PATHS})
    if group or matches_any(path, protected):
        reason = group or "protected in .trackwalker.toml"
        return [
            f"reproduction.path: {path} is protected ({reason}); choose a path next to the existing tests"
        ]
    if exists(path):
        return [f"reproduction.path: {path} exists already; name a new file next to it"]
    return []


def _path_problem(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or "\\" in path or re.match(r"[A-Za-z]:|~", path):
        return "must be relative to the root of the repository, with /"
    if ".." in pure.parts or str(pure) != path or len(path) > MAX_PATH_CHARS:
        return "must be a plain path inside the repository"
    # These characters mean something to a shell, to Windows or to Markdown.
    return (
        ""
        if re.fullmatch(r"[^\x00-\x1f:*?\"<>|`]+", path)
        else "has characters that are not allowed in a path"
    )


def _complete_path(file: str | None, root: str, exists: FileExists) -> str | None:
    """The path without `./`, and with the service's root directory in front if only then it names a file."""
    if not file:
        return None
    file = file.removeprefix("./")
    if root and not _path_problem(file) and not exists(file) and exists(f"{root}/{file}"):
        return f"{root}/{file}"
    return file
