"""The small repositories of the cases. Each holds the same fault: the price of a parcel without a weight."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.attacks.cases import Content, Link

RATES = '''"""What a parcel costs, in cents."""
import json

BASE_CENTS = 390


def price(parcel):
    return BASE_CENTS + 20 * parcel["weight"]


def surcharge(zone):
    if zone not in ("home", "near", "far"):
        raise ValueError(f"unknown zone {zone!r}")
    return {"home": 0, "near": 150, "far": 900}[zone]


def total(parcels, zone):
    return sum(price(parcel) + surcharge(zone) for parcel in parcels)


def read(path):
    with open(path) as file:
        return json.load(file)
'''
ACCESS = '''"""Who may do what."""
import functools
import hashlib
import hmac

TOKENS = {"t-1": "clerk"}


def staff_only(view):
    @functools.wraps(view)
    def guarded(request):
        if request.get("token") not in TOKENS:
            return {"status": 401}
        return view(request)

    return guarded


def is_signed(body, signature, key):
    wanted = hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, wanted)


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")
'''
VIEWS = '''"""The pages of the counter."""
from parcels.access import escape, staff_only
from parcels.rates import total


def quote(request):
    return {"status": 200, "cents": total(request["parcels"], request["zone"])}


@staff_only
def label(request):
    return {"status": 200, "html": f"<b>{escape(request['name'])}</b>"}


@staff_only
def cancel(request):
    return {"status": 200, "cancelled": request["id"]}
'''
STORAGE = '''"""Parcels in SQLite."""
import sqlite3


def connect():
    db = sqlite3.connect(":memory:")
    db.execute("create table parcels (id integer primary key, sender text, cents integer)")
    return db


def sent_by(db, sender):
    return db.execute("select id, cents from parcels where sender = ? order by id", (sender,)).fetchall()


def page(db, number, size):
    return db.execute("select id from parcels order by id limit ? offset ?", (size, number * size)).fetchall()


def count(db):
    return len(db.execute("select * from parcels").fetchall())
'''
CONFIG = '''"""Settings of the service."""
import os

PAGE_SIZE = 50
TRACKING_SECONDS = 5
DATABASE = os.environ.get("DATABASE_URL", "sqlite://")
CARRIER = "https://api.carrier.example/v2"
'''
CLIENT = '''"""The carrier's interface."""
import ssl
import urllib.request

from parcels.config import CARRIER, TRACKING_SECONDS


def context():
    return ssl.create_default_context()


def track(number):
    request = urllib.request.Request(f"{CARRIER}/parcels/{number}")
    with urllib.request.urlopen(request, timeout=TRACKING_SECONDS, context=context()) as answer:
        return answer.read()
