"""How a repository is tested, what a run is worth, and that real runners behind a real wall agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.errors import Refused
from workers.remediation.checks import (
    CheckEnvironment,
    reproduction_command,
    run_check,
    run_reproduction,
    runner_hint,
)
from workers.remediation.project import Project, read_project, read_settings
from workers.remediation.test_output import failed_tests, judge
from workers.sandbox.builder import build_sandbox
from workers.sandbox.commands import CommandResult
from workers.sandbox.sandbox import Sandbox

UNITTEST = """
import unittest
from shop import price

class Price(unittest.TestCase):
    def test_it(self):
        {line}
"""
SHOP = "def price(count):\n    return 10 * count\n"


def write(tree: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    return tree


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return build_sandbox(hide=[], scratch=tmp_path_factory.mktemp("scratch"), allow_unsandboxed=False)


@pytest.fixture
def bench(wall: Sandbox, tmp_path: Path) -> CheckEnvironment:
    (tmp_path / "bench").mkdir()
    return CheckEnvironment(wall, tmp_path / "bench")


# ---- .trackwalker.toml -------------------------------------------------------------------------


def test_the_settings_of_a_service_come_before_the_general_ones() -> None:
    text = """
        check = [["make", "test"]]
        protected = ["db/**"]
        [services.api]
        check = [["make", "api"]]
        test = ["make", "one", "FILE={path}"]
        protected = ["api/keys/**"]
    """

    api, other = read_settings(text, "API"), read_settings(text, "web")

    assert api == {
        "check": (("make", "api"),), "test": ("make", "one", "FILE={path}"), "protected": ("db/**", "api/keys/**"),
    }  # fmt: skip
    assert other == {"check": (("make", "test"),), "protected": ("db/**",)}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("check = [", "no valid TOML"),
        ('check = "make test"', "check must be a list of commands"),
        ("check = [[]]", "check must be a list of commands"),
        ('check = ["make", "test"]', "check must be a list of commands"),
        ('test = ["pytest"]', "test must hold"),
        ("protected = [1]", "protected must be a list of words"),
        ('chek = [["make"]]', "chek is no key we know"),
        ("services = 3", "services must be tables"),
        ('[services.api]\ninstall = [["a", ""]]', "services.api.install must be"),
    ],
)
def test_a_malformed_setting_is_refused_by_its_name(text: str, key: str) -> None:
    with pytest.raises(Refused, match=key.replace(".", r"\.")):
        read_settings(text, "web")


# ---- manifests ---------------------------------------------------------------------------------


PYTHON = [
    ({"test_shop.py": ""}, [("python3", "-m", "unittest", "discover")], False),
    ({"tests/test_shop.py": ""}, [("python3", "-m", "unittest", "discover", "-s", "tests")], False),
    (
        {"tests/test_shop.py": "", "tests/__init__.py": ""},
        [("python3", "-m", "unittest", "discover", "-s", "tests", "-t", ".")],
        False,
    ),
    ({"tests/test_a.py": "", "requirements-dev.txt": "pytest>=8\n"}, None, True),
    (
        {"tests/test_a.py": "", "pyproject.toml": "[project]\noptional-dependencies.test = ['pytest']"},
        None,
        True,
    ),
    ({"tests/test_a.py": "", "pyproject.toml": "[tool.pytest.ini_options]\n"}, None, True),
    ({"tests/test_a.py": "", "pytest.ini": "[pytest]"}, None, True),
    ({"tests/test_a.py": "import pytest\n"}, None, True),
    ({"tests/test_a.py": "# import pytest\n"}, None, False),
    ({"shop.py": SHOP}, [], False),
]


@pytest.mark.parametrize(("files", "commands", "uses_pytest"), PYTHON)
def test_python_checks_come_from_the_manifests(
    tmp_path: Path, files: dict[str, str], commands: list[tuple[str, ...]] | None, uses_pytest: bool
) -> None:
    project = read_project(write(tmp_path, files), "", "web")

    assert project.pytest is uses_pytest
    if commands is not None:
        assert list(project.check) == commands
    elif uses_pytest:
        assert project.check[0][:3] == ("python3", "-m", "pytest")


def test_what_python_needs_is_read_from_every_kind_of_manifest(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3\n",
        "requirements-empty.txt": "# nothing\n",
        "pyproject.toml": "[project]\ndependencies = ['redis>=5', '--evil']\n[dependency-groups]\ndev = ['pytest']\n"
        "docs = ['sphinx']\n[tool.poetry.dependencies]\npython = '^3.11'\nhttpx = '^0.28'\nrich = '*'\n",
        "Pipfile": "[packages]\nboto3 = '==1.2'\n",
    }

    project = read_project(write(tmp_path, files), "", "web")

    assert project.python_needs == (
        "-r", "requirements.txt", "redis>=5", "pytest", "httpx>=0.28", "rich", "boto3==1.2",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ('{"scripts": {"test": "node --test"}}', ("npm", "test", "--silent")),
        ('{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}', ("node", "--test")),
        ("{}", ("node", "--test")),
        ("[", ("node", "--test")),
    ],
)
def test_node_checks_come_from_package_json(tmp_path: Path, package: str, command: tuple[str, ...]) -> None:
    tree = write(tmp_path, {"package.json": package, "test/shop.test.js": ""})

    assert read_project(tree, "", "web").check == (command,)


def test_the_root_directory_of_a_service_is_where_its_project_is(tmp_path: Path) -> None:
    tree = write(tmp_path, {"services/api/tests/test_a.py": "", "package.json": '{"scripts": {"test": "x"}}'})

    project = read_project(tree, "/services/api/", "api")

    assert project.root == "services/api"
    assert project.check == (("python3", "-m", "unittest", "discover", "-s", "tests"),)


def test_a_root_directory_that_leaves_the_repository_is_not_followed(tmp_path: Path) -> None:
    assert read_project(tmp_path, "../..", "api").root == ""


@pytest.mark.parametrize(
    ("path", "kind", "tool", "command"),
    [
        ("tests/test_a.py", "test", "", ("python3", "-m", "unittest", "tests/test_a.py")),
        (
            "my-tests/test_a.py",
            "test",
            "",
            ("python3", "-m", "unittest", "discover", "-s", "my-tests", "-p", "test_a.py"),
        ),
        ("a.test.js", "test", "", ("node", "--test", "a.test.js")),
        ("a.test.ts", "test", "vitest", ("npx", "--no-install", "vitest", "run", "a.test.ts")),
        ("a.test.js", "test", "jest", ("npx", "--no-install", "jest", "a.test.js")),
        ("repro.py", "script", "", ("python3", "repro.py")),
        ("repro.mjs", "script", "", ("node", "repro.mjs")),
        ("a_test.go", "test", "", None),
        ("repro.sh", "script", "", None),
    ],
)
def test_the_host_chooses_how_a_file_is_run(
    tmp_path: Path, path: str, kind: str, tool: str, command: tuple[str, ...] | None
) -> None:
    assert reproduction_command(Project(node_tool=tool), tmp_path, path, kind) == command


def test_the_repository_may_say_how_a_test_file_is_run(tmp_path: Path) -> None:
    project = Project(test=("go", "test", "./{path}"))

    assert reproduction_command(project, tmp_path, "a_test.go", "test") == ("go", "test", "./a_test.go")


def test_the_writer_is_told_how_its_test_will_be_run(tmp_path: Path) -> None:
    assert "unittest" in runner_hint(write(tmp_path / "py", {"app.py": ""}), "")
    assert "node --test <path>" in runner_hint(write(tmp_path / "js", {"package.json": "{}"}), "")
    assert "-m pytest" in runner_hint(write(tmp_path / "pt", {"pytest.ini": ""}), "")


# ---- what an output is worth -------------------------------------------------------------------


def finished(output: str, code: int | None = 1, *, timed_out: bool = False) -> CommandResult:
    return CommandResult(code, output, timed_out, 1.0)


@pytest.mark.parametrize(
    ("code", "output", "outcome"),
    [
        (0, "Ran 3 tests in 0.1s\n\nOK\n", "passed"),
        (0, "\nRan 0 tests in 0.000s\n\nOK\n", "not run"),
        (5, "NO TESTS RAN", "not run"),
        (5, "no tests ran in 0.01s", "not run"),
        (0, "Ran 2 tests in 0.1s\n\nOK (skipped=2)\n", "not run"),
        (0, "Ran 3 tests in 0.1s\n\nOK (skipped=2)\n", "passed"),
        (0, "2 skipped in 0.01s\n", "not run"),
        (0, "3 passed, 2 skipped in 0.01s\n", "passed"),
        (1, "/usr/bin/python3: No module named pytest\n", "not run"),
        (127, "npx: not found", "not run"),
        (0, "# tests 0\n# pass 0\n# fail 0\n", "not run"),
        (0, "# tests 1\n# pass 0\n# fail 0\n# skipped 1\n", "not run"),
        (1, "No tests found, exiting with code 1\n", "not run"),
        (1, "FAILED (failures=1)\n", "failed"),
        (1, "ModuleNotFoundError: No module named 'flask'\n", "not run"),
        (1, "ModuleNotFoundError: No module named 'shop.missing'\n", "failed"),
        (1, "Error: Cannot find module 'express'\n", "not run"),
    ],
)
def test_only_a_test_that_ran_passes_or_fails(code: int, output: str, outcome: str) -> None:
    assert judge(finished(output, code), None, lambda module: module == "shop").outcome == outcome


def test_a_run_that_never_ends_has_failed_and_says_so() -> None:
    found = judge(finished("", None, timed_out=True), "tests/test_a.py", lambda _module: True)

    assert (found.outcome, found.unloadable) == ("failed", False)
    assert "did not end" in found.why


def test_failed_tests_are_known_by_name() -> None:
    output = (
        "FAIL: test_a (tests.test_x.T.test_a)\nERROR: test_b (tests.T)\nFAILED tests/x.py::test_c - assert\n"
        "not ok 2 - gift costs\n\u2716 takes a gift (1.2ms)\n  \u25cf shop \u203a sells\n"
    )

    assert failed_tests(output) == {
        "test_a (tests.test_x.T.test_a)", "test_b (tests.T)", "tests/x.py::test_c", "gift costs", "takes a gift",
        "shop \u203a sells",
    }  # fmt: skip


def test_judging_a_hostile_output_takes_no_time() -> None:
    for text in ("\n" * 200_000, "E" * 200_000, "at (" * 50_000, "TypeError: " * 20_000, " " * 200_000):
        judge(finished(text), "tests/test_a.py", lambda _module: True)  # the test's own time is the promise


# ---- real runners ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("self.assertEqual(price(2), 20)", "passed"),
        ("self.assertEqual(price(2), 21)", "failed"),
        ("self.skipTest('later')", "not run"),
    ],
)
def test_a_python_test_is_run_for_real(
    bench: CheckEnvironment, tmp_path: Path, line: str, outcome: str
) -> None:
    tree = write(tmp_path / "tree", {"shop.py": SHOP, "tests/test_gift.py": UNITTEST.format(line=line)})

    result = run_reproduction(bench, tree, read_project(tree, "", ""), "tests/test_gift.py", "test")

    assert result.outcome == outcome, result.run.output
    assert not result.judgement.unloadable


NOT_LOADABLE = {
    "syntax": "import unittest\nclass T(unittest.TestCase:\n",
    "import of nothing": "import unittest\nfrom shop import gift\nclass T(unittest.TestCase):\n  def test(self): 1\n",
    "attribute": "import unittest, shop\nclass T(unittest.TestCase):\n  def test_it(self): shop.gift()\n",
    "argument": "import unittest, shop\nclass T(unittest.TestCase):\n  def test_it(self): shop.price(1, gift=2)\n",
    "name": "import unittest\nclass T(unittest.TestCase):\n  def test_it(self): prise(1)\n",
}


@pytest.mark.parametrize("why", NOT_LOADABLE)
def test_a_python_test_that_asks_for_what_is_not_there_reproduces_nothing(
    bench: CheckEnvironment, tmp_path: Path, why: str
) -> None:
    tree = write(tmp_path / "tree", {"shop.py": SHOP, "tests/test_gift.py": NOT_LOADABLE[why]})

    result = run_reproduction(bench, tree, read_project(tree, "", ""), "tests/test_gift.py", "test")

    assert result.judgement.unloadable, result.run.output
    assert "could not be loaded" in result.run.output


def test_an_error_inside_the_service_at_import_is_a_real_failure(
    bench: CheckEnvironment, tmp_path: Path
) -> None:
    test = UNITTEST.format(line="price(1)")
    tree = write(tmp_path / "tree", {"shop.py": "from os import nothing\n", "tests/test_gift.py": test})

    result = run_reproduction(bench, tree, read_project(tree, "", ""), "tests/test_gift.py", "test")

    assert (result.outcome, result.judgement.unloadable) == ("failed", False), result.run.output


NODE = {
    "assert.strictEqual(price(2), 20)": ("passed", False),
    "assert.strictEqual(price(2), 21)": ("failed", False),
    "price(null).x.y": ("failed", False),
    "shop.gift(1)": ("failed", True),
}


@pytest.mark.parametrize("line", NODE)
def test_a_node_test_is_run_for_real(bench: CheckEnvironment, tmp_path: Path, line: str) -> None:
    test = (
        "const test = require('node:test');\nconst assert = require('node:assert');\nconst shop = require('../shop');\n"
        f"const {{ price }} = shop;\ntest('gift', () => {{\n  {line};\n}});\n"
    )
    shop = "exports.price = (count) => 10 * count;\n"
    tree = write(tmp_path / "tree", {"shop.js": shop, "test/gift.test.js": test, "package.json": "{}"})

    result = run_reproduction(bench, tree, read_project(tree, "", ""), "test/gift.test.js", "test")

    assert (result.outcome, result.judgement.unloadable) == NODE[line], result.run.output


@pytest.mark.parametrize(
    "text",
    [
        "const x = ;\n",
        "require('../nothing');\n",
        "import { gift } from '../shop.mjs';\ngift();\n",
        "gifft(1);\n",
    ],
)
def test_a_node_test_that_cannot_be_loaded_reproduces_nothing(
    bench: CheckEnvironment, tmp_path: Path, text: str
) -> None:
    name = "test/gift.test.mjs" if "import {" in text else "test/gift.test.js"
    tree = write(
        tmp_path / "tree", {"shop.mjs": "export const price = 1;\n", name: text, "package.json": "{}"}
    )

    result = run_reproduction(bench, tree, read_project(tree, "", ""), name, "test")

    assert result.judgement.unloadable, result.run.output


def test_a_script_says_by_its_exit_code_whether_it_failed(bench: CheckEnvironment, tmp_path: Path) -> None:
    files = {
        "shop.py": SHOP,
        "good.py": "import shop\nassert shop.price(1) == 10\n",
        "bad.py": "import shop\nassert 0\n",
    }
    tree = write(tmp_path / "tree", files)
    project = read_project(tree, "", "")

    outcomes = [
        run_reproduction(bench, tree, project, path, "script").outcome for path in ("good.py", "bad.py")
    ]

    assert outcomes == ["passed", "failed"]


def test_a_test_that_needs_pytest_where_there_is_none_is_not_run(
    bench: CheckEnvironment, tmp_path: Path
) -> None:
    tree = write(tmp_path / "tree", {"test_a.py": "import pytest\ndef test_a(): pass\n"})

    result = run_reproduction(bench, tree, Project(), "test_a.py", "test")

    assert result.outcome == "not run"
    assert "pytest" in result.run.output


def test_a_reproduction_that_hangs_has_failed(bench: CheckEnvironment, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"hang.py": "while True: pass\n"})

    bench.reproduction_seconds = 1

    result = run_reproduction(bench, tree, Project(), "hang.py", "script")

    assert result.outcome == "failed"
    assert "did not end" in result.run.output


def test_what_a_test_prints_is_redacted_and_cut(bench: CheckEnvironment, tmp_path: Path) -> None:
    script = "print('password=hunter2 ' * 9000)\nprint('ours-123456')\nraise SystemExit(1)\n"
    tree = write(tmp_path / "tree", {"loud.py": script})
    bench.secrets = ("ours-123456",)

    run = run_reproduction(bench, tree, Project(), "loud.py", "script").run

    assert "hunter2" not in run.output
    assert "ours-123456" not in run.output
    assert len(run.output) <= 4_000


def test_where_our_copy_lies_is_not_shown(bench: CheckEnvironment, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"broken.py": "raise ValueError('no')\n"})

    run = run_reproduction(bench, tree, Project(), "broken.py", "script").run

    assert str(tmp_path) not in run.output
    assert 'File "broken.py", line 1' in run.output


def test_repository_code_sees_none_of_our_environment(
    bench: CheckEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_never_to_be_seen")
    tree = write(tmp_path / "tree", {"look.py": "import os\nassert 'GITHUB_TOKEN' not in os.environ\n"})

    assert run_reproduction(bench, tree, Project(), "look.py", "script").outcome == "passed"


def test_the_checks_of_a_python_repository_run_for_real(bench: CheckEnvironment, tmp_path: Path) -> None:
    tree = write(
        tmp_path / "tree",
        {"api/shop.py": SHOP, "api/tests/test_a.py": UNITTEST.format(line="self.assertEqual(price(1), 11)")},
    )
    project = read_project(tree, "api", "api")

    result = run_check(bench, tree, project, project.check[0])

    assert result.outcome == "failed"
    assert result.judgement.failures == {"test_it (test_a.Price.test_it)"}


def test_what_cannot_be_installed_makes_nothing_run(bench: CheckEnvironment, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"requirements.txt": "./no/such/package\n", "ok.py": "pass\n"})

    result = run_reproduction(bench, tree, read_project(tree, "", ""), "ok.py", "script")

    assert result.outcome == "not run"
    assert "could not be installed" in result.run.output


def test_what_a_repository_needs_is_installed_into_an_environment_of_the_run(
    bench: CheckEnvironment, tmp_path: Path
) -> None:
    files = {
        "requirements.txt": "./vendored\n",
        "vendored/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "vendored/backend.py": BACKEND,
        "uses.py": "import greeting\nassert greeting.WORD == 'hello'\n",
    }
    tree = write(tmp_path / "tree", files)

    result = run_reproduction(bench, tree, read_project(tree, "", ""), "uses.py", "script")

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
