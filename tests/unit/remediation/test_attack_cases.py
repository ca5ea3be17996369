"""The patch policy alone on all cases: bad patches are refused or reported, and good patches are accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.attacks.bases import BASES
from tests.support.attacks.cases import Case
from tests.support.attacks.catalogue import BAD, GOOD
from tests.support.attacks.patches import change_files, make_patch, write_files
from workers.remediation.patch_policy import PolicyResult, check_patch

NEEDS_RUNS = ("bad: python tests", "bad: node tests")
"""Kinds that a run of the tests rejects, because the patch breaks something: the policy need not refuse them."""
STATIC = {kind: cases for kind, cases in BAD.items() if kind not in NEEDS_RUNS}


def check(folder: Path, case: Case) -> PolicyResult:
    before, after = folder / "before" / case.base, folder / "after" / str(abs(hash(case.name)))
    if not before.exists():
        write_files(before, BASES[case.base])
    write_files(after, change_files(BASES[case.base], case.changes))
    path = case.reproduction.partition(":")[2] or None
    return check_patch(
        make_patch(BASES[case.base], case), before, after,
        category=case.category, root=case.root, culprit=case.cause.rpartition(":")[0] or None,
        reproduction=path, allow=(), protected=(),
        secrets=case.secrets,
    )  # fmt: skip


@pytest.mark.parametrize("kind", STATIC)
def test_a_bad_patch_is_refused_by_the_policy_alone(tmp_path: Path, kind: str) -> None:
    results = {case.name: check(tmp_path, case) for case in STATIC[kind] if case.expect == "rejected"}

    assert [name for name, result in results.items() if not result.refusals] == []


@pytest.mark.parametrize("kind", STATIC)
def test_a_patch_that_only_people_can_judge_gets_a_draft_reason_or_a_note(tmp_path: Path, kind: str) -> None:
    results = {
        case.name: check(tmp_path, case) for case in STATIC[kind] if case.expect in ("noted", "person")
    }

    silent = [name for name, result in results.items() if result == PolicyResult(applied=result.applied)]
    assert silent == []


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_patch_is_not_refused(tmp_path: Path, kind: str) -> None:
    results = {case.name: check(tmp_path, case) for case in GOOD[kind]}

    refused = {name: result.refusals for name, result in results.items() if result.refusals}
    drafts = {
        case.name: results[case.name].drafts
        for case in GOOD[kind]
        if case.expect == "ready" and results[case.name].drafts
    }
    assert (refused, drafts) == ({}, {})
