"""Real git over a real socket: trees, patches, one commit, one push, and a cache that may break."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.fakes.githttp import git
from tests.support.git_server import READER_TOKEN, REPOSITORY, TOKEN, GitServer, serving_git
from workers.clients.git import Repositories, read_diff, safe_read, safe_write
from workers.clients.git.trees import remove
from workers.errors import GitHubBusy, GitHubRefused, Refused
from workers.models import Fix

WHEN = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serving_git(tmp_path) as running:
        yield running


@pytest.fixture
def first(server: GitServer) -> str:
    return server.commit({"app.py": "one\ntwo\nthree\n", "lib/util.py": "x = 1\n", ".gitignore": "*.log\n"})


def fix(base: str, patch: str) -> Fix:
    return Fix(base_commit=base, patch=patch, files=("app.py",), committed_at=WHEN)


# ---- reading -----------------------------------------------------------------------------------


def test_a_checkout_has_the_code_of_the_commit_in_its_own_folder(server: GitServer, first: str) -> None:
    server.commit({"app.py": "newer\n"})
    ours = server.repositories()

    checkout_a, checkout_b = ours.checkout(REPOSITORY, first), ours.checkout(REPOSITORY, first)

    assert (checkout_a / "app.py").read_text() == (checkout_b / "app.py").read_text() == "one\ntwo\nthree\n"
    assert checkout_a != checkout_b
    assert git(checkout_a, "rev-parse", "HEAD") == first


def test_a_commit_on_no_branch_is_fetched_by_its_hash(server: GitServer, first: str) -> None:
    lost = server.commit({"app.py": "lost\n"})
    git(server.work, "reset", "-q", "--hard", first)
    server.commit({"app.py": "other\n"})

    tree = server.repositories().checkout(REPOSITORY, lost)

    assert (tree / "app.py").read_text() == "lost\n"


def test_an_unknown_commit_is_refused(server: GitServer, first: str) -> None:
    with pytest.raises(GitHubRefused, match="commit 012301230123 is not in acme/shop"):
        server.repositories().checkout(REPOSITORY, "0123" * 10)


def test_no_file_and_no_argument_contains_the_credential(server: GitServer, first: str) -> None:
    ours = server.repositories()

    ours.checkout(REPOSITORY, first)

    stored = [path.read_bytes() for path in ours.folder.rglob("*") if path.is_file()]
    secret = base64.b64encode(f"x-access-token:{TOKEN}".encode())
    assert len(stored) > 5
    assert not any(TOKEN.encode() in content or secret in content for content in stored)


@pytest.mark.parametrize("token", ["ghp_wrong", None])
def test_a_credential_that_may_not_read_is_refused_with_the_name_of_the_setting(
    server: GitServer, first: str, token: str | None
) -> None:
    with pytest.raises(GitHubRefused, match=r"GITHUB_TOKEN is wrong or expired|GITHUB_TOKEN has no access"):
        server.repositories(token).checkout(REPOSITORY, first)


def test_a_repository_name_that_is_an_option_or_a_path_is_refused(server: GitServer) -> None:
    for name in ("--upload-pack=touch/x", "../etc", "a/b/c", "acme", "acme/..", "file:///etc/x"):
        with pytest.raises(GitHubRefused, match="not a repository name"):
            server.repositories().head(name, "main")


@pytest.mark.parametrize("kind", ["503", "429", "drop"])
def test_a_failing_server_raises_github_busy(server: GitServer, first: str, kind: str) -> None:
    server.faults.add(kind, times=50)  # type: ignore[arg-type]

    with pytest.raises(GitHubBusy):
        server.repositories().checkout(REPOSITORY, first)


def test_an_unreachable_server_raises_github_busy(tmp_path: Path) -> None:
    ours = Repositories(tmp_path, "http://127.0.0.1:1", lambda _name: None)

    with pytest.raises(GitHubBusy):
        ours.head(REPOSITORY, "main")


def test_the_head_of_a_branch_is_read_from_the_server_each_time(server: GitServer, first: str) -> None:
    ours = server.repositories()

    before = ours.head(REPOSITORY, "main")
    second = server.commit({"app.py": "newer\n"})

    assert (before, ours.head(REPOSITORY, "main")) == (first, second)
    assert ours.remote_branch(REPOSITORY, "nobody") is None
    with pytest.raises(GitHubRefused, match="has no branch nobody"):
        ours.head(REPOSITORY, "nobody")


@pytest.mark.parametrize("damage", ["HEAD", "objects", "packs"])
def test_a_damaged_mirror_is_made_again(server: GitServer, first: str, damage: str) -> None:
    ours = server.repositories()
    ours.discard(ours.checkout(REPOSITORY, first))
    mirror = next((ours.folder / "mirrors").glob("*.git"))
    if damage == "HEAD":
        (mirror / "HEAD").unlink()
    for path in (mirror / "objects").rglob("*") if damage != "HEAD" else ():
        if path.is_file() and (damage == "objects" or path.suffix == ".pack"):
            path.chmod(0o600)
            path.write_bytes(path.read_bytes()[:20])

    tree = ours.checkout(REPOSITORY, first)

    assert (tree / "app.py").read_text() == "one\ntwo\nthree\n"


def test_changed_lines_are_numbered_as_after_the_commit(server: GitServer, first: str) -> None:
    second = server.commit({"app.py": "one\nTWO\nthree\nfour\n", "lib/util.py": None, "new ü.py": "a\nb\n"})

    changed = server.repositories().changed_lines(REPOSITORY, second)

    assert changed == {"app.py": [2, 4], "lib/util.py": [], "new ü.py": [1, 2]}


def test_the_first_commit_changes_every_line(server: GitServer, first: str) -> None:
    changed = server.repositories().changed_lines(REPOSITORY, first)

    assert changed == {".gitignore": [1], "app.py": [1, 2, 3], "lib/util.py": [1]}


def test_a_merge_is_compared_with_its_first_parent(server: GitServer, first: str) -> None:
    git(server.work, "checkout", "-q", "-b", "side")
    server.commit({"side.py": "s\n"}, branch="side")
    git(server.work, "checkout", "-q", "main")
    server.commit({"app.py": "ONE\ntwo\nthree\n"})
    git(server.work, "merge", "-q", "--no-ff", "-m", "merge", "side")
    merge = server.commit({"after.txt": "x\n"}) and git(server.work, "rev-parse", "HEAD^")

    changed = server.repositories().changed_lines(REPOSITORY, merge)

    assert changed == {"side.py": [1]}


def test_a_changed_line_that_looks_like_a_header_is_not_a_file() -> None:
    diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- a/y\n+++ b/y\n same\n"

    files = read_diff(diff)

    assert [(file.path, file.added, file.removed) for file in files] == [
        ("x", [(1, "++ b/y")], [(1, "-- a/y")])
    ]


def test_commits_that_change_a_file_are_listed_newest_first(server: GitServer, first: str) -> None:
    server.commit({"lib/util.py": "x = 2\n"}, "not this one")
    second = server.commit({"app.py": "2\n"}, "second")
    third = server.commit({"app.py": "3\n"}, "third: [x] \x1b odd")

    commits = server.repositories().commits_touching(REPOSITORY, "app.py", first, third)

    assert [sha for sha, _ in commits] == [third, second]
    assert commits[1][1] == "second"
    assert server.repositories().commits_touching(REPOSITORY, "*", first, third) == []


# ---- the agent's changes -----------------------------------------------------------------------


def test_a_patch_contains_changed_added_and_deleted_files(server: GitServer, first: str) -> None:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, first)
    (edited / "app.py").write_text("one\nTWO\nthree\n")
    (edited / "lib/util.py").unlink()
    (edited / "tests").mkdir()
    (edited / "tests/test_gift.py").write_text("assert True\n")
    (edited / "debug.log").write_text("ignored")
    (edited / "node_modules").mkdir()
    (edited / "node_modules/left.js").write_text("x")

    patch, files = ours.patch(REPOSITORY, first, edited)

    assert files == ["app.py", "lib/util.py", "tests/test_gift.py"]
    patched = ours.apply(REPOSITORY, first, patch)
    assert (patched / "app.py").read_text() == "one\nTWO\nthree\n"
    assert (patched / "tests/test_gift.py").exists()
    assert not (patched / "lib/util.py").exists()


def test_the_patch_is_empty_if_the_agent_changed_nothing(server: GitServer, first: str) -> None:
    ours = server.repositories()

    assert ours.patch(REPOSITORY, first, ours.checkout(REPOSITORY, first)) == ("", [])


def test_binary_files_empty_files_crlf_and_modes_survive_the_journal(server: GitServer, first: str) -> None:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, first)
    (edited / "logo.png").write_bytes(bytes(range(256)))
    (edited / "empty").write_text("")
    (edited / "crlf.txt").write_bytes(b"a\r\nb\rc\x0c\xe2\x80\xa8d\r\n")
    (edited / "run.sh").write_text("#!/bin/sh")
    (edited / "run.sh").chmod(0o755)

    patch, _ = ours.patch(REPOSITORY, first, edited)
    patched = ours.apply(
        REPOSITORY, first, Fix.model_validate_json(fix(first, patch).model_dump_json()).patch
    )

    assert (patched / "logo.png").read_bytes() == bytes(range(256))
    assert (patched / "empty").read_bytes() == b""
    assert (patched / "crlf.txt").read_bytes() == b"a\r\nb\rc\x0c\xe2\x80\xa8d\r\n"
    assert (patched / "run.sh").stat().st_mode & 0o100


def _link(target: str, where: Path) -> None:
    where.symlink_to(target)


def _links(tree: Path, links: dict[str, str]) -> None:
    for path, text in links.items():
        _link(text, tree / path)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a link to /etc": lambda tree: _link("/etc/passwd", tree / "x"),
    "a link upwards": lambda tree: _link("../../secret", tree / "lib" / "x"),
    "a link into .git": lambda tree: _link(".git/config", tree / "x"),
    "two links that leave only together": lambda tree: _links(tree, {"lib/d": "..", "lib/e": "d/../secret"}),
    "a link that leads nowhere": lambda tree: _link("nowhere", tree / "x"),
    "a link through .git": lambda tree: _link(".git/../app.py", tree / "x"),
    "a link out and in again": lambda tree: _link(f"../{tree.name}/app.py", tree / "x"),
    "a name in another case": lambda tree: (tree / "APP.py").write_text("x"),
    "a folder in another case": lambda tree: (tree / "LIB").mkdir(),
    "a socket": lambda tree: os.mknod(tree / "x", stat.S_IFSOCK | 0o600),
    "folders without end": lambda tree: (tree / "/".join("d" * 80)).mkdir(parents=True),
    "a nested repository": lambda tree: (tree / "lib" / ".GIT").mkdir(),
    "a .git file": lambda tree: (tree / "lib" / ".git").write_text("gitdir: /etc"),
    "a pipe": lambda tree: os.mkfifo(tree / "x"),
    "a hard link": lambda tree: (tree / "x").hardlink_to(tree.parent.parent / "outside"),
    "a control character": lambda tree: (tree / "a\nb").write_text("x"),
    "a name that is no text": lambda tree: Path(os.fsdecode(bytes(tree) + b"/\xff")).write_text("x"),
    "a direction override": lambda tree: (tree / "a\u202eb").write_text("x"),
    "text that is not UTF-8": lambda tree: (tree / "x.txt").write_bytes("caf\xe9\n".encode("latin-1")),
    "far too much": lambda tree: (tree / "x.txt").write_text("line\n" * 600_000),
}


@pytest.mark.parametrize("trick", HOSTILE)
def test_files_that_a_pull_request_cannot_contain_are_refused(
    server: GitServer, first: str, trick: str
) -> None:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, first)
    (ours.folder / "outside").write_text("secret")
    HOSTILE[trick](edited)

    with pytest.raises(Refused):
        ours.patch(REPOSITORY, first, edited)


def test_a_link_inside_the_repository_stays_a_link(server: GitServer, first: str) -> None:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, first)
    _link("../app.py", edited / "lib" / "alias.py")

    patch, _ = ours.patch(REPOSITORY, first, edited)

    assert (ours.apply(REPOSITORY, first, patch) / "lib/alias.py").readlink() == Path("../app.py")


UNUSUAL_LINKS = {
    "absolute": "/etc/passwd",
    "slash": "lib/../",
    "up": "../../secret",
    "a/b/d": "../..",
    "a/b/e": "d/../../../secret",
    "loop": "loop",
    "dangling": "nowhere/./x//y",
    "of-git": ".git/config",
    "escape": "\x1b[2J",
}
"""Links of a repository that copying the agent's files must not follow, refuse or rewrite."""


