"""What GitHub's REST API sends, as far as it is read, and what it means. Pure."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError

from workers.errors import GitHubBusy, GitHubRefused
from workers.models import Model, PullRequest

REPOSITORY_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
DEFAULT_WAIT_SECONDS = 60.0
"""How long to wait where a limit was met and no header says until when; GitHub's own advice."""
MAX_WAIT_SECONDS = 3600.0
"""Limits are counted by the hour: a longer wait is a clock that is wrong."""


class Permissions(Model):
    push: bool = True


class Repository(Model):
    full_name: str
    private: bool
    default_branch: str
    archived: bool = False
    permissions: Permissions = Permissions()


class _User(Model):
    login: str = ""


class _HeadRepository(Model):
    full_name: str


class PullSide(Model):
    """The head or the base of a pull request. `repo` is None when it was deleted."""

    ref: str
    sha: str
    label: str | None = None
    repo: _HeadRepository | None = None

    @property
    def owner(self) -> str:
        if self.label and ":" in self.label:
            return self.label.partition(":")[0]
        return self.repo.full_name.partition("/")[0] if self.repo else ""


class Pull(Model):
    number: int
    html_url: str
    title: str = ""
    body: str | None = None
    state: str
    draft: bool = False
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    user: _User | None = None
    head: PullSide
    base: PullSide

    def to_model(self, name: str) -> PullRequest:
        """As everybody else knows it. Before the merge GitHub names a trial merge: left out."""
        merged = self.merged_at is not None
        return PullRequest(
            number=self.number,
            url=self.html_url,
            draft=self.draft,
            branch=self.head.ref,
            state="merged" if merged else "closed" if self.state == "closed" else "open",
            merge_commit=self.merge_commit_sha if merged else None,
            head_commit=self.head.sha,
            body=self.body or "",
            title=self.title,
            author=self.user.login if self.user else "",
            base=self.base.ref,
            from_fork=self.head.repo is None or self.head.repo.full_name.lower() != name.lower(),
        )


class File(Model):
    filename: str
    previous_filename: str | None = None


class Comparison(Model):
    files: tuple[File, ...] = ()


class _Commit(Model):
    sha: str


class Branch(Model):
    commit: _Commit


class Comment(Model):
    body: str = ""


class _Complaint(Model):
    message: str = ""
    errors: tuple[Any, ...] | str | None = None


def validate_name(name: str) -> str:
    """`owner/name`, or GitHubRefused: it becomes part of addresses."""
    if not REPOSITORY_NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
        raise GitHubRefused(f"{name[:100]!r} is no GitHub repository: owner/name is needed")
    return name


def parse(kind: Any, answer: httpx.Response) -> Any:
    """The answer as `kind`; a body that cannot be read (a proxy's page) is GitHubBusy."""
    try:
        return TypeAdapter(kind).validate_json(answer.content)
    except ValidationError as error:
        raise GitHubBusy(f"GitHub's answer to {answer.request.url.path} cannot be read") from error


def paths(files: tuple[File, ...]) -> tuple[str, ...]:
    """Each path once, a moved file under both."""
    named = [name for file in files for name in (file.filename, file.previous_filename) if name]
    return tuple(dict.fromkeys(named))


def error_message(answer: httpx.Response) -> str:
    """GitHub's own words: the message and the errors of the fields, at most 300 characters."""
    try:
        complaint = _Complaint.model_validate_json(answer.content)
    except ValidationError:
        return answer.reason_phrase
    errors = complaint.errors if isinstance(complaint.errors, tuple) else (complaint.errors,)
    return "; ".join([complaint.message, *(_detail(error) for error in errors if error)])[:300]


def _detail(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or f"{error.get('field', error.get('resource'))} {error.get('code')}")


def rate_limit_wait(answer: httpx.Response) -> float | None:
    """Seconds to wait where GitHub met a limit; None where it did not.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: Retry-After first, else
    the reset (epoch seconds) once nothing remains; a secondary limit may name neither.
    """
    headers, status = answer.headers, answer.status_code
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if status in (403, 429, 503) and after.isdigit():
        return min(float(after), MAX_WAIT_SECONDS)
    if status not in (403, 429):
        return None
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return min(max(1.0, int(reset) - time.time()), MAX_WAIT_SECONDS)
    return DEFAULT_WAIT_SECONDS if status == 429 or "rate limit" in answer.text.lower() else None
