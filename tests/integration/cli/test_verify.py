"""`verify` on local repositories: decisions, wrong arguments, and hostile repositories."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.attacks.bases import PYTHON
from tests.support.attacks.cases import Case, Change
from tests.support.attacks.forged_source import LETTER, LETTER_PATH
from tests.support.attacks.good import FIXED
from tests.support.attacks.patches import make_patch
from tests.support.attacks.verifying import make_repository
from tests.support.command_line import run_command
from tests.support.fakes.githttp import git
from workers.__main__ import main

GOOD: dict[str, Change] = {"parcels/rates.py": FIXED, LETTER_PATH: LETTER}
BAD: dict[str, Change] = GOOD | {".github/workflows/a\x1b[2J.yml": "on: push\n"}
REPRODUCTION = f"test:{LETTER_PATH}"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository; the current folder has no settings, and temporary files go to `tmp`."""
    # Not below pytest's own folder, which is private: the sandbox's user must pass through.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_repository(folder / "shop", PYTHON)
        for open_folder in (folder, folder / "tmp"):
            open_folder.mkdir(exist_ok=True)
            open_folder.chmod(0o711)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(tempfile, "tempdir", str(folder / "tmp"))
        yield folder / "shop"


def patch(folder: Path, changes: dict[str, Change]) -> str:
    file = folder.parent / "change.diff"
    file.write_text(make_patch(PYTHON, Case("", "python", changes, REPRODUCTION)))
    return str(file)


def verify(shop: Path, changes: dict[str, Change], *more: str) -> int:
    arguments = ["--base", "main", "--patch", patch(shop, changes), "--reproduction", REPRODUCTION]
    return main(["verify", "--repository", str(shop), *arguments, *more])


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def test_a_good_patch_is_ready_and_leaves_nothing_behind(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(shop)

    code = verify(shop, GOOD, "--json", "--cause", "parcels/rates.py:8")

    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (code, answer["decision"], answer["reasons"]) == (0, "ready", [])
    assert {"decision", "reasons", "notes", "runs"} <= answer.keys()
    assert {run["outcome"] for run in answer["runs"]} == {"failed", "passed"}
    assert files(shop) == before
    assert list((shop.parent / "tmp").iterdir()) == []
    assert not (shop.parent / ".trackwalker").exists()


def test_a_private_folder_for_temporary_files_is_no_obstacle(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.parent / "tmp").chmod(0o700)

    code = verify(shop, GOOD)

    assert (code, capsys.readouterr().out.splitlines()[0]) == (0, "Decision: ready")


def test_a_rejected_patch_also_ends_with_0_and_shows_no_control_characters(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = verify(shop, BAD)

    text = capsys.readouterr().out
    assert code == 0
    assert text.startswith("Decision: rejected\n")
    assert "\x1b" not in text


def test_the_patch_may_come_from_standard_input(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Path(patch(shop, BAD)).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    arguments = ["--base", "HEAD", "--patch", "-", "--reproduction", REPRODUCTION]
    code = main(["verify", "--repository", str(shop), *arguments])

    assert (code, capsys.readouterr().out.splitlines()[0]) == (0, "Decision: rejected")


@pytest.mark.parametrize("kind", ["bare", "worktree", "shallow", "dirty"])
def test_any_repository_is_accepted_and_only_its_commits_count(
    shop: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shop.parent / kind
    match kind:
        case "bare":
            git(shop, "clone", "-q", "--bare", str(shop), str(other))
        case "worktree":
            git(shop, "worktree", "add", "-q", "--detach", str(other))
        case "shallow":
            git(shop, "clone", "-q", "--depth=1", f"file://{shop}", str(other))
        case _:
            other = shop
            (shop / "parcels" / "rates.py").write_text("raise SystemExit\n")

    code = verify(other, BAD)

    assert (code, capsys.readouterr().out.splitlines()[0]) == (0, "Decision: rejected")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--repository", "nowhere"], "nowhere is not a git repository"),
        (["--repository", "tmp"], "tmp is not a git repository"),
        (["--repository", "change.diff"], "change.diff is not a git repository"),
        (["--base", "nope"], "has no commit 'nope'"),
        (["--base", "--help"], "expected one argument"),
        (["--patch", "nope.diff"], "the patch 'nope.diff' cannot be read: No such file or directory"),
        (["--patch", "empty.diff"], "the patch is empty"),
        (["--patch", "other.diff"], "the patch does not apply"),
        (["--reproduction", "proof:a.py"], "'proof' is not a kind of reproduction"),
        (["--reproduction", "test"], "a path is missing"),
        (["--reproduction", "test:../a.py"], "'../a.py' is not a path inside the repository"),
        (["--reproduction", "none:a.py"], "a reproduction of the kind none has no path"),
        (["--root", "/etc"], "'/etc' is not a path inside the repository"),
        (["--root", "billing"], "the repository has no folder 'billing'"),
        (["--cause", "parcels/rates.py"], "is not FILE:LINE"),
        (["--category", "scaling"], "invalid choice"),
    ],
)
def test_a_wrong_argument_ends_with_2_and_a_sentence(
    shop: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.parent / "empty.diff").write_text("\n")
    (shop.parent / "other.diff").write_text("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")

    try:
        code = verify(shop, BAD, *arguments)
    except SystemExit as error:
        code = int(error.code or 0)

    answer = capsys.readouterr()
    assert (code, answer.out) == (2, "")
    assert sentence in answer.err
    assert "Traceback" not in answer.err


def test_no_code_of_a_hostile_repository_runs(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark = shop.parent / "ran"
    program = shop.parent / "evil.sh"
    program.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    program.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "pre-commit"):
        (shop / ".git" / "hooks" / hook).symlink_to(program)
    for key in (
        "core.fsmonitor", "core.hooksPath", "core.sshCommand", "core.pager", "core.alternateRefsCommand",
        "diff.external", "diff.x.textconv", "diff.x.command", "filter.x.smudge", "filter.x.clean", "filter.x.process",
        "uploadpack.packObjectsHook", "remote.origin.uploadpack", "gpg.program", "credential.helper",
    ):  # fmt: skip
        git(shop, "config", key, str(program))
    git(shop, "config", "remote.origin.url", str(shop.parent / "elsewhere"))
    git(shop, "config", "remote.origin.promisor", "true")
    git(shop, "config", "extensions.partialClone", "origin")
    (shop / ".gitattributes").write_text("* filter=x diff=x\n")
    (shop / ".git" / "info" / "attributes").write_text("* filter=x diff=x\n")

    code = verify(shop, BAD)
    missing = verify(shop, BAD, "--base", "0" * 39 + "1")

    assert (code, missing) == (0, 2)
    assert capsys.readouterr().out.startswith("Decision: rejected")
    assert not mark.exists()


def test_a_malformed_setting_does_not_stop_the_command(shop: Path) -> None:
    process = run_command(
        shop.parent, "verify", "--repository", "shop", "--base", "main", "--patch", patch(shop, BAD),
        "--reproduction", "none", TRACKWALKER_MAX_OPEN_PRS="many",
    )  # fmt: skip

    assert (process.returncode, process.stdout.splitlines()[0]) == (0, "Decision: rejected")
    assert "the patch is not searched for your own secrets" in process.stderr


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["verify", "--help"])

    assert ending.value.code == 0
    assert "--reproduction test:tests/test_gift.py" in capsys.readouterr().out