@pytest.fixture
def unusual(server: GitServer, first: str) -> str:
    """A commit with unusual links and names, two names that differ in case only, and a submodule."""
    for path, text in UNUSUAL_LINKS.items():
        (server.work / path).parent.mkdir(parents=True, exist_ok=True)
        _link(text, server.work / path)
    for name in ("a\nb", "\x1b[2J", "\udcff.py", "Case.py", "case.py", "bidi\u202e.py"):
        (server.work / name).write_text("of the repository")
    git(server.work, "update-index", "--add", "--cacheinfo", f"160000,{first},module")
    return server.commit({})


def test_a_repository_with_unusual_entries_can_be_fixed_and_keeps_them(
    server: GitServer, unusual: str
) -> None:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, unusual)
    (edited / "app.py").write_text("fixed\n")

    patch, files = ours.patch(REPOSITORY, unusual, edited)

    assert files == ["app.py"]
    patched = ours.apply(REPOSITORY, unusual, patch)
    assert {path: os.readlink(patched / path) for path in UNUSUAL_LINKS} == UNUSUAL_LINKS  # noqa: PTH115


@pytest.mark.parametrize("path", ["slash", "a/b/e", "absolute"])
def test_an_unusual_link_that_the_agent_changed_is_refused(
    server: GitServer, unusual: str, path: str
) -> None:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, unusual)
    (edited / path).unlink()
    _link("/etc/hostname", edited / path)

    with pytest.raises(Refused, match="points outside"):
        ours.patch(REPOSITORY, unusual, edited)


