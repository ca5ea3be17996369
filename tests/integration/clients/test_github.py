"""The GitHub client against a GitHub that is as strict as the real one."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.serving import Running, serve
from workers.clients.github import GitHub
from workers.errors import GitHubBusy, GitHubRefused

NAME = "acme/shop"
TOKEN = "github_pat_secret"
BRANCH = "trackwalker/0123456789abcdef-20261123T0304"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small repository with one commit on main."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "app.py").write_text("price = 1\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=Begin")
    return folder


@pytest.fixture
def world(tmp_path: Path, source: Path) -> Iterator[FakeGitHub]:
    """Whatever a test asks of it must be a call that GitHub knows."""
    stand_in = FakeGitHub(tmp_path / "github", token=TOKEN)
    stand_in.create(NAME, source)
    yield stand_in
    assert stand_in.wrong == []


@pytest.fixture
def running(world: FakeGitHub) -> Iterator[Running]:
    with serve(world.app, world.faults) as address:
        yield address


@pytest.fixture
def github(running: Running) -> GitHub:
    return GitHub(running.url, running.url, token=SecretStr(TOKEN))


def branch(world: FakeGitHub, name: str, *, moved: bool = False, text: str = "price = 2\n") -> str:
    """A branch with one more commit than main; that commit."""
    bare = world.repositories[NAME].path
    blob = git(bare, "hash-object", "-w", "--stdin", stdin=text.encode())
    path = "moved.py" if moved else "app.py"
    tree = git(bare, "mktree", stdin=f"100644 blob {blob}\t{path}\n".encode())
    commit = git(bare, "commit-tree", tree, "-p", "main", "-m", "Change the price")
    git(bare, "update-ref", f"refs/heads/{name}", commit)
    return commit


def test_a_repository_says_whether_it_is_private_and_whether_we_may_push(
    github: GitHub, world: FakeGitHub, source: Path, running: Running
) -> None:
    world.create("acme/open", source, private=False)
    world.readers.add("reader")
    reader = GitHub(running.url, running.url, token=SecretStr("reader"))

    closed, public, read_only = (
        github.repository(NAME),
        github.repository("acme/open"),
        reader.repository(NAME),
    )

    assert (closed.private, closed.default_branch, closed.may_push) == (True, "main", True)
    assert public.private is False
    assert read_only.may_push is False


def test_head_is_the_commit_of_the_branch_even_with_a_slash_in_its_name(
    github: GitHub, world: FakeGitHub
) -> None:
    commit = branch(world, "feature/price")

    assert github.head(NAME, "feature/price") == commit


def test_compare_names_the_files_that_changed_and_the_old_name_of_a_moved_one(
    github: GitHub, world: FakeGitHub
) -> None:
    base = github.head(NAME, "main")
    head = branch(world, "moving", moved=True, text="price = 1\n")

    assert github.compare(NAME, base, head) == ("moved.py", "app.py")


def test_all_pages_of_open_pull_requests_are_read(github: GitHub, world: FakeGitHub) -> None:
    for number in range(130):
        world.open_pull(NAME, head=f"one-{number}")
    world.close(7)

    found = github.open_pulls(NAME)

    assert [pull.number for pull in found] == [n for n in range(130, 0, -1) if n != 7]
    assert {pull.author for pull in found} == {"somebody"}


def test_a_branch_of_a_fork_with_our_name_is_not_ours(github: GitHub, world: FakeGitHub) -> None:
    world.open_pull(NAME, head=BRANCH, head_repo="mallory/shop")
    world.open_pull(NAME, head=BRANCH, head_repo="gone")

    assert github.find_pull(NAME, head=f"acme:{BRANCH}") is None
    assert [pull.from_fork for pull in github.open_pulls(NAME)] == [True, True]


def test_a_pull_request_is_created_found_read_changed_and_commented(
    github: GitHub, world: FakeGitHub
) -> None:
    commit = branch(world, BRANCH)

    made = github.create_pull(NAME, title="Mend", body="Why", head=BRANCH, base="main", draft=True)
    github.update_pull(NAME, made.number, "Why, with more")
    github.comment(NAME, made.number, "It held")

    found = github.find_pull(NAME, head=f"acme:{BRANCH}")
    assert found == github.pull(NAME, made.number)
    assert found is not None
    assert (found.state, found.draft, found.head_commit, found.body) == (
        "open",
        True,
        commit,
        "Why, with more",
    )
    assert found.url.endswith(f"/{NAME}/pull/{made.number}")
    assert github.pull_files(NAME, made.number) == ("app.py",)
    assert github.comments(NAME, made.number) == ("It held",)


def test_creating_it_twice_gives_the_one_that_is_there(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)
    first = github.create_pull(NAME, title="Mend", body="Why", head=BRANCH, base="main")

    second = github.create_pull(NAME, title="Mend", body="Why", head=BRANCH, base="main")

    assert second == first
    assert len(world.pulls) == 1


def test_where_a_plan_knows_no_drafts_the_title_says_it_is_one(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)
    world.knows_drafts = False

    made = github.create_pull(NAME, title="Mend", body="Why", head=BRANCH, base="main", draft=True)

    assert (made.title, made.draft) == ("[draft] Mend", False)


def test_a_merge_commit_counts_only_once_it_is_merged(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)
    made = github.create_pull(NAME, title="Mend", body="Why", head=BRANCH, base="main")
    before = github.pull(NAME, made.number)

    commit = world.merge(made.number)

    after = github.pull(NAME, made.number)
    assert (before.state, before.merge_commit) == ("open", None)
    assert (after.state, after.merge_commit) == ("merged", commit)
    assert github.head(NAME, "main") == commit


def test_one_that_a_human_closed_is_closed(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)
    made = github.create_pull(NAME, title="Mend", body="Why", head=BRANCH, base="main")

    world.close(made.number)

    assert github.pull(NAME, made.number).state == "closed"
    assert github.open_pulls(NAME) == []


def test_what_was_merged_meanwhile_is_not_proposed_a_second_time(github: GitHub, world: FakeGitHub) -> None:
    branch(world, "trackwalker/f-1")
    propose = partial(github.create_pull, NAME, title="Mend", body="", head="trackwalker/f-1", base="main")
    world.merge(propose().number)

    with pytest.raises(GitHubRefused):
        propose()

    assert len(world.pulls) == 1


def test_an_open_pull_request_goes_before_a_closed_one_of_the_same_branch(
    github: GitHub, world: FakeGitHub
) -> None:
    branch(world, BRANCH)
    first = world.open_pull(NAME, head=BRANCH)
    last = world.open_pull(NAME, head=BRANCH)
    world.pulls = [first, replace(last, state="closed")]

    found = github.find_pull(NAME, head=f"acme:{BRANCH}")

    assert found is not None
    assert found.number == first.number


def test_an_unknown_head_branch_is_refused_with_githubs_own_words(github: GitHub) -> None:
    with pytest.raises(GitHubRefused, match=r"422.*Validation Failed.*head invalid"):
        github.create_pull(NAME, title="Mend", body="Why", head="nowhere", base="main")


def test_only_our_own_branches_are_deleted_and_twice_is_no_error(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)

    github.delete_branch(NAME, BRANCH)
    github.delete_branch(NAME, BRANCH)

    with pytest.raises(GitHubRefused, match="none of our branches"):
        github.delete_branch(NAME, "main")
    assert world.repositories[NAME].sha(f"refs/heads/{BRANCH}") is None


def test_a_wrong_token_is_refused_and_the_setting_is_named(running: Running) -> None:
    stranger = GitHub(running.url, running.url, token=SecretStr("wrong"))

    with pytest.raises(GitHubRefused, match="does not accept GITHUB_TOKEN: Bad credentials") as refused:
        stranger.repository(NAME)

    assert "wrong" not in str(refused.value)


def test_what_the_token_may_not_do_names_the_right_that_is_missing(
    world: FakeGitHub, running: Running
) -> None:
    branch(world, BRANCH)
    world.readers.add("reader")
    reader = GitHub(running.url, running.url, token=SecretStr("reader"))

    with pytest.raises(GitHubRefused, match=r"GITHUB_TOKEN .*needs pull_requests=write"):
        reader.create_pull(NAME, title="Mend", body="Why", head=BRANCH, base="main")


def test_an_unknown_repository_may_be_one_the_token_cannot_see(github: GitHub) -> None:
    with pytest.raises(GitHubRefused, match=r"acme/other.*GITHUB_TOKEN may not see it"):
        github.repository("acme/other")


@pytest.mark.parametrize(
    "name", ["shop", "acme/..", "../shop", "acme/shop/pulls", "acme/shop?x=1", "acme/a b"]
)
def test_a_name_that_is_no_repository_never_becomes_an_address(
    github: GitHub, world: FakeGitHub, name: str
) -> None:
    with pytest.raises(GitHubRefused, match="owner/name"):
        github.repository(name)

    assert world.calls == []


@pytest.mark.parametrize("fault", ["429", "503"])
def test_a_busy_github_says_when_to_come_back(github: GitHub, world: FakeGitHub, fault: str) -> None:
    world.faults.add(fault, retry_after="9")  # type: ignore[arg-type]  # one of the two above

    with pytest.raises(GitHubBusy) as busy:
        github.repository(NAME)

    assert busy.value.retry_after == 9


@pytest.mark.parametrize(
    ("limit", "least", "most"),
    [("primary", 1700, 1801), ("secondary", 7, 7), ("secondary without a word", 60, 60)],
)
def test_a_403_that_is_a_limit_is_no_refusal(
    github: GitHub, world: FakeGitHub, limit: str, least: float, most: float
) -> None:
    world.limits.append(limit)  # type: ignore[arg-type]  # one of the three above

    with pytest.raises(GitHubBusy) as busy:
        github.repository(NAME)

    assert least <= (busy.value.retry_after or 0) <= most


def test_a_cut_connection_and_a_closed_port_are_busy(github: GitHub, world: FakeGitHub) -> None:
    world.faults.add("drop")
    away = GitHub("http://127.0.0.1:9", "http://127.0.0.1:9", token=SecretStr(TOKEN))

    with pytest.raises(GitHubBusy, match="cannot be reached"):
        github.repository(NAME)
    with pytest.raises(GitHubBusy, match="cannot be reached"):
        away.repository(NAME)


def test_a_page_that_is_no_json_is_busy_not_a_bug() -> None:
    proxy = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>")))
    github = GitHub("https://api.example", "https://example", token=SecretStr(TOKEN), http=proxy)

    with pytest.raises(GitHubBusy, match="cannot be read"):
        github.repository(NAME)


def test_the_token_stays_with_the_api_when_it_redirects_elsewhere() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "api.example":
            return httpx.Response(301, headers={"Location": "https://elsewhere.example/repos/acme/shop"})
        return httpx.Response(200, json={"full_name": NAME, "private": True, "default_branch": "main"})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    GitHub("https://api.example", "https://example", token=SecretStr(TOKEN), http=http).repository(NAME)

    assert [request.headers.get("authorization") for request in seen] == [f"Bearer {TOKEN}", None]
    assert all(TOKEN not in str(request.url) for request in seen)


def test_without_a_credential_every_question_says_what_to_set(running: Running) -> None:
    nobody = GitHub(running.url, running.url)

    with pytest.raises(GitHubRefused, match="GITHUB_TOKEN"):
        nobody.repository(NAME)


# ---- GitHub App ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key_pair() -> tuple[str, str]:
    """A private key as GitHub hands it out, and its public half."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@pytest.fixture
