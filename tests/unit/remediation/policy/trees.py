"""Two small services, whose faults the patches of these tests fix or pretend to fix."""

from __future__ import annotations

from tests.support.patches import Tree

BOOKING = '''"""Rooms and their prices."""
import json
import logging
import os
from datetime import datetime

import requests

log = logging.getLogger(__name__)
RATES_URL = "https://rates.example.com/v2"
CURRENCY = "EUR"


def nights(start, end):
    return (end - start).days


def price(room, count):
    return room["rate"] * count


def first_page(items, size):
    return items[0:size + 1]


def parse_day(text):
    return datetime.strptime(text, "%Y-%m-%d")


def rate(currency):
    answer = requests.get(f"{RATES_URL}/{currency}")
    return answer.json()["rate"]


def guests(db, booking):
    return [db.execute("select name from guests where id = ?", (guest,)).fetchone() for guest in booking["guests"]]


def read_rooms(path):
    file = open(path)
    return json.load(file)


def pool_size():
    return int(os.environ["POOL_SIZE"])


def total(rooms):
    return round(sum(price(room, room["nights"]) for room in rooms), 2)


class Counter:
    def __init__(self):
        self.taken = {}

    def take(self, room):
        if room not in self.taken:
            self.taken[room] = True
            return True
        return False
'''
ACCESS = '''"""Access to pages."""
import hmac
from functools import wraps

TOKENS = {}


def require_token(view):
    @wraps(view)
    def checked(request):
        if request.get("token") not in TOKENS:
            return {"status": 403}
        return view(request)

    return checked


def is_signed(body, signature, key):
    return hmac.compare_digest(hmac.new(key, body, "sha256").hexdigest(), signature)
'''
PAGES = '''"""Pages of the hotel."""
from hotel.access import is_signed, require_token
from hotel.booking import total


def ping(request):
    return {"status": 200}


@require_token
def invoice(request):
    return {"status": 200, "sum": total(request["rooms"])}


@require_token
def cancel(request):
    return {"status": 200, "booking": request["booking"]}


def webhook(request):
    if not is_signed(request["body"], request["signature"], request["key"]):
        return {"status": 400}
    return {"status": 202}
'''
TESTS = """from datetime import date

import pytest

from hotel.booking import nights, price
from tests.tools import check_price


def test_nights():
    assert nights(date(2026, 1, 1), date(2026, 1, 4)) == 3


@pytest.mark.parametrize("count", [1, 2, 3])
def test_price(count):
    assert price({"rate": 10}, count) == 10 * count


def test_price_by_tool():
    check_price(20, 2)
"""
TOOLS = """from hotel.booking import price


def check_price(expected, count):
    assert price({"rate": 10}, count) == expected
"""
HOTEL: Tree = {
    "README.md": "# hotel\n",
    "requirements.txt": "requests==2.32.0\npytest==9.2.0\n",
    "pyproject.toml": "[project]\nname = 'hotel'\nversion = '1'\n",
    "hotel/__init__.py": "",
    "hotel/booking.py": BOOKING,
    "hotel/access.py": ACCESS,
    "hotel/pages.py": PAGES,
    "hotel/templates/invoice.html": "<p>{{ note }}</p>\n",
    "hotel/queries/free.sql": "select id from rooms where taken = false and beds = :beds;\n",
    "migrations/0001_rooms.sql": "create table rooms (id integer primary key, beds integer);\n",
    "scripts/seed.py": "print('seed')\n",
    "tests/__init__.py": "",
    "tests/tools.py": TOOLS,
    "tests/data/rooms.json": '[{"rate": 10}]\n',
    "tests/test_booking.py": TESTS,
}
HOTEL_TEST = """from hotel import booking


def test_room_without_rate():
    assert booking.price({}, 2) == 0
"""

BASKET = """'use strict';
const { EventEmitter } = require('events');
const db = require('./db');

const SHIPPING = 4.9;

function sum(lines) {
  return lines.map((line) => line.product.price * line.count).reduce((a, b) => a + b, 0);
}

async function load(id) {
  const row = await db.query('select * from baskets where id = $1', [id]);
  return JSON.parse(row.content);
}

async function stock(ids) {
  const counts = [];
  for (const id of ids) {
    counts.push(await db.query('select count from stock where id = $1', [id]));
  }
  return counts;
}

function render(name) {
  return `<b>${name}</b>`;
}

async function pay(client, basket) {
  const answer = client.charge(sum(basket.lines));
  return answer.id;
}

module.exports = { sum, load, stock, render, pay, EventEmitter, SHIPPING };
"""
ROUTES = """const express = require('express');
const { requireUser, verifySignature } = require('./access');
const { sum, load } = require('./basket');

const router = express.Router();

router.use(express.json());

router.get('/baskets/:id', requireUser, async (req, res) => {
  res.json(await load(req.params.id));
});

router.post('/baskets/:id/pay', requireUser, async (req, res) => {
  res.json({ sum: sum(req.body.lines) });
});

router.post('/hooks', (req, res) => {
  if (!verifySignature(req.body, req.get('x-signature'))) {
    return res.status(400).end();
  }
  return res.status(202).end();
});

module.exports = router;
"""
BASKET_TESTS = """const test = require('node:test');
const assert = require('node:assert');
const { sum, render } = require('../src/basket');

test('adds lines up', () => {
  assert.strictEqual(sum([{ product: { price: 2 }, count: 3 }]), 6);
});

test('renders a name', () => {
  assert.match(render('tea'), /tea/);
});
"""
MODEL = """import type { Row } from './rows';

export interface Basket { id: string; lines: Row[]; note?: string }

export class Baskets {
  constructor(private readonly rows: Map<string, Basket>) {}

  find(id: string): Basket {
    return this.rows.get(id) as Basket;
  }

  notes(): string[] {
    return [...this.rows.values()].map((basket) => basket.note!.trim());
  }
}
"""
SHOP: Tree = {
    "package.json": '{"name": "shop", "scripts": {"test": "node --test"}, "dependencies": {"express": "5.1.0"}}\n',
    "src/access.js": "exports.requireUser = (req, res, next) => (req.user ? next() : res.status(401).end());\n"
    "exports.verifySignature = (body, sign) => body.sign === sign;\n",
    "src/basket.js": BASKET,
    "src/db.js": "exports.query = async () => ({ content: '{}' });\n",
    "src/model.ts": MODEL,
    "src/routes.js": ROUTES,
    "test/basket.test.js": BASKET_TESTS,
}
SHOP_TEST = """const test = require('node:test');
const assert = require('node:assert');
const { sum } = require('../src/basket');

test('a line without a product costs nothing', () => {
  assert.strictEqual(sum([{ count: 2 }]), 0);
});
"""
