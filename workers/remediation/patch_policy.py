"""What a patch may not do, whatever it mends: rules that are code. Pure over the patch and the two trees.

A refusal ends the round with nothing proposed; a note is something the reviewer should know.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.clients.git import FileDiff, read_diff, safe_read
from workers.models import Category
from workers.remediation import security_regressions, test_integrity
from workers.remediation.project import pipfile, requirements
from workers.runtime.redaction import find_tokens

MOST_FILES, MOST_LINES = 12, 400
"""Of one patch, added and removed lines together: what one person reviews in a quarter of an hour at night."""
SHORTEST_SECRET = 8
PROTECTED = {
    "CI": (
        ".github/**", ".gitlab-ci*", ".gitlab/**", ".circleci/**", ".travis.yml", "azure-pipelines*", "Jenkinsfile*",
        ".drone.yml", "bitbucket-pipelines.yml", ".buildkite/**", ".woodpecker*", ".woodpecker/**", "appveyor.yml",
        "CODEOWNERS", ".pre-commit-config.yaml", ".husky/**", ".gitea/**", "renovate.json*",
    ),
    "agent or editor configuration": (
        ".opencode/**", "opencode.json*", "AGENTS.md", "AGENT.md", "CLAUDE*.md", "GEMINI.md", ".claude/**",
        ".cursor/**", ".cursorrules", ".windsurf*", ".windsurf/**", ".aider*", ".mcp.json", ".vscode/**", ".idea/**",
        ".devcontainer/**", ".clinerules*",
    ),
    "environment or key": (
        ".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*", "id_ed25519*", ".npmrc",
        ".pypirc", ".netrc", ".git-credentials",
    ),
    "git configuration": (".gitattributes", ".gitmodules", ".gitconfig", ".lfsconfig"),
    "Trackwalker's own settings": (".trackwalker.toml", ".trackwalker/**"),
}  # fmt: skip
LOCKS = (
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock*", "poetry.lock", "uv.lock",
    "Pipfile.lock", "pdm.lock", "Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock", "requirements*.lock",
)  # fmt: skip
BUILD = (
    "Dockerfile*", "*.Dockerfile", ".dockerignore", "docker-compose*", "compose.y*ml", "Procfile", "railway.json",
    "railway.toml", "nixpacks.toml", "railpack.json", ".nvmrc", ".node-version", ".python-version", "runtime.txt",
)  # fmt: skip
"""How the service is built and started: free in the lane `deployment` only, as the lock files."""
HOST = re.compile(
    r"\b(?:https?|wss?|postgres(?:ql)?|mysql|redis|amqps?|mongodb(?:\+srv)?)://(?:[^\s/@'\"]*@)?([\w.-]+)",
    re.I,
)
LITERAL_SECRET = re.compile(
    r"""(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|credential)[\w-]{0,20}["']?\s{0,3}[:=]\s{0,3}"""
    r"""["'`](?P<value>[^"'`\s$<{]{12,})["'`]""",
    re.I,
)
MADE_UP = re.compile(r"example|change.?me|dummy|fake|test|placeholder|xxx|your[_-]", re.I)
LOCAL_HOSTS = re.compile(
    r"localhost|127\.[\d.]+|0\.0\.0\.0|(?:.*\.)?example(?:\.\w+)?|.*\.(?:test|invalid|local|internal)"
)


@dataclass(frozen=True)
class PolicyResult:
    """One sentence each."""

    refusals: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check_patch(
    patch: str,
    before: Path,
    after: Path,
    *,
    lane: Category,
    protected: Sequence[str] = (),
    secrets: Iterable[str] = (),
) -> PolicyResult:
    """What is wrong with the patch. `before` and `after` are the trees without and with it; `protected` the
    repository's own globs; `secrets` exact values that must never leave.
    """
    files = read_diff(patch)
    old = {file.path: safe_read(before, file.path) if file.old else None for file in files}
    new = {file.path: safe_read(after, file.path) if file.new else None for file in files}
    deployment = lane is Category.DEPLOYMENT
    refusals = [*_sizes(files), *_paths(files, protected, deployment=deployment), *_kinds(files)]
    refusals += test_integrity.weakened_tests(old, new)
    refusals += _leaks(files, patch, tuple(secrets))
    for path, text in old.items():
        refusals += _file(path, text, new[path], deployment=deployment)
    if files and not deployment and all(test_integrity.is_test(file.path) for file in files):
        refusals.append("it changes tests only")
    notes = _hosts(files, old)
    needs = [f"it adds the dependency {name}" for name in _new_dependencies(old, new)]
    refusals, notes = (refusals, [*notes, *needs]) if deployment else ([*refusals, *needs], notes)
    return PolicyResult(tuple(dict.fromkeys(refusals)), tuple(dict.fromkeys(notes)))


def is_protected(path: str, protected: Sequence[str] = (), *, deployment: bool = False) -> str | None:
    """Why the path may not be touched, None where it may."""
    for what, globs in PROTECTED.items():
        if any(matches(path, glob) for glob in globs):
            return f"it touches a protected path: {path} ({what})"
    if not deployment and any(matches(path, glob) for glob in (*LOCKS, *BUILD)):
        return f"it touches a protected path: {path} (only a failed deployment is mended there)"
    if any(matches(path, glob) for glob in protected):
        return f"it touches a protected path: {path} (protected in .trackwalker.toml)"
    return None