def app(world: FakeGitHub, running: Running, key_pair: tuple[str, str]) -> GitHub:
    """A client that acts as the app; its key came through `.env`, where lines end in backslash n."""
    world.app_id, world.app_public_key = "4711", key_pair[1]
    one_line = SecretStr(key_pair[0].replace("\n", "\\n"))
    return GitHub(running.url, running.url, app_id="4711", private_key=one_line)


def test_an_app_buys_one_token_for_one_repository_and_uses_it_for_api_and_git(
    app: GitHub, world: FakeGitHub
) -> None:
    assert app.repository(NAME).may_push is True
    assert app.head(NAME, "main") == world.repositories[NAME].sha("main")

    token = app.credentials(NAME).get_secret_value()
    assert world.tokens == {token: (NAME,)}


def test_an_app_token_that_was_revoked_is_bought_again(app: GitHub, world: FakeGitHub) -> None:
    app.repository(NAME)
    world.tokens.clear()
    world.tokens["ghs_of_another"] = ()

    assert app.head(NAME, "main") == world.repositories[NAME].sha("main")


def test_an_app_that_is_not_installed_says_where(app: GitHub) -> None:
    with pytest.raises(GitHubRefused, match="4711 is not installed on acme/other"):
        app.repository("acme/other")


def test_a_key_that_is_no_key_is_refused_without_showing_it(running: Running) -> None:
    broken = GitHub(running.url, running.url, app_id="4711", private_key=SecretStr("hunter2"))

    with pytest.raises(GitHubRefused, match="GITHUB_APP_PRIVATE_KEY") as refused:
        broken.repository(NAME)

    assert "hunter2" not in str(refused.value)


