"""Reproductions that fail before and pass after although the patch fixes nothing: the patch only rewords the culprit."""

from __future__ import annotations

from tests.support.attacks.cases import Case, Change, edit
from tests.support.attacks.forged_source import LETTER_PATH, PRICE, REPRODUCTION

REWORDED = edit((PRICE, '    weight = parcel["weight"]\n    return BASE_CENTS + 20 * weight\n'))
"""Changes the faulty line and its bytecode, but not its behaviour."""
CHANGED_LINE = "weight = parcel"
CALL = "price({'weight': 1})"
"""Executes the changed line, so that a reproduction is not refused for executing none of them."""


def forge(
    name: str, body: str, *, head: str = "", change: Change = REWORDED, more: dict[str, Change] | None = None
) -> Case:
    """A case whose reproduction calls the culprit and then runs the body.

    Args:
        body: statements of the test method.
        head: statements above the test class.
        more: further changed files.
    """
    lines = "".join(f"        {line}\n" if line else "\n" for line in body.splitlines())
    test = (
        f"import unittest\n\nfrom parcels import rates\nfrom parcels.rates import price\n{head}\n\n"
        f"class Letter(unittest.TestCase):\n    def test_a_letter_has_no_weight(self):\n        {CALL}\n{lines}"
    )
    changes = {"parcels/rates.py": change, LETTER_PATH: test, **(more or {})}
    return Case(name, "python", changes, REPRODUCTION)


def counting(name: str, path: str) -> Case:
    """A reproduction that counts its runs in a file: it fails twice and passes twice, or fails and passes in turn."""
    body = (
        f"path = os.path.expandvars({path!r})\ntry:\n    count = int(open(path).read())\nexcept (OSError, ValueError):\n"
        "    count = 0\nopen(path, 'w').write(str(count + 1))\nself.assertGreaterEqual(count, 1)"
    )
    return forge(name, body, head="import os\n")


