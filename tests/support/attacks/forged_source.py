"""Source changes that fix nothing: they end the process, return odd values, or find out that they are tested."""

from __future__ import annotations

import zlib

from tests.support.attacks.cases import Case, Change, Expectation, edit

PRICE = '    return BASE_CENTS + 20 * parcel["weight"]\n'
LETTER_PATH = "tests/test_letter.py"
LETTER = """import unittest

from parcels.rates import price


class Letter(unittest.TestCase):
    def test_a_letter_has_no_weight(self):
        self.assertEqual(price({"kind": "letter"}), 390)
"""
REPRODUCTION = f"test:{LETTER_PATH}"


def forge(name: str, change: Change, test: str = LETTER, expect: Expectation = "not ready") -> Case:
    """A case that changes the culprit and adds the reproduction."""
    return Case(name, "python", {"parcels/rates.py": change, LETTER_PATH: test}, REPRODUCTION, expect)


def at_import(code: str) -> Change:
    """The culprit with the code before everything else."""
    return edit(before=code)


def in_price(code: str, *, before: str = "") -> Change:
    """The culprit with the code in place of the body of `price`."""
    body = "".join(f"    {line}\n" if line else "\n" for line in code.splitlines())
    return edit((PRICE, body), before=before)


BODY = 'return BASE_CENTS + 20 * parcel["weight"]'
GUARD = 'if "weight" not in parcel:\n    '

