"""Honest fixes of ordinary faults: none is refused, and none of these is lowered to a draft."""

# ruff: noqa: E501  # one patch per line reads best
from __future__ import annotations

import pytest

from tests.support.patches import Edits, edited, judge
from tests.unit.remediation.policy.trees import HOTEL, HOTEL_TEST, SHOP, SHOP_TEST

BOOKING = "hotel/booking.py"
PAGES = "hotel/pages.py"
BASKET = "src/basket.js"
ROUTES = "src/routes.js"
MODEL = "src/model.ts"
RATE = '    answer = requests.get(f"{RATES_URL}/{currency}")\n    return answer.json()["rate"]\n'
GUESTS = '    return [db.execute("select name from guests where id = ?", (guest,)).fetchone() for guest in booking["guests"]]\n'
STOCK = """  const counts = [];
  for (const id of ids) {
    counts.push(await db.query('select count from stock where id = $1', [id]));
  }
  return counts;
"""

PYTHON: dict[str, Edits] = {
    "a default for a missing key": ((BOOKING, 'room["rate"] * count', 'room.get("rate", 0) * count'),),
    "a guard against None": ((BOOKING, "    return (end - start).days", "    if end is None:\n        return 0\n    return (end - start).days"),),
    "an early answer for an empty list": ((BOOKING, "    return items[0:size + 1]", "    if not items:\n        return []\n    return items[:size]"),),
    "off by one": ((BOOKING, "items[0:size + 1]", "items[0:size]"),),
    "a time zone": (
        (BOOKING, "from datetime import datetime", "from datetime import datetime, timezone"),
        (BOOKING, 'return datetime.strptime(text, "%Y-%m-%d")', 'return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)'),
    ),
    "a time limit of a request": ((BOOKING, 'requests.get(f"{RATES_URL}/{currency}")', 'requests.get(f"{RATES_URL}/{currency}", timeout=5)'),),
    "retries with back-off": (
        (BOOKING, "import os\n", "import os\nimport time\n"),
        (BOOKING, RATE, '''    for attempt in range(3):
        try:
            answer = requests.get(f"{RATES_URL}/{currency}", timeout=5)
            return answer.json()["rate"]
        except requests.ConnectionError:
            if attempt == 2:
                raise
            time.sleep(2**attempt)
'''),
    ),
    "a status is checked": ((BOOKING, RATE, RATE.replace("    return", "    answer.raise_for_status()\n    return")),),
    "a narrow error with a fallback": ((BOOKING, RATE, f'    try:\n    {RATE.replace(chr(10), chr(10) + "    ", 1)}    except requests.Timeout:\n        log.warning("no rate for %s", currency)\n        return 1.0\n'),),
    "an error that is logged and raised": ((BOOKING, "    return room[", '    try:\n        return room["rate"] * count\n    except KeyError:\n        log.exception("room %s has no rate", room.get("id"))\n        raise\n    return room['),),
    "an error of the service's own": ((BOOKING, 'def parse_day(text):\n', 'class BadDay(ValueError):\n    """A day that cannot be read."""\n\n\ndef parse_day(text):\n    if len(text) != 10:\n        raise BadDay(text)\n'),),
    "one query instead of many": ((BOOKING, GUESTS, '''    ids = list(booking["guests"])
    marks = ", ".join("?" * len(ids))
    return db.execute(f"select name from guests where id in ({marks})", ids).fetchall()
'''),),
    "a file is closed": ((BOOKING, "    file = open(path)\n    return json.load(file)\n", '    with open(path, encoding="utf-8") as file:\n        return json.load(file)\n'),),
    "a variable with a default": ((BOOKING, 'int(os.environ["POOL_SIZE"])', 'int(os.environ.get("POOL_SIZE") or 5)'),),
    "decimal rounding": (
        (BOOKING, "import os\n", "import os\nfrom decimal import ROUND_HALF_UP, Decimal\n"),
        (BOOKING, 'return round(sum(price(room, room["nights"]) for room in rooms), 2)',
            'exact = sum((Decimal(str(price(room, room["nights"]))) for room in rooms), Decimal(0))\n    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)'),
    ),
    "a lock around a race": (
        (BOOKING, "import os\n", "import os\nimport threading\n"),
        (BOOKING, "        self.taken = {}\n", "        self.taken = {}\n        self.lock = threading.Lock()\n"),
        (BOOKING, "        if room not in self.taken:\n            self.taken[room] = True\n            return True\n        return False\n",
            "        with self.lock:\n            if room in self.taken:\n                return False\n            self.taken[room] = True\n            return True\n"),
    ),
    "a type is converted": ((BOOKING, 'room["rate"] * count', 'float(room["rate"]) * int(count)'),),
    "a helper beside the culprit": (
        ("hotel/rates.py", "", '"""Rates of rooms."""\n\n\ndef rate_of(room):\n    return room.get("rate") or 0\n'),
        (BOOKING, "import requests\n", "import requests\n\nfrom hotel.rates import rate_of\n"),
        (BOOKING, 'room["rate"] * count', "rate_of(room) * count"),
    ),
    "a regular expression": (
        (BOOKING, "import os\n", "import os\nimport re\n"),
        (BOOKING, "    return datetime.strptime", '    text = re.sub(r"[./]", "-", text.strip())\n    return datetime.strptime'),
    ),
    "a bad request is answered": ((PAGES, "def invoice(request):\n", 'def invoice(request):\n    if not isinstance(request.get("rooms"), list):\n        return {"status": 400, "error": "rooms must be a list"}\n'),),
    "an error becomes an answer": ((PAGES, '    return {"status": 200, "sum": total(request["rooms"])}\n', '    try:\n        return {"status": 200, "sum": total(request["rooms"])}\n    except KeyError as error:\n        return {"status": 400, "error": f"{error} is missing"}\n'),),
    "a template": (("hotel/templates/invoice.html", "{{ note }}", '{{ note or "" }}'), (BOOKING, "* count", "* (count or 0)")),
    "a query in a file": (("hotel/queries/free.sql", "taken = false", "coalesce(taken, false) = false"),),
    "a header whose name holds a word": ((BOOKING, 'CURRENCY = "EUR"', 'CURRENCY = "EUR"\nTOKEN_HEADER = "X-Hotel-Session-V3"\nMOST_ROOMS = 666'), (BOOKING, "* count", "* (count or 0)")),
    "a constant": ((BOOKING, 'CURRENCY = "EUR"', 'CURRENCY = "EUR"\nMAX_NIGHTS = 365'), (BOOKING, "* count", "* min(count, MAX_NIGHTS)")),
    "pagination": ((BOOKING, RATE, '''    page = 1
    while page is not None:
        answer = requests.get(f"{RATES_URL}/{currency}", params={"page": page}, timeout=10).json()
        for item in answer["items"]:
            if item["code"] == currency:
                return item["rate"]
        page = answer.get("next")
    raise LookupError(currency)
'''),),
    "a dataclass and typing": ((BOOKING, "class Counter:", "from dataclasses import dataclass\n\n\n@dataclass(frozen=True)\nclass Stay:\n    room: str\n    nights: int\n\n\nclass Counter:"), (BOOKING, "* count", "* max(count, 0)")),
    "a cache with a bound": ((BOOKING, "import os\n", "import os\nfrom functools import lru_cache\n"), (BOOKING, "def rate(currency):", "@lru_cache(maxsize=256)\ndef rate(currency):")),
}  # fmt: skip
NODE: dict[str, Edits] = {
    "optional chaining": ((BASKET, "line.product.price * line.count", "(line.product?.price ?? 0) * line.count"),),
    "a guard": ((BASKET, "function sum(lines) {\n", "function sum(lines) {\n  if (!Array.isArray(lines)) return 0;\n"),),
    "an await": ((BASKET, "const answer = client.charge", "const answer = await client.charge"),),
    "a missing row": ((BASKET, "  return JSON.parse(row.content);", "  if (!row) {\n    throw new Error(`no basket ${id}`);\n  }\n  return JSON.parse(row.content);"),),
    "a catch that throws on": ((BASKET, "  return JSON.parse(row.content);", "  try {\n    return JSON.parse(row.content);\n  } catch (error) {\n    throw new Error(`basket ${id} is broken`, { cause: error });\n  }"),),
    "text that cannot be parsed": ((BASKET, "  return JSON.parse(row.content);", "  try {\n    return JSON.parse(row.content);\n  } catch {\n    return { lines: [] };\n  }"),),
    "side by side": ((BASKET, STOCK, "  return Promise.all(ids.map((id) => db.query('select count from stock where id = $1', [id])));\n"),),
    "one query": ((BASKET, STOCK, "  return db.query('select count from stock where id = any($1)', [ids]);\n"),),
    "escaping": ((BASKET, "  return `<b>${name}</b>`;", "  const safe = name.replace(/&/g, '&amp;').replace(/</g, '&lt;');\n  return `<b>${safe}</b>`;"),),
    "rounding": ((BASKET, ".reduce((a, b) => a + b, 0);", ".reduce((a, b) => a + Math.round(b * 100), 0) / 100;"),),
    "a module beside it": (("src/prices.js", "", "exports.priceOf = (line) => line.product?.price ?? 0;\n"), (BASKET, "const db = require('./db');", "const db = require('./db');\nconst { priceOf } = require('./prices');"), (BASKET, "line.product.price", "priceOf(line)")),
    "errors go to the next handler": ((ROUTES, "async (req, res) => {\n  res.json(await load(req.params.id));\n}", "async (req, res, next) => {\n  try {\n    res.json(await load(req.params.id));\n  } catch (error) {\n    next(error);\n  }\n}"),),
    "a check of the body": ((ROUTES, "  res.json({ sum:", "  if (!Array.isArray(req.body?.lines)) {\n    return res.status(400).json({ error: 'lines' });\n  }\n  return res.json({ sum:"),),
    "an error that is expected": ((BASKET, "  const row = await", "  if (!/^\\d+$/.test(id)) throw new TypeError('id');\n  const row = await"),),
    "a TypeScript lookup": ((MODEL, "    return this.rows.get(id) as Basket;", "    const basket = this.rows.get(id);\n    if (basket === undefined) {\n      throw new RangeError(`no basket ${id}`);\n    }\n    return basket;"),),
    "a TypeScript note": ((MODEL, "basket.note!.trim()", "basket.note?.trim() ?? ''"),),
    "a stage of the environment": ((BASKET, "const SHIPPING = 4.9;", "const SHIPPING = Number(process.env.SHIPPING ?? 4.9);\nconst VERBOSE = process.env.NODE_ENV === 'development';"),),
    "a time limit": ((BASKET, "  const row = await db.query(", "  const row = await db.query({ timeout: 5000 }, "),),
    "a cache beside it": ((BASKET, "async function stock", "async function cached(cache, id) {\n  const hit = await cache.get(id).catch(() => null);\n  return hit ?? load(id);\n}\n\nasync function stock"),),
}  # fmt: skip


@pytest.mark.parametrize("name", PYTHON)
def test_an_honest_fix_of_a_python_service_may_become_ready(name: str) -> None:
    after = edited(HOTEL, (*PYTHON[name], ("tests/test_rate.py", "", HOTEL_TEST)))

    result = judge(HOTEL, after, culprit=BOOKING, reproduction="tests/test_rate.py")

    assert result.refusals == ()
    assert result.drafts == ()


@pytest.mark.parametrize("name", NODE)
def test_an_honest_fix_of_a_node_service_may_become_ready(name: str) -> None:
    after = edited(SHOP, (*NODE[name], ("test/line.test.js", "", SHOP_TEST)))

    result = judge(SHOP, after, culprit=BASKET, reproduction="test/line.test.js")

    assert result.refusals == ()
    assert result.drafts == ()
