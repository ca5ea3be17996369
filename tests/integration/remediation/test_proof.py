"""What a certificate is worth: real git, a real wall, real test runs, and every way to fall short of a proof."""

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
    Repository,
    Reproduction,
    Verdict,
    VerdictReason,
    Verification,
)
from workers.remediation.proof import verify
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
    """A repository on a git server, and a way to have a fix for it certified."""

    repositories: Repositories
    bare: Path
    work: Path
    wall: Sandbox
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

    def certify(
        self,
        change: Files,
        *,
        path: str | None = "tests/test_gift.py",
        kind: str = "test",
        deployed: str | None = None,
        lane: Category = Category.CODE,
        alive: Callable[[], None] = lambda: None,
        seconds: float = 60,
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
            verdict=lane,
            cause=PlanCause(summary="a cent too many", file="shop.py", line=2),
            reproduction=Reproduction(kind=kind, path=path),  # type: ignore[arg-type]
        )
        place = Repository(name=NAME, base="main", deployed=deployed or base)
        return verify(
            fix, plan, Verdict(category=lane, reason=VerdictReason.ERROR_IN_CODE, summary=""), place,
            service="shop", repositories=self.repositories,
            wall=self.wall, on_start=self._remember, alive=alive, secrets=("our-own-secret",),
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
        wall = build_sandbox(hide=[ours], scratch=tmp_path / "scratch", allow_unsandboxed=False)
        shop = Shop(Repositories(ours, running.url, lambda _name: None), bare, work, wall)
        shop.commit({"shop.py": WRONG, "tests/test_shop.py": EXISTING})
        yield shop


MEND: Files = {"shop.py": RIGHT, "tests/test_gift.py": GIFT}


def test_what_failed_before_and_passes_after_is_ready(shop: Shop) -> None:
    certificate = shop.certify(MEND)

    assert (certificate.decision, certificate.reasons) == ("ready", ()), certificate
    assert certificate.reproduction_deployed and certificate.reproduction_deployed.outcome == "failed"
    assert certificate.reproduction_before and certificate.reproduction_before.outcome == "failed"
    assert certificate.reproduction_after and certificate.reproduction_after.outcome == "passed"
    assert [(check.before.outcome, check.after.outcome) for check in certificate.checks] == [
        ("passed", "passed")
    ]


def test_nothing_of_a_certificate_is_left_behind(shop: Shop) -> None:
    shop.certify(MEND)

    assert list((shop.repositories.folder / "trees").iterdir()) == []
    assert shop.started
    assert not any(os.path.exists(f"/proc/{pid}") for pid in shop.started)  # noqa: PTH110


def test_a_fix_that_mends_nothing_is_refused(shop: Shop) -> None:
    certificate = shop.certify({"shop.py": WRONG.replace("+ 1", "+ 2"), "tests/test_gift.py": GIFT})

    assert certificate.decision == "rejected"
    assert "still fails with the patch: AssertionError" in certificate.reasons[0]


def test_a_test_that_never_failed_proves_nothing(shop: Shop) -> None:
    certificate = shop.certify({"shop.py": RIGHT, "tests/test_gift.py": GIFT.replace("price(0), 0", "1, 1")})

    assert certificate.decision == "rejected"
    assert "does not show the trouble" in certificate.reasons[0]


def test_what_the_head_no_longer_shows_is_mended_already(shop: Shop) -> None:
    deployed = git(shop.bare, "rev-parse", "main")
    head = shop.commit({"shop.py": RIGHT})

    certificate = shop.certify({"shop.py": RIGHT + "# neat\n", "tests/test_gift.py": GIFT}, deployed=deployed)

    assert certificate.decision == "already fixed"
    assert certificate.reasons == (f"already mended in {head[:12]}, deploy it",)


def test_the_trouble_must_show_on_the_deployed_commit(shop: Shop) -> None:
    deployed = shop.commit({"shop.py": RIGHT})
    shop.commit({"shop.py": WRONG})

    certificate = shop.certify(MEND, deployed=deployed)

    assert certificate.decision == "rejected"
    assert "passes on the deployed commit" in certificate.reasons[0]


def test_a_test_of_something_that_only_the_fix_brings_shows_nothing(shop: Shop) -> None:
    test = GIFT.replace("import price", "import price, gift")

    certificate = shop.certify(
        {"shop.py": RIGHT + "\n\ndef gift():\n    return 0\n", "tests/test_gift.py": test}
    )

    assert certificate.decision == "rejected"
    assert "could not be loaded" in certificate.reasons[0]


def test_a_reproduction_that_was_never_written_is_refused(shop: Shop) -> None:
    certificate = shop.certify({"shop.py": RIGHT})

    assert certificate.reasons == ("the reproduction tests/test_gift.py was not written",)


def test_a_check_that_got_worse_is_refused(shop: Shop) -> None:
    certificate = shop.certify(
        {"shop.py": RIGHT.replace("10 * count", "10.0 * count"), "tests/test_gift.py": GIFT}
    )

    assert certificate.decision == "rejected"
    assert "passed before and is failed with the patch" in certificate.reasons[0]


def test_a_check_that_failed_before_may_go_on_failing_but_not_in_more_places(shop: Shop) -> None:
    sick = EXISTING + "\n    def test_sick(self):\n        self.assertEqual(1, 2)\n"
    shop.commit({"tests/test_shop.py": sick})

    same = shop.certify(MEND)
    worse = shop.certify({**MEND, "shop.py": RIGHT.replace("10 * count", "10.0 * count")})

    assert same.decision == "ready"
    assert worse.decision == "rejected"
    assert "fails in more places with the patch: test_is_whole" in worse.reasons[0]


def test_a_reproduction_that_flips_by_itself_is_refused(shop: Shop) -> None:
    flips = GIFT.replace(
        "self.assertEqual(price(0), 0)",
        "import pathlib; seen = pathlib.Path('seen'); was = seen.exists(); seen.touch()\n"
        "        self.assertEqual(price(0) + was, 0 if not was else 2)",
    )

    certificate = shop.certify({"shop.py": RIGHT, "tests/test_gift.py": flips})

    assert certificate.decision == "rejected"
    assert "same result twice" in certificate.reasons[0]


def test_a_hang_is_a_failure_that_can_be_mended(shop: Shop) -> None:
    shop.commit({"shop.py": "def price(count):\n    while count == 0: pass\n    return 10 * count\n"})

    certificate = shop.certify(MEND, seconds=3)

    assert certificate.decision == "ready"
    assert certificate.reproduction_before
    assert "did not end" in certificate.reproduction_before.output


@pytest.mark.parametrize("kind", ["load", "none"])
def test_what_cannot_be_run_here_is_a_draft_that_says_so(shop: Shop, kind: str) -> None:
    certificate = shop.certify({"shop.py": RIGHT}, path=None, kind=kind)

    assert certificate.decision == "draft"
    assert certificate.reasons[0].startswith("unproved: ")


def test_a_language_without_runner_is_a_draft(shop: Shop) -> None:
    certificate = shop.certify({"shop.py": RIGHT, "gift_test.go": "package x\n"}, path="gift_test.go")

    assert certificate.decision == "draft"
    assert "no runner is known" in certificate.reasons[0]


def test_a_failed_deployment_is_at_best_a_draft(shop: Shop) -> None:
    certificate = shop.certify(MEND, lane=Category.DEPLOYMENT)

    assert certificate.decision == "draft"
    assert certificate.reproduction_after and certificate.reproduction_after.outcome == "passed"


def test_what_is_over_the_limits_is_refused_before_anything_runs(shop: Shop) -> None:
    certificate = shop.certify(
        {**MEND, ".github/workflows/x.yml": "on: push\n", "x.py": "a = 'our-own-secret'\n"}
    )

    assert certificate.decision == "rejected"
    assert len(certificate.reasons) == 2
    assert shop.started == []


def test_a_malformed_setting_of_the_repository_is_told_by_its_key(shop: Shop) -> None:
    shop.commit({".trackwalker.toml": 'check = "make test"\n'})

    certificate = shop.certify(MEND)

    assert certificate.decision == "rejected"
    assert ".trackwalker.toml: check must be" in certificate.reasons[0]


def test_the_repository_says_how_it_is_checked(shop: Shop) -> None:
    shop.commit(
        {
            ".trackwalker.toml": 'check = [["python3", "-c", "import shop; assert shop.price(1)"], ["nothing-here"]]\n'
        }
    )

    certificate = shop.certify(MEND)

    assert [check.after.outcome for check in certificate.checks] == ["passed", "not run"]
    assert certificate.decision == "draft"
    assert "the check `nothing-here` could not be run here" in certificate.reasons[0]


def test_a_script_may_be_the_reproduction_of_a_node_service(shop: Shop) -> None:
    shop.commit({"cart.js": "exports.total = (n) => n + 1;\n", "package.json": "{}"})
    script = "const { total } = require('./cart');\nif (total(1) !== 1) process.exit(1);\n"

    certificate = shop.certify(
        {"cart.js": "exports.total = (n) => n;\n", "repro.js": script}, path="repro.js", kind="script"
    )

    assert certificate.decision == "ready", certificate


def test_a_check_does_not_see_the_reproduction_before_the_patch(shop: Shop) -> None:
    shop.commit(
        {".trackwalker.toml": 'check = [["python3", "-c", "import os; print(os.listdir(\'tests\'))"]]\n'}
    )

    certificate = shop.certify(MEND)

    assert "test_gift.py" not in certificate.checks[0].before.output
    assert "test_gift.py" in certificate.checks[0].after.output


def test_who_lost_the_claim_runs_nothing_more(shop: Shop) -> None:
    def lost() -> None:
        raise RuntimeError("somebody else works on it")

    with pytest.raises(RuntimeError, match="somebody else"):
        shop.certify(MEND, alive=lost)

    assert shop.started == []
    assert list((shop.repositories.folder / "trees").iterdir()) == []
