"""How a repository is installed and tested, from its manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files import write_files
from workers.remediation.project import protected_globs, read_project

SHOP = "def price(count):\n    return 10 * count\n"

PYTHON_PROJECTS: list[tuple[dict[str, str], list[tuple[str, str]], bool]] = [
    ({"test_shop.py": ""}, [("", "")], False),
    ({"tests/test_shop.py": ""}, [("tests", "")], False),
    ({"tests/test_shop.py": "", "tests/__init__.py": ""}, [("tests", ".")], False),
    ({"tests/test_a.py": "", "requirements-dev.txt": "pytest>=8\n"}, [], True),
    (
        {"tests/test_a.py": "", "pyproject.toml": "[project]\noptional-dependencies.test = ['pytest']"},
        [],
        True,
    ),
    ({"tests/test_a.py": "", "pyproject.toml": "[tool.pytest.ini_options]\n"}, [], True),
    ({"tests/test_a.py": "", "pytest.ini": "[pytest]"}, [], True),
    ({"tests/test_a.py": "import pytest\n"}, [], True),
    ({"tests/test_a.py": "# import pytest\n"}, [("tests", "")], False),
    ({"shop.py": SHOP}, [], False),
]


@pytest.mark.parametrize(("files", "folders", "uses_pytest"), PYTHON_PROJECTS)
def test_python_tests_come_from_the_manifests(
    tmp_path: Path, files: dict[str, str], folders: list[tuple[str, str]], uses_pytest: bool
) -> None:
    project = read_project(write_files(tmp_path, files), "", "web")

    assert project.uses_pytest is uses_pytest
    assert list(project.unittest_folders) == folders
    assert project.check_commands == ()


def test_python_requirements_come_from_every_kind_of_manifest(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3\n",
        "requirements-empty.txt": "# nothing\n",
        "pyproject.toml": "[project]\ndependencies = ['redis>=5', '--evil']\n[dependency-groups]\ndev = ['pytest']\n"
        "docs = ['sphinx']\n[tool.poetry.dependencies]\npython = '^3.11'\nhttpx = '^0.28'\nrich = '*'\n",
        "Pipfile": "[packages]\nboto3 = '==1.2'\n",
    }

    project = read_project(write_files(tmp_path, files), "", "web")

    assert project.python_requirements == (
        "-r", "requirements.txt", "redis>=5", "pytest", "httpx>=0.28", "rich", "boto3==1.2",
    )  # fmt: skip


NPM_TEST = ("npm", "test", "--silent")
NODE_PROJECTS: list[tuple[str, str, tuple[str, ...], tuple[tuple[str, ...], ...]]] = [
    ("node --test", "", (), ()),
    ("node --test --test-timeout=9", "", ("--test-timeout=9",), ()),
    ('echo \\"Error: no test specified\\" && exit 1', "", (), ()),
    ("NODE_ENV=test npx vitest run --dir src", "vitest", ("--dir", "src"), ()),
    ("jest --runInBand", "jest", ("--runInBand",), ()),
    ("eslint . && jest", "", (), (NPM_TEST,)),
    ("node --test --test-reporter=dot", "", (), (NPM_TEST,)),
    ("node run-all.js", "", (), (NPM_TEST,)),
]


@pytest.mark.parametrize(("script", "runner", "arguments", "checks"), NODE_PROJECTS)
def test_a_test_script_is_a_known_runner_or_a_check_of_its_own(
    tmp_path: Path, script: str, runner: str, arguments: tuple[str, ...], checks: tuple[tuple[str, ...], ...]
) -> None:
    files = {"package.json": f'{{"scripts": {{"test": "{script}"}}}}', "test/shop.test.js": ""}

    project = read_project(write_files(tmp_path, files), "", "web")

    assert project.has_node_tests
    assert (project.node_runner or "node", project.node_arguments) == (runner or "node", arguments)
    assert project.check_commands == checks


@pytest.mark.parametrize("package", ["{}", "["])
def test_a_test_file_alone_is_run_by_node(tmp_path: Path, package: str) -> None:
    tree = write_files(tmp_path, {"package.json": package, "test/shop.test.js": ""})

    assert read_project(tree, "", "web").has_node_tests


def test_the_project_is_read_from_the_services_root_directory(tmp_path: Path) -> None:
    tree = write_files(
        tmp_path, {"services/api/tests/test_a.py": "", "package.json": '{"scripts": {"test": "x"}}'}
    )

    project = read_project(tree, "/services/api/", "api")

    assert project.root == "services/api"
    assert project.unittest_folders == (("tests", ""),)


def test_a_root_directory_outside_the_repository_is_ignored(tmp_path: Path) -> None:
    assert read_project(tmp_path, "../..", "api").root == ""


def test_the_repositorys_protected_globs_are_those_of_all_services_and_of_this_one(tmp_path: Path) -> None:
    settings = 'protected = ["migrations/**"]\n[services.web]\nprotected = ["web/legacy/**"]\n'
    tree = write_files(tmp_path, {".trackwalker.toml": settings})

    assert protected_globs(tree, "web") == ("migrations/**", "web/legacy/**")
    assert protected_globs(tree, "api") == ("migrations/**",)


@pytest.mark.parametrize("files", [{}, {".trackwalker.toml": "protected = 1"}])
def test_a_repository_without_readable_settings_protects_no_globs_of_its_own(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert protected_globs(write_files(tmp_path, files), "web") == ()
