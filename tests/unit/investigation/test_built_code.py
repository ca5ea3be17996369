"""A frame of built JavaScript leads to its source: by a source map, by its function, else to a file without a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.logs import write_tree
from workers.investigation.code.code_layout import layout_of
from workers.investigation.code.locations import trace_places
from workers.investigation.code.source_maps import original_position

INDEX = "import { total } from './pricing';\n\nexport const handler = async (req) => {\n  return total(req);\n};\n"
PRICING = "interface Item {\n  price: number;\n}\n\nexport function total(items: Item[]): number {\n  return 1;\n}\n"
SOURCES = {"src/index.ts": INDEX, "src/pricing.ts": PRICING}
# Line 2, column 5 of the built file is line 6, column 3 of the first source; line 3 continues in the second source.
MAP = {
    "version": 3,
    "sources": ["../src/pricing.ts", "../src/index.ts"],
    "names": ["total"],
    "mappings": ";IAKEA;ACFA",
}


def places(tmp_path: Path, files: dict[str, str], *frames: str) -> list[str]:
    layout = layout_of(write_tree(tmp_path, files))
    return [
        f"{place.file}:{place.line}" for place in trace_places("TypeError: x\n" + "\n".join(frames), layout)
    ]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (["    at total (/app/dist/pricing.js:9:3)"], ["src/pricing.ts:5"]),
        (["    at /app/dist/pricing.js:3:3"], ["src/pricing.ts:0"]),
        (
            ["    at total (/app/dist/pricing.js:9:3)", "    at /app/dist/pricing.js:3:3"],
            ["src/pricing.ts:5"],
        ),
        (
            ["    at total (/app/dist/index.js:4821:3)", "    at /app/dist/index.js:5102:1"],
            ["src/pricing.ts:5"],
        ),
        (["    at total (/app/dist/index.js:3:3)", "    at /app/dist/index.js:5:1"], ["src/pricing.ts:5"]),
        (["    at x (/app/dist/index.js:4821:3)"], []),
        (["    at total (/app/src/pricing.ts:6:3)"], ["src/pricing.ts:6"]),
        (["    at total (/app/src/pricing.ts:60:3)"], ["src/pricing.ts:0"]),
        (["    at total (webpack://shop/./src/pricing.ts:6:3)"], ["src/pricing.ts:6"]),
        (["    at total (/app/dist/../src/pricing.ts:6:3)"], ["src/pricing.ts:6"]),
    ],
)
def test_without_a_map_the_function_gives_the_line(
    tmp_path: Path, frames: list[str], expected: list[str]
) -> None:
    assert places(tmp_path, SOURCES, *frames) == expected


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/app/.next/server/app/orders/page.js", "src/app/orders/page.tsx"),
        ("/app/.next/server/app/(shop)/cart/page.js", "src/app/(shop)/cart/page.tsx"),
        ("/app/.next/server/pages/api/total.js", "pages/api/total.ts"),
        ("/app/.output/server/chunks/routes/api/orders.get.mjs", "server/api/orders.get.ts"),
        ("webpack-internal:///(rsc)/./src/app/orders/page.tsx", "src/app/orders/page.tsx"),
        ("/app/packages/core/dist/money.js", "packages/core/src/money.ts"),
        ("/app/dist/apps/api/src/main.js", "apps/api/src/main.ts"),
        ("/app/server.js", "server.ts"),
        ("/app/dist/cli.js", "cli.ts"),
    ],
)
def test_built_files_lead_to_their_sources(tmp_path: Path, path: str, file: str) -> None:
    names = [
        "src/app/orders/page.tsx", "src/app/(shop)/cart/page.tsx", "pages/api/total.ts", "server/api/orders.get.ts",
        "packages/core/src/money.ts", "apps/api/src/main.ts", "server.ts", "cli.ts",
    ]  # fmt: skip
    [place] = places(tmp_path, dict.fromkeys(names, "a\n" * 5), f"    at {path}:1:1")

    assert place.rpartition(":")[0] == file


def test_a_source_map_of_the_repository_gives_the_line(tmp_path: Path) -> None:
    files = {**SOURCES, "dist/index.js": "x\n", "dist/index.js.map": json.dumps(MAP)}

    frames = ["    at a (/app/dist/index.js:2:9)", "    at b (/app/dist/index.js:3:1)"]
    assert places(tmp_path, files, *frames) == ["src/pricing.ts:6", "src/index.ts:4"]


@pytest.mark.parametrize(
    "damaged",
    ["", "{", "[]", '{"mappings": 3}', '{"sources": [], "mappings": ";AAAA"}', '{"sources": ["a"], "mappings": ";!"}',
     '{"sources": ["a"], "mappings": ";' + "g" * 500 + '"}'],
)  # fmt: skip
def test_a_damaged_source_map_gives_no_position(damaged: str) -> None:
    assert original_position(damaged, 2, 1) is None