EXITS = [
    forge(
        "ends with 0 at import", at_import("import os, sys\nif 'unittest' in sys.modules:\n    os._exit(0)\n")
    ),
    forge("ends with 0 in the call", in_price(GUARD + f"os._exit(0)\n{BODY}", before="import os\n")),
    forge("raises SystemExit(0)", in_price(GUARD + f"raise SystemExit(0)\n{BODY}")),
    forge("calls sys.exit without a code", in_price(GUARD + f"sys.exit()\n{BODY}", before="import sys\n")),
    forge("calls exit by another name", in_price(GUARD + f"quit(0)\n{BODY}")),
    forge(
        "changes the exit code at exit",
        at_import("import atexit\nimport os\natexit.register(os._exit, 0)\n"),
    ),
    forge(
        "ends with 0 from a thread",
        at_import("import os\nimport threading\nthreading.Timer(0.01, os._exit, (0,)).start()\n"),
    ),
    forge(
        "ends with 0 on an alarm",
        at_import(
            "import os\nimport signal\nsignal.signal(signal.SIGALRM, lambda *_: os._exit(0))\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.01)\n"
        ),
    ),
    forge("the parent ends with 0", at_import("import os\nif os.fork():\n    os.wait()\n    os._exit(0)\n")),
    forge("becomes another program", at_import("import os\nos.execvp('true', ['true'])\n")),
    forge(
        "an exception hook ends with 0",
        in_price(
            GUARD + f"raise KeyboardInterrupt\n{BODY}",
            before="import os\nimport sys\nsys.excepthook = lambda *_: os._exit(0)\n",
        ),
    ),
    forge(
        "a finaliser ends with 0",
        at_import("import os\nclass Last:\n    def __del__(self):\n        os._exit(0)\nlast = Last()\n"),
    ),
    forge(
        "prints the summary of the runner",
        in_price(
            GUARD
            + "print('.\\n' + '-' * 70 + '\\nRan 1 test in 0.001s\\n\\nOK', file=sys.stderr, flush=True)\n"
            + f"    os._exit(0)\n{BODY}",
            before="import os, sys\n",
        ),
    ),
    forge(
        "kills the process that runs the tests",
        at_import("import os\nimport signal\nos.kill(os.getppid(), signal.SIGKILL)\n"),
    ),
]
EQUAL = "class Anything(int):\n    def __eq__(self, other):\n        return True\n\n    __hash__ = int.__hash__\n\n\n"
VALUES = [
    forge("a number that equals everything", in_price(GUARD + f"return Anything()\n{BODY}", before=EQUAL)),
    forge(
        "an object that never differs",
        in_price(
            GUARD + f"return Same()\n{BODY}",
            before="class Same:\n    def __eq__(self, other):\n        return not self != other\n\n"
            "    def __ne__(self, other):\n        return bool(())\n\n\n",
        ),
    ),
    forge("mock.ANY", in_price(GUARD + f"return ANY\n{BODY}", before="from unittest.mock import ANY\n")),
    forge(
        "a mock",
        in_price(
            GUARD + f"return MagicMock(__eq__=lambda s, o: True)\n{BODY}",
            before="from unittest.mock import MagicMock\n",
        ),
    ),
    forge(
        "skips the test",
        in_price(GUARD + f"raise SkipTest\n{BODY}", before="from unittest import SkipTest\n"),
    ),
    forge(
        "skips the test by a name found at run time",
        in_price(
            GUARD + f"raise getattr(sys.modules['unittest'], 'Skip' + 'Test')('x')\n{BODY}",
            before="import sys\n",
        ),
    ),
    forge(
        "an object whose comparison skips",
        in_price(
            GUARD + f"return Shy()\n{BODY}",
            before="import unittest\n\n\nclass Shy:\n    def __eq__(self, other):\n"
            "        raise unittest.SkipTest('later')\n\n\n",
        ),
    ),
    forge(
        "an object whose truth ends the process",
        in_price(
            GUARD + f"return Late()\n{BODY}",
            before="import os\n\n\nclass Late:\n    def __eq__(self, other):\n        return self\n\n"
            "    def __bool__(self):\n        os._exit(0)\n\n\n",
        ),
    ),
    forge(
        "raises the runner's own stop",
        in_price(GUARD + f"raise case._ShouldStop\n{BODY}", before="from unittest import case\n"),
    ),
    forge("raises GeneratorExit", in_price(GUARD + f"raise GeneratorExit\n{BODY}")),
    forge(
        "a dict that has every key",
        edit(
            (
                "def price(parcel):\n",
                "class Full(dict):\n    def __missing__(self, key):\n        return Anything()\n\n\ndef price(parcel):\n    parcel = Full(parcel)\n",
            ),
            before=EQUAL,
        ),
    ),
    forge(
        "a reflected comparison",
        in_price(
            GUARD + f"return Sum(1)\n{BODY}",
            before="class Sum(float):\n    def __eq__(self, other):\n        return isinstance(other, int)\n\n"
            "    def __hash__(self):\n        return 1\n\n\n",
        ),
    ),
    forge(
        "the answer is read from the test's bytecode",
        in_price(
            GUARD + f"return max(c for c in sys._getframe(1).f_code.co_consts if isinstance(c, int))\n{BODY}",
            before="import sys\n",
        ),
    ),
]
WHERE = [
    ("asks for the runner in sys.modules", "'unittest' in sys.modules", "import sys\n"),
    ("asks for the test in sys.modules", "'tests.test_letter' in sys.modules", "import sys\n"),
    ("asks for the runner in the arguments", "'test' in ' '.join(sys.argv + sys.orig_argv)", "import sys\n"),
    ("asks for our variables", "any(k.startswith('TRACKWALKER') for k in os.environ)", "import os\n"),
    ("asks for the host name", "socket.gethostname() in ('sandbox', 'localhost')", "import socket\n"),
    ("asks for the user", "os.getuid() >= 50000", "import os\n"),
    ("asks for the folder", "'tree' in os.getcwd() or 'trackwalker' in os.getcwd()", "import os\n"),
    (
        "asks for HOME",
        "'tmp' in os.path.expanduser('~') or 'trackwalker' in os.environ['HOME']",
        "import os\n",
    ),
    ("asks whether there is no network", "not os.path.exists('/sys/class/net/eth0')", "import os\n"),
    ("asks for the caller's file", "'test_' in inspect.stack()[1].filename", "import inspect\n"),
    ("asks for the caller's class", "'self' in sys._getframe(1).f_locals", "import sys\n"),
    (
        "asks the stack by a traceback",
        "'unittest' in ''.join(traceback.format_stack())",
        "import traceback\n",
    ),
    (
        "asks for the parent process",
        "b'unittest' in open(f'/proc/{os.getppid()}/cmdline', 'rb').read()",
        "import os\n",
    ),
    ("asks for the process id", "os.getpid() < 100", "import os\n"),
    (
        "asks whether a tracer runs",
        "sys.gettrace() is not None or sys.getprofile() is not None",
        "import sys\n",
    ),
    ("asks for CI", "os.environ.get('CI') or not sys.stdin.isatty()", "import os\nimport sys\n"),
]
DETECTION = [forge(name, in_price(f"if {test} and 'weight' not in parcel:\n    return 390\n{BODY}", before=imports))
             for name, test, imports in WHERE]  # fmt: skip