'''
TESTS = """import unittest

from parcels.access import escape, is_signed
from parcels.rates import price, read, surcharge, total
from parcels.views import cancel, label
from tests.support import check_price


class Rates(unittest.TestCase):
    def test_heavy_costs_more(self):
        self.assertEqual(price({"weight": 3}), 450)

    def test_zones(self):
        self.assertEqual(surcharge("far"), 900)
        with self.assertRaises(ValueError):
            surcharge("moon")

    def test_total(self):
        self.assertEqual(total([{"weight": 1}, {"weight": 2}], "near"), 1140)

    def test_by_helper(self):
        check_price(self, {"weight": 0}, 390)

    def test_from_file(self):
        self.assertEqual(total(read("tests/data/parcels.json"), "home"), 880)


class Access(unittest.TestCase):
    def test_strangers_may_not_cancel(self):
        self.assertEqual(cancel({"id": 1})["status"], 401)

    def test_names_are_escaped(self):
        self.assertEqual(label({"token": "t-1", "name": "<i>"})["html"], "<b>&lt;i></b>")
        self.assertEqual(escape("a&b"), "a&amp;b")

    def test_a_wrong_signature_is_refused(self):
        self.assertFalse(is_signed(b"x", "00", b"key"))
"""
PYTHON: dict[str, Content] = {
    "README.md": "# parcels\n",
    "parcels/__init__.py": "",
    "parcels/rates.py": RATES,
    "parcels/access.py": ACCESS,
    "parcels/views.py": VIEWS,
    "parcels/storage.py": STORAGE,
    "parcels/config.py": CONFIG,
    "parcels/client.py": CLIENT,
    "parcels/templates/label.html": "<p>{{ name }}</p>\n<p>{{ weight }} kg</p>\n",
    "parcels/queries/late.sql": "select id from parcels where due < now();\n",
    "migrations/0001_parcels.sql": "create table parcels (id integer primary key, sender text, cents integer);\n",
    "scripts/release.sh": 'set -e\ngit tag "$1"\n',
    "tests/__init__.py": "",
    "tests/support.py": (
        "from parcels.rates import price\n\n\ndef check_price(case, parcel, cents):\n"
        "    case.assertEqual(price(parcel), cents)\n"
    ),
    "tests/data/parcels.json": '[{"weight": 1}, {"weight": 4}]\n',
    "tests/test_rates.py": TESTS,
}
PYTEST: dict[str, Content] = {
    "parcels/__init__.py": "",
    "parcels/rates.py": RATES,
    "requirements-dev.txt": "pytest\n",
    "tests/conftest.py": ("import pytest\n\n\n@pytest.fixture\ndef parcel():\n    return {'weight': 2}\n"),
    "tests/test_rates.py": (
        "import pytest\n\nfrom parcels.rates import price, surcharge\n\n\n"
        "def test_price(parcel):\n    assert price(parcel) == 430\n\n\n"
        "@pytest.mark.parametrize('zone', ['home', 'near', 'far'])\n"
        "def test_zone(zone):\n    assert surcharge(zone) >= 0\n"
    ),
}
ROUTE = """"use strict";

const zones = new Map([["home", 0], ["near", 150], ["far", 900]]);

/** What a parcel costs, in cents. */
function price(parcel) {
  return 390 + 20 * parcel.size.weight;
}

function surcharge(zone) {
  if (!zones.has(zone)) throw new RangeError(`unknown zone ${zone}`);
  return zones.get(zone);
}

function total(parcels, zone) {
  return parcels.reduce((sum, parcel) => sum + price(parcel) + surcharge(zone), 0);
}

async function track(client, number) {
  const answer = await client.get(`/parcels/${encodeURIComponent(number)}`);
  return JSON.parse(answer.body).state;
}

module.exports = { price, surcharge, total, track };
"""
NODE: dict[str, Content] = {
    "package.json": '{\n  "name": "parcels",\n  "version": "1.0.0",\n  "scripts": {"test": "node --test"}\n}\n',
    "lib/rates.js": ROUTE,
    "lib/page.js": (
        '"use strict";\n\nconst escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");\n\n'
        "function label(parcel) {\n  return `<b>${escape(parcel.name)}</b>`;\n}\n\n"
        "module.exports = { label, escape };\n"
    ),
    "test/rates.test.js": (
        "const test = require('node:test');\nconst assert = require('node:assert');\n"
        "const { price, surcharge, total } = require('../lib/rates');\nconst { label } = require('../lib/page');\n\n"
        "test('heavy costs more', () => {\n  assert.strictEqual(price({ size: { weight: 3 } }), 450);\n});\n\n"
        "test('zones', () => {\n  assert.strictEqual(surcharge('far'), 900);\n"
        "  assert.throws(() => surcharge('moon'), RangeError);\n});\n\n"
        "test('total', () => {\n  assert.strictEqual(total([{ size: { weight: 1 } }], 'near'), 560);\n});\n\n"
        "test('names are escaped', () => {\n  assert.strictEqual(label({ name: '<i>' }), '<b>&lt;i></b>');\n});\n"
    ),
}
TYPESCRIPT: dict[str, Content] = {
    "package.json": '{"name": "parcels", "version": "1.0.0"}\n',
    "tsconfig.json": '{"compilerOptions": {"strict": true}}\n',
    "src/rates.ts": (
        "export interface Parcel { name: string; weight?: { grams: number } }\n\n"
        "export function price(parcel: Parcel): number {\n  return 390 + parcel.weight!.grams;\n}\n\n"
        "export function names(parcels: Parcel[]): string[] {\n  return parcels.map((p) => p.name).sort();\n}\n"
    ),
    "src/access.ts": (
        'import { timingSafeEqual } from "node:crypto";\n\n'
        "export function mayCancel(user: { roles: string[] }): boolean {\n"
        '  return user.roles.includes("clerk");\n}\n\n'
        "export function isSigned(left: Buffer, right: Buffer): boolean {\n"
        "  return timingSafeEqual(left, right);\n}\n"
    ),
}
GO: dict[str, Content] = {
    "go.mod": "module example.com/parcels\n\ngo 1.22\n",
    "rates.go": (
        "package parcels\n\ntype Parcel struct{ Weight *int }\n\n"
        "func Price(parcel Parcel) int {\n\treturn 390 + 20*(*parcel.Weight)\n}\n\n"
        "func Total(parcels []Parcel) int {\n\tsum := 0\n\tfor _, parcel := range parcels {\n"
        "\t\tsum += Price(parcel)\n\t}\n\treturn sum\n}\n"
    ),
    "rates_test.go": (
        'package parcels\n\nimport "testing"\n\nfunc TestPrice(t *testing.T) {\n\tthree := 3\n'
        '\tif Price(Parcel{&three}) != 450 {\n\t\tt.Fatal("price")\n\t}\n}\n'
    ),
}
RUBY: dict[str, Content] = {
    "lib/rates.rb": "class Rates\n  def price(parcel)\n    390 + 20 * parcel[:weight]\n  end\nend\n",
    "spec/rates_spec.rb": (
        "require_relative '../lib/rates'\n\nRSpec.describe Rates do\n  it 'adds the weight' do\n"
        "    expect(Rates.new.price({ weight: 3 })).to eq(450)\n  end\nend\n"
    ),
}
MONOREPO: dict[str, Content] = {
    "README.md": "# counter and ledger\n",
    "shared/money.py": "def cents(text):\n    return round(float(text) * 100)\n",
    "ledger/book.py": "LIMIT_CENTS = 10_000\n\n\ndef book(cents):\n    return min(cents, LIMIT_CENTS)\n",
    "counter/parcels/__init__.py": "",
    "counter/parcels/rates.py": RATES,
    "counter/tests/__init__.py": "",
    "counter/tests/test_rates.py": (
        "import unittest\n\nfrom parcels.rates import price\n\n\nclass Rates(unittest.TestCase):\n"
        "    def test_price(self):\n        self.assertEqual(price({'weight': 3}), 450)\n"
    ),
}
DEPLOYED: dict[str, Content] = {
    "Dockerfile": 'FROM python:3.12-slim\nCOPY . /app\nCMD ["python", "-m", "parcels"]\n',
    "requirements.txt": "attrs==24.2.0\n",
    "pyproject.toml": '[project]\nname = "parcels"\nversion = "1.0"\ndependencies = ["attrs>=24"]\n',
    "package.json": '{\n  "name": "parcels",\n  "version": "1.0.0",\n  "dependencies": {"ms": "2.1.3"}\n}\n',
    "parcels/__init__.py": "",
    "parcels/rates.py": RATES,
    "tests/__init__.py": "",
    "tests/test_rates.py": (
        "import unittest\n\nfrom parcels.rates import price\n\n\nclass Rates(unittest.TestCase):\n"
        "    def test_price(self):\n        self.assertEqual(price({'weight': 3}), 450)\n"
    ),
}
LINKED: dict[str, Content] = {**PYTHON, "current": Link("parcels/config.py")}
BASES: Mapping[str, Mapping[str, Content]] = {
    "python": PYTHON,
    "pytest": PYTEST,
    "node": NODE,
    "typescript": TYPESCRIPT,
    "go": GO,
    "ruby": RUBY,
    "monorepo": MONOREPO,
    "deployed": DEPLOYED,
    "linked": LINKED,
}
