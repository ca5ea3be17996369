"""Stack traces and commits point to lines of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.logs import PYTHON_TRACEBACK, log_lines, write_tree
from workers.investigation.code.code_layout import layout_of
from workers.investigation.code.deployed_paths import locate
from workers.investigation.code.locations import locate_groups, locations_of
from workers.investigation.code.tree import Tree, list_tree
from workers.investigation.evidence.code_changes import changed_locations
from workers.investigation.logs.log_patterns import group_records
from workers.investigation.logs.log_records import build_log_records
from workers.models import CodeLocation, LogLine


def located(lines: list[LogLine], tree: Tree) -> tuple[CodeLocation, ...]:
    return locations_of(locate_groups(group_records(build_log_records(lines)), tree), tree)


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

    assert locate(path, layout_of(tree)) == file


def test_a_file_in_the_root_directory_of_the_service_is_preferred(tmp_path: Path) -> None:
    files = write_tree(tmp_path, {"web/app.py": "", "api/app.py": "", "app.py": ""}).files

    assert locate("/app/app.py", layout_of(Tree(tmp_path, files, "api"))) == "api/app.py"
    assert locate("/app/app.py", layout_of(Tree(tmp_path, files, ""))) == "app.py"
    assert locate("/app/web/app.py", layout_of(Tree(tmp_path, files, "api"))) == "web/app.py"


def test_a_link_out_of_the_clone_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("KEY = 'outside'\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "app.py").symlink_to(tmp_path / "secret.py")
    trace = 'Traceback (most recent call last):\n  File "/app/app.py", line 1, in f\nKeyError: 1'

    locations = located(log_lines(trace), list_tree(tmp_path / "tree"))

    assert "outside" not in "".join(location.excerpt for location in locations)


def test_changed_locations_are_sources_and_neither_tests_nor_documents(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"app.py": "a\nb\nc\n", "README.md": "x", "tests/test_app.py": "y"})

    locations = changed_locations(
        {"README.md": [1], "tests/test_app.py": [1], "gone.py": [], "app.py": [2, 3]}, tree
    )

    assert [(location.file, location.line, location.why, location.count) for location in locations] == [
        ("app.py", 2, "changed", 2)
    ]


CODE = """\
def total(items):
    return sum(PRICES[item] for item in items)
