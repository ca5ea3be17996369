"""The GitHub client against a fake GitHub that validates requests as the real one does."""

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
    """A fake GitHub with one repository. Fails the test after a request that GitHub's API does not have."""
    fake = FakeGitHub(tmp_path / "github", token=TOKEN)
    fake.create(NAME, source)
    yield fake
    assert fake.wrong == []


@pytest.fixture
def running(world: FakeGitHub) -> Iterator[Running]:
    with serve(world.app, world.faults) as address:
        yield address


@pytest.fixture
def github(running: Running) -> GitHub:
    return GitHub(running.url, running.url, token=SecretStr(TOKEN))


def branch(world: FakeGitHub, name: str, *, moved: bool = False, text: str = "price = 2\n") -> str:
    """Creates a branch with one more commit than main and returns that commit."""
    bare = world.repositories[NAME].path
    blob = git(bare, "hash-object", "-w", "--stdin", stdin=text.encode())
    path = "moved.py" if moved else "app.py"
    tree = git(bare, "mktree", stdin=f"100644 blob {blob}\t{path}\n".encode())
    commit = git(bare, "commit-tree", tree, "-p", "main", "-m", "Change the price")
    git(bare, "update-ref", f"refs/heads/{name}", commit)
    return commit


def test_a_repository_has_its_visibility_default_branch_and_push_permission(
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


def test_head_accepts_a_branch_name_with_a_slash(github: GitHub, world: FakeGitHub) -> None:
    commit = branch(world, "feature/price")

    assert github.head(NAME, "feature/price") == commit


def test_compare_lists_changed_files_and_the_old_name_of_a_renamed_one(
    github: GitHub, world: FakeGitHub
) -> None:
    base = github.head(NAME, "main")
    head = branch(world, "moving", moved=True, text="price = 1\n")

    assert github.compare(NAME, base, head) == ("moved.py", "app.py")


def test_open_pulls_reads_every_page(github: GitHub, world: FakeGitHub) -> None:
    for number in range(130):
        world.open_pull(NAME, head=f"one-{number}")
    world.close(7)

    pulls = github.open_pulls(NAME)

    assert [pull.number for pull in pulls] == [n for n in range(130, 0, -1) if n != 7]
    assert {pull.author for pull in pulls} == {"somebody"}


def test_a_pull_request_from_a_fork_with_our_branch_name_is_not_ours(
    github: GitHub, world: FakeGitHub
) -> None:
    world.open_pull(NAME, head=BRANCH, head_repo="mallory/shop")
    world.open_pull(NAME, head=BRANCH, head_repo="gone")

    # An organisation can fork a repository into itself, under another name.
    world.open_pull(NAME, head=BRANCH, head_repo="acme/shop-2")

    assert github.find_pull(NAME, head=f"acme:{BRANCH}") is None
    assert [pull.is_trusted for pull in github.open_pulls(NAME)] == [False, False, False]


@pytest.mark.parametrize(
    ("fields", "trusted"),
    [
        ({}, True),
        ({"association": "OWNER"}, True),
        ({"association": "MEMBER"}, True),
        ({"association": "CONTRIBUTOR"}, False),
        ({"association": "FIRST_TIME_CONTRIBUTOR"}, False),
        ({"association": "MANNEQUIN"}, False),
        ({"association": "NONE"}, False),
        ({"association": "NONE", "author": "renovate[bot]"}, True),
        ({"association": "OWNER", "head_repo": "mallory/open"}, False),
        ({"association": "OWNER", "head_repo": "gone"}, False),
    ],
)
def test_a_pull_request_in_a_public_repository_counts_only_by_people_who_were_let_in(
    github: GitHub, world: FakeGitHub, source: Path, fields: dict[str, str], trusted: bool
) -> None:
    world.create("acme/open", source, private=False)
    world.open_pull("acme/open", head="feature", **fields)

    assert [pull.is_trusted for pull in github.open_pulls("acme/open")] == [trusted]


def test_a_pull_request_can_be_created_found_read_updated_and_commented(
    github: GitHub, world: FakeGitHub
) -> None:
    commit = branch(world, BRANCH)

    pull = github.create_pull(NAME, title="Fix", body="Why", head=BRANCH, base="main", draft=True)
    github.update_pull(NAME, pull.number, "Why, with more")
    github.comment(NAME, pull.number, "Verified")

    match = github.find_pull(NAME, head=f"acme:{BRANCH}")
    assert match == github.pull(NAME, pull.number)
    assert match is not None
    assert (match.state, match.draft, match.head_commit, match.body) == (
        "open",
        True,
        commit,
        "Why, with more",
    )
    assert match.url.endswith(f"/{NAME}/pull/{pull.number}")
    assert github.pull_files(NAME, pull.number) == ("app.py",)
    assert github.comments(NAME, pull.number) == ("Verified",)


def test_creating_the_same_pull_request_twice_returns_the_first(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)
    first = github.create_pull(NAME, title="Fix", body="Why", head=BRANCH, base="main")

    second = github.create_pull(NAME, title="Fix", body="Why", head=BRANCH, base="main")

    assert second == first
    assert len(world.pulls) == 1


def test_a_plan_without_drafts_gets_a_title_that_marks_the_draft(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)
    world.knows_drafts = False

    pull = github.create_pull(NAME, title="Fix", body="Why", head=BRANCH, base="main", draft=True)

    assert (pull.title, pull.draft) == ("[draft] Fix", False)


def test_the_merge_commit_is_set_after_the_merge_only(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)
    pull = github.create_pull(NAME, title="Fix", body="Why", head=BRANCH, base="main")
    before = github.pull(NAME, pull.number)

    commit = world.merge(pull.number)

    after = github.pull(NAME, pull.number)
    assert (before.state, before.merge_commit) == ("open", None)
    assert (after.state, after.merge_commit) == ("merged", commit)


def test_a_closed_pull_request_is_closed_and_no_longer_listed_as_open(
    github: GitHub, world: FakeGitHub
) -> None:
    branch(world, BRANCH)
    pull = github.create_pull(NAME, title="Fix", body="Why", head=BRANCH, base="main")

    world.close(pull.number)

    assert github.pull(NAME, pull.number).state == "closed"
    assert github.open_pulls(NAME) == []


def test_a_branch_that_was_merged_in_the_meantime_cannot_be_proposed_again(
    github: GitHub, world: FakeGitHub
) -> None:
    branch(world, "trackwalker/f-1")
    propose = partial(github.create_pull, NAME, title="Fix", body="", head="trackwalker/f-1", base="main")
    world.merge(propose().number)

    with pytest.raises(GitHubRefused):
        propose()

    assert len(world.pulls) == 1


def test_find_pull_prefers_the_open_pull_request_of_a_branch(github: GitHub, world: FakeGitHub) -> None:
    branch(world, BRANCH)
    first = world.open_pull(NAME, head=BRANCH)
    last = world.open_pull(NAME, head=BRANCH)
    world.pulls = [first, replace(last, state="closed")]

    match = github.find_pull(NAME, head=f"acme:{BRANCH}")

    assert match is not None
    assert match.number == first.number


def test_an_unknown_head_branch_is_refused_with_the_message_of_github(github: GitHub) -> None:
    with pytest.raises(GitHubRefused, match=r"422.*Validation Failed.*head invalid"):
        github.create_pull(NAME, title="Fix", body="Why", head="nowhere", base="main")


def test_a_wrong_token_is_refused_with_the_name_of_the_setting(running: Running) -> None:
    client = GitHub(running.url, running.url, token=SecretStr("wrong"))

    with pytest.raises(
        GitHubRefused, match=r"GITHUB_TOKEN is wrong or expired.*401 Bad credentials"
    ) as refused:
        client.repository(NAME)

    assert refused.value.is_access


def test_a_missing_permission_is_named_in_the_refusal(world: FakeGitHub, running: Running) -> None:
    branch(world, BRANCH)
    world.readers.add("reader")
    reader = GitHub(running.url, running.url, token=SecretStr("reader"))

    with pytest.raises(GitHubRefused, match=r"GITHUB_TOKEN may not do this.*eeds pull_requests=write"):
        reader.create_pull(NAME, title="Fix", body="Why", head=BRANCH, base="main")


def test_the_refusal_of_an_unknown_repository_mentions_the_permissions_of_the_token(github: GitHub) -> None:
    with pytest.raises(GitHubRefused, match=r"acme/other not found, or GITHUB_TOKEN has no access"):
        github.repository("acme/other")


@pytest.mark.parametrize(
    "name", ["shop", "acme/..", "../shop", "acme/shop/pulls", "acme/shop?x=1", "acme/a b"]
)
def test_an_invalid_repository_name_never_becomes_part_of_an_address(
    github: GitHub, world: FakeGitHub, name: str
) -> None:
    with pytest.raises(GitHubRefused, match="owner/name"):
        github.repository(name)

    assert world.calls == []


@pytest.mark.parametrize("fault", ["429", "503"])
def test_github_busy_carries_the_wait_from_retry_after(github: GitHub, world: FakeGitHub, fault: str) -> None:
    world.faults.add(fault, retry_after="9")  # type: ignore[arg-type]  # one of the two above

    with pytest.raises(GitHubBusy) as busy:
        github.repository(NAME)

    assert busy.value.retry_after == 9


@pytest.mark.parametrize(
    ("limit", "least", "most"),
    [("primary", 1700, 1801), ("secondary", 7, 7), ("secondary without a word", 60, 60)],
)
def test_a_403_for_a_rate_limit_raises_github_busy(
    github: GitHub, world: FakeGitHub, limit: str, least: float, most: float
) -> None:
    world.limits.append(limit)  # type: ignore[arg-type]  # one of the three above

    with pytest.raises(GitHubBusy) as busy:
        github.repository(NAME)

    assert least <= (busy.value.retry_after or 0) <= most


def test_a_dropped_connection_and_a_closed_port_raise_github_busy(github: GitHub, world: FakeGitHub) -> None:
    world.faults.add("drop")
    unreachable = GitHub("http://127.0.0.1:9", "http://127.0.0.1:9", token=SecretStr(TOKEN))

    with pytest.raises(GitHubBusy, match="cannot be reached"):
        github.repository(NAME)
    with pytest.raises(GitHubBusy, match="cannot be reached"):
        unreachable.repository(NAME)


def test_a_body_that_is_not_json_raises_github_busy() -> None:
    proxy = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>")))
    github = GitHub("https://api.example", "https://example", token=SecretStr(TOKEN), http=proxy)

    with pytest.raises(GitHubBusy, match="cannot be read"):
        github.repository(NAME)


def test_a_redirect_to_another_host_does_not_carry_the_token() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if request.url.host == "api.example":
            return httpx.Response(301, headers={"Location": "https://elsewhere.example/repos/acme/shop"})
        return httpx.Response(200, json={"full_name": NAME, "private": True, "default_branch": "main"})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    GitHub("https://api.example", "https://example", token=SecretStr(TOKEN), http=http).repository(NAME)

    assert [request.headers.get("authorization") for request in requests] == [f"Bearer {TOKEN}", None]
    assert all(TOKEN not in str(request.url) for request in requests)


def test_without_a_credential_the_refusal_names_the_setting(running: Running) -> None:
    client = GitHub(running.url, running.url)

    with pytest.raises(GitHubRefused, match="GITHUB_TOKEN"):
        client.repository(NAME)


# ---- GitHub App ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key_pair() -> tuple[str, str]:
    """A private key in the format of GitHub, and its public key."""
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
    """A client for the app. Its key has `\\n` for line breaks, as in an `.env` file."""
    world.app_id, world.app_public_key = "4711", key_pair[1]
    one_line = SecretStr(key_pair[0].replace("\n", "\\n"))
    return GitHub(running.url, running.url, app_id="4711", private_key=one_line)


def test_an_app_uses_one_token_per_repository_for_the_api_and_for_git(app: GitHub, world: FakeGitHub) -> None:
    assert app.repository(NAME).may_push is True
    assert app.open_pulls(NAME) == []

    token = app.credentials(NAME).get_secret_value()
    assert world.tokens == {token: (NAME,)}


def test_a_revoked_app_token_is_replaced(app: GitHub, world: FakeGitHub) -> None:
    app.repository(NAME)
    world.tokens.clear()
    world.tokens["ghs_of_another"] = ()

    assert app.repository(NAME).default_branch == "main"


def test_the_refusal_names_the_repository_on_which_the_app_is_not_installed(app: GitHub) -> None:
    with pytest.raises(GitHubRefused, match="4711 is not installed on acme/other"):
        app.repository("acme/other")


def test_an_invalid_private_key_is_refused_and_not_shown(running: Running) -> None:
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


def test_git_can_clone_with_the_credential_and_not_without_it(github: GitHub, tmp_path: Path) -> None:
    address = f"{github.server_url}/{NAME}.git"

    with_it = clone(address, tmp_path / "with", token=github.credentials(NAME).get_secret_value())
    without = clone(address, tmp_path / "without", token=None)

    assert (with_it.returncode, with_it.stderr) == (0, "")
    assert (tmp_path / "with" / "app.py").read_text() == "price = 1\n"
    assert without.returncode != 0


def test_a_push_needs_the_push_permission(
    github: GitHub, world: FakeGitHub, running: Running, tmp_path: Path
) -> None:
    world.readers.add("reader")
    clone(f"{github.server_url}/{NAME}.git", tmp_path / "with")
    basic = {who: base64.b64encode(f"x-access-token:{who}".encode()).decode() for who in ("reader", TOKEN)}

    def push(who: str) -> int:
        header = f"http.extraHeader=Authorization: Basic {basic[who]}"
        words = ["git", "-c", header, "push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}"]
        return subprocess.run(words, cwd=tmp_path / "with", capture_output=True, check=False).returncode

    assert (push("reader"), push(TOKEN)) == (128, 0)
    assert world.pushes == [NAME]
