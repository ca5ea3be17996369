"""The calls of GitHub's API that the fake accepts: method, path template, query, fields of the body.

Copied from GitHub's OpenAPI description; `python -m tests.support.github_contract` compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LIST = ("per_page", "page")
PULLS = ("state", "head", "base", "sort", "direction", *LIST)
# Types as JSON Schema names them.
STRING = "string"
BOOLEAN = "boolean"
INTEGER = "integer"
ARRAY = "array"
OBJECT = "object"
MANY_SEGMENTS = ("ref", "branch", "basehead", "commit_sha")
"""Path parameters that may contain slashes."""


@dataclass(frozen=True)
class Call:
    """One call. `body` holds the type of each field, or None for a call without a body."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    body: Mapping[str, str] | None = None
    required: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def fits(self, method: str, path: str) -> dict[str, str] | None:
        """The path's parameters if the request is this call, else None."""
        if method != self.method:
            return None
        matched = re.fullmatch(_pattern(self.path), path)
        return matched.groupdict() if matched else None


def _pattern(template: str) -> str:
    def group(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{'.+' if match[1] in MANY_SEGMENTS else '[^/]+'})"

    return re.sub(r"\\{(\w+)\\}", group, re.escape(template))


REPO = "/repos/{owner}/{repo}"
STATES = {"state": ("open", "closed", "all"), "direction": ("asc", "desc")}
CALLS = (
    Call("GET", "/user"),
    Call("GET", "/app"),
    Call("GET", "/rate_limit"),
    Call("GET", REPO),
    Call("GET", f"{REPO}/installation"),
    Call(
        "POST",
        "/app/installations/{installation_id}/access_tokens",
        body={"repositories": ARRAY, "repository_ids": ARRAY, "permissions": OBJECT},
    ),
    Call("GET", f"{REPO}/pulls", PULLS, choices=STATES),
    Call(
        "POST",
        f"{REPO}/pulls",
        body={
            "title": STRING, "head": STRING, "head_repo": STRING, "base": STRING, "body": STRING,
            "maintainer_can_modify": BOOLEAN, "draft": BOOLEAN, "issue": INTEGER,
        },
        required=("head", "base"),
    ),
    Call("GET", f"{REPO}/pulls/{{pull_number}}"),
    Call(
        "PATCH",
        f"{REPO}/pulls/{{pull_number}}",
        body={
            "title": STRING, "body": STRING, "state": STRING, "base": STRING,
            "maintainer_can_modify": BOOLEAN,
        },
        choices={"state": ("open", "closed")},
    ),
    Call("GET", f"{REPO}/pulls/{{pull_number}}/files", LIST),
    Call("GET", f"{REPO}/pulls/{{pull_number}}/commits", LIST),
    Call("GET", f"{REPO}/issues/{{issue_number}}/comments", ("since", *LIST)),
    Call("POST", f"{REPO}/issues/{{issue_number}}/comments", body={"body": STRING}, required=("body",)),
    Call("GET", f"{REPO}/commits/{{ref}}", LIST),
    Call("GET", f"{REPO}/compare/{{basehead}}", LIST),
    Call("GET", f"{REPO}/branches/{{branch}}"),
    Call("GET", f"{REPO}/git/ref/{{ref}}"),
    Call("DELETE", f"{REPO}/git/refs/{{ref}}"),
)  # fmt: skip

_KINDS: Mapping[str, type | tuple[type, ...]] = {
    STRING: str, BOOLEAN: bool, INTEGER: int, ARRAY: list, OBJECT: dict,
}  # fmt: skip


def find(method: str, path: str) -> tuple[Call, dict[str, str]] | None:
    """The call and its path parameters. The most specific template wins."""
    for call in sorted(CALLS, key=lambda call: call.path.count("{ref}")):
        parameters = call.fits(method, path)
        if parameters is not None:
            return call, parameters
    return None


def complaints(call: Call, query: Mapping[str, str], body: object) -> list[dict[str, str]]:
    """GitHub's validation errors of the query and the body: (field, code)."""
    wrong = [{"field": name, "code": "unknown_parameter"} for name in query if name not in call.query]
    arguments = {**query, **body} if isinstance(body, dict) else dict(query)
    wrong += [
        {"field": name, "code": "invalid"}
        for name, allowed in call.choices.items()
        if name in arguments and arguments[name] not in allowed
    ]
    if call.body is None:
        return wrong + ([{"field": "body", "code": "unexpected"}] if body is not None else [])
    if not isinstance(body, dict):
        return [*wrong, {"field": "body", "code": "missing"}] if call.required else wrong
    wrong += [{"field": name, "code": "missing_field"} for name in call.required if not body.get(name)]
    for name, value in body.items():
        if name not in call.body:
            wrong.append({"field": name, "code": "unknown_field"})
        elif not isinstance(value, _KINDS[call.body[name]]):
            wrong.append({"field": name, "code": "invalid"})
    return wrong
