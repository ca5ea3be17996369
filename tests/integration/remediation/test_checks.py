"""Tests of repositories, run by real runners in a real sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files import write_files
from workers.remediation.checks import CheckEnvironment, run_check, run_reproduction
from workers.remediation.project import Project, read_project
from workers.sandbox.builder import build_sandbox
from workers.sandbox.sandbox import Sandbox

UNITTEST = """
import unittest
from shop import price

class Price(unittest.TestCase):
    def test_it(self):
        {line}
"""
SHOP = "def price(count):\n    return 10 * count\n"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return build_sandbox(hide=[], scratch=tmp_path_factory.mktemp("scratch"), allow_unsandboxed=False)


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> CheckEnvironment:
    (tmp_path / "scratch").mkdir()
    return CheckEnvironment(sandbox, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("self.assertEqual(price(2), 20)", "passed"),
        ("self.assertEqual(price(2), 21)", "failed"),
        ("self.skipTest('later')", "not run"),
    ],
)
def test_a_python_test_runs_in_the_sandbox(
    environment: CheckEnvironment, tmp_path: Path, line: str, outcome: str
) -> None:
    tree = write_files(tmp_path / "tree", {"shop.py": SHOP, "tests/test_gift.py": UNITTEST.format(line=line)})

    result = run_reproduction(environment, tree, read_project(tree, "", ""), "tests/test_gift.py", "test")

    assert result.outcome == outcome, result.run.output
    assert not result.classification.unloadable


UNLOADABLE_TESTS = {
    "syntax": "import unittest\nclass T(unittest.TestCase:\n",
    "import of nothing": "import unittest\nfrom shop import gift\nclass T(unittest.TestCase):\n  def test(self): 1\n",
    "attribute": "import unittest, shop\nclass T(unittest.TestCase):\n  def test_it(self): shop.gift()\n",
    "argument": "import unittest, shop\nclass T(unittest.TestCase):\n  def test_it(self): shop.price(1, gift=2)\n",
    "name": "import unittest\nclass T(unittest.TestCase):\n  def test_it(self): prise(1)\n",
}


@pytest.mark.parametrize("error", UNLOADABLE_TESTS)
def test_a_python_test_that_calls_missing_code_is_unloadable(
    environment: CheckEnvironment, tmp_path: Path, error: str
) -> None:
    tree = write_files(tmp_path / "tree", {"shop.py": SHOP, "tests/test_gift.py": UNLOADABLE_TESTS[error]})

    result = run_reproduction(environment, tree, read_project(tree, "", ""), "tests/test_gift.py", "test")

    assert result.classification.unloadable, result.run.output
    assert "could not be loaded" in result.run.output


def test_an_import_error_inside_the_service_is_a_failure(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    test = UNITTEST.format(line="price(1)")
    tree = write_files(tmp_path / "tree", {"shop.py": "from os import nothing\n", "tests/test_gift.py": test})

    result = run_reproduction(environment, tree, read_project(tree, "", ""), "tests/test_gift.py", "test")

    assert (result.outcome, result.classification.unloadable) == ("failed", False), result.run.output


NODE_TESTS = {
    "assert.strictEqual(price(2), 20)": ("passed", False),
    "assert.strictEqual(price(2), 21)": ("failed", False),
    "price(null).x.y": ("failed", False),
    "shop.gift(1)": ("failed", True),
}


@pytest.mark.parametrize("line", NODE_TESTS)
def test_a_node_test_runs_in_the_sandbox(environment: CheckEnvironment, tmp_path: Path, line: str) -> None:
    test = (
        "const test = require('node:test');\nconst assert = require('node:assert');\nconst shop = require('../shop');\n"
        f"const {{ price }} = shop;\ntest('gift', () => {{\n  {line};\n}});\n"
    )
    shop = "exports.price = (count) => 10 * count;\n"
    tree = write_files(tmp_path / "tree", {"shop.js": shop, "test/gift.test.js": test, "package.json": "{}"})

    result = run_reproduction(environment, tree, read_project(tree, "", ""), "test/gift.test.js", "test")

    assert (result.outcome, result.classification.unloadable) == NODE_TESTS[line], result.run.output


@pytest.mark.parametrize(
    "text",
    [
        "const x = ;\n",
        "require('../nothing');\n",
        "import { gift } from '../shop.mjs';\ngift();\n",
        "gifft(1);\n",
    ],
)
def test_a_node_test_that_cannot_be_loaded_is_unloadable(
    environment: CheckEnvironment, tmp_path: Path, text: str
) -> None:
    name = "test/gift.test.mjs" if "import {" in text else "test/gift.test.js"
    tree = write_files(
        tmp_path / "tree", {"shop.mjs": "export const price = 1;\n", name: text, "package.json": "{}"}
    )

    result = run_reproduction(environment, tree, read_project(tree, "", ""), name, "test")

    assert result.classification.unloadable, result.run.output


def test_the_exit_code_of_a_script_is_its_outcome(environment: CheckEnvironment, tmp_path: Path) -> None:
    files = {
        "shop.py": SHOP,
        "good.py": "import shop\nassert shop.price(1) == 10\n",
        "bad.py": "import shop\nassert 0\n",
    }
    tree = write_files(tmp_path / "tree", files)
    project = read_project(tree, "", "")

    outcomes = [
        run_reproduction(environment, tree, project, path, "script").outcome for path in ("good.py", "bad.py")
    ]

    assert outcomes == ["passed", "failed"]


def test_a_test_that_needs_missing_pytest_is_not_run(environment: CheckEnvironment, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"test_a.py": "import pytest\ndef test_a(): pass\n"})

    result = run_reproduction(environment, tree, Project(), "test_a.py", "test")

    assert result.outcome == "not run"
    assert "pytest" in result.run.output


def test_a_reproduction_that_hangs_has_failed(environment: CheckEnvironment, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"hang.py": "while True: pass\n"})

    environment.reproduction_seconds = 1

    result = run_reproduction(environment, tree, Project(), "hang.py", "script")

    assert result.outcome == "failed"
    assert "did not end" in result.run.output


def test_the_output_of_a_test_is_redacted_and_truncated(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    script = "print('password=hunter2 ' * 9000)\nprint('secret-123456')\nraise SystemExit(1)\n"
    tree = write_files(tmp_path / "tree", {"loud.py": script})
    environment.secrets = ("secret-123456",)

    run = run_reproduction(environment, tree, Project(), "loud.py", "script").run

    assert "hunter2" not in run.output
    assert "secret-123456" not in run.output
    assert len(run.output) <= 4_000


def test_output_does_not_show_the_temporary_folder(environment: CheckEnvironment, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"broken.py": "raise ValueError('no')\n"})

    run = run_reproduction(environment, tree, Project(), "broken.py", "script").run

    assert str(tmp_path) not in run.output
    assert 'File "broken.py", line 1' in run.output


def test_repository_code_does_not_see_the_workers_environment(
    environment: CheckEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_never_to_be_seen")
    tree = write_files(tmp_path / "tree", {"look.py": "import os\nassert 'GITHUB_TOKEN' not in os.environ\n"})

    assert run_reproduction(environment, tree, Project(), "look.py", "script").outcome == "passed"


def test_the_checks_of_a_python_repository_run_in_the_sandbox(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    tree = write_files(
        tmp_path / "tree",
        {"api/shop.py": SHOP, "api/tests/test_a.py": UNITTEST.format(line="self.assertEqual(price(1), 11)")},
    )
    project = read_project(tree, "api", "api")

    result = run_check(environment, tree, project, project.check_commands[0])

    assert result.outcome == "failed"
    assert result.classification.failed_tests == {"test_it (test_a.Price.test_it)"}


def test_a_test_is_not_run_if_the_dependencies_cannot_be_installed(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    tree = write_files(tmp_path / "tree", {"requirements.txt": "./no/such/package\n", "ok.py": "pass\n"})

    result = run_reproduction(environment, tree, read_project(tree, "", ""), "ok.py", "script")

    assert result.outcome == "not run"
    assert "could not be installed" in result.run.output


def test_dependencies_are_installed_into_a_virtual_environment_of_the_run(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    files = {
        "requirements.txt": "./vendored\n",
        "vendored/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "vendored/backend.py": BACKEND,
        "uses.py": "import greeting\nassert greeting.WORD == 'hello'\n",
    }
    tree = write_files(tmp_path / "tree", files)

    result = run_reproduction(environment, tree, read_project(tree, "", ""), "uses.py", "script")

    assert result.outcome == "passed", result.run.output


BACKEND = """
import zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr("greeting.py", "WORD = 'hello'")
        wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n")
        wheel.writestr(
            "greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        )
        wheel.writestr("greeting-1.0.dist-info/RECORD", "")
    return name
"""
