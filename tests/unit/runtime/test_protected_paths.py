"""One list names the paths that no patch may touch, in groups by what makes them dangerous."""

from __future__ import annotations

import pytest

from workers.runtime.protected_paths import DEPLOYMENT_PATHS, PROTECTED_PATHS, matches, protected_group


@pytest.mark.parametrize(
    ("path", "group"),
    [
        (".github/workflows/test.yml", "CI"),
        (".woodpecker/test.yml", "CI"),
        (".woodpecker.yml", "CI"),
        ("web/.husky/pre-commit", "CI"),
        (".agents/skills/fix.md", "agent configuration"),
        ("CONTEXT.md", "agent configuration"),
        ("api/GEMINI.md", "agent configuration"),
        (".gemini/settings.json", "agent configuration"),
        (".continue/config.yaml", "agent configuration"),
        (".junie/guidelines.md", "agent configuration"),
        (".amazonq/rules/a.md", "agent configuration"),
        ("CLAUDE.local.md", "agent configuration"),
        (".opencode/plugin/a.js", "agent configuration"),
        (".vscode/tasks.json", "editor configuration"),
        ("web/.idea/workspace.xml", "editor configuration"),
        (".devcontainer/test_gift.py", "editor configuration"),
        (".zed/tasks.json", "editor configuration"),
        (".env.local", "environment or key"),
        ("config/prod.env", "environment or key"),
        ("certs/tls.pem", "environment or key"),
        (".git/hooks/pre-commit", "git configuration"),
        (".gitattributes", "git configuration"),
        (".trackwalker.toml", "Trackwalker's own settings"),
    ],
)
def test_a_path_is_protected_by_its_group(path: str, group: str) -> None:
    assert protected_group(path) == group


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("api/Dockerfile", "build or start"),
        ("railway.toml", "build or start"),
        ("web/yarn.lock", "lock file"),
    ],
)
def test_a_path_that_only_a_deployment_fix_may_touch_has_a_group_of_its_own(path: str, group: str) -> None:
    assert protected_group(path) is None
    assert protected_group(path, DEPLOYMENT_PATHS) == group


@pytest.mark.parametrize(
    "path",
    [
        "api/app/gift.py",
        "api/tests/test_environment.py",
        "src/context/index.ts",
        "src/agents/router.py",
        "docs/github/notes.md",
        "keys.py",
        ".gitignore",
    ],
)
def test_source_and_test_files_are_not_protected(path: str) -> None:
    assert protected_group(path) is None
    assert protected_group(path, DEPLOYMENT_PATHS) is None


def test_case_does_not_lift_the_protection() -> None:
    assert protected_group(".GitHub/workflows/a.yml") == "CI"
    assert protected_group("agents.MD") == "agent configuration"


def test_a_file_or_link_with_the_name_of_a_protected_folder_is_protected() -> None:
    assert protected_group(".vscode") == "editor configuration"
    assert protected_group("api/.claude") == "agent configuration"


def test_every_glob_protects_the_name_it_is_written_for() -> None:
    for name, globs in {**PROTECTED_PATHS, **DEPLOYMENT_PATHS}.items():
        for glob in globs:
            path = glob.replace("**", "file").replace("*", "")
            assert matches(path, glob), f"{name}: {glob}"


@pytest.mark.parametrize(
    ("path", "glob"),
    [
        ("migrations/0001.sql", "migrations/**"),
        ("api/migrations/0001.sql", "migrations/**"),
        ("api/db/a/b.sql", "api/db/"),
        ("deep/down/secret.txt", "secret.txt"),
        ("src/a.gen.ts", "src/*.gen.ts"),
        ("src/x/a.gen.ts", "src/**/*.gen.ts"),
    ],
)
def test_a_path_matches_a_glob(path: str, glob: str) -> None:
    assert matches(path, glob)


@pytest.mark.parametrize(
    ("path", "glob"),
    [("src/x/a.gen.ts", "src/*.gen.ts"), ("other/api/db/a.sql", "api/db/"), ("not_secret.txt", "secret.txt")],
)
def test_a_path_outside_a_glob_does_not_match(path: str, glob: str) -> None:
    assert not matches(path, glob)
