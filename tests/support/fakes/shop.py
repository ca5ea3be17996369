"""A small shop with a fault: as files, as a git repository, and as the state that Railway reports."""

from __future__ import annotations

import math
from pathlib import Path

from tests.support.fakes.githttp import git
from tests.support.fakes.model_steps import Edit
from tests.support.fakes.railway_types import (
    LogRow,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldService,
    WorldVolume,
)

HEALTHY = '''"""Prices of the shop."""

VOUCHERS = {"SPRING": 5, "AUTUMN": 3}


def total(order):
    """What an order costs, in euro."""
    voucher = order.get("voucher")
    return order["amount"] - VOUCHERS.get(voucher, 0)
'''
SICK = HEALTHY.replace('order.get("voucher")', 'order["voucher"]')
"""Orders without a voucher fail."""

APP = '''"""The shop over HTTP."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pricing import total


class Shop(BaseHTTPRequestHandler):
    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"total": total(order)}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Shop).serve_forever()
'''
TEST = """import unittest

from pricing import total


class Prices(unittest.TestCase):
    def test_a_voucher_is_taken_off(self):
        self.assertEqual(total({"amount": 20, "voucher": "SPRING"}), 15)
"""
REPRODUCTION = """import unittest

from pricing import total


class NoVoucher(unittest.TestCase):
    def test_an_order_without_a_voucher_costs_its_amount(self):
        self.assertEqual(total({"amount": 20}), 20)
"""
NAME = "acme/shop"


def write(folder: Path) -> tuple[str, str]:
    """Create the repository with a healthy commit and a faulty one. Returns their hashes."""
    (folder / "tests").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "app.py").write_text(APP)
    (folder / "tests" / "__init__.py").write_text("")
    (folder / "tests" / "test_pricing.py").write_text(TEST)
    (folder / "README.md").write_text("A shop.\n")
    return _commit(folder, HEALTHY, "Prices with vouchers"), _commit(
        folder, SICK, "Read the voucher directly"
    )


def _commit(folder: Path, pricing: str, message: str) -> str:
    (folder / "pricing.py").write_text(pricing)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD").strip()


def propose_edits(path: str, source: str, _line: int) -> list[Edit]:
    """The correct fix of the given source text."""
    if 'order["voucher"]' not in source:
        return []
    return [
        Edit(path, 'order["voucher"]', 'order.get("voucher")'),
        Edit("tests/test_no_voucher.py", None, REPRODUCTION),
    ]


def traceback() -> list[str]:
    """The lines that the faulty shop prints for a failing order, as Python does."""
    line = SICK[: SICK.index('order["voucher"]')].count("\n") + 1
    call = APP[: APP.index("total(order)")].count("\n") + 1
    return [
        "Traceback (most recent call last):",
        f'  File "/app/app.py", line {call}, in do_POST',
        '    body = json.dumps({"total": total(order)}).encode()',
        f'  File "/app/pricing.py", line {line}, in total',
        '    voucher = order["voucher"]',
        "KeyError: 'voucher'",
    ]


def meta(commit: str, message: str, repo: str = NAME) -> dict[str, object]:
    deploy = {"numReplicas": 1, "multiRegionConfig": {"us-west2": {"numReplicas": 1}}}
    return {
        "repo": repo, "branch": "main", "commitHash": commit, "commitAuthor": "octocat",
        "commitMessage": message, "rootDirectory": None, "reason": "deploy",
        "serviceManifest": {"build": {}, "deploy": deploy},
    }  # fmt: skip


def world(
    now: float, healthy: str, sick: str, *, minutes: int = 30, failing: bool = True, mark: str = ""
) -> World:
    """The environment as it looks after the sick commit went live ten minutes after the window began.

    `mark` is added to every id and name, for one of many shops.
    """
    began, live_at, repo = now - minutes * 60, now - (minutes - 10) * 60, NAME + mark
    old = WorldDeployment(
        f"dep-old{mark}", f"svc-shop{mark}", "REMOVED", began - 86_400, began, meta(healthy, "Prices", repo)
    )
    new = WorldDeployment(
        f"dep-new{mark}", f"svc-shop{mark}", "SUCCESS", live_at, live_at,
        meta(sick, "Read the voucher directly", repo), instances=[(f"ins-1{mark}", "RUNNING")],
    )  # fmt: skip
    shop = WorldService(
        f"svc-shop{mark}", f"shop{mark}", repo=repo, domains=[f"shop{mark}.up.railway.app"],
        deployments=[new, old], active=[new.id], cpu_limit=8.0, memory_limit=8.0,
    )  # fmt: skip
    for second in range(0, minutes * 60, 5):
        at = began + second
        live = new if at > live_at else old
        run_on(shop, at, second, live, f"ins-1{mark}", failing=failing and live is new)
    database = WorldService(
        f"svc-db{mark}", "Postgres", image="ghcr.io/railwayapp-templates/postgres-ssl:18",
        deployments=[WorldDeployment(f"dep-db{mark}", f"svc-db{mark}", "SUCCESS", began - 9e5, began - 9e5,
                                     {"image": "postgres"}, instances=[(f"ins-db{mark}", "RUNNING")])],
        active=[f"dep-db{mark}"], volumes=[WorldVolume(f"vol-1{mark}", "data", "/var/lib", 400.0, 5000)],
    )  # fmt: skip
    ids = f"prj-1{mark}", f"shop{mark}", f"env-1{mark}", "production"
    return World(*ids, [shop, database])


def run_on(
    shop: WorldService, at: float, second: int, live: WorldDeployment, instance: str, *, failing: bool
) -> None:
    """Add the shop's activity of five seconds."""
    bad = failing and (second // 5) % 3 == 0
    shop.requests.append(Request(at, "POST", "/orders", 500 if bad else 200, 20.0, live.id, instance))
    if bad:
        live.logs.extend(LogRow(at + i / 1000, text, "error") for i, text in enumerate(traceback()))
    if second % 30 == 0:
        wave = 1 + 0.1 * math.sin(second)
        shop.samples.append(Sample(at, instance, live.id, 0.2 * wave, 0.5 * wave))
