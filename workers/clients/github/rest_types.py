"""The parts of GitHub's REST API that the client reads, and what its errors and limits mean. Pure."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError

from workers.errors import GitHubBusy, GitHubRefused
from workers.models import Exact, Model, Moment, PullRequest, Text
from workers.runtime.characters import without_half_pairs
from workers.runtime.text import safe_line

REPOSITORY_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
MAX_ERROR_CHARS = 300
"""Length of GitHub's error text in our errors."""
DEFAULT_WAIT_SECONDS = 60.0
"""Wait after a rate limit whose headers name no time; GitHub's documentation asks for at least one minute."""
MAX_WAIT_SECONDS = 3600.0
"""GitHub's limits reset every hour, so a longer wait comes from a wrong clock."""


class Permissions(Model):
    push: bool = True


# Exact: names that later requests and comparisons use. A secret of the settings may by chance be a part of one.


class Repository(Model):
    full_name: Exact
    private: bool
    default_branch: Exact
    archived: bool = False
    permissions: Permissions = Permissions()


WRITER_ASSOCIATIONS = ("OWNER", "MEMBER", "COLLABORATOR")
"""GitHub's `author_association` of people whom the owner has let in. A CONTRIBUTOR only had a commit merged once."""


class _User(Model):
    login: str = ""
    type: Exact = "User"


class _SideRepository(Model):
    id: int
    full_name: Exact
    private: bool = False


class PullSide(Model):
    """Head or base of a pull request. `repo` is None if the repository was deleted."""

    ref: Exact
    sha: Exact
    label: Exact | None = None
    repo: _SideRepository | None = None

    @property
    def owner(self) -> str:
        """Owner of the branch, from the label `owner:branch` or the repository; "" if unknown."""
        if self.label and ":" in self.label:
            return self.label.partition(":")[0]
        return self.repo.full_name.partition("/")[0] if self.repo else ""


class Pull(Model):
    number: int
    html_url: Exact
    title: str = ""
    body: Text | None = None
    state: Exact
    draft: bool = False
    merged_at: Moment | None = None
    merged_by: _User | None = None
    """Only in the answer about a single pull request; None for a deleted user."""
    merge_commit_sha: Exact | None = None
    user: _User | None = None
    author_association: Exact = "NONE"
    head: PullSide
    base: PullSide

    @property
    def is_from_fork(self) -> bool:
        """True unless the branch certainly lies in the repository itself. Ids, because a name can be taken over."""
        head, base = self.head.repo, self.base.repo
        return head is None or base is None or head.id != base.id

    @property
    def is_by_writer(self) -> bool:
        """True if the owner has let the author in: as a person, or as an App, which needs an installation to write.

        Only people who were let in see a private repository. In a public one, anybody can open a pull request, also
        from a branch of the repository itself.
        """
        is_private = self.base.repo is not None and self.base.repo.private
        is_app = self.user is not None and self.user.type == "Bot"
        return is_private or is_app or self.author_association in WRITER_ASSOCIATIONS

    def to_model(self) -> PullRequest:
        """The pull request as our model."""
        merged = self.merged_at is not None
        return PullRequest(
            number=self.number,
            url=self.html_url,
            draft=self.draft,
            branch=self.head.ref,
            state="merged" if merged else "closed" if self.state == "closed" else "open",
            # Before the merge, GitHub's merge_commit_sha is the commit of a test merge.
            merge_commit=self.merge_commit_sha if merged else None,
            merged_by=self.merged_by.login if merged and self.merged_by else "",
            merged_at=self.merged_at,
            head_commit=self.head.sha,
            body=self.body or "",
            title=self.title,
            author=self.user.login if self.user else "",
            base=self.base.ref,
            from_fork=self.is_from_fork,
            by_writer=self.is_by_writer,
        )


class File(Model):
    filename: Exact
    previous_filename: Exact | None = None


class Comparison(Model):
    files: tuple[File, ...] = ()


class _Commit(Model):
    sha: Exact


class Branch(Model):
    commit: _Commit


class Comment(Model):
    body: Text = ""


class _ErrorBody(Model):
    message: str = ""
    errors: tuple[Any, ...] | str | None = None


def validate_name(name: str) -> str:
    """The name, if it is a valid `owner/name`. Raises GitHubRefused otherwise: the name becomes part of addresses."""
    if not REPOSITORY_NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
        raise GitHubRefused(f"{name[:100]!r} is not a GitHub repository: use owner/name")
    return name


def parse(kind: Any, response: httpx.Response) -> Any:
    """The body, validated as `kind`. Raises GitHubBusy for any other body: it comes from a proxy on the way."""
    try:
        return TypeAdapter(kind).validate_json(without_half_pairs(response.content))
    except ValidationError as error:
        raise GitHubBusy(f"GitHub's answer to {response.request.url.path} cannot be read") from error


def paths(files: tuple[File, ...]) -> tuple[str, ...]:
    """Every path once; a renamed file counts under both names."""
    every = [path for file in files for path in (file.filename, file.previous_filename) if path]
    return tuple(dict.fromkeys(every))


def error_message(response: httpx.Response) -> str:
    """GitHub's message and the errors of single fields; the status text if the body is not GitHub's."""
    try:
        body = _ErrorBody.model_validate_json(response.content)
    except ValidationError:
        return response.reason_phrase
    errors = body.errors if isinstance(body.errors, tuple) else (body.errors,)
    texts = [body.message, *(_field_error(error) for error in errors if error)]
    return safe_line("; ".join(texts), MAX_ERROR_CHARS)


def _field_error(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or f"{error.get('field', error.get('resource'))} {error.get('code')}")


def rate_limit_wait(response: httpx.Response) -> float | None:
    """Seconds to wait if the response reports a rate limit, else None.

    Retry-After takes precedence, then the reset (epoch seconds) once no request remains. A secondary limit may name
    neither. https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    headers, status = response.headers, response.status_code
    retry_after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if status in (403, 429, 503) and retry_after.isdigit():
        return min(float(retry_after), MAX_WAIT_SECONDS)
    if status not in (403, 429):
        return None
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return min(max(1.0, int(reset) - time.time()), MAX_WAIT_SECONDS)
    # A 403 is also the answer to a missing permission; only the message tells the two apart.
    return DEFAULT_WAIT_SECONDS if status == 429 or "rate limit" in response.text.lower() else None