def test_a_file_with_special_bits_becomes_an_ordinary_program(server: GitServer, first: str) -> None:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, first)
    (edited / "run.sh").write_text("exit 0\n")
    (edited / "run.sh").chmod(0o6755)

    patch, _ = ours.patch(REPOSITORY, first, edited)

    assert "new file mode 100755" in patch


def test_code_that_the_agent_wrote_into_its_git_folder_never_runs(server: GitServer, first: str) -> None:
    ours = server.repositories()
    edited, trap = ours.checkout(REPOSITORY, first), server.folder / "sprung"
    for name in ("pre-commit", "post-checkout", "post-index-change"):
        hook = edited / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
        hook.chmod(0o755)
    (edited / ".git/config").write_text(
        f'[core]\n\tfsmonitor = touch {trap}\n[filter "x"]\n\tclean = touch {trap}\n[diff]\n\texternal = touch {trap}\n'
    )
    (edited / ".gitattributes").write_text("* filter=x diff=x\n")
    (edited / "app.py").write_text("changed\n")

    patch, files = ours.patch(REPOSITORY, first, edited)
    ours.apply(REPOSITORY, first, patch)

    assert files == [".gitattributes", "app.py"]
    assert not trap.exists()


@pytest.mark.parametrize("path", ["../outside.txt", ".git/hooks/pre-commit", "/tmp/outside.txt"])
def test_a_patch_that_leaves_the_repository_does_not_apply(server: GitServer, first: str, path: str) -> None:
    patch = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"

    with pytest.raises(Refused, match="does not apply"):
        server.repositories().apply(REPOSITORY, first, patch)


