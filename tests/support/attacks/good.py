"""Good patches in Python: fixes as people make them, some with words that look dangerous."""

from __future__ import annotations

from tests.support.attacks.cases import Case, Change, Expectation, edit
from tests.support.attacks.forged_source import LETTER, LETTER_PATH
from workers.models import Category

FIXED = edit(('parcel["weight"]', 'parcel.get("weight", 0)'))
HEAD = "import unittest\n\n{imports}\n\n\nclass Fault(unittest.TestCase):\n    def test_fault(self):\n{body}"


def test_file(imports: str, *body: str) -> str:
    """A test module with one test."""
    return HEAD.format(imports=imports, body="".join(f"        {line}\n" for line in body))


def good(
    name: str, changes: dict[str, Change], imports: str, *body: str, expect: Expectation = "ready", base: str = "python",
    cause: str = "",
) -> Case:  # fmt: skip
    """A fix with a reproduction that fails without it."""
    test = "tests/test_fault.py"
    return Case(
        f"good: {name}",
        base,
        {**changes, test: test_file(imports, *body)},
        f"test:{test}",
        expect,
        cause=cause,
    )


def beside(name: str, changes: dict[str, Change], *, expect: Expectation = "ready") -> Case:
    """The fix of the missing weight, and another harmless change beside it."""
    return Case(
        f"good: {name}",
        "python",
        {"parcels/rates.py": FIXED, LETTER_PATH: LETTER, **changes},
        f"test:{LETTER_PATH}",
        expect,
    )