"""


def test_the_innermost_line_comes_first_with_its_excerpt_and_count(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"shop/pricing.py": "\n\n\n" + CODE, "shop/orders.py": "\n" * 20})

    locations = located(log_lines(PYTHON_TRACEBACK, PYTHON_TRACEBACK, gap=5), tree)

    assert [(location.file, location.line, location.function, location.count) for location in locations] == [
        ("shop/pricing.py", 5, "total", 2), ("shop/orders.py", 12, "place", 2)
    ]  # fmt: skip
    assert ">    5     return sum(PRICES" in locations[0].excerpt


def test_the_first_places_name_several_files(tmp_path: Path) -> None:
    files = dict.fromkeys(("a.js", "b.js", "c.js", "d.js", "e.js"), "\n" * 9)
    positions = ["a.js:1", "a.js:2", "b.js:1", "b.js:3", "c.js:1", "d.js:1", "e.js:1"]
    trace = "TypeError: x\n" + "\n".join(f"    at f (/app/{position}:1)" for position in positions)

    locations = located(log_lines(trace), write_tree(tmp_path, files))

    assert [f"{location.file}:{location.line}" for location in locations] == [
        "a.js:1", "b.js:1", "c.js:1", "d.js:1", "e.js:1", "a.js:2", "b.js:3"
    ]  # fmt: skip


def test_every_group_shows_a_place_before_the_first_shows_all(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, dict.fromkeys(("a.js", "b.js", "c.js", "d.js"), "\n" * 9))
    first = "TypeError: x\n    at f (/app/a.js:1:1)\n    at g (/app/b.js:1:1)\n    at h (/app/c.js:1:1)"
    second = "RangeError: another thing\n    at i (/app/d.js:1:1)"

    locations = located(log_lines(first, first, second, gap=5), tree)

    assert [location.file for location in locations] == ["a.js", "b.js", "d.js", "c.js"]


@pytest.mark.parametrize(
    ("checker", "first"),
    [
        ("raise TypeError(f'to_bytes must receive str, got {value}')", "shop/orders.py"),
        ("assert value", "shop/orders.py"),
        ("return PRICES[value]", "shop/utils.py"),
    ],
)
def test_a_check_in_a_helper_comes_behind_its_caller(tmp_path: Path, checker: str, first: str) -> None:
    tree = write_tree(
        tmp_path, {"shop/utils.py": f"def to_bytes(value):\n    {checker}\n", "shop/orders.py": "x\ny\nz\n"}
    )
    trace = (
        'Traceback (most recent call last):\n  File "/app/shop/orders.py", line 3, in place\n    z\n'
        '  File "/app/shop/utils.py", line 2, in to_bytes\n    x\nTypeError: x'
    )

    locations = located(log_lines(trace), tree)

    assert locations[0].file == first
    assert len(locations) == 2


@pytest.mark.parametrize(
    "call",
    [
        "return await call_next(request)",
        "await self.app(scope, receive, send)",
        "return func(*args, **kwargs)",
    ],
)
def test_a_middleware_is_never_the_first_place(tmp_path: Path, call: str) -> None:
    tree = write_tree(tmp_path, {"wrap.py": f"async def wrap():\n    {call}\n", "orders.py": "a\nb\n"})
    trace = (
        'Traceback (most recent call last):\n  File "/app/orders.py", line 2, in place\n    b\n'
        '  File "/app/wrap.py", line 2, in wrap\n    x\n  File "/usr/lib/python3/x.py", line 1, in f\n    y\n'
        "KeyError: 1"
    )

    locations = located(log_lines(trace), tree)

    assert [location.file for location in locations] == ["orders.py", "wrap.py"]


def test_a_line_past_the_end_of_its_file_is_no_line(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"src/orders.js": "a\nb\n"})

    [location] = located(log_lines("TypeError: x\n    at f (/app/src/orders.js:99:1)"), tree)

    assert (location.position, location.line, location.excerpt) == ("src/orders.js", 0, "")


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/usr/local/lib/python3.12/site-packages/shop/pricing.py", "src/shop/pricing.py"),
        ("/usr/local/lib/python3.12/site-packages/flask/app.py", None),
        ("/app/node_modules/@acme/core/dist/money.js", "packages/core/src/money.ts"),
        ("/app/node_modules/express/lib/router.js", None),
        ("/srv/shop/api/orders.py", "api/orders.py"),
        ("shop/orders.go", "orders.go"),
        ("net/http/orders.go", None),
        ("/usr/local/go/src/orders.go", None),
        ("/root/go/pkg/mod/github.com/acme/kit@v1.2.0/orders.go", None),
        ("(shop)/lib/shop.ex", "lib/shop.ex"),
        ("(phoenix)/lib/shop.ex", None),
        ("/root/.cargo/registry/src/index.crates.io-1/tokio-1.0/src/lib.rs", None),
        ("src/lib.rs", "src/lib.rs"),
        ("com/acme/Pricing.java", "app/src/main/java/com/acme/Pricing.java"),
        ("org/other/Pricing.java", None),
        ("c/a/Pricing.java", "app/src/main/java/com/acme/Pricing.java"),
        ("com/acme/kt/Cart.kt", "app/src/main/kotlin/Cart.kt"),
        ("C:\\build\\src\\Shop\\Cart.cs", "Shop/Cart.cs"),
    ],
)
def test_paths_of_each_language_map_to_own_files_only(tmp_path: Path, path: str, file: str | None) -> None:
    files = {
        "pyproject.toml": "", "src/shop/pricing.py": "", "packages/core/src/money.ts": "", "api/orders.py": "",
        "packages/core/package.json": '{"name": "@acme/core"}', "Dockerfile": "WORKDIR /srv/shop\n",
        "go.mod": "module shop\n", "orders.go": "", "mix.exs": "app: :shop,", "lib/shop.ex": "", "src/lib.rs": "",
        "app/src/main/java/com/acme/Pricing.java": "package com.acme;\n", "Shop/Cart.cs": "",
        "app/src/main/kotlin/Cart.kt": "package com.acme.kt\n",
    }  # fmt: skip

    assert locate(path, layout_of(write_tree(tmp_path, files))) == file


def test_a_trace_of_a_middleware_with_an_exception_group_leads_to_the_innermost_own_line(
    tmp_path: Path,
) -> None:
    library = [
        line
        for number in range(40)
        for line in (
            f'  File "/opt/venv/lib/python3.12/site-packages/starlette/x.py", line {number}, in call',
            "    await self.app(scope, receive, send)",
            "    ^^^^^^^^",
        )
    ]
    own = [
        '  File "/app/shop/orders.py", line 2, in place', "    return total(items)",
        '  File "/app/shop/pricing.py", line 2, in total', "    return PRICES[item]", "           ~~~~~~^^^^^^",
    ]  # fmt: skip
    middleware = ['  File "/app/main.py", line 2, in add_header', "    response = await call_next(request)"]
    start = "Traceback (most recent call last):"
    group = [
        "ERROR:    Exception in ASGI application",
        f"  + Exception Group {start}",
        *(f"  | {line}" for line in (*library, *middleware)),
        "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        "  +-+---------------- 1 ----------------",
        *(f"    | {line}" for line in (start, *library, *own, "KeyError: 'gift'")),
        "    +------------------------------------",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        *(start, *library, *middleware, *library, *own, "KeyError: 'gift'"),
    ]
    tree = write_tree(
        tmp_path,
        {
            "main.py": "async def add_header(request, call_next):\n    response = await call_next(request)\n",
            "shop/orders.py": "def place(items):\n    return total(items)\n",
            "shop/pricing.py": "def total(item):\n    return PRICES[item]\n",
        },
    )

    locations = located(log_lines(*group, gap=0.0001), tree)

    assert [location.position for location in locations] == [
        "shop/pricing.py:2",
        "shop/orders.py:2",
        "main.py:2",
    ]
