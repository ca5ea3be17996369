"""Paths of a watched repository that no patch may touch, in one list for every check.

The plan parser refuses a reproduction under such a path, the patch policy refuses a patch that touches one, and the
agent's clone is stripped of the files that steer agents. Each group is a tuple of globs in the syntax of `matches`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

CI_FILES = (
    ".github/**", ".gitlab/**", ".gitlab-ci*", ".gitea/**", ".forgejo/**", ".circleci/**", ".buildkite/**",
    ".woodpecker/**", ".woodpecker*", ".semaphore/**", ".teamcity/**", ".azure-pipelines/**", "azure-pipelines*",
    ".travis.yml", ".cirrus.yml", ".cirrus.star", ".drone.yml", ".drone.star", ".drone.jsonnet", "appveyor.yml",
    ".appveyor.yml", "bitbucket-pipelines.yml", "Jenkinsfile*", "buildspec*.y*ml", "cloudbuild*.y*ml", "wercker.yml",
    "CODEOWNERS", ".mergify.yml", "renovate.json*", ".renovaterc*", ".pre-commit-config.yaml", ".husky/**",
    ".lefthook/**", "lefthook*.y*ml", ".lefthook*.y*ml",
)  # fmt: skip
"""Pipelines, git hooks and merge rules: they run with the repository's credentials, or decide what is merged."""

AGENT_FILES = (
    ".opencode/**", "opencode.json*", "AGENTS.md", "AGENTS.*.md", "AGENT.md", ".agents/**", ".agent/**",
    "CLAUDE*.md", ".claude/**", ".claude.json", "CONTEXT.md", "GEMINI.md", ".gemini/**", ".cursor/**", ".cursorrules",
    ".cursorignore", ".windsurf*", ".windsurf/**", ".codeium/**", ".continue/**", ".continuerules", ".continueignore",
    ".junie/**", ".amazonq/**", ".aider*", ".clinerules*", ".clinerules/**", ".clineignore", ".roo/**", ".roorules*",
    ".roomodes", ".rooignore", ".kilocode/**", ".kilocodemodes", ".kiro/**", ".trae/**", ".augment/**",
    ".augment-guidelines", ".codex/**", ".crush/**", ".crush.json", "crush.json", "CRUSH.md", "QWEN.md", ".qwen/**",
    "WARP.md", ".openhands/**", ".goosehints", ".goose/**", ".tabnine/**", ".mcp.json", "mcp.json", ".rules",
)  # fmt: skip
"""Instructions, tools and plugins for coding agents: they could start code in the agent's server, or steer it."""

EDITOR_FILES = (
    ".vscode/**", "*.code-workspace", ".vs/**", ".idea/**", ".fleet/**", ".zed/**", ".helix/**", ".nova/**",
    ".devcontainer/**", ".devcontainer.json", ".gitpod*", "*.sublime-project", ".exrc", ".nvimrc", ".nvim.lua",
    ".vimrc", ".lvimrc", ".dir-locals.el",
)  # fmt: skip
"""Tasks and settings of editors and development containers: they run code on the reviewer's machine."""

SECRET_FILES = (
    ".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk", "id_rsa*",
    "id_dsa*", "id_ecdsa*", "id_ed25519*", ".npmrc", ".yarnrc*", ".pypirc", ".netrc", ".pgpass", ".htpasswd",
    ".git-credentials", ".ssh/**", ".aws/**", ".gnupg/**",
)  # fmt: skip
"""Environment files, keys, and clients' configuration that holds credentials."""

GIT_FILES = (".git/**", ".gitattributes", ".gitmodules", ".gitconfig", ".lfsconfig")
"""Configuration of git: filters, submodules and hooks run commands in each clone."""

OWN_FILES = (".trackwalker.toml", ".trackwalker/**")
"""Trackwalker's settings of the repository, the list of its protected paths among them."""

DEPLOYMENT_FILES = (
    "Dockerfile*", "*.Dockerfile", ".dockerignore", "docker-compose*", "compose.y*ml", "Procfile", "railway.json",
    "railway.toml", "nixpacks.toml", "railpack.json", ".nvmrc", ".node-version", ".python-version", "runtime.txt",
)  # fmt: skip
"""How the service is built and started. Only a fix of the category `deployment` may touch these."""

NPM_LOCK_FILES = ("package-lock.json", "npm-shrinkwrap.json")  # the lock files that `npm ci` installs from

LOCK_FILES = (
    *NPM_LOCK_FILES, "yarn.lock", "pnpm-lock.yaml", "bun.lock*", "poetry.lock", "uv.lock",
    "Pipfile.lock", "pdm.lock", "Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock", "requirements*.lock",
)  # fmt: skip
"""Pinned dependencies. Only a fix of the category `deployment` may touch these."""

PROTECTED_PATHS: Mapping[str, Sequence[str]] = {
    "CI": CI_FILES,
    "agent configuration": AGENT_FILES,
    "editor configuration": EDITOR_FILES,
    "environment or key": SECRET_FILES,
    "git configuration": GIT_FILES,
    "Trackwalker's own settings": OWN_FILES,
}
"""Groups that no patch of any category may touch, by the name that refusals show."""

DEPLOYMENT_PATHS: Mapping[str, Sequence[str]] = {"build or start": DEPLOYMENT_FILES, "lock file": LOCK_FILES}
"""Groups that only a fix of the category `deployment` may touch, by the name that refusals show."""


def protected_group(path: str, groups: Mapping[str, Sequence[str]] = PROTECTED_PATHS) -> str | None:
    """The name of the group that protects a path, None if no group does.

    Args:
        path: relative to the root of the repository, with `/`.
        groups: the globs of each group by its name.
    """
    return next((name for name, globs in groups.items() if matches_any(path, globs)), None)


def matches_any(path: str, globs: Sequence[str]) -> bool:
    """True if the path matches one of the globs, or is itself the folder that a glob `folder/**` names."""
    return bool(globs) and _union(tuple(globs)).fullmatch(path) is not None


def matches(path: str, glob: str) -> bool:
    """True if the path matches the glob. Case is ignored, as some file systems ignore it.

    Args:
        path: relative to the root of the repository, with `/`.
        glob: `**` matches any depth, `*` and `?` match within a name. A glob without a slash, or with its only slash
            before a final `**`, matches at any depth; any other one starts at the root. A final `/` means `/**`.
    """
    return re.fullmatch(_expression(glob), path, re.IGNORECASE | re.DOTALL) is not None


@functools.cache
def _union(globs: tuple[str, ...]) -> re.Pattern[str]:
    # A link or a file may have the name of a folder, and git and the tools follow it.
    names = {glob.removesuffix("/**") for glob in globs}
    alternatives = (f"(?:{_expression(glob)})" for glob in (*globs, *sorted(names)))
    return re.compile("|".join(alternatives), re.IGNORECASE | re.DOTALL)


def _expression(glob: str) -> str:
    glob = glob.lstrip("/") + ("**" if glob.endswith("/") else "")
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    expressions = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pattern = "".join(expressions.get(token) or re.escape(token) for token in tokens)
    prefix = "(?:.*/)?" if "/" not in glob.removesuffix("/**") else ""
    return prefix + pattern