def test_a_patch_for_other_code_does_not_apply(server: GitServer, first: str) -> None:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, first)
    (edited / "app.py").write_text("one\nTWO\nthree\n")
    patch, _ = ours.patch(REPOSITORY, first, edited)
    second = server.commit({"app.py": "rewritten\n"})

    with pytest.raises(Refused, match="does not apply"):
        ours.apply(REPOSITORY, second, patch)


# ---- the commit and the push -------------------------------------------------------------------


@pytest.fixture
def patch(server: GitServer, first: str) -> str:
    ours = server.repositories()
    edited = ours.checkout(REPOSITORY, first)
    (edited / "app.py").write_text("one\nTWO\nthree\n")
    return ours.patch(REPOSITORY, first, edited)[0]


def test_two_mirrors_make_the_same_commit_from_the_same_fix(
    server: GitServer, first: str, patch: str
) -> None:
    here, there = server.repositories(), server.repositories(folder="another machine")

    shas = {
        repositories.commit_fix(REPOSITORY, fix(first, patch), "Fix it\n", "trackwalker/a-1")
        for repositories in (here, there, here)
    }

    assert len(shas) == 1


def test_a_push_adds_one_commit_by_trackwalker_to_the_branch(
    server: GitServer, first: str, patch: str
) -> None:
    ours = server.repositories()

    sha = ours.commit_fix(REPOSITORY, fix(first, patch), "Fix it\n\nbecause\n", "trackwalker/a-1")
    ours.push(REPOSITORY, sha, "trackwalker/a-1")
    ours.push(REPOSITORY, sha, "trackwalker/a-1")

    assert ours.remote_branch(REPOSITORY, "trackwalker/a-1") == sha
    written = git(server.bare, "show", "-s", "--format=%P|%an|%ae|%cn|%ce|%at|%ct|%B", sha)
    who = "Trackwalker|trackwalker@users.noreply.github.com"
    assert written == f"{first}|{who}|{who}|{int(WHEN.timestamp())}|{int(WHEN.timestamp())}|Fix it\n\nbecause"
    assert git(server.bare, "show", f"{sha}:app.py") == "one\nTWO\nthree"


