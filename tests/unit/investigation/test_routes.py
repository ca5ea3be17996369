"""Failing routes lead to their handlers, and similar requests are grouped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.builders import ONSET
from tests.support.logs import write_tree
from workers.clients.railway import HttpLine
from workers.investigation.code.routes import route_fit, route_locations
from workers.investigation.evidence.requests import group_requests, route_of
from workers.models import (
    RequestPattern,
)


@pytest.mark.parametrize(
    ("route", "path", "better"),
    [
        ("/orders/{order_id}", "/orders/17", "/orders/{order_id}/gift"),
        ("/orders/:id/gift", "/orders/17/gift", "/orders/:id"),
        ("/orders/<int:order_id>", "/orders/17", "/<path:anything>"),
        ("/gift/:id", "/api/v1/gift/7", "/other/:id"),
        ("/orders/", "/orders/17", "/other/"),
        ("/", "/", "/orders"),
    ],
)
def test_a_route_in_the_code_fits_the_paths_that_it_handles(route: str, path: str, better: str) -> None:
    assert route_fit(route, path) > route_fit(better, path)
    assert route_fit("/something/else", path) == 0


def test_a_handler_is_found_by_the_text_of_its_route(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "app.py": """\
                @app.get("/health")
                def health(): ...

                @app.get("/reports/{day}")
                @cached
                async def report(day): ...
                """,
            "client.py": 'def ask():\n    return requests.get("/reports/today")\n',
            "tests/test_app.py": 'client.get("/reports/2026-11-20")\n',
        },
    )
    slow = RequestPattern(
        method="GET", route="/reports/:id", path="/reports/2026-11-20", status=200, count=9, slowest_ms=4e3
    )

    [location] = route_locations([slow], tree)

    assert (location.file, location.line, location.function, location.count) == ("app.py", 4, "report", 9)


@pytest.mark.parametrize(
    ("code", "function"),
    [
        ("router.get('/search', search);\n", "search"),
        ("app.get('/search', async (req, res) => {\n  res.json([]);\n});\n", None),
        ("urlpatterns = [\n    path('search', views.search),\n]\n", "search"),
        (
            "class H(Base):\n    def do_GET(self):\n        if self.path == '/search':\n            run()\n",
            "do_GET",
        ),
    ],
    ids=["express", "arrow", "django", "http.server"],
)
def test_handlers_are_found_in_each_framework(tmp_path: Path, code: str, function: str | None) -> None:
    tree = write_tree(tmp_path, {"server.py" if "self" in code or "views" in code else "server.js": code})
    slow = RequestPattern(method="GET", route="/search", path="/search", status=200, count=1, slowest_ms=4e3)

    [location] = route_locations([slow], tree)

    assert location.function == function


def test_requests_are_grouped_by_masked_route_without_query_strings() -> None:
    def line(path: str, status: int = 500, platform: bool = False) -> HttpLine:
        return HttpLine(
            timestamp=ONSET, method="GET", path=path, status=status, ms=5, platform_answer=platform
        )

    patterns = group_requests(
        [line("/orders/17?token=hunter2hunter2"), line("/orders/18"), line("/orders", 502, platform=True)]
    )

    assert [(pattern.route, pattern.status, pattern.count, pattern.platform_answer) for pattern in patterns] == [
        ("/orders/:id", 500, 2, False), ("/orders", 502, 1, True)
    ]  # fmt: skip
    assert "hunter2" not in str(patterns)
    assert route_of("/users/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/a@b.example") == "/users/:id/:id"
