"""Checks our table of GitHub's calls, and the fake's answers, against GitHub's OpenAPI description.

    GITHUB_OPENAPI=path/to/openapi.json python -m tests.support.github_contract

Exits with 0 if they match or if there is no description, with 1 and a line per difference otherwise.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft4Validator

from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.github_calls import CALLS, Call
from tests.support.fakes.serving import serve

DEFAULT = Path(__file__).parents[3] / "shared" / "github" / "openapi.json"
NAME = "acme/shop"


def main() -> int:
    """Prints every difference; the number of the exit."""
    path = Path(os.environ.get("GITHUB_OPENAPI", DEFAULT))
    if not path.is_file():
        print(f"no description at {path}: set GITHUB_OPENAPI")
        return 0
    description = json.loads(path.read_text())
    problems = [*differences(description), *strange_answers(description)]
    print("\n".join(problems) or f"{len(CALLS)} calls agree with {description['info']['title']}")
    return 1 if problems else 0


def differences(description: dict[str, Any]) -> Iterator[str]:
    """Where the table says something that the description does not."""
    for call in CALLS:
        operation = description["paths"].get(call.path, {}).get(call.method.lower())
        if operation is None:
            yield f"{call.method} {call.path}: not described"
            continue
        parameters = [_followed(description, parameter) for parameter in operation.get("parameters", [])]
        query = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        if extra := set(call.query) - query:
            yield f"{call.method} {call.path}: query {sorted(extra)} is not described"
        many = {parameter["name"] for parameter in parameters if parameter.get("x-multi-segment")}
        yield from _body_differences(call, operation)
        if unsaid := many - {"ref", "branch", "basehead", "commit_sha"}:
            yield f"{call.method} {call.path}: {sorted(unsaid)} may hold slashes"


def _body_differences(call: Call, operation: dict[str, Any]) -> Iterator[str]:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fields = schema.get("properties", {})
    if extra := set(call.body or {}) - set(fields):
        yield f"{call.method} {call.path}: fields {sorted(extra)} are not described"
    if set(call.required) != set(schema.get("required", [])):
        yield f"{call.method} {call.path}: required are {schema.get('required')}"
    for name, kind in (call.body or {}).items():
        described = fields.get(name, {})
        if "type" in described and described["type"] != kind:
            yield f"{call.method} {call.path}: {name} is {described['type']}, not {kind}"


def strange_answers(description: dict[str, Any]) -> Iterator[str]:
    """Answers of the fake that do not fit the description."""
    schemas = json.loads(json.dumps(description["components"]["schemas"]), object_hook=_nullable)
    with tempfile.TemporaryDirectory() as folder:
        for method, template, answer in _answers(Path(folder)):
            operation = description["paths"][template][method.lower()]
            described = operation["responses"].get(str(answer.status_code))
            if described is None:
                yield f"{method} {template}: {answer.status_code} is not described"
                continue
            content = _followed(description, described).get("content", {}).get("application/json")
            if content is None:
                continue
            schema = json.loads(json.dumps(content["schema"]), object_hook=_nullable)
            validator = Draft4Validator(schema | {"components": {"schemas": schemas}})
            for error in validator.iter_errors(answer.json()):
                where = "/".join(map(str, error.absolute_path))
                yield f"{method} {template} answers {where}: {error.message[:200]}"


def _answers(folder: Path) -> Iterator[tuple[str, str, httpx.Response]]:
    """One answer of the fake for each call that needs no app."""
    seed = folder / "seed"
    seed.mkdir()
    (seed / "app.py").write_text("price = 1\n")
    world = FakeGitHub(folder / "github")
    bare = world.create(NAME, seed)
    tree = git(bare, "mktree", stdin=b"")
    commit = git(bare, "commit-tree", tree, "-p", "main", "-m", "Empty it")
    git(bare, "update-ref", "refs/heads/other", commit)
    calls = (
        ("GET", "", "", None), ("GET", "/branches/{branch}", "/branches/main", None),
        ("GET", "/git/ref/{ref}", "/git/ref/heads/main", None),
        ("GET", "/compare/{basehead}", "/compare/main...other", None),
        ("POST", "/pulls", "/pulls", {"title": "T", "head": "other", "base": "main", "body": "B"}),
        ("POST", "/pulls", "/pulls", {"title": "T", "head": "nowhere", "base": "main"}),
        ("GET", "/pulls", "/pulls?state=all", None), ("GET", "/pulls/{pull_number}", "/pulls/1", None),
        ("PATCH", "/pulls/{pull_number}", "/pulls/1", {"body": "C"}),
        ("GET", "/pulls/{pull_number}/files", "/pulls/1/files", None),
        ("POST", "/issues/{issue_number}/comments", "/issues/1/comments", {"body": "D"}),
        ("GET", "/issues/{issue_number}/comments", "/issues/1/comments", None),
        ("GET", "/pulls/{pull_number}", "/pulls/9", None),
        ("DELETE", "/git/refs/{ref}", "/git/refs/heads/other", None),
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {world.token}"}
    with serve(world.app, world.faults) as running, httpx.Client(headers=headers) as http:
        for method, template, path, body in calls:
            answer = http.request(method, f"{running.url}/repos/{NAME}{path}", json=body)
            yield method, f"/repos/{{owner}}/{{repo}}{template}", answer


def _followed(description: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = description
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's `nullable` in the words of JSON Schema."""
    if node.get("nullable") is True and "type" not in node and ("oneOf" in node or "anyOf" in node):
        return {"anyOf": [{"type": "null"}, {key: node[key] for key in node if key != "nullable"}]}
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        node = node | {"type": [node["type"], "null"]}
        if "enum" in node:
            node["enum"] = [*node["enum"], None]
    return node


if __name__ == "__main__":
    sys.exit(main())
