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
    ".lefthook/**", "lefthook*.y*ml", ".lefthook*.y*ml", "cloudbuild*.json", ".tekton/**", ".githooks/**",
    "githooks/**",
    ".git-hooks/**", ".hooks/**", ".pre-commit-hooks.yaml", "Jenkinsfile/**", ".jenkins/**", ".ado/**", ".harness/**",
    ".argo/**", ".argocd/**", "codefresh.y*ml", "bitrise.y*ml", ".screwdriver.y*ml", "dependabot.y*ml", "codecov.y*ml",
    ".codecov.y*ml", "sonar-project.properties", ".releaserc*", "dangerfile.*s", "Dangerfile",
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
    ".mcp/**", "copilot-instructions.md", ".copilot/**", ".devin/**", ".sourcery.y*ml", ".pr_agent.toml", "llms*.txt",
    "SKILL.md", ".skills/**", ".prompts/**", "*.prompt.md", "*.instructions.md", "*.chatmode.md", ".ruler/**",
    "replit.md", ".replit", "jules.md", ".amp/**", "AMP.md", ".factory/**", ".bolt/**", ".v0/**", ".lovable/**",
)  # fmt: skip
"""Instructions, tools and plugins for coding agents: they could start code in the agent's server, or steer it."""

EDITOR_FILES = (
    ".vscode/**", "*.code-workspace", ".vs/**", ".idea/**", ".fleet/**", ".zed/**", ".helix/**", ".nova/**",
    ".devcontainer/**", ".devcontainer.json", ".gitpod*", "*.sublime-project", ".exrc", ".nvimrc", ".nvim.lua",
    ".vimrc", ".lvimrc", ".dir-locals.el", ".mise.toml", "mise.toml", ".mise/**", "mise.*.toml", ".tool-versions",
    ".direnv/**", ".editorconfig", ".projectile", ".ycm_extra_conf.py", ".gdbinit", ".lldbinit", ".vim/**", ".nvim/**",
    "shell.nix", "flake.nix", "devbox.json", ".envrc.*",
)  # fmt: skip
"""Tasks and settings of editors and development containers: they run code on the reviewer's machine."""

SECRET_FILES = (
    ".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk", "id_rsa*",
    "id_dsa*", "id_ecdsa*", "id_ed25519*", ".npmrc", ".yarnrc*", ".pypirc", ".netrc", ".pgpass", ".htpasswd",
    ".git-credentials", ".ssh/**", ".aws/**", ".gnupg/**", ".kube/**", ".docker/**", ".azure/**", ".gcloud/**",
    ".config/**", "secrets.y*ml", "secrets.json", "secrets.toml", "*.tfvars", "*.tfstate*", "kubeconfig*",
    "credentials", "credentials.json", "credentials.y*ml", "credentials.csv", ".dockercfg", ".boto", ".s3cfg",
    "*.kdbx", "*.gpg", "*.asc", "service-account*.json",
    "*.crt", "*.cer", "*.der", "known_hosts", "authorized_keys", ".vault*", "vault.y*ml", "master.key",
)  # fmt: skip
"""Environment files, keys, and clients' configuration that holds credentials."""

GIT_FILES = (".git/**", ".gitattributes", ".gitmodules", ".gitconfig", ".lfsconfig")
"""Configuration of git: filters, submodules and hooks run commands in each clone."""

OWN_FILES = (".trackwalker.toml", ".trackwalker/**")
"""Trackwalker's settings of the repository, the list of its protected paths among them."""

DEPLOYMENT_FILES = (
    "Dockerfile*", "*.Dockerfile", ".dockerignore", "docker-compose*", "compose.y*ml", "Procfile", "railway.json",
    "railway.toml", "nixpacks.toml", "railpack.json", ".nvmrc", ".node-version", ".python-version", "runtime.txt",
    "Containerfile*", "container-compose*", "fly.toml", "render.y*ml", "vercel.json", "netlify.toml", "heroku.y*ml",
    "app.json", "app.y*ml", "captain-definition", "gunicorn.conf.py", "gunicorn*.py", "uwsgi.ini", "Aptfile", "apt.txt",
    "Caddyfile", "Buildfile", ".buildpacks", "project.toml", "zeabur.json", "koyeb.y*ml", "wrangler.toml",
    "wrangler.json*", "serverless.y*ml", "Procfile.*", ".ruby-version", ".go-version", ".java-version",
    "rust-toolchain*", "system.properties", "tsconfig*.json", "jsconfig.json", "vite.config.*", "next.config.*",
    "nuxt.config.*", "webpack.config.*", "rollup.config.*", "babel.config.*", "svelte.config.*", "astro.config.*",
    "tsup.config.*", "esbuild.config.*", "postcss.config.*", "tailwind.config.*", "nest-cli.json", "turbo.json",
)  # fmt: skip
"""How the service is built and started. Only a fix of the category `deployment` may touch these."""

NPM_LOCK_FILES = ("package-lock.json", "npm-shrinkwrap.json")  # the lock files that `npm ci` installs from

LOCK_FILES = (
    *NPM_LOCK_FILES, "yarn.lock", "pnpm-lock.yaml", "bun.lock*", "poetry.lock", "uv.lock",
    "Pipfile.lock", "pdm.lock", "Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock", "requirements*.lock",
    "deno.lock", "mix.lock", "pubspec.lock", "Podfile.lock", "packages.lock.json", "pylock*.toml", "gradle.lockfile",
)  # fmt: skip
"""Pinned dependencies. Only a fix of the category `deployment` may touch these."""

RUNNER_FILES = (
    "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "tox.toml", "noxfile.py", "sitecustomize.py",
    "usercustomize.py", "*.pth", "*.egg-link", "jest.config.*", ".jest.config.*", "jest.setup.*", "jest-*.json",
    "vitest.config.*", "vitest.workspace.*", "vitest.setup.*", ".mocharc*", "karma.conf.*", "playwright*.config.*",
    "cypress.config.*", "cypress.json", "wdio.conf.*", "ava.config.*", ".c8rc*", ".nycrc*", "nyc.config.*", ".taprc",
    ".coveragerc", "coverage.*rc", "unittest.cfg", "nose.cfg", "nose2.cfg", ".noserc", "setupTests.*", "__mocks__/**",
    ".rspec", "phpunit.xml*", "testng.xml", "junit-platform.properties", "Makefile*", "makefile*", "GNUmakefile*",
    "*.mk", "Justfile", ".justfile", "justfile", "Taskfile*", "taskfile*", "Rakefile", "*.rake", "magefile.go",
    "dodo.py", "tasks.toml", "SConstruct", "wscript", "CMakeLists.txt", "Earthfile", "BUILD", "BUILD.bazel",
    "WORKSPACE*", "MODULE.bazel", "pavement.py", "fabfile.py", "Gruntfile.*", "gulpfile.*", "Guardfile",
)  # fmt: skip
"""Configuration of tests and checks. A patch that could touch these would choose how it is verified."""

PROTECTED_PATHS: Mapping[str, Sequence[str]] = {
    "CI": CI_FILES,
    "agent configuration": AGENT_FILES,
    "editor configuration": EDITOR_FILES,
    "environment or key": SECRET_FILES,
    "git configuration": GIT_FILES,
    "Trackwalker's own settings": OWN_FILES,
    "test runner": RUNNER_FILES,
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