# ---- git -------------------------------------------------------------------------------------


def clone(address: str, folder: Path, *, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    header = ["-c", f"http.extraHeader=Authorization: Basic {basic}"] if token else []
    return subprocess.run(
        ["git", *header, "clone", "--quiet", address, str(folder)],
        capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0"},
    )  # fmt: skip


def test_the_address_for_git_holds_no_token_and_the_credential_opens_it(
    github: GitHub, tmp_path: Path
) -> None:
    address = github.clone_url(NAME)

    with_it = clone(address, tmp_path / "with", token=github.credentials(NAME).get_secret_value())
    without = clone(address, tmp_path / "without", token=None)

    assert TOKEN not in address
    assert (with_it.returncode, with_it.stderr) == (0, "")
    assert (tmp_path / "with" / "app.py").read_text() == "price = 1\n"
    assert without.returncode != 0


def test_a_push_needs_the_right_to_push(
    github: GitHub, world: FakeGitHub, running: Running, tmp_path: Path
) -> None:
    world.readers.add("reader")
    clone(github.clone_url(NAME), tmp_path / "with")
    basic = {who: base64.b64encode(f"x-access-token:{who}".encode()).decode() for who in ("reader", TOKEN)}

    def push(who: str) -> int:
        header = f"http.extraHeader=Authorization: Basic {basic[who]}"
        words = ["git", "-c", header, "push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}"]
        return subprocess.run(words, cwd=tmp_path / "with", capture_output=True, check=False).returncode

    assert (push("reader"), push(TOKEN)) == (128, 0)
    assert world.pushes == [NAME]
