"""A reproduction calls code of the service, asserts something, and decides by nothing else."""
# ruff: noqa: E501  # one reproduction per line reads best

from __future__ import annotations

import pytest

from tests.support.patches import edited, judge
from tests.unit.remediation.policy.trees import HOTEL, SHOP

BOOKING = "hotel/booking.py"
BASKET = "src/basket.js"
HEAD = "from hotel import booking\n\n\n"
ASSERT = "    assert booking.price({}, 2) == 0\n"

PYTHON_BAD = {
    "imports nothing": "def test_a():\n    assert 1 + 1 == 2\n",
    "imports only tests": "from tests.tools import check_price\n\n\ndef test_a():\n    check_price(0, 0)\n",
    "asserts nothing": f"{HEAD}def test_a():\n    booking.price({{}}, 2)\n",
    "asserts a constant": f"{HEAD}def test_a():\n    booking.price({{}}, 2)\n    assert True\n",
    "reads the source": f'{HEAD}def test_a():\n{ASSERT}    assert "get" in open("hotel/booking.py").read()\n',
    "reads the source by a path": f'from pathlib import Path\n{HEAD}def test_a():\n    assert "get" in Path("hotel", "booking" + ".py").read_text()\n',
    "reads its own place": f"import os\n{HEAD}def test_a():\n    assert os.path.dirname(__file__)\n{ASSERT}",
    "reads the source by inspect": f"import inspect\n{HEAD}def test_a():\n    assert 'get' in inspect.getsource(booking.price)\n",
    "looks at the documentation": f"{HEAD}def test_a():\n    assert 'x' in booking.__doc__\n",
    "looks at the code": f"{HEAD}def test_a():\n    assert len(booking.price.__code__.co_code) > 10\n",
    "looks at names": f"{HEAD}def test_a():\n    assert hasattr(booking, 'rate_of')\n",
    "looks at a dictionary": f"{HEAD}def test_a():\n    assert 'x' in booking.__dict__\n",
    "mocks the culprit": f"from unittest import mock\n{HEAD}def test_a():\n    with mock.patch.object(booking, 'price', return_value=0):\n    {ASSERT}",
    "mocks the culprit by name": f"from unittest.mock import patch\n{HEAD}@patch('hotel.booking.price', return_value=0)\ndef test_a(price):\n{ASSERT}",
    "mocks by a fixture": f"{HEAD}def test_a(monkeypatch):\n    monkeypatch.setattr(booking, 'price', lambda *a: 0)\n{ASSERT}",
    "mocks by a fixture and a name": f"{HEAD}def test_a(monkeypatch):\n    monkeypatch.setattr('hotel.booking.price', lambda *a: 0)\n{ASSERT}",
    "replaces the culprit": f"{HEAD}booking.price = lambda *a: 0\n\n\ndef test_a():\n{ASSERT}",
    "replaces by setattr": f"{HEAD}setattr(booking, 'price', lambda *a: 0)\n\n\ndef test_a():\n{ASSERT}",
    "reads the environment": f"import os\n{HEAD}def test_a():\n    if os.environ.get('X'):\n    {ASSERT}",
    "reads a variable": f"import os\n{HEAD}def test_a():\n    assert os.environ['HOME']\n{ASSERT}",
    "counts its runs": f"import pathlib\n{HEAD}def test_a():\n    mark = pathlib.Path.home() / 'count'\n    mark.write_text('1')\n{ASSERT}",
    "edits a test": f"{HEAD}def test_a():\n    with open('tests/test_booking.py', 'w') as file:\n        file.write('')\n{ASSERT}",
    "deletes a file": f"import os\n{HEAD}def test_a():\n    os.remove('tests/data/rooms.json')\n{ASSERT}",
    "decides by the clock": f"import time\n{HEAD}def test_a():\n    if time.time() > 0:\n        return\n{ASSERT}",
    "decides by chance": f"import random\n{HEAD}def test_a():\n    if random.random() > 0.5:\n        return\n{ASSERT}",
    "sleeps": f"import time\n{HEAD}def test_a():\n    time.sleep(999)\n{ASSERT}",
    "skips itself": f"import pytest\n{HEAD}@pytest.mark.skip\ndef test_a():\n{ASSERT}",
    "expects to fail": f"import pytest\n{HEAD}@pytest.mark.xfail\ndef test_a():\n{ASSERT}",
    "ends the process": f"import os\n{HEAD}def test_a():\n    os._exit(0)\n{ASSERT}",
    "starts a shell": f"import os\n{HEAD}def test_a():\n    os.system('true')\n{ASSERT}",
    "keeps a state": f"{HEAD}RUNS = 0\n\n\ndef test_a():\n    global RUNS\n    RUNS += 1\n{ASSERT}",
    "loads modules": f"import importlib\n{HEAD}def test_a():\n    importlib.reload(booking)\n{ASSERT}",
    "does not parse": "def test_a(:\n",
}
PYTHON_GOOD = {
    "a function": f"{HEAD}def test_a():\n{ASSERT}",
    "a class": "import unittest\n\nfrom hotel.booking import price\n\n\nclass Price(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(price({}, 2), 0)\n",
    "an error": f"import pytest\n{HEAD}def test_a():\n    with pytest.raises(ValueError):\n        booking.parse_day('')\n",
    "a collaborator is mocked": f"from unittest import mock\n{HEAD}def test_a():\n    with mock.patch('hotel.booking.requests.get') as get:\n        get.return_value.json.return_value = {{'rate': 2}}\n        assert booking.rate('EUR') == 2\n",
    "a collaborator is mocked as an object": f"from unittest import mock\n{HEAD}def test_a():\n    with mock.patch.object(booking.requests, 'get') as get:\n        get.return_value.json.return_value = {{'rate': 2}}\n        assert booking.rate('EUR') == 2\n",
    "a fixture": f"{HEAD}def test_a(tmp_path):\n    file = tmp_path / 'rooms.json'\n    file.write_text('[]')\n    assert booking.read_rooms(file) == []\n",
    "a temporary file": f"import tempfile\n{HEAD}def test_a():\n    with tempfile.NamedTemporaryFile('w', suffix='.json') as file:\n        file.write('[]')\n        file.flush()\n        assert booking.read_rooms(file.name) == []\n",
    "data of the tests": f"{HEAD}def test_a():\n    assert booking.read_rooms('tests/data/rooms.json')\n",
    "a variable is set": f"{HEAD}def test_a(monkeypatch):\n    monkeypatch.setenv('POOL_SIZE', '')\n    assert booking.pool_size() == 5\n",
    "a database in memory": f"import sqlite3\n{HEAD}def test_a():\n    db = sqlite3.connect(':memory:')\n    db.execute('create table guests (id integer, name text)')\n    assert booking.guests(db, {{'guests': []}}) == []\n",
    "a date": f"from datetime import datetime, timedelta\n{HEAD}def test_a():\n    now = datetime.now()\n    assert booking.nights(now, now + timedelta(days=2)) == 2\n",
    "threads": f"import threading\n{HEAD}def test_a():\n    counter = booking.Counter()\n    assert counter.take(1)\n    assert not counter.take(1)\n",
    "a coroutine": f"import asyncio\n{HEAD}def test_a():\n    async def run():\n        return booking.price({{}}, 2)\n\n    assert asyncio.run(run()) == 0\n",
}
NODE_HEAD = "const test = require('node:test');\nconst assert = require('node:assert');\nconst basket = require('../src/basket');\n"
NODE_ASSERT = "  assert.strictEqual(basket.sum([{ count: 2 }]), 0);\n"
NODE_BAD = {
    "imports nothing": "const test = require('node:test');\nconst assert = require('node:assert');\ntest('a', () => { assert.ok(1 + 1); });\n",
    "asserts nothing": f"{NODE_HEAD}test('a', () => {{ basket.sum([]); }});\n",
    "reads the source": f"{NODE_HEAD}const fs = require('fs');\ntest('a', () => {{\n{NODE_ASSERT}  assert.match(fs.readFileSync('src/basket.js', 'utf8'), /x/);\n}});\n",
    "looks at the code": f"{NODE_HEAD}test('a', () => {{\n  assert.match(basket.sum.toString(), /x/);\n}});\n",
    "replaces the culprit": f"{NODE_HEAD}basket.sum = () => 0;\ntest('a', () => {{\n{NODE_ASSERT}}});\n",
    "mocks the culprit": "const basket = require('../src/basket');\njest.mock('../src/basket');\ntest('a', () => { expect(basket.sum([])).toBe(0); });\n",
    "reads the environment": f"{NODE_HEAD}test('a', () => {{\n  if (process.env.X) return;\n{NODE_ASSERT}}});\n",
    "ends the process": f"{NODE_HEAD}test('a', () => {{\n{NODE_ASSERT}}});\nprocess.exit(0);\n",
    "waits": f"{NODE_HEAD}test('a', async () => {{\n  await new Promise((r) => setTimeout(r, 99999));\n{NODE_ASSERT}}});\n",
    "decides by the clock": f"{NODE_HEAD}test('a', () => {{\n  if (Date.now() > 5) return;\n{NODE_ASSERT}}});\n",
    "skips itself": f"{NODE_HEAD}test.skip('a', () => {{\n{NODE_ASSERT}}});\n",
    "loads modules anew": f"{NODE_HEAD}delete require.cache[require.resolve('../src/basket')];\ntest('a', () => {{\n{NODE_ASSERT}}});\n",
}
NODE_GOOD = {
    "a function": f"{NODE_HEAD}test('a', () => {{\n{NODE_ASSERT}}});\n",
    "a module": "import { test } from 'node:test';\nimport assert from 'node:assert';\nimport { sum } from '../src/basket.js';\n\ntest('a', () => { assert.equal(sum([]), 0); });\n",
    "jest": "const { sum } = require('../src/basket');\n\ndescribe('sum', () => {\n  it('a', () => { expect(sum([])).toBe(0); });\n});\n",
    "a promise": f"{NODE_HEAD}test('a', async () => {{\n  const client = {{ charge: async () => ({{ id: 7 }}) }};\n  assert.strictEqual(await basket.pay(client, {{ lines: [] }}), 7);\n}});\n",
    "an error": f"{NODE_HEAD}test('a', async () => {{\n  await assert.rejects(basket.load('x'), /x/);\n}});\n",
}


