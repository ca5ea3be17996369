"""An answer of the agent is used only if it keeps its contract; each breach is named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.agent_answers import FILES, evidence, fenced, plan_answer
from workers.agent.plan import PlanError, parse_plan, parse_writer_answer
from workers.agent.prompts import retry_prompt
from workers.models import Category, Plan


def parse(value: object) -> Plan:
    return parse_plan(fenced(value), evidence(), FILES.__contains__)


def problems(value: object) -> str:
    with pytest.raises(PlanError) as caught:
        parse(value)
    return str(caught.value)


# ---- the reader's plan -----------------------------------------------------------------------


def test_a_valid_answer_becomes_a_plan() -> None:
    plan = parse(plan_answer())

    assert (plan.verdict, plan.cause.file, plan.cause.line) == (Category.CODE, "api/app/gift.py", 41)
    assert plan.reproduction.path == "api/tests/test_gift_zero.py"


def test_the_last_json_block_counts() -> None:
    text = fenced(plan_answer(confidence=0.1)) + "On second thought:\n" + fenced(plan_answer(confidence=0.9))

    assert parse_plan(text, evidence(), FILES.__contains__).confidence == 0.9


def test_small_slips_are_corrected() -> None:
    plan = parse(
        plan_answer(
            verdict="Resource_Limit", reproduction=None, cause={"summary": "Honest need.", "file": None}
        )
    )

    assert (plan.verdict, plan.reproduction.kind) == (Category.RESOURCE_LIMIT, "none")


def test_a_path_relative_to_the_services_folder_is_completed() -> None:
    plan = parse(plan_answer(cause={"summary": "It divides.", "file": "./app/gift.py", "line": 41}))

    assert plan.cause.file == "api/app/gift.py"


def test_inconclusive_needs_neither_file_nor_reproduction() -> None:
    plan = parse({"verdict": "inconclusive", "cause": {"summary": "Not known."}, "next_checks": ["look"]})

    assert plan.verdict is Category.INCONCLUSIVE
    assert plan.next_checks == ("look",)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"evidence": ["E1", "E9"]}, "no facts E9"),
        ({"evidence": []}, "name the facts"),
        ({"cause": {"summary": "Somewhere."}}, "needs cause.file and cause.line"),
        ({"cause": {"summary": "There.", "file": "api/app/gift.py"}}, "needs cause.file and cause.line"),
        ({"cause": {"summary": "There.", "file": "api/app/gone.py", "line": 1}}, "no file api/app/gone.py"),
        ({"cause": {"summary": "There.", "file": "/etc/passwd", "line": 1}}, "cause.file: must be relative"),
        (
            {"cause": {"summary": "There.", "file": "api/../../x.py", "line": 1}},
            "cause.file: must be a plain path",
        ),
        ({"cause": {"summary": "There.", "file": "api/app/gift.py", "line": 0}}, "cause.line"),
        ({"cause": "the cache"}, "cause"),
        ({"verdict": "aliens"}, "verdict: must be one of"),
        ({"confidence": 7}, "confidence"),
        ({"change": []}, "change: name at least one step"),
        ({"reproduction": {"kind": "test"}}, "needs the path of a new file"),
        ({"reproduction": {"kind": "prayer", "path": "x.py"}}, "reproduction.kind"),
        ({"reproduction": {"kind": "test", "path": "/tmp/test_x.py"}}, "reproduction.path: must be relative"),
        (
            {"reproduction": {"kind": "test", "path": "../test_x.py"}},
            "reproduction.path: must be a plain path",
        ),
        ({"reproduction": {"kind": "script", "path": "a\\b.py"}}, "reproduction.path: must be relative"),
        ({"reproduction": {"kind": "script", "path": "a;b\n.py"}}, "reproduction.path"),
        ({"reproduction": {"kind": "script", "path": ".github/workflows/x.py"}}, "is protected"),
        ({"reproduction": {"kind": "test", "path": "api/tests/test_gift.py"}}, "exists already"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_refused_with_the_reason(
    changes: dict[str, Any], problem: str
) -> None:
    assert problem in problems(plan_answer(**changes))


@pytest.mark.parametrize(
    ("path", "group"),
    [
        (".github/x.py", "CI"),
        (".woodpecker/test_x.py", "CI"),
        (".agents/test_x.py", "agent configuration"),
        ("AGENTS.md", "agent configuration"),
        (".vscode/test_x.py", "editor configuration"),
        (".idea/test_x.py", "editor configuration"),
        (".devcontainer/test_x.py", "editor configuration"),
        (".env", "environment or key"),
        ("web/.env.local", "environment or key"),
        ("a/.git/hooks/x", "git configuration"),
        (".gitattributes", "git configuration"),
        (".trackwalker/test_x.py", "Trackwalker's own settings"),
        ("api/Dockerfile", "build or start"),
        ("api/uv.lock", "lock file"),
    ],
)
def test_a_reproduction_in_a_protected_path_is_refused_with_its_group(path: str, group: str) -> None:
    refusal = problems(plan_answer(reproduction={"kind": "test", "path": path}))

    assert f"reproduction.path: {path} is protected ({group})" in refusal


def test_a_reproduction_in_a_path_that_the_repository_protects_is_refused() -> None:
    text = fenced(plan_answer(reproduction={"kind": "script", "path": "api/migrations/check.py"}))

    with pytest.raises(PlanError, match=r"protected in \.trackwalker\.toml"):
        parse_plan(text, evidence(), FILES.__contains__, protected=("migrations/**",))


@pytest.mark.parametrize(
    "text", ["", "It is the cache.", "```json\n{ not json\n```", "```json\n[1]\n```", "{}"]
)
def test_an_answer_without_a_readable_block_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="json block"):
        parse_plan(text, evidence(), FILES.__contains__)


def test_a_block_with_endless_nesting_is_refused_and_does_not_crash() -> None:
    deep = "```json\n" + '{"a":' * 100_000 + "\n```"

    with pytest.raises(PlanError, match="cannot be read"):
        parse_plan(deep, evidence(), FILES.__contains__)


def test_all_problems_are_named_at_once_and_sent_back() -> None:
    with pytest.raises(PlanError) as caught:
        parse(plan_answer(evidence=["E9"], change=[], reproduction={"kind": "test"}))

    prompt = retry_prompt(caught.value)
    assert len(caught.value.problems) == 3
    assert all(f"- {problem}" in prompt for problem in caught.value.problems)


def test_text_for_people_is_truncated_and_inert() -> None:
    plan = parse(plan_answer(change=["```" + "x" * 10_000] * 100, risk="a\nb\x1b[2J"))

    assert len(plan.change) <= 12
    assert all(len(step) <= 600 and "```" not in step for step in plan.change)
    assert plan.risk == "a b"


# ---- the writer's answer ---------------------------------------------------------------------


def test_the_writers_answer_is_a_summary_and_the_parts_left_out() -> None:
    assert parse_writer_answer(fenced({"summary": "Treated 0.", "not_done": ["docs"]})) == (
        "Treated 0.",
        ["docs"],
    )
    assert parse_writer_answer(fenced({"summary": "Treated 0."})) == ("Treated 0.", [])


@pytest.mark.parametrize("value", [{}, {"summary": ""}, {"summary": 3}, {"summary": "x", "not_done": "all"}])
def test_a_writers_answer_of_another_shape_is_refused(value: object) -> None:
    with pytest.raises(PlanError):
        parse_writer_answer(fenced(value))