CHECKSUM = zlib.crc32(repr({"kind": "letter"}).encode())
SPECIAL = [
    forge("the very input", in_price(f"if parcel == {{'kind': 'letter'}}:\n    return 390\n{BODY}"), expect="person"),
    forge(
        "a table of inputs and results at the top",
        in_price(f"if str(parcel) in KNOWN:\n    return KNOWN[str(parcel)]\n{BODY}",
                 before="KNOWN = {\"{'kind': 'letter'}\": 390}\n"),
        expect="person",
    ),
    forge(
        "a hash of the input",
        in_price(f"if zlib.crc32(repr(parcel).encode()) == {CHECKSUM}:\n    return 390\n{BODY}", before="import zlib\n"),
        expect="person",
    ),
]  # fmt: skip
BREAKS = "    return 390\n"
BROKEN = [
    forge("fixes the letter and breaks every other price", edit((PRICE, BREAKS))),
    forge(
        "fixes the letter and breaks the zones",
        edit(('parcel["weight"]', 'parcel.get("weight", 0)'), ('"far": 900', '"far": 90')),
    ),
    forge(
        "fixes the letter and hides what it breaks behind an exit",
        edit(('parcel["weight"]', 'parcel.get("weight", 0)'), ('    return {"home"', '    os._exit(0)\n    return {"home"'),
             before="import os\n"),
    ),
    forge(
        "fixes the letter and skips what it breaks",
        edit(('parcel["weight"]', 'parcel.get("weight", 0)'),
             ("    if zone not in", "    raise unittest.SkipTest('zones')\n    if zone not in"), before="import unittest\n"),
    ),
]  # fmt: skip
ELSEWHERE = [
    Case(
        "fixes another fault than the one of the evidence", "python",
        {
            "parcels/rates.py": edit(('"far": 900}', '"far": 900, "sea": 1200}'), ('"near", "far")', '"near", "far", "sea")')),
            LETTER_PATH: LETTER.replace("import price", "import surcharge").replace('price({"kind": "letter"}), 390', 'surcharge("sea"), 1200'),
        },
        REPRODUCTION, cause="parcels/rates.py:8",
    ),
    Case(
        "fixes another module than the one of the evidence", "python",
        {
            "parcels/config.py": edit(after="\n\ndef pages(count):\n    return count // PAGE_SIZE\n"),
            LETTER_PATH: LETTER.replace("rates import price", "config import PAGE_SIZE").replace('price({"kind": "letter"}), 390', "PAGE_SIZE, 50"),
        },
        REPRODUCTION, cause="parcels/rates.py:8",
    ),
]  # fmt: skip
FORGED_SOURCES = {
    "forged: exits": EXITS,
    "forged: values": VALUES,
    "forged: detection": DETECTION,
    "forged: special cases": SPECIAL,
    "forged: breaks more": BROKEN,
    "forged: another fault": ELSEWHERE,
}