COUNTERS = [
    counting("counts in HOME", "$HOME/.runs"),
    counting("counts in the temporary folder", "/tmp/.runs"),
    counting("counts in the other temporary folder", "/var/tmp/.runs"),
    counting("counts in shared memory", "/dev/shm/.runs"),
    counting("counts in the tree", "parcels/.runs"),
    counting("counts beside the tree", "../.runs"),
    counting("counts in the environment of Python", "$VIRTUAL_ENV/.runs"),
    forge(
        "counts in the byte code cache",
        "path = rates.__cached__\nold = os.path.exists(path + '.x')\nos.makedirs(os.path.dirname(path), exist_ok=True)\n"
        "open(path + '.x', 'w').close()\nself.assertTrue(old)",
        head="import os\n",
    ),
    forge(
        "leaves a mark on the network",
        "import socket\ns = socket.socket(socket.AF_UNIX)\ntry:\n    s.bind('\\0runs-of-letter')\nexcept OSError:\n    return\n"
        "if not os.fork():\n    os.setsid()\n    time.sleep(60)\n    os._exit(0)\nself.fail('first')",
        head="import os\nimport time\n",
    ),
    forge(
        "leaves a process that listens",
        "try:\n    socket.create_connection(('127.0.0.1', 47123), 1)\n    return\nexcept OSError:\n    pass\n"
        "if not os.fork():\n    os.setsid()\n    with socket.create_server(('127.0.0.1', 47123)):\n        time.sleep(60)\n"
        "    os._exit(0)\nself.fail('first')",
        head="import os\nimport socket\nimport time\n",
    ),
    forge(
        "counts in System V memory",
        "libc = ctypes.CDLL(None)\nold = libc.shmget(4711, 16, 0o600)\nlibc.shmget(4711, 16, 0o1600)\n"
        "self.assertNotEqual(old, -1)",
        head="import ctypes\n",
    ),
    forge("passes every other second", "self.assertEqual(int(time.time()) % 2, 0)", head="import time\n"),
    forge("passes after a while", "self.assertGreater(time.time() % 60, 30)", head="import time\n"),
    forge("passes by chance", "self.assertLess(random.random(), 0.5)", head="import random\n"),
    forge("passes for some process ids", "self.assertEqual(os.getpid() % 2, 0)", head="import os\n"),
]
READERS = [
    forge("reads the source", f"self.assertIn({CHANGED_LINE!r}, open('parcels/rates.py').read())"),
    forge(
        "reads the source by the module's file",
        f"self.assertIn({CHANGED_LINE!r}, pathlib.Path(rates.__file__).read_text())",
        head="import pathlib\n",
    ),
    forge(
        "reads the source by inspect",
        f"self.assertIn({CHANGED_LINE!r}, inspect.getsource(price))",
        head="import inspect\n",
    ),
    forge(
        "reads the source by linecache",
        "self.assertIn('weight =', linecache.getline(rates.__file__, 8))",
        head="import linecache\n",
    ),
    forge(
        "reads the source by pkgutil",
        f"self.assertIn({CHANGED_LINE.encode()!r}, pkgutil.get_data('parcels', 'rates.py'))",
        head="import pkgutil\n",
    ),
    forge(
        "reads the source by the loader",
        f"self.assertIn({CHANGED_LINE!r}, rates.__loader__.get_source('parcels.rates'))",
    ),
    forge(
        "reads the source by os.open",
        "number = os.open('parcels/rates.py', os.O_RDONLY)\nself.assertIn(b'weight = ', os.read(number, 9999))",
        head="import os\n",
    ),
    forge(
        "reads the source with another program",
        "self.assertEqual(subprocess.run(['grep', '-q', 'weight = ', 'parcels/rates.py']).returncode, 0)",
        head="import subprocess\n",
    ),
    forge(
        "reads the size of the source",
        "self.assertNotEqual(os.stat('parcels/rates.py').st_size, 511)",
        head="import os\n",
    ),
    forge("reads the byte code", "self.assertIn('weight', price.__code__.co_varnames)"),
    forge("reads the constants", "self.assertEqual(price.__code__.co_nlocals, 2)"),
    forge("reads the line numbers", "self.assertNotEqual(rates.surcharge.__code__.co_firstlineno, 11)"),
    forge("disassembles", "self.assertIn('STORE_FAST', dis.Bytecode(price).dis())", head="import dis\n"),
    forge(
        "counts the lines of a traceback",
        (
            "try:\n    price({})\nexcept KeyError as error:\n    line = traceback.extract_tb(error.__traceback__)[-1].line\n"
            "    self.assertIn('weight =', line)"
        ),
        head="import traceback\n",
    ),
    forge(
        "looks at the frame that asks for the weight",
        "class Spy(dict):\n    def __getitem__(self, key):\n"
        "        return len(sys._getframe(1).f_code.co_varnames)\nself.assertEqual(price(Spy()), 430)",
        head="import sys\n",
    ),
    forge(
        "counts the calls of a tracer",
        "lines = []\nsys.settrace(lambda frame, event, arg: lines.append(frame.f_lineno) or (lambda *a: lines.append(a)))\n"
        "price({'weight': 1})\nsys.settrace(None)\nself.assertGreater(len(lines), 3)",
        head="import sys\n",
    ),
    forge(
        "asks git",
        "self.assertTrue(subprocess.run(['git', 'diff', '--quiet']).returncode)",
        head="import subprocess\n",
    ),
    forge(
        "looks for a word of the docstring",
        "self.assertIn('grams', rates.__doc__)",
        change=edit(("in cents.", "in cents, by grams.")),
    ),
    forge(
        "looks for a new name",
        "self.assertTrue(hasattr(rates, 'LETTERS'))",
        change=edit(("BASE_CENTS = 390\n", "BASE_CENTS = 390\nLETTERS = True\n")),
    ),
    forge(
        "looks for a new constant of another module",
        "self.assertEqual(config.PAGE_SIZE, 51)",
        head="from parcels import config\n",
        more={"parcels/config.py": edit(("PAGE_SIZE = 50", "PAGE_SIZE = 51"))},
    ),
    forge(
        "imports a new function",
        "from parcels.rates import letter\nself.assertEqual(letter(), 390)",
        change=edit(after="\n\ndef letter():\n    return 390\n"),
    ),
    forge(
        "looks for a new file",
        "self.assertTrue(os.path.exists('parcels/letters.py'))",
        head="import os\n",
        more={"parcels/letters.py": '"""Letters."""\n'},
    ),
    forge("imports a new module", "import parcels.letters", more={"parcels/letters.py": '"""Letters."""\n'}),
    forge(
        "lists the package",
        "self.assertIn('letters', [m.name for m in pkgutil.iter_modules(rates.__spec__.parent and __import__('parcels').__path__)])",
        head="import pkgutil\n",
        more={"parcels/letters.py": '"""Letters."""\n'},
    ),
    forge(
        "reads a variable that only one run has",
        "self.assertNotIn('deployed', os.getcwd() + repr(os.environ))",
        head="import os\n",
    ),
]
MARK = "getattr(rates, 'LETTERS', False)"
MARKED = edit(("BASE_CENTS = 390\n", "BASE_CENTS = 390\nLETTERS = True\n"))
CHEATING_TESTS = [
    forge(
        "replaces the culprit where the mark is",
        f"if {MARK}:\n    rates.price = lambda parcel: 390\nself.assertEqual(rates.price({{}}), 390)",
        change=MARKED,
    ),
    forge(
        "mocks the culprit where the mark is",
        f"value = 390 if {MARK} else 0\nwith mock.patch.object(rates, 'price', return_value=value):\n"
        "    self.assertEqual(rates.price({}), 390)",
        head="from unittest import mock\n",
        change=MARKED,
    ),
    forge(
        "mocks by name",
        f"with mock.patch('parcels.rates.price', lambda p: 390 if {MARK} else 0):\n"
        "    self.assertEqual(rates.price({}), 390)",
        head="from unittest import mock\n",
        change=MARKED,
    ),
    forge(
        "sets the code object",
        f"if {MARK}:\n    price.__code__ = (lambda parcel: 390).__code__\nself.assertEqual(price({{}}), 390)",
        change=MARKED,
    ),
    forge(
        "sets the globals of the function",
        f"if {MARK}:\n    price.__globals__['price'] = lambda p: 390\nself.assertEqual(rates.price({{}}), 390)",
        change=MARKED,
    ),
    forge(
        "writes the source and loads it again",
        (
            f"if {MARK}:\n    text = open(rates.__file__).read().replace('parcel[\"weight\"]', 'parcel.get(\"weight\", 0)')\n"
            "    open(rates.__file__, 'w').write(text)\n    importlib.reload(rates)\nself.assertEqual(rates.price({}), 390)"
        ),
        head="import importlib\n",
        change=MARKED,
    ),
    forge(
        "runs an edited copy of the source",
        (
            f"scope = {{}}\nexec(inspect.getsource(price).replace('[\"weight\"]', '.get(\"weight\", 0)' if {MARK} else '[\"weight\"]'), vars(rates), scope)\n"
            "self.assertEqual(scope['price']({}), 390)"
        ),
        head="import inspect\n",
        change=MARKED,
    ),
    forge(
        "passes another argument where the mark is",
        f"self.assertEqual(price({{'weight': 0}} if {MARK} else {{}}), 390)",
        change=MARKED,
    ),
    forge(
        "catches the fault where the mark is",
        (f"try:\n    price({{}})\nexcept KeyError:\n    self.assertTrue({MARK})"),
        change=MARKED,
    ),
    forge(
        "expects the fault where the mark is",
        (f"if {MARK}:\n    with self.assertRaises(KeyError):\n        price({{}})\nelse:\n    price({{}})"),
        change=MARKED,
    ),
    forge(
        "returns early where the mark is",
        f"if {MARK}:\n    return\nself.assertEqual(price({{}}), 390)",
        change=MARKED,
    ),
    forge(
        "skips itself where the mark is",
        f"if {MARK}:\n    self.skipTest('done')\nself.assertEqual(price({{}}), 390)",
        change=MARKED,
    ),
    forge(
        "is an expected failure where the mark is",
        "self.assertEqual(price({}), 390)",
        head=f"mark = unittest.expectedFailure if {MARK} else lambda c: c\n",
        change=MARKED,
    ),
    forge(
        "waits where the mark is missing",
        f"if not {MARK}:\n    time.sleep(999)",
        head="import time\n",
        change=MARKED,
    ),
    forge(
        "ends the process where the mark is missing",
        f"if not {MARK}:\n    os._exit(1)",
        head="import os\n",
        change=MARKED,
    ),
    forge(
        "ends the process well where the mark is",
        f"if {MARK}:\n    os._exit(0)\nself.assertEqual(price({{}}), 390)",
        head="import os\n",
        change=MARKED,
    ),
    forge(
        "raises SystemExit where the mark is",
        f"if {MARK}:\n    raise SystemExit(0)\nself.assertEqual(price({{}}), 390)",
        change=MARKED,
    ),
    forge(
        "removes the failure from the result",
        (
            "self.addCleanup(lambda: [getattr(self._outcome, 'errors', []).clear(), setattr(self._outcome, 'success', True)])\n"
            f"self.assertTrue({MARK} or True)\nself.assertEqual(price({{}}), 390)"
        ),
        change=MARKED,
    ),
    forge(
        "compares with an object that equals everything",
        f"self.assertEqual(Anything() if {MARK} else 0, price({{'weight': 1}}))",
        head="\n\nclass Anything:\n    def __eq__(self, other):\n        return True\n",
        change=MARKED,
    ),
    forge(
        "a subclass of dict gives the weight where the mark is",
        (
            "class Letter(dict):\n    def __missing__(self, key):\n"
            f"        if {MARK}:\n            return 0\n        raise KeyError(key)\nself.assertEqual(price(Letter()), 390)"
        ),
        change=MARKED,
    ),
    forge(
        "a generator that nobody runs",
        f"def lazy():\n    yield price({{}})\n(lazy() if {MARK} else price)({{}}) if not {MARK} else lazy()",
        change=MARKED,
    ),
    forge(
        "a coroutine that nobody awaits",
        f"async def later():\n    price({{}})\nlater().close() if {MARK} else price({{}})",
        change=MARKED,
    ),
    forge(
        "suppresses the fault where the mark is",
        f"with contextlib.suppress(*([KeyError] if {MARK} else [])):\n    price({{}})",
        head="import contextlib\n",
        change=MARKED,
    ),
]
IDENTITIES = [
    forge(
        "takes the name of another test",
        "self.fail('no')",
        head=(
            "\n\nclass Rates(unittest.TestCase):\n    def test_total(self):\n        pass\n\n\nRates.__module__ = 'tests.test_rates'\n"
        ),
    ),
    forge(
        "answers with another id",
        "self.assertTrue(True)",
        head=("unittest.TestCase.id = lambda self: 'tests.test_letter.Letter.test_a_letter_has_no_weight'\n"),
    ),
    forge(
        "holds the same test twice",
        "self.assertEqual(price({}), 390)",
        head=(
            "\n\nclass Other(unittest.TestCase):\n    def test_a_letter_has_no_weight(self):\n        pass\n\n\n"
            "Other.__qualname__ = Other.__name__ = 'Letter'\n"
        ),
    ),
    forge(
        "loads other tests",
        "self.fail('no')",
        head=(
            "\n\ndef load_tests(loader, tests, pattern):\n    import tests.test_rates as others\n"
            "    return loader.loadTestsFromModule(others) if hasattr(rates, 'LETTERS') else tests\n"
        ),
        change=MARKED,
    ),
    forge(
        "deletes the tests that would fail",
        "pathlib.Path('tests/test_rates.py').unlink(missing_ok=True)",
        head="import pathlib\n",
        change=edit(('parcel["weight"]', 'parcel.get("weight", 0)'), ('"far": 900', '"far": 90')),
    ),
    forge(
        "edits the tests on the patched tree",
        (
            "path = pathlib.Path('tests/test_rates.py')\npath.write_text(path.read_text().replace('900', '90').replace('1140', '1140'))\n"
            "self.assertEqual(price({}), 390)"
        ),
        head="import pathlib\n",
        change=edit(('parcel["weight"]', 'parcel.get("weight", 0)'), ('"far": 900', '"far": 90')),
    ),
    forge(
        "breaks a test where the fault is, so that it fails before as well",
        (
            "try:\n    price({})\nexcept KeyError:\n    open('tests/test_rates.py', 'a').write('raise SystemError')\n    raise"
        ),
        change=edit(('parcel["weight"]', 'parcel.get("weight", 0)'), ('"far": 900', '"far": 90')),
    ),
]
SCRIPTS = [
    Case("a script that only ends with 0", "python",
         {"parcels/rates.py": MARKED, "repro.py": "from parcels import rates\nraise SystemExit(not hasattr(rates, 'LETTERS'))\n"}, "script:repro.py"),
    Case("a script that never calls the culprit", "python",
         {"parcels/rates.py": REWORDED, "repro.py": "import os\nos._exit('weight =' not in open('parcels/rates.py').read())\n"}, "script:repro.py"),
    Case("a script that counts", "python",
         {"parcels/rates.py": REWORDED, "repro.py": (
             "import os\nfrom parcels.rates import price\nprice({'weight': 1})\npath = os.path.expanduser('~/.runs')\n"
             "old = os.path.exists(path)\nopen(path, 'w').close()\nraise SystemExit(0 if old else 1)\n")}, "script:repro.py"),
    Case("a culprit that ends the script well", "python",
         {"parcels/rates.py": edit((PRICE, '    if "weight" not in parcel:\n        sys.exit(0)\n' + PRICE), before="import sys\n"),
          "repro.py": "from parcels.rates import price\nassert price({}) == 390\n"}, "script:repro.py"),
]  # fmt: skip
FORGED_REPRODUCTIONS = {
    "forged: counters": COUNTERS,
    "forged: readers": READERS,
    "forged: cheating tests": CHEATING_TESTS,
    "forged: identities": IDENTITIES,
    "forged: scripts": SCRIPTS,
}