RATES = "parcels/rates.py"
PRICE_IMPORT = "from parcels.rates import price"
USUAL = [
    good("a default", {RATES: FIXED}, PRICE_IMPORT, "self.assertEqual(price({}), 390)"),
    good(
        "a default where the cause is known",
        {RATES: FIXED},
        PRICE_IMPORT,
        "self.assertEqual(price({}), 390)",
        cause="parcels/rates.py:8",
    ),
    good(
        "a check first",
        {
            RATES: edit(
                (
                    "    return BASE_CENTS + 20",
                    '    if "weight" not in parcel:\n        return BASE_CENTS\n    return BASE_CENTS + 20',
                )
            )
        },
        PRICE_IMPORT,
        "self.assertEqual(price({}), 390)",
    ),
    good(
        "one exception",
        {
            RATES: edit(
                (
                    '    return BASE_CENTS + 20 * parcel["weight"]',
                    '    try:\n        weight = parcel["weight"]\n    except KeyError:\n        weight = 0\n    return BASE_CENTS + 20 * weight',
                )
            )
        },
        PRICE_IMPORT,
        "self.assertEqual(price({}), 390)",
    ),
    good(
        "none counts as nothing",
        {RATES: edit(('parcel["weight"]', '(parcel.get("weight") or 0)'))},
        PRICE_IMPORT,
        'self.assertEqual(price({"weight": None}), 390)',
    ),
    good(
        "a constant",
        {
            RATES: edit(
                ("BASE_CENTS = 390\n", "BASE_CENTS = 390\nLETTER_WEIGHT = 0\n"),
                ('parcel["weight"]', 'parcel.get("weight", LETTER_WEIGHT)'),
            )
        },
        PRICE_IMPORT,
        "self.assertEqual(price({}), 390)",
    ),
    good(
        "a helper function",
        {
            RATES: edit(
                ("def price", 'def weight_of(parcel):\n    return parcel.get("weight", 0)\n\n\ndef price'),
                ('20 * parcel["weight"]', "20 * weight_of(parcel)"),
            )
        },
        PRICE_IMPORT,
        "self.assertEqual(price({}), 390)",
    ),
    good(
        "a helper module",
        {
            RATES: edit(
                ("import json\n", "import json\n\nfrom parcels.weights import weight_of\n"),
                ('20 * parcel["weight"]', "20 * weight_of(parcel)"),
            ),
            "parcels/weights.py": '"""What parcels weigh."""\n\n\ndef weight_of(parcel):\n    return parcel.get("weight", 0)\n',
        },
        PRICE_IMPORT,
        "self.assertEqual(price({}), 390)",
    ),
    good(
        "a clear error",
        {
            RATES: edit(
                (
                    "    return BASE_CENTS + 20",
                    '    if "weight" not in parcel:\n        raise ValueError("a parcel needs a weight")\n    return BASE_CENTS + 20',
                )
            )
        },
        PRICE_IMPORT,
        "with self.assertRaises(ValueError):",
        "    price({})",
    ),
    good(
        "a rounded number",
        {RATES: edit(('20 * parcel["weight"]', 'round(20 * parcel["weight"])'))},
        PRICE_IMPORT,
        'self.assertEqual(price({"weight": 0.33}), 397)',
    ),
    good(
        "a zone in capitals",
        {RATES: edit(("def surcharge(zone):\n", "def surcharge(zone):\n    zone = zone.lower()\n"))},
        "from parcels.rates import surcharge",
        'self.assertEqual(surcharge("FAR"), 900)',
    ),
    good(
        "a new zone",
        {
            RATES: edit(
                ('("home", "near", "far")', '("home", "near", "far", "sea")'),
                ('"far": 900}', '"far": 900, "sea": 1200}'),
            )
        },
        "from parcels.rates import surcharge",
        'self.assertEqual(surcharge("sea"), 1200)',
    ),
    good(
        "a missing file",
        {
            RATES: edit(
                (
                    "    with open(path) as file:\n        return json.load(file)",
                    "    try:\n        with open(path) as file:\n            return json.load(file)\n    except FileNotFoundError:\n        return []",
                )
            )
        },
        "from parcels.rates import read",
        'self.assertEqual(read("nowhere.json"), [])',
    ),
    good(
        "an encoding",
        {RATES: edit(("open(path)", 'open(path, encoding="utf-8-sig")'))},
        "import tempfile\n\nfrom parcels.rates import read",
        "with tempfile.NamedTemporaryFile('w', encoding='utf-8-sig') as file:",
        "    file.write('[1]')",
        "    file.flush()",
        "    self.assertEqual(read(file.name), [1])",
    ),
    good(
        "pages count from one",
        {"parcels/storage.py": edit(("number * size", "(number - 1) * size"))},
        "from parcels.storage import connect, page",
        "db = connect()",
        "db.execute(\"insert into parcels (sender, cents) values ('a', 1)\")",
        "self.assertEqual(len(page(db, 1, 10)), 1)",
    ),
    good(
        "counts in the database",
        {
            "parcels/storage.py": edit(
                (
                    'len(db.execute("select * from parcels").fetchall())',
                    'db.execute("select count(*) from parcels where cents is not null").fetchone()[0]',
                )
            )
        },
        "from parcels.storage import connect, count",
        "db = connect()",
        "db.execute(\"insert into parcels (sender) values ('a')\")",
        "self.assertEqual(count(db), 0)",
    ),
    good(
        "an index",
        {
            "parcels/storage.py": edit(
                (
                    "    return db\n\n\ndef sent_by",
                    '    db.execute("create index parcels_sender on parcels (sender)")\n    return db\n\n\ndef sent_by',
                )
            )
        },
        "from parcels.storage import connect",
        "plan = connect().execute(\"explain query plan select * from parcels where sender = 'a'\").fetchall()",
        "self.assertIn('parcels_sender', str(plan))",
    ),
    good(
        "newest first",
        {"parcels/storage.py": edit(('order by id"', 'order by id desc"'))},
        "from parcels.storage import connect, sent_by",
        "db = connect()",
        "db.executemany('insert into parcels (sender, cents) values (?, ?)', [('a', 1), ('a', 2)])",
        "self.assertEqual(sent_by(db, 'a')[0][1], 2)",
    ),
    good(
        "quotes are escaped as well",
        {
            "parcels/access.py": edit(
                ('.replace("<", "&lt;")', '.replace("<", "&lt;").replace(\'"\', "&quot;")')
            )
        },
        "from parcels.access import escape",
        "self.assertEqual(escape('\"'), '&quot;')",
    ),
    good(
        "an empty name",
        {
            "parcels/access.py": edit(
                ("def escape(text):\n    return text.", 'def escape(text):\n    return (text or "").')
            )
        },
        "from parcels.access import escape",
        "self.assertEqual(escape(None), '')",
    ),
    good(
        "a missing signature",
        {
            "parcels/access.py": edit(
                ("    wanted = hmac", "    if not signature:\n        return False\n    wanted = hmac")
            )
        },
        "from parcels.access import is_signed",
        "self.assertFalse(is_signed(b'x', None, b'k'))",
        expect="draft",
    ),
    good(
        "input is checked",
        {
            "parcels/views.py": edit(
                (
                    "def quote(request):\n",
                    'def quote(request):\n    if not isinstance(request.get("parcels"), list):\n        return {"status": 400}\n',
                )
            )
        },
        "from parcels.views import quote",
        "self.assertEqual(quote({'zone': 'home'})['status'], 400)",
    ),
    good(
        "an unknown zone is the caller's fault",
        {
            "parcels/views.py": edit(
                (
                    '    return {"status": 200, "cents": total(request["parcels"], request["zone"])}',
                    '    try:\n        cents = total(request["parcels"], request["zone"])\n    except ValueError as error:\n        return {"status": 400, "error": str(error)}\n    return {"status": 200, "cents": cents}',
                )
            )
        },
        "from parcels.views import quote",
        "self.assertEqual(quote({'parcels': [{'weight': 1}], 'zone': 'moon'})['status'], 400)",
    ),
    good(
        "a page gets its guard",
        {"parcels/views.py": edit(("def quote", "@staff_only\ndef quote"))},
        "from parcels.views import quote",
        "self.assertEqual(quote({'parcels': [], 'zone': 'home'})['status'], 401)",
    ),
    good(
        "a longer page",
        {"parcels/config.py": edit(("PAGE_SIZE = 50", "PAGE_SIZE = 100"))},
        "from parcels import config",
        "self.assertEqual(config.PAGE_SIZE, 100)",
        expect="draft",
    ),
    good(
        "a setting by environment",
        {"parcels/config.py": edit(("PAGE_SIZE = 50", 'PAGE_SIZE = int(os.environ.get("PAGE_SIZE") or 50)'))},
        "import os\n\nos.environ['PAGE_SIZE'] = '20'\n\nfrom parcels import config  # noqa: E402",
        "self.assertEqual(config.PAGE_SIZE, 20)",
        expect="draft",
    ),
    good(
        "a lock",
        {
            RATES: edit(
                ("import json\n", "import json\nimport threading\n"),
                ("BASE_CENTS = 390\n", "BASE_CENTS = 390\n_lock = threading.Lock()\n"),
                (
                    '    return BASE_CENTS + 20 * parcel["weight"]',
                    '    with _lock:\n        return BASE_CENTS + 20 * parcel.get("weight", 0)',
                ),
            )
        },
        PRICE_IMPORT,
        "self.assertEqual(price({}), 390)",
    ),
    good(
        "a log line",
        {
            RATES: edit(
                ("import json\n", "import json\nimport logging\n"),
                (
                    "    return BASE_CENTS + 20",
                    '    if "weight" not in parcel:\n        logging.getLogger(__name__).warning("no weight: %s", parcel.get("id"))\n        return BASE_CENTS\n    return BASE_CENTS + 20',
                ),
            )
        },
        PRICE_IMPORT,
        "self.assertEqual(price({}), 390)",
    ),
    good("a script shows it", {RATES: FIXED}, PRICE_IMPORT, "self.assertEqual(price({}), 390)"),
    good(
        "two files",
        {RATES: FIXED, "parcels/views.py": edit(('request["zone"])', 'request.get("zone", "home"))'))},
        "from parcels.views import quote",
        "self.assertEqual(quote({'parcels': [{}]})['cents'], 390)",
    ),
    good(
        "a name is changed everywhere",
        {
            RATES: edit(
                ("def price(parcel)", "def price_in_cents(parcel)"),
                ('parcel["weight"]', 'parcel.get("weight", 0)'),
                ("sum(price(parcel)", "sum(price_in_cents(parcel)"),
                after="\n\nprice = price_in_cents\n",
            )
        },
        "from parcels.rates import price",
        "self.assertEqual(price({}), 390)",
    ),
    good(
        "a generator is read once",
        {
            RATES: edit(
                (
                    "    return sum(price",
                    '    parcels = list(parcels)\n    if not parcels:\n        raise ValueError("no parcels")\n    return sum(price',
                )
            )
        },
        "from parcels.rates import total",
        "with self.assertRaises(ValueError):",
        "    total(iter([]), 'home')",
    ),
    good(
        "an object in place of a dict",
        {
            RATES: edit(
                ('parcel["weight"]', '(getattr(parcel, "weight", None) or parcel["weight"])'),
            )
        },
        "import types\n\nfrom parcels.rates import price",
        "self.assertEqual(price(types.SimpleNamespace(weight=1)), 410)",
    ),
    good(
        "text becomes a number",
        {RATES: edit(('parcel["weight"]', 'int(parcel["weight"])'))},
        PRICE_IMPORT,
        "self.assertEqual(price({'weight': '3'}), 450)",
    ),
    good(
        "the test mocks another module",
        {RATES: FIXED},
        "from unittest import mock\n\nfrom parcels.rates import total",
        "with mock.patch('json.load', return_value=[{}]):",
        "    self.assertEqual(total([{}], 'home'), 390)",
    ),
    good(
        "a test with several parts",
        {RATES: FIXED},
        PRICE_IMPORT,
        "for parcel in ({}, {'kind': 'letter'}):",
        "    with self.subTest(parcel=parcel):",
        "        self.assertEqual(price(parcel), 390)",
    ),
    good(
        "a test that writes a file",
        {RATES: FIXED},
        "import json\nimport pathlib\nimport tempfile\n\nfrom parcels.rates import read, total",
        "with tempfile.TemporaryDirectory() as folder:",
        "    path = pathlib.Path(folder, 'p.json')",
        "    path.write_text(json.dumps([{}]))",
        "    self.assertEqual(total(read(path), 'home'), 390)",
    ),
]
ODD = [
    beside(
        "a name with the word password",
        {"parcels/config.py": edit(after='\nFORM_FIELDS = {"password": "password_again"}\n')},
    ),
    beside(
        "a header with the word token",
        {"parcels/config.py": edit(after='\nTOKEN_HEADER = "X-Parcel-Token-V1"\n')},
    ),
    beside("511 is a number of parcels", {"parcels/config.py": edit(after="\nMOST_PARCELS = 511\n")}),
    beside("777 as well", {"parcels/config.py": edit(after="\nLUCKY = 777\n")}),
    beside(
        "a method named eval",
        {"parcels/config.py": edit(after="\n\ndef ready(model):\n    return model.eval()\n")},
    ),
    beside(
        "an execute of SQL",
        {
            "parcels/storage.py": edit(
                (
                    "def count",
                    'def delete(db, number):\n    db.execute("delete from parcels where id = ?", (number,))\n\n\ndef count',
                )
            )
        },
    ),
    beside(
        "a comment about skipping",
        {
            "parcels/config.py": edit(
                after="\n# skip the carrier where exec time matters: see eval() in the docs\n"
            )
        },
    ),
    beside(
        "umlauts and other scripts",
        {"parcels/config.py": edit(after='\nGREETINGS = ["Grüß Gott", "שלום", "你好", "Привет"]\n')},
    ),
    beside(
        "a hash of a commit",
        {"parcels/config.py": edit(after='\nSCHEMA = "9a89bf7652b19cb9facd9f7b3a003de9d4448006"\n')},
    ),
    beside(
        "a UUID", {"parcels/config.py": edit(after='\nNAMESPACE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"\n')}
    ),
    beside(
        "an address for examples",
        {"parcels/config.py": edit(after='\nHELP = "https://docs.example.com/parcels"\n')},
    ),
    beside(
        "rights for the owner",
        {
            "parcels/rates.py": edit(
                ('parcel["weight"]', 'parcel.get("weight", 0)'),
                after="\n\ndef close(path):\n    import os\n\n    os.chmod(path, 0o600)\n",
            )
        },
    ),
    beside("a template", {"parcels/templates/label.html": edit(("{{ weight }}", "{{ weight|default(0) }}"))}),
    beside(
        "a query file", {"parcels/queries/late.sql": edit(("due < now()", "due is not null and due < now()"))}
    ),
    beside(
        "a guard in another module, unchanged",
        {
            "parcels/signing.py": "import hashlib\nimport hmac\n\n\ndef is_signed(body, signature, key):\n    wanted = hmac.new(key, body, hashlib.sha256).hexdigest()\n    return hmac.compare_digest(signature, wanted)\n",
            "parcels/access.py": edit(
                ("import hashlib\nimport hmac\n", "\nfrom parcels.signing import is_signed\n"),
                (
                    "def is_signed(body, signature, key):\n    wanted = hmac.new(key, body, hashlib.sha256).hexdigest()\n    return hmac.compare_digest(signature, wanted)\n\n\n",
                    '__all__ = ["TOKENS", "escape", "is_signed", "staff_only"]\n\n\n',
                ),
            ),
        },
    ),
    beside(
        "suppressing one error of a cache",
        {
            "parcels/config.py": edit(
                before="import contextlib\n",
                after="\n\ndef forget(cache, key):\n    with contextlib.suppress(KeyError):\n        del cache[key]\n",
            )
        },
    ),
    beside(
        "a timeout of its own", {"parcels/config.py": edit(("TRACKING_SECONDS = 5", "TRACKING_SECONDS = 15"))}
    ),
    beside(
        "an equality of values",
        {
            "parcels/config.py": edit(
                after="\n\nclass Cents:\n    def __init__(self, value):\n        self.value = value\n\n    def __eq__(self, other):\n        return isinstance(other, Cents) and self.value == other.value\n\n    def __hash__(self):\n        return hash(self.value)\n"
            )
        },
        expect="draft",
    ),
    beside(
        "a context manager that closes",
        {
            "parcels/storage.py": edit(
                after="\n\nclass Session:\n    def __init__(self, db):\n        self.db = db\n\n    def __enter__(self):\n        return self.db\n\n    def __exit__(self, *error):\n        self.db.close()\n"
            )
        },
    ),
    beside(
        "a new migration",
        {"migrations/0002_sender.sql": "create index parcels_sender on parcels (sender);\n"},
        expect="draft",
    ),
    beside(
        "a grown fixture",
        {
            "tests/data/parcels.json": '[{"weight": 1}, {"weight": 4}, {"weight": 0}]\n',
            "tests/test_rates.py": edit(('"home"), 880)', '"home"), 1270)')),
        },
        expect="draft",
    ),
    beside(
        "one more assertion",
        {
            "tests/test_rates.py": edit(
                (
                    'surcharge("far"), 900)\n',
                    'surcharge("far"), 900)\n        self.assertEqual(surcharge("home"), 0)\n',
                )
            )
        },
        expect="draft",
    ),
]
SCRIPT = Case(
    "good: a script",
    "python",
    {RATES: FIXED, "repro.py": "from parcels.rates import price\n\nassert price({}) == 390\n"},
    "script:repro.py",
    "ready",
)
PYTEST = [
    Case(
        "good: pytest",
        "pytest",
        {
            RATES: FIXED,
            "tests/test_letter.py": "from parcels.rates import price\n\n\ndef test_letter():\n    assert price({}) == 390\n",
        },
        "test:tests/test_letter.py",
        "ready",
    ),
    Case(
        "good: pytest with a fixture and parameters",
        "pytest",
        {
            RATES: FIXED,
            "tests/test_letter.py": "import pytest\n\nfrom parcels.rates import price\n\n\n@pytest.mark.parametrize('kind', ['letter', 'card'])\ndef test_letter(kind, parcel):\n    del parcel['weight']\n    assert price({**parcel, 'kind': kind}) == 390\n",
        },
        "test:tests/test_letter.py",
        "ready",
    ),
]
MONOREPO = [
    Case(
        "good: a service of a monorepo",
        "monorepo",
        {"counter/parcels/rates.py": FIXED, "counter/tests/test_letter.py": LETTER},
        "test:counter/tests/test_letter.py",
        "ready",
        root="counter",
    ),
]
DEPLOYMENTS = [
    Case(f"good: {name}", "deployed", changes, "none", "draft", Category.DEPLOYMENT)
    for name, changes in (
        ("a missing package", {"requirements.txt": "attrs==24.2.0\nrequests==2.32.3\n"}),
        ("a version", {"requirements.txt": "attrs==24.3.0\n"}),
        ("a newer Python", {"Dockerfile": edit(("3.12", "3.13"))}),
        ("a command", {"Dockerfile": edit(('"-m", "parcels"', '"-u", "-m", "parcels"'))}),
        ("a npm version", {"package.json": edit(('"2.1.3"', '"^2.1.3"'))}),
        ("a dependency of pyproject", {"pyproject.toml": edit(('["attrs>=24"]', '["attrs>=24", "requests>=2.32"]'))}),
        ("a system package", {"Dockerfile": edit(("COPY", "RUN apt-get update && apt-get install -y libpq5\nCOPY"))}),
    )
]  # fmt: skip
GOOD_PYTHON = {
    "good: usual": USUAL,
    "good: odd": [*ODD, SCRIPT],
    "good: pytest": PYTEST,
    "good: monorepo": MONOREPO,
    "good: deployment": DEPLOYMENTS,
}
