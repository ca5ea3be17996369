"""Stack traces and commits point to lines of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.logs import NODE_STACK, PYTHON_TRACEBACK, log_lines, write_tree
from workers.investigation.code.locations import Frame, frames, locate, stack_locations
from workers.investigation.code.tree import Tree, list_tree
from workers.investigation.evidence.code_changes import changed_locations
from workers.investigation.logs.log_records import build_log_records


def test_frames_are_ordered_from_the_innermost() -> None:
    assert [frame.line for frame in frames(PYTHON_TRACEBACK)] == [5, 12, 73]
    assert frames(NODE_STACK)[0] == Frame("/app/src/pricing.js", 10, "total")
    assert frames(NODE_STACK)[1] == Frame("/app/src/orders.js", 31, None)


def test_the_cause_comes_first_unless_the_handler_itself_raised() -> None:
    first = 'Traceback (most recent call last):\n  File "/app/a.py", line 1, in a\nKeyError: 1\n'
    second = 'Traceback (most recent call last):\n  File "/app/b.py", line 2, in b\nValueError: 2\n'
    cause = "\nThe above exception was the direct cause of the following exception:\n\n"
    handling = "\nDuring handling of the above exception, another exception occurred:\n\n"

    assert frames(first + cause + second)[0].path == "/app/a.py"
    assert frames(first + handling + second)[0].path == "/app/b.py"


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/app/shop/pricing.py", "shop/pricing.py"),
        ("/usr/src/app/shop/pricing.py", "shop/pricing.py"),
        ("/tmp/run-17/build/shop/pricing.py", "shop/pricing.py"),
        ("shop/pricing.py", "shop/pricing.py"),
        ("/app/dist/api.js", "src/api.ts"),
        ("/app/main.py", "main.py"),
        ("/usr/local/lib/python3.11/main.py", None),
        ("/app/node_modules/express/main.py", None),
        ("/app/other/pricing.py", None),
        ("/app/../main.py", None),
        ("/app/absent.py", None),
    ],
)
def test_a_deployed_path_maps_to_a_file_of_the_repository(
    tmp_path: Path, path: str, file: str | None
) -> None:
    tree = write_tree(
        tmp_path, {"shop/pricing.py": "", "shop/orders.py": "", "src/api.ts": "", "main.py": ""}
    )

    assert locate(path, tree) == file


def test_a_file_in_the_root_directory_of_the_service_is_preferred(tmp_path: Path) -> None:
    files = write_tree(tmp_path, {"web/app.py": "", "api/app.py": "", "app.py": ""}).files

    assert locate("/app/app.py", Tree(tmp_path, files, "api")) == "api/app.py"
    assert locate("/app/app.py", Tree(tmp_path, files, "")) == "app.py"
    assert locate("/app/web/app.py", Tree(tmp_path, files, "api")) == "web/app.py"


def test_locations_start_with_the_most_frequent_trace(tmp_path: Path) -> None:
    code = "PRICES = {}\n\n\ndef total(items):\n    return sum(PRICES[item] for item in items)\n"
    tree = write_tree(tmp_path, {"shop/pricing.py": code, "shop/orders.py": "\n" * 20})
    rare = PYTHON_TRACEBACK.replace("line 5", "line 1").replace("'gift'", "'rare'")

    locations = stack_locations(
        build_log_records(log_lines(rare, PYTHON_TRACEBACK, PYTHON_TRACEBACK, gap=5)), tree
    )

    assert [(location.file, location.line, location.function, location.count) for location in locations] == [
        ("shop/pricing.py", 5, "total", 2), ("shop/orders.py", 12, "place", 3), ("shop/pricing.py", 1, "total", 1)
    ]  # fmt: skip
    assert ">    5     return sum(PRICES" in locations[0].excerpt


def test_a_link_out_of_the_clone_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("KEY = 'outside'\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "app.py").symlink_to(tmp_path / "secret.py")
    trace = 'Traceback (most recent call last):\n  File "/app/app.py", line 1, in f\nKeyError: 1'

    locations = stack_locations(build_log_records(log_lines(trace)), list_tree(tmp_path / "tree"))

    assert "outside" not in "".join(location.excerpt for location in locations)


def test_changed_locations_are_sources_and_neither_tests_nor_documents(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"app.py": "a\nb\nc\n", "README.md": "x", "tests/test_app.py": "y"})

    locations = changed_locations(
        {"README.md": [1], "tests/test_app.py": [1], "gone.py": [], "app.py": [2, 3]}, tree
    )

    assert [(location.file, location.line, location.why, location.count) for location in locations] == [
        ("app.py", 2, "changed", 2)
    ]