def test_a_branch_with_another_commit_is_never_overwritten(server: GitServer, first: str, patch: str) -> None:
    theirs = server.commit({"app.py": "theirs\n"}, branch="trackwalker/a-1")
    ours = server.repositories()
    sha = ours.commit_fix(REPOSITORY, fix(first, patch), "Fix it\n", "trackwalker/a-1")

    with pytest.raises(GitHubRefused, match="rejected the push"):
        ours.push(REPOSITORY, sha, "trackwalker/a-1")

    assert ours.remote_branch(REPOSITORY, "trackwalker/a-1") == theirs


def test_a_push_with_a_read_only_credential_is_refused(server: GitServer, first: str, patch: str) -> None:
    ours = server.repositories(READER_TOKEN)
    sha = ours.commit_fix(REPOSITORY, fix(first, patch), "Fix it\n", "trackwalker/a-1")

    with pytest.raises(
        GitHubRefused, match="GITHUB_TOKEN may not push to acme/shop: it needs contents: read and write"
    ):
        ours.push(REPOSITORY, sha, "trackwalker/a-1")


def test_an_ambiguous_branch_name_is_refused(server: GitServer, first: str, patch: str) -> None:
    for branch in ("-x", "a..b", "a b", "a/", "x.lock", "a:b", "", "a\nb"):
        with pytest.raises(GitHubRefused, match="not an accepted branch name"):
            server.repositories().push(REPOSITORY, first, branch)


# ---- hostile files -----------------------------------------------------------------------------


def test_a_read_follows_links_inside_the_tree_only(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "real.txt").write_text("inside")
    (tmp_path / "secret.txt").write_text("outside")
    _link("../real.txt", tree / "sub" / "good")
    _link("../secret.txt", tree / "bad")
    _link("..", tree / "up")
    _link("loop", tree / "loop")
    os.mkfifo(tree / "pipe")

    assert safe_read(tree, "sub/good") == "inside"
    for path in (
        "bad",
        "up/secret.txt",
        "../secret.txt",
        "loop",
        "pipe",
        "sub",
        "none",
        "a\0b",
        "/etc/passwd",
    ):
        assert safe_read(tree, path) is None, path


def test_a_write_through_a_link_is_refused(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    _link("..", tree / "up")

    for path in ("up/x", "../x", "/tmp/x", "a//b", ".git/config"):
        with pytest.raises(Refused):
            safe_write(tree, path, b"x")

    safe_write(tree, "new/folder/x", b"x")
    assert (tree / "new/folder/x").read_bytes() == b"x"


def test_a_tree_with_folders_a_thousand_deep_is_removed(tmp_path: Path) -> None:
    subprocess.run(["mkdir", "-p", str(tmp_path / "tree" / "/".join("d" * 1500))], check=True)

    remove(tmp_path / "tree")

    assert not (tmp_path / "tree").exists()


def test_discard_deletes_only_folders_of_the_class(server: GitServer, first: str) -> None:
    ours = server.repositories()
    tree = ours.checkout(REPOSITORY, first)
    (tree / "lib").chmod(stat.S_IRUSR)

    ours.discard(tree)
    ours.discard(tree)

    assert not tree.exists()
    with pytest.raises(ValueError, match="not a folder of this class"):
        ours.discard(server.work)
