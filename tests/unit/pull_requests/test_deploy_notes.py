"""Whether Railway will deploy a merge, by the service's watch paths, root directory and checks."""

from __future__ import annotations

import time

import pytest

from tests.support import builders
from workers.pull_requests.deploy_notes import deploy_notes, is_watched


@pytest.mark.parametrize(
    ("file", "patterns", "watched"),
    [
        ("apps/api/src/main.py", ["/apps/api/**"], True),
        ("apps/api/src/main.py", ["apps/api"], True),
        ("apps/api/src/main.py", ["apps/api/"], True),
        ("apps/api/src/main.py", ["/apps/web/**"], False),
        ("apps/api/src/main.py", ["*.py"], True),
        ("apps/api/src/main.py", ["/src/**"], False),
        ("apps/api/src/main.py", ["**/src/*.py"], True),
        ("apps/api/src/main.py", ["apps/*/src/main.py"], True),
        ("apps/api/src/main.py", ["apps/*/main.py"], False),
        ("apps/api/README.md", ["/apps/api/**", "!**/*.md"], False),
        ("apps/api/src/main.py", ["/apps/api/**", "!**/*.md"], True),
        ("main.py", ["/*.py"], True),
        ("apps/main.py", ["/*.py"], False),
        ("package.json", ["package.json"], True),
        ("src/index.ts", ["src"], True),
        ("src/index.ts", ["SRC"], False),
        ("src/index.ts", ["src/index.t?"], True),
        ("src/index.ts", [""], False),
    ],
)
def test_watch_paths_match_as_in_a_gitignore(file: str, patterns: list[str], watched: bool) -> None:
    assert is_watched(file, patterns) == watched


def test_a_pattern_may_count_from_the_root_directory_as_well() -> None:
    assert is_watched("apps/api/src/main.py", ["/src/**"], "apps/api")
    assert not is_watched("apps/web/src/main.py", ["/src/**"], "apps/api")


def test_a_patch_outside_the_watch_paths_may_not_be_deployed() -> None:
    service = builders.service(watch_patterns=("/apps/web/**", "package.json"))

    first, redeploy = deploy_notes(service, ["apps/api/main.py"])

    assert first == (
        "Railway may not deploy this merge: no changed file matches the watch paths /apps/web/**, package.json."
    )
    assert '"Deploy latest commit"' in redeploy
    assert deploy_notes(service, ["apps/api/main.py", "apps/web/x.ts"]) == []


def test_a_patch_outside_the_root_directory_may_not_be_deployed() -> None:
    service = builders.service(root_directory="/apps/api")

    assert "root directory apps/api" in deploy_notes(service, ["libs/shared.py"])[0]
    assert deploy_notes(service, ["apps/api/main.py"]) == []


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        ("WAITING", None, True),
        ("SKIPPED", "CI check suite failed", True),
        ("SKIPPED", "No changes to watched files", False),
        ("SUCCESS", None, False),
    ],
)
def test_a_service_that_waits_for_checks_is_deployed_only_if_they_pass(
    status: str, reason: str | None, told: bool
) -> None:
    service = builders.service(deployments=(builders.deployment("d", status, skipped_reason=reason),))

    assert bool(deploy_notes(service, ["main.py"])) == told


def test_without_a_service_or_a_restriction_nothing_is_noted() -> None:
    assert deploy_notes(None, ["main.py"]) == []
    assert deploy_notes(builders.service(), ["main.py"]) == []


def test_hostile_patterns_and_paths_cost_little() -> None:
    start = time.perf_counter()

    is_watched("/".join(["a"] * 5000), ["**/a/" * 2000 + "b"] * 50)
    is_watched("a" * 100_000, ["*a" * 20 + "b"] * 50)

    assert time.perf_counter() - start < 2.0
