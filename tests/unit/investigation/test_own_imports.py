"""A place uses the own files whose names its function holds, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.investigation.code.own_imports import SourceIndex, with_imports
from workers.investigation.code.tree import list_tree
from workers.models import CodeLocation

FILES = {
    "shop/web.py": (
        "from shop.report import (\n    build,\n)\nfrom . import mail\nimport shop.db as db\n\n@app.get('/report')\n"
        "def report():\n    return build()\n\n@app.get('/mail')\ndef send():\n    mail.send(db)\n"
    ),
    "shop/report.py": "from shop.rows import read\n", "shop/mail.py": "", "shop/db.py": "", "shop/rows.py": "",
    "src/routes/orders.ts": (
        "import { list, total as sum } from '../orders';\nimport mailer from '@/mailer';\n\n"
        "router.get('/orders', (req, res) => {\n  res.json(list(req));\n});\n"
        "router.get('/mail', (req, res) => {\n  mailer(req);\n});\n"
    ),
    "src/orders/index.ts": "", "src/mailer.ts": "",
    "web/handler.go": (
        'import (\n\t"net/http"\n\t"acme/shop/internal/orders"\n)\n\n'
        "func Report(w http.ResponseWriter) {\n\torders.Total(sum())\n}\n"
    ),
    "internal/orders/total.go": "", "web/sum.go": "func sum() int {\n", "web/mail.go": "func mail() {\n",
    "app/controllers/orders_controller.rb": "def index\n  PricingService.total\nend\n",
    "app/services/pricing_service.rb": "", "app/services/mail_service.rb": "",
    "src/main/java/a/OrderController.java": "  void list() {\n    pricing.total(new PriceList());\n  }\n",
    "src/main/java/a/PriceList.java": "", "src/main/java/a/Mail.java": "",
}  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> SourceIndex:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text or "\n")
    return SourceIndex(list_tree(tmp_path))


@pytest.mark.parametrize(
    ("file", "line", "used"),
    [
        ("shop/web.py", 7, ("shop/report.py", "shop/rows.py")),
        ("shop/web.py", 11, ("shop/mail.py", "shop/db.py")),
        ("src/routes/orders.ts", 4, ("src/orders/index.ts",)),
        ("src/routes/orders.ts", 7, ("src/mailer.ts",)),
        ("web/handler.go", 6, ("internal/orders/total.go", "web/sum.go")),
        ("app/controllers/orders_controller.rb", 1, ("app/services/pricing_service.rb",)),
        ("src/main/java/a/OrderController.java", 1, ("src/main/java/a/PriceList.java",)),
        ("shop/gone.py", 1, ()),
    ],
)
def test_a_place_uses_the_files_that_its_function_names(
    index: SourceIndex, file: str, line: int, used: tuple[str, ...]
) -> None:
    assert index.used_at(file, line) == used


def test_a_changed_place_is_left_as_it_is(index: SourceIndex) -> None:
    changed = CodeLocation(file="shop/web.py", line=7, why="changed")
    route = changed.model_copy(update={"why": "route"})

    left, filled = with_imports([changed, route], index.tree)

    assert left == changed
    assert filled.imports == ("shop/report.py", "shop/rows.py")


def test_a_long_line_is_searched_in_bounded_time(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("import {" + "a, " * 70_000 + "\n")

    assert SourceIndex(list_tree(tmp_path)).used_at("a.js", 1) == ()