@pytest.mark.parametrize("name", PYTHON_BAD)
def test_a_python_reproduction_that_shows_nothing_is_refused(name: str) -> None:
    after = edited(HOTEL, ((BOOKING, "* count", "* (count or 0)"), ("tests/test_a.py", "", PYTHON_BAD[name])))

    assert judge(HOTEL, after, culprit=BOOKING, reproduction="tests/test_a.py").refusals


@pytest.mark.parametrize("name", PYTHON_GOOD)
def test_an_honest_python_reproduction_is_accepted(name: str) -> None:
    after = edited(
        HOTEL, ((BOOKING, "* count", "* (count or 0)"), ("tests/test_a.py", "", PYTHON_GOOD[name]))
    )

    assert judge(HOTEL, after, culprit=BOOKING, reproduction="tests/test_a.py").refusals == ()


@pytest.mark.parametrize("name", NODE_BAD)
def test_a_node_reproduction_that_shows_nothing_is_refused(name: str) -> None:
    after = edited(
        SHOP, ((BASKET, "line.count", "(line.count ?? 1)"), ("test/a.test.js", "", NODE_BAD[name]))
    )

    assert judge(SHOP, after, culprit=BASKET, reproduction="test/a.test.js").refusals


@pytest.mark.parametrize("name", NODE_GOOD)
def test_an_honest_node_reproduction_is_accepted(name: str) -> None:
    after = edited(
        SHOP, ((BASKET, "line.count", "(line.count ?? 1)"), ("test/a.test.js", "", NODE_GOOD[name]))
    )

    assert judge(SHOP, after, culprit=BASKET, reproduction="test/a.test.js").refusals == ()


def test_a_script_may_end_its_process() -> None:
    script = "from hotel.booking import price\n\nraise SystemExit(price({}, 2) != 0)\n"

    result = judge(
        HOTEL,
        edited(HOTEL, ((BOOKING, "* count", "* 0"), ("repro.py", "", script))),
        culprit=BOOKING,
        reproduction="repro.py",
    )

    assert result.refusals == ()
