"""How a repository is installed and tested, from its manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files import write_files
from workers.remediation.project import protected_globs, read_project

SHOP = "def price(count):\n    return 10 * count\n"

PYTHON_PROJECTS = [
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


@pytest.mark.parametrize(("files", "commands", "uses_pytest"), PYTHON_PROJECTS)
def test_python_checks_come_from_the_manifests(
    tmp_path: Path, files: dict[str, str], commands: list[tuple[str, ...]] | None, uses_pytest: bool
) -> None:
    project = read_project(write_files(tmp_path, files), "", "web")

    assert project.uses_pytest is uses_pytest
    if commands is not None:
        assert list(project.check_commands) == commands
    elif uses_pytest:
        assert project.check_commands[0][:3] == ("python3", "-m", "pytest")


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
    tree = write_files(tmp_path, {"package.json": package, "test/shop.test.js": ""})

    assert read_project(tree, "", "web").check_commands == (command,)


def test_the_project_is_read_from_the_services_root_directory(tmp_path: Path) -> None:
    tree = write_files(
        tmp_path, {"services/api/tests/test_a.py": "", "package.json": '{"scripts": {"test": "x"}}'}
    )

    project = read_project(tree, "/services/api/", "api")

    assert project.root == "services/api"
    assert project.check_commands == (("python3", "-m", "unittest", "discover", "-s", "tests"),)


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