def matches(path: str, glob: str) -> bool:
    """`**` any depth, `*` inside a name; a glob without slash means that name in every folder. Case does not count."""
    glob = glob.lstrip("/") + ("**" if glob.endswith("/") else "")
    words = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pattern = "".join(parts.get(word) or re.escape(word) for word in words)
    anywhere = "(?:.*/)?" if "/" not in glob.removesuffix("/**") else ""
    return re.fullmatch(anywhere + pattern, path, re.IGNORECASE) is not None


def _sizes(files: list[FileDiff]) -> list[str]:
    lines = sum(len(file.added) + len(file.removed) for file in files if not _is_lock(file.path))
    said = []
    if len(files) > MOST_FILES:
        said.append(f"it touches {len(files)} files, more than {MOST_FILES}")
    if lines > MOST_LINES:
        said.append(f"it changes {lines} lines, more than {MOST_LINES}")
    return said


def _paths(files: list[FileDiff], protected: Sequence[str], *, deployment: bool) -> list[str]:
    found = [is_protected(file.path, protected, deployment=deployment) for file in files]
    return [why for why in found if why]


def _kinds(files: list[FileDiff]) -> list[str]:
    said = [f"it holds a binary file: {file.path}" for file in files if file.binary]
    said += [f"it makes a link: {file.path}" for file in files if file.mode == "120000"]
    return said + [f"it makes a submodule: {file.path}" for file in files if file.mode == "160000"]


def _file(path: str, old: str | None, new: str | None, *, deployment: bool) -> list[str]:
    changed = test_integrity.changed_runner(path, old, new)
    said = [changed] if changed else []
    if posixpath.basename(path) in ("package.json", "pyproject.toml", "setup.cfg") and not deployment:
        before, after = _runner_part(path, old), _runner_part(path, new)
        said += [f"it changes how the code is run or tested ({path})"] if before != after else []
    if new is None or test_integrity.is_test(path):
        return said
    said += [f"{one} in {path}" for one in security_regressions.weakened_security(old or "", new)]
    return said + [
        why
        for why in (
            security_regressions.swallowed(path, old or "", new),
            security_regressions.syntax_error(path, new),
        )
        if why
    ]


def _runner_part(path: str, text: str | None) -> object:
    """Scripts and test settings of a manifest."""
    manifest = _manifest(path, text)
    if path.endswith("package.json"):
        return [manifest.get(key) for key in ("scripts", "jest", "mocha", "ava", "c8", "nyc")]
    if path.endswith("setup.cfg"):
        return re.findall(r"\[(?:tool:)?(?:pytest|coverage)[^\[]*", text or "")
    tool = manifest.get("tool")
    return [tool.get(key) for key in ("pytest", "coverage", "tox")] if isinstance(tool, dict) else [None] * 3


def _manifest(path: str, text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}") if path.endswith(".json") else tomllib.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _new_dependencies(old: dict[str, str | None], new: dict[str, str | None]) -> list[str]:
    return sorted({name for path in new for name in _names(path, new[path]) - _names(path, old[path])})


def _names(path: str, text: str | None) -> set[str]:
    """The packages that a manifest names, in lower case."""
    name = posixpath.basename(path)
    if name == "package.json":
        tables = [
            _manifest(path, text).get(key)
            for key in ("dependencies", "devDependencies", "optionalDependencies")
        ]
        return {one.lower() for table in tables if isinstance(table, dict) for one in table}
    if re.fullmatch(r"[\w.-]*requirements[\w.-]*\.(?:txt|in)", name):
        found = [re.match(r"\s*([A-Za-z0-9][\w.-]*)", line) for line in (text or "").splitlines()]
        return {match[1].lower() for match in found if match}
    if name in ("pyproject.toml", "Pipfile"):
        listed = (requirements if name == "pyproject.toml" else pipfile)(_manifest(path, text))
        return {re.split(r"[^\w.-]", one.strip(), maxsplit=1)[0].lower() for one in listed}
    return set()


def _leaks(files: list[FileDiff], patch: str, secrets: tuple[str, ...]) -> list[str]:
    """Never quotes what it found."""
    said = []
    for secret in secrets:
        hidden = base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]
        if len(secret) >= SHORTEST_SECRET and (secret in patch or hidden in patch):
            said.append("it holds the value of one of our own settings")
    for file in files:
        added = "\n".join(text for _, text in file.added)
        if _is_lock(file.path):
            continue
        gone = "\n".join(text for _, text in file.removed)
        literal = [found["value"] for found in LITERAL_SECRET.finditer(added) if not MADE_UP.search(found[0])]
        real = [
            one
            for one in literal
            if re.search(r"\d", one) and re.search(r"[A-Za-z]", one) and one not in gone
        ]
        if any(token not in gone for token in find_tokens(added)) or (
            real and not test_integrity.is_test(file.path)
        ):
            said.append(f"it holds what looks like a secret ({file.path})")
    return said


def _hosts(files: list[FileDiff], old: dict[str, str | None]) -> list[str]:
    said = []
    for file in files:
        if test_integrity.is_test(file.path) or _is_lock(file.path):
            continue
        known = {host.lower() for host in HOST.findall(old[file.path] or "")}
        added = {host.lower() for _, text in file.added for host in HOST.findall(text)} - known
        said += [
            f"it names a new host, {host} ({file.path})"
            for host in sorted(added)
            if not LOCAL_HOSTS.fullmatch(host)
        ]
    return said


def _is_lock(path: str) -> bool:
    return any(matches(path, glob) for glob in LOCKS)
