"""Tests of repositories, run by the host's runners in a real sandbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.files import write_files
from workers.remediation.installation import prepare
from workers.remediation.project import Project, read_project
from workers.remediation.reproduction_runs import Attempt, classify
from workers.remediation.run_trees import SourceTree
from workers.remediation.sandboxed_commands import CheckEnvironment
from workers.remediation.suite_runs import Observation, run_suite
from workers.remediation.suites import reproduction_suite
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
    (tmp_path / "work").mkdir()
    return CheckEnvironment(sandbox, tmp_path / "work")


def run(
    environment: CheckEnvironment, tree: Path, path: str, kind: str = "test", project: Project | None = None
) -> Attempt:
    """One run of a test file or script of the tree."""
    project = project or read_project(tree, "", "")
    source = SourceTree(tree)
    suite = reproduction_suite(project, path, kind, source.text(path) or "")
    assert suite
    prepared = prepare(environment, source, project, python=suite.is_python, node=not suite.is_python)
    result = run_suite(
        environment, prepared, suite, Observation(0, path), name="x", seconds=environment.reproduction_seconds
    )
    return classify(result, path, lambda module: (tree / f"{module}.py").exists())


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

    attempt = run(environment, tree, "tests/test_gift.py")

    assert attempt.outcome == outcome, attempt.run.output
    assert not attempt.unloadable


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

    attempt = run(environment, tree, "tests/test_gift.py")

    assert attempt.unloadable, attempt.run.output
    assert "could not be loaded" in attempt.run.output


def test_an_import_error_inside_the_service_is_a_failure(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    test = UNITTEST.format(line="price(1)")
    tree = write_files(tmp_path / "tree", {"shop.py": "from os import nothing\n", "tests/test_gift.py": test})

    attempt = run(environment, tree, "tests/test_gift.py")

    assert (attempt.outcome, attempt.unloadable) == ("failed", False), attempt.run.output


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

    attempt = run(environment, tree, "test/gift.test.js")

    assert (attempt.outcome, attempt.unloadable) == NODE_TESTS[line], attempt.run.output


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

    attempt = run(environment, tree, name)

    assert attempt.unloadable, attempt.run.output


EXITS = {
    "os._exit(0)": "import os\nos._exit(0)\n",
    "a killed runner": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "a forged line": "import os\nfor n in range(3, 30):\n  try: os.write(n, b'x 0 {}\\n')\n  except OSError: pass\n",
    "a fork that ends first": "import os, sys\nif os.fork() == 0: sys.exit(0)\nos._exit(0)\n",
}


@pytest.mark.parametrize("way", EXITS)
def test_a_process_that_ends_by_itself_has_passed_nothing(
    environment: CheckEnvironment, tmp_path: Path, way: str
) -> None:
    shop = EXITS[way] + SHOP
    test = UNITTEST.format(line="self.assertEqual(price(1), 10)")
    tree = write_files(tmp_path / "tree", {"shop.py": shop, "tests/test_gift.py": test})

    attempt = run(environment, tree, "tests/test_gift.py")

    assert attempt.outcome == "failed", attempt.run.output
    assert attempt.result.report.problem


def test_the_executed_lines_raised_errors_and_read_sources_are_recorded(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    shop = "def price(count):\n    if count < 0:\n        raise ValueError(count)\n    return count\n"
    line = "open('shop.py').read(); self.assertRaises(ValueError, price, -1)"
    tree = write_files(tmp_path / "tree", {"shop.py": shop, "tests/test_gift.py": UNITTEST.format(line=line)})

    report = run(environment, tree, "tests/test_gift.py").result.report

    assert report.lines["shop.py"] == {1, 2, 3}
    assert report.raised == (("ValueError", "shop.py", 3, "price"),)
    assert report.functions == {"shop.py:price"}
    assert report.reads == ("shop.py",)


def test_a_run_that_changes_its_tree_is_noticed_and_reaches_no_other_run(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    line = "open('shop.py', 'a').write('#'); open('new.json', 'w').close(); self.assertEqual(price(1), 10)"
    tree = write_files(tmp_path / "tree", {"shop.py": SHOP, "tests/test_gift.py": UNITTEST.format(line=line)})

    attempt = run(environment, tree, "tests/test_gift.py")

    assert attempt.outcome == "passed", attempt.run.output
    assert attempt.result.edits == ("shop.py",)
    assert (tree / "shop.py").read_text() == SHOP
    assert not (tree / "new.json").exists()


def test_a_script_passes_or_fails_by_its_end(environment: CheckEnvironment, tmp_path: Path) -> None:
    files = {
        "shop.py": SHOP,
        "good.py": "import shop\nassert shop.price(1) == 10\n",
        "bad.py": "import shop\nassert 0\n",
        "exits.py": "import os, shop\nos._exit(0)\n",
    }
    tree = write_files(tmp_path / "tree", files)

    outcomes = [run(environment, tree, path, "script").outcome for path in ("good.py", "bad.py", "exits.py")]

    assert outcomes == ["passed", "failed", "failed"]


def test_a_test_that_needs_missing_pytest_is_not_run(environment: CheckEnvironment, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"test_a.py": "import pytest\ndef test_a(): pass\n"})

    attempt = run(environment, tree, "test_a.py", project=Project())

    assert attempt.outcome == "not run", attempt.run.output
    assert "pytest" in attempt.run.output


def test_a_reproduction_that_hangs_has_failed(environment: CheckEnvironment, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"hang.py": "while True: pass\n"})
    environment.reproduction_seconds = 1

    attempt = run(environment, tree, "hang.py", "script")

    assert attempt.outcome == "failed"
    assert "did not end" in attempt.run.output


def test_the_output_of_a_test_is_redacted_truncated_and_without_temporary_paths(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    script = "print('password=hunter2 ' * 9000)\nprint('secret-123456')\nraise ValueError('no')\n"
    tree = write_files(tmp_path / "tree", {"loud.py": script})
    environment.secrets = ("secret-123456",)

    output = run(environment, tree, "loud.py", "script").run.output

    assert not [word for word in ("hunter2", "secret-123456", str(tmp_path)) if word in output]
    assert 'File "loud.py", line 3' in output
    assert len(output) <= 4_000


def test_repository_code_does_not_see_the_workers_environment(
    environment: CheckEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_never_to_be_seen")
    tree = write_files(tmp_path / "tree", {"look.py": "import os\nassert 'GITHUB_TOKEN' not in os.environ\n"})

    assert run(environment, tree, "look.py", "script").outcome == "passed"


def test_a_test_is_not_run_if_the_dependencies_cannot_be_installed(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    tree = write_files(tmp_path / "tree", {"requirements.txt": "./no/such/package\n", "ok.py": "pass\n"})

    attempt = run(environment, tree, "ok.py", "script")

    assert attempt.outcome == "not run"
    assert "could not be installed" in attempt.run.output


def test_dependencies_are_installed_into_an_environment_that_no_run_can_change(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    uses = (
        "import greeting, os\nassert greeting.WORD == 'hello'\n"
        "try:\n    open(greeting.__file__, 'a')\nexcept OSError:\n    pass\nelse:\n    raise AssertionError\n"
    )
    files = {
        "requirements.txt": "./vendored\n",
        "vendored/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "vendored/backend.py": BACKEND,
        "uses.py": uses,
    }
    tree = write_files(tmp_path / "tree", files)

    attempt = run(environment, tree, "uses.py", "script")

    assert attempt.outcome == "passed", attempt.run.output


def test_a_file_of_the_repository_cannot_replace_a_runner(
    environment: CheckEnvironment, tmp_path: Path
) -> None:
    files = {
        "shop.py": SHOP,
        "unittest/__init__.py": "raise SystemExit(0)\n",
        "sitecustomize.py": "raise SystemExit(0)\n",
        "test_a.py": UNITTEST.format(line="self.assertEqual(price(1), 11)"),
    }
    tree = write_files(tmp_path / "tree", files)

    report = run(environment, tree, "test_a.py").result.report

    assert report.ids("failed") == {"test_a.Price.test_it"}
    assert replace(report, tests={}).problem == ""


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
