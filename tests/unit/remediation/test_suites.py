"""The suite that runs a test file or a script."""

from __future__ import annotations

import pytest

from workers.remediation.project import Project
from workers.remediation.suites import project_suites, reproduction_suite


@pytest.mark.parametrize(
    ("path", "kind", "node_runner", "expected"),
    [
        ("tests/test_a.py", "test", "", ("unittest", "python3 -m unittest tests/test_a.py")),
        (
            "my-tests/test_a.py",
            "test",
            "",
            ("unittest", "python3 -m unittest discover -s my-tests -p test_a.py"),
        ),
        ("a.test.js", "test", "", ("node", "node --test a.test.js")),
        ("a.test.ts", "test", "vitest", ("vitest", "npx vitest run a.test.ts")),
        ("a.test.js", "test", "jest", ("jest", "npx jest a.test.js")),
        ("repro.py", "script", "", ("script", "python3 repro.py")),
        ("repro.mjs", "script", "", ("node script", "node repro.mjs")),
        ("a_test.go", "test", "", None),
        ("repro.sh", "script", "", None),
    ],
)
def test_the_host_chooses_the_runner_of_a_file(
    path: str, kind: str, node_runner: str, expected: tuple[str, str] | None
) -> None:
    suite = reproduction_suite(Project(node_runner=node_runner), path, kind, "")

    assert (suite and (suite.kind, suite.command)) == expected


def test_a_file_that_names_its_runner_is_run_by_it() -> None:
    project = Project(node_runner="jest")

    assert (
        own := reproduction_suite(project, "a.test.js", "test", "require('node:test')")
    ) and own.kind == "node"
    assert (
        own := reproduction_suite(project, "test_a.py", "test", "import pytest\n")
    ) and own.kind == "pytest"


def test_a_file_runs_in_the_services_root_directory() -> None:
    suite = reproduction_suite(Project(root="api"), "api/tests/test_a.py", "test", "")

    assert suite
    assert (suite.root, suite.command) == ("api", "python3 -m unittest tests/test_a.py")


def test_all_test_folders_of_a_project_are_one_suite() -> None:
    project = Project(
        has_python_tests=True, unittest_folders=(("tests", "."), ("other", "")), has_node_tests=True
    )

    python, node = project_suites(project)

    assert python.place_values() == [{"start": "tests", "top": "."}, {"start": "other"}]
    assert node.kind == "node"
