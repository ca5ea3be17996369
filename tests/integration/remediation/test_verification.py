"""Verification of fixes with real git, a real sandbox and real test runs: every decision and its reason."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.fakes.githttp import answer, git
from tests.support.fakes.serving import serve
from workers.clients.git import Repositories
from workers.models import (
    Category,
    Fix,
    Plan,
    PlanCause,
    ReasonKind,
    Repository,
    Reproduction,
    Verdict,
    VerdictReason,
    Verification,
)
from workers.remediation.verification import verify
from workers.sandbox.builder import build_sandbox
from workers.sandbox.sandbox import Sandbox

NAME = "acme/shop"
WRONG = "def price(count):\n    return 10 * count + 1\n"
RIGHT = "def price(count):\n    return 10 * count\n"
HEAD = "import unittest\nfrom shop import price\n\n\nclass {name}(unittest.TestCase):\n"
GIFT = HEAD.format(name="Gift") + "    def test_gift(self):\n        self.assertEqual(price(0), 0)\n"
EXISTING = (
    HEAD.format(name="Whole") + "    def test_is_whole(self):\n        self.assertIsInstance(price(1), int)\n"
)

Files = dict[str, str | None]


@dataclass
class Shop:
    """A repository on a git server, and the verification of fixes for it."""

    repositories: Repositories
    bare: Path
    work: Path
    sandbox: Sandbox
    started: list[int] = field(default_factory=list)

    def commit(self, files: Files) -> str:
        self.put(self.work, files)
        git(self.work, "add", "-A", "-f")
        git(self.work, "commit", "-q", "--allow-empty", "-m", "change")
        git(self.work, "push", "-q", str(self.bare), "HEAD:refs/heads/main")
        return git(self.work, "rev-parse", "HEAD")

    def put(self, tree: Path, files: Files) -> None:
        for path, text in files.items():
            target = tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink() if text is None else target.write_text(text)

    def verify_fix(
        self,
        change: Files,
        *,
        path: str | None = "tests/test_gift.py",
        kind: str = "test",
        deployed: str | None = None,
        category: Category = Category.CODE,
        alive: Callable[[], None] = lambda: None,
        seconds: float = 60,
        cause: tuple[str, int] = ("shop.py", 2),
    ) -> Verification:
        base = git(self.bare, "rev-parse", "main")
        edited = self.repositories.checkout(NAME, base)
        self.put(edited, change)
        patch, files = self.repositories.patch(NAME, base, edited)
        self.repositories.discard(edited)
        when = datetime(2026, 11, 23, tzinfo=UTC)
        fix = Fix(
            base_commit=base, patch=patch, files=tuple(files), reproduction_path=path, committed_at=when
        )
        plan = Plan(
            verdict=category,
            cause=PlanCause(summary="a cent too many", file=cause[0], line=cause[1]),
            reproduction=Reproduction(kind=kind, path=path),  # type: ignore[arg-type]
        )
        repository = Repository(name=NAME, base="main", deployed=deployed or base)
        return verify(
            fix, plan, Verdict(category=category, reason=VerdictReason.ERROR_IN_CODE, summary=""), repository,
            service="shop", repositories=self.repositories,
            sandbox=self.sandbox, on_start=self._remember, check_alive=alive, secrets=("own-secret",),
            reproduction_seconds=seconds,
        )  # fmt: skip

    def _remember(self, process: subprocess.Popen[bytes]) -> None:
        self.started.append(process.pid)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    bare, work = tmp_path / "root" / f"{NAME}.git", tmp_path / "work"
    bare.mkdir(parents=True)
    work.mkdir()
    git(bare, "init", "-q", "--bare", "-b", "main")
    git(work, "init", "-q", "-b", "main")

    async def backend(request: Request) -> Response:
        return await answer(request, tmp_path / "root", request.url.path, lambda _token: "read")

    app = Starlette(routes=[Route("/{path:path}", backend, methods=["GET", "POST"])])
    with serve(app) as running:
        ours = tmp_path / "ours"
        sandbox = build_sandbox(hide=[ours], scratch=tmp_path / "scratch", allow_unsandboxed=False)
        shop = Shop(Repositories(ours, running.url, lambda _name: None), bare, work, sandbox)
        shop.commit({"shop.py": WRONG, "tests/test_shop.py": EXISTING})
        yield shop


FIX: Files = {"shop.py": RIGHT, "tests/test_gift.py": GIFT}


def reason_of(verification: Verification) -> ReasonKind:
    [reason] = verification.reasons
    return reason.kind


def test_a_fix_whose_test_fails_before_and_passes_after_is_ready(shop: Shop) -> None:
    verification = shop.verify_fix(FIX)

    assert (verification.decision, verification.reasons) == ("ready", ()), verification
    assert verification.reproduction_deployed and verification.reproduction_deployed.outcome == "failed"
    assert verification.reproduction_before and verification.reproduction_before.outcome == "failed"
    assert verification.reproduction_after and verification.reproduction_after.outcome == "passed"
    assert [(check.before.outcome, check.after.outcome) for check in verification.checks] == [
        ("passed", "passed")
    ]


def test_a_verification_leaves_no_trees_and_no_processes(shop: Shop) -> None:
    shop.verify_fix(FIX)

    assert list((shop.repositories.folder / "trees").iterdir()) == []
    assert shop.started
    assert not any(os.path.exists(f"/proc/{pid}") for pid in shop.started)  # noqa: PTH110


def test_a_fix_that_does_not_fix_the_fault_is_rejected(shop: Shop) -> None:
    verification = shop.verify_fix({"shop.py": WRONG.replace("+ 1", "+ 2"), "tests/test_gift.py": GIFT})

    assert verification.decision == "rejected"
    assert reason_of(verification) is ReasonKind.STILL_FAILS
    assert "AssertionError" in verification.reasons[0].text


def test_a_test_that_passes_without_the_patch_is_rejected(shop: Shop) -> None:
    verification = shop.verify_fix(
        {"shop.py": RIGHT, "tests/test_gift.py": GIFT.replace("price(0), 0", "type(price(0)), int")}
    )

    assert verification.decision == "rejected"
    assert reason_of(verification) is ReasonKind.NOT_REPRODUCED


def test_a_fault_that_the_base_branch_no_longer_shows_is_already_fixed(shop: Shop) -> None:
    deployed = git(shop.bare, "rev-parse", "main")
    head = shop.commit({"shop.py": RIGHT})

    verification = shop.verify_fix(
        {"shop.py": RIGHT + "# neat\n", "tests/test_gift.py": GIFT}, deployed=deployed
    )

    assert verification.decision == "already fixed"
    assert reason_of(verification) is ReasonKind.ALREADY_FIXED
    assert head[:12] in verification.reasons[0].text


def test_the_fault_must_show_on_the_deployed_commit(shop: Shop) -> None:
    deployed = shop.commit({"shop.py": RIGHT})
    shop.commit({"shop.py": WRONG})

    verification = shop.verify_fix(FIX, deployed=deployed)

    assert verification.decision == "rejected"
    assert reason_of(verification) is ReasonKind.NOT_REPRODUCED


def test_a_test_of_code_that_only_the_patch_adds_is_invalid(shop: Shop) -> None:
    test = GIFT.replace("import price", "import price, gift")

    verification = shop.verify_fix(
        {"shop.py": RIGHT + "\n\ndef gift():\n    return 0\n", "tests/test_gift.py": test}
    )

    assert verification.decision == "rejected"
    assert reason_of(verification) is ReasonKind.REPRODUCTION_INVALID


def test_a_reproduction_that_the_agent_did_not_write_is_rejected(shop: Shop) -> None:
    verification = shop.verify_fix({"shop.py": RIGHT})

    assert verification.decision == "rejected"
    assert reason_of(verification) is ReasonKind.REPRODUCTION_MISSING


def test_a_fix_that_breaks_a_check_is_rejected(shop: Shop) -> None:
    verification = shop.verify_fix(
        {"shop.py": RIGHT.replace("10 * count", "10.0 * count"), "tests/test_gift.py": GIFT}
    )

    assert verification.decision == "rejected"
    assert reason_of(verification) is ReasonKind.CHECK_REGRESSED


def test_a_check_that_already_failed_may_not_fail_in_more_tests(shop: Shop) -> None:
    sick = EXISTING + "\n    def test_sick(self):\n        self.assertEqual(1, 2)\n"
    shop.commit({"tests/test_shop.py": sick})

    same = shop.verify_fix(FIX)
    worse = shop.verify_fix({**FIX, "shop.py": RIGHT.replace("10 * count", "10.0 * count")})

    assert same.decision == "ready"
    assert worse.decision == "rejected"
    assert reason_of(worse) is ReasonKind.CHECK_REGRESSED
    assert "test_is_whole" in worse.reasons[0].text


READS = GIFT.replace(
    "self.assertEqual(price(0), 0)", "price(0); self.assertNotIn('+ 1', open('shop.py').read())"
)
SEES = GIFT.replace(
    "self.assertEqual(price(0), 0)", "price(0); self.assertEqual(price.__doc__, 'Gifts are free.')"
)
EDITS = GIFT + "        open('tests/test_shop.py', 'w').close()\n"
OTHER = GIFT.replace(
    "self.assertEqual(price(0), 0)", "import rates; price(0); self.assertEqual(rates.RATE, 2)"
)
FREE = WRONG.replace(":\n", ":\n    'Gifts are free.'\n    count = count\n")
EQUAL = "class Equal(int):\n    __hash__ = None\n    def __eq__(self, other):\n        return True\n\n\n"
FORGED: dict[str, Files] = {
    "reads the source": {"shop.py": RIGHT, "tests/test_gift.py": READS},
    "reads a docstring": {"shop.py": FREE, "tests/test_gift.py": SEES},
    "edits another test": {"shop.py": RIGHT, "tests/test_gift.py": EDITS},
    "compares another module's value": {"shop.py": FREE, "rates.py": "RATE = 2\n", "tests/test_gift.py": OTHER},
    "returns what equals everything": {
        "shop.py": EQUAL + WRONG.replace("10 * count + 1", "Equal()"), "tests/test_gift.py": GIFT,
    },
    "changes a comment": {"shop.py": f"# free\n{WRONG}", "tests/test_gift.py": GIFT.replace("price(0), 0", "1, 1")},
}  # fmt: skip


@pytest.mark.parametrize("way", FORGED)
def test_a_reproduction_that_passes_for_another_reason_is_not_ready(shop: Shop, way: str) -> None:
    shop.commit({"rates.py": "RATE = 1\n"})

    verification = shop.verify_fix(FORGED[way])

    assert verification.decision in ("rejected", "draft"), (way, verification.reasons)


def test_an_unstable_reproduction_is_rejected(shop: Shop) -> None:
    flips = GIFT.replace(
        "self.assertEqual(price(0), 0)", "import time; self.assertEqual(price(0) + time.timezone, 0)"
    )

    verification = shop.verify_fix({"shop.py": RIGHT, "tests/test_gift.py": flips})

    assert verification.decision == "rejected"
    assert reason_of(verification) is ReasonKind.UNSTABLE


def test_a_hang_counts_as_a_failure_that_a_fix_can_end(shop: Shop) -> None:
    shop.commit({"shop.py": "def price(count):\n    while count == 0: pass\n    return 10 * count\n"})

    verification = shop.verify_fix(FIX, seconds=3)

    assert verification.decision == "ready", verification.reasons
    assert verification.reproduction_before
    assert "did not end" in verification.reproduction_before.output


@pytest.mark.parametrize("kind", ["load", "none"])
def test_a_fault_that_cannot_be_reproduced_here_gives_a_draft_with_the_reason(shop: Shop, kind: str) -> None:
    verification = shop.verify_fix({"shop.py": RIGHT}, path=None, kind=kind)

    assert verification.decision == "draft"
    expected = {"load": ReasonKind.ONLY_UNDER_LOAD, "none": ReasonKind.NO_REPRODUCTION}
    assert reason_of(verification) is expected[kind]


@pytest.mark.parametrize(
    ("fixed", "decision", "reason"),
    [
        (RIGHT, "draft", ReasonKind.UNPROVED),
        (WRONG.replace("+ 1", "+ 2"), "rejected", ReasonKind.STILL_FAILS),
    ],
)
def test_the_test_command_of_the_repository_runs_what_the_host_has_no_runner_for(
    shop: Shop, fixed: str, decision: str, reason: ReasonKind
) -> None:
    command = '["python3", "-c", "import shop; assert shop.price(0) == 0", "{path}"]'
    shop.commit({".trackwalker.toml": f"test = {command}\n"})

    verification = shop.verify_fix({"shop.py": fixed, "gift_test.go": "package x\n"}, path="gift_test.go")

    assert (verification.decision, reason_of(verification)) == (decision, reason), verification
    assert verification.runs[0].outcome == "failed"


def test_a_language_without_a_runner_gives_a_draft(shop: Shop) -> None:
    verification = shop.verify_fix({"shop.py": RIGHT, "gift_test.go": "package x\n"}, path="gift_test.go")

    assert verification.decision == "draft"
    assert reason_of(verification) is ReasonKind.REPRODUCTION_NOT_RUN


def test_a_fix_of_a_failed_deployment_is_at_best_a_draft(shop: Shop) -> None:
    verification = shop.verify_fix(FIX, category=Category.DEPLOYMENT)

    assert verification.decision == "draft"
    assert verification.reproduction_after and verification.reproduction_after.outcome == "passed"


def test_a_patch_that_breaks_the_policy_is_rejected_before_anything_runs(shop: Shop) -> None:
    verification = shop.verify_fix(
        {**FIX, ".github/workflows/x.yml": "on: push\n", "x.py": "a = 'own-secret'\n"}
    )

    assert verification.decision == "rejected"
    assert [reason.kind for reason in verification.reasons] == [ReasonKind.POLICY, ReasonKind.POLICY]
    assert shop.started == []


def test_a_malformed_repository_setting_is_rejected_with_its_key(shop: Shop) -> None:
    shop.commit({".trackwalker.toml": 'check = "make test"\n'})

    verification = shop.verify_fix(FIX)

    assert verification.decision == "rejected"
    assert reason_of(verification) is ReasonKind.INVALID_SETTINGS
    assert ".trackwalker.toml: check must be" in verification.reasons[0].text


def test_the_repositorys_own_check_commands_run_after_its_tests(shop: Shop) -> None:
    shop.commit(
        {
            ".trackwalker.toml": 'check = [["python3", "-c", "import shop; assert shop.price(1)"], ["nothing-here"]]\n'
        }
    )

    verification = shop.verify_fix(FIX)

    assert [check.after.outcome for check in verification.checks] == ["passed", "passed", "not run"]
    assert verification.decision == "draft"
    assert reason_of(verification) is ReasonKind.CHECK_NOT_RUN
    assert "nothing-here" in verification.reasons[0].text


def test_a_script_can_reproduce_a_fault_of_a_node_service(shop: Shop) -> None:
    shop.commit({"cart.js": "exports.total = (n) => n + 1;\n", "package.json": "{}"})
    script = "const { total } = require('./cart');\nif (total(1) !== 1) process.exit(1);\n"

    verification = shop.verify_fix(
        {"cart.js": "exports.total = (n) => n;\n", "repro.js": script},
        path="repro.js", kind="script", cause=("cart.js", 1),
    )  # fmt: skip

    assert verification.decision == "ready", verification.reasons


def test_checks_without_the_patch_do_not_see_the_reproduction(shop: Shop) -> None:
    shop.commit(
        {".trackwalker.toml": 'check = [["python3", "-c", "import os; print(os.listdir(\'tests\'))"]]\n'}
    )

    verification = shop.verify_fix(FIX)

    assert "test_gift.py" not in verification.checks[1].before.output
    assert "test_gift.py" in verification.checks[1].after.output


def test_a_worker_that_lost_its_claim_runs_nothing_more(shop: Shop) -> None:
    def lost() -> None:
        raise RuntimeError("the claim is lost")

    with pytest.raises(RuntimeError, match="claim is lost"):
        shop.verify_fix(FIX, alive=lost)

    assert shop.started == []
    assert list((shop.repositories.folder / "trees").iterdir()) == []
