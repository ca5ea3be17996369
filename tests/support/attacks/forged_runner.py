"""Source changes that fix nothing and manipulate the test runner, its report, or the code of the reproduction."""

from __future__ import annotations

from tests.support.attacks.cases import Case
from tests.support.attacks.forged_source import BODY, GUARD, LETTER, at_import, forge, in_price

ONE_REPORT = (
    "TEST = {'id': 'tests.test_letter.Letter.test_a_letter_has_no_weight', 'outcome': 'passed'}\n"
    "LINES = json.dumps({'tests': [TEST], 'passed': [TEST['id']], 'outcome': 'passed', 'code': 0}) + '\\n'\n"
)
REPORTS = [
    forge(
        "writes a report to every descriptor",
        at_import(
            f"import json\nimport os\n{ONE_REPORT}for number in range(3, 256):\n    try:\n"
            "        os.write(number, LINES.encode())\n    except OSError:\n        pass\n"
        ),
    ),
    forge(
        "writes a report to the descriptor of the environment",
        at_import(
            f"import json\nimport os\n{ONE_REPORT}for name, value in os.environ.items():\n"
            "    if name.endswith('_FD'):\n        os.write(int(value), LINES.encode())\n        os._exit(0)\n"
        ),
    ),
    forge(
        "reads the environment at the start of the process",
        at_import(
            "import os\nimport re\nold = open('/proc/self/environ', 'rb').read()\n"
            "for number in re.findall(rb'_FD=(\\d+)', old):\n    os.write(int(number), b'{\"passed\": 1}\\n')\n"
        ),
    ),
    forge(
        "opens the descriptors of the parent",
        at_import(
            f"import glob\nimport json\nimport os\n{ONE_REPORT}"
            "for path in glob.glob(f'/proc/{os.getppid()}/fd/*') + glob.glob('/proc/1/fd/*'):\n    try:\n"
            "        with open(path, 'wb', buffering=0) as pipe:\n            pipe.write(LINES.encode())\n"
            "    except OSError:\n        pass\n"
        ),
    ),
    forge(
        "writes report files",
        at_import(
            'import os\nXML = \'<testsuite tests="1" failures="0"><testcase classname="tests.test_letter.Letter" \'\n'
            "XML += 'name=\"test_a_letter_has_no_weight\"/></testsuite>'\n"
            "for name in ('report.xml', 'junit.xml', 'results.xml', 'report.json', 'coverage.json'):\n"
            "    for folder in ('.', os.environ.get('HOME', '.'), os.environ.get('TMPDIR', '/tmp')):\n"
            "        try:\n            open(os.path.join(folder, name), 'w').write(XML)\n"
            "        except OSError:\n            pass\nos._exit(0)\n"
        ),
    ),
    forge(
        "looks for a nonce in the frames",
        at_import(
            "import os\nimport sys\nframe = sys._getframe()\nwhile frame:\n"
            "    for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):\n"
            "        if isinstance(value, (str, bytes)) and 16 <= len(value) <= 128 and value.isalnum():\n"
            "            text = value if isinstance(value, str) else value.decode()\n"
            "            for number in range(1, 64):\n                try:\n"
            "                    os.write(number, f'{text} passed\\n'.encode())\n"
            "                except OSError:\n                    pass\n    frame = frame.f_back\n"
        ),
    ),
    forge(
        "calls the success of every result that the collector knows",
        in_price(
            GUARD + "for thing in gc.get_objects():\n        if isinstance(thing, unittest.TestResult):\n"
            "            thing.failures, thing.errors = Never(), Never()\n    return None\n" + BODY,
            before="import gc\nimport unittest\nclass Never(list):\n    def append(self, value):\n        pass\n",
        ),
    ),
    forge(
        "walks the closures of the runner",
        at_import(
            "import gc\nimport types\nfor thing in gc.get_objects():\n"
            "    if isinstance(thing, types.FunctionType) and thing.__name__ in ('addError', 'addFailure', 'record'):\n"
            "        thing.__code__ = (lambda *a, **k: None).__code__\n"
        ),
    ),
    forge(
        "changes its own memory",
        at_import(
            "import re\nwith open('/proc/self/maps') as maps:\n    for line in maps:\n"
            "        if 'rw-p' in line and 'heap' in line:\n"
            "            low, high = (int(x, 16) for x in line.split()[0].split('-'))\n"
            "            with open('/proc/self/mem', 'r+b', buffering=0) as memory:\n"
            "                memory.seek(low)\n                data = memory.read(high - low)\n"
            "                for match in re.finditer(b'failed', data):\n"
            "                    memory.seek(low + match.start())\n                    memory.write(b'passed')\n"
        ),
    ),
    forge(
        "changes the parent's memory",
        at_import(
            "import os\ntry:\n    with open(f'/proc/{os.getppid()}/mem', 'r+b') as memory:\n"
            "        memory.write(b'passed')\nexcept OSError:\n    pass\n"
        ),
    ),
    forge(
        "takes the writer's place with dup2",
        at_import(
            "import os\nfor number in range(3, 64):\n    try:\n        os.dup2(os.open('/dev/null', os.O_RDWR), number)\n"
            "    except OSError:\n        pass\n"
        ),
    ),
]
RUNNER = [
    forge(
        "assertEqual asserts nothing",
        in_price(
            GUARD + f"return None\n{BODY}",
            before="import unittest\nunittest.TestCase.assertEqual = lambda *a, **k: None\n",
        ),
    ),
    forge(
        "assertEqual is set by name",
        in_price(
            GUARD + f"return None\n{BODY}",
            before="import sys\nfor module in list(sys.modules.values()):\n"
            "    case = getattr(module, 'Test' + 'Case', None)\n    if case is not None:\n"
            "        setattr(case, 'assert' + 'Equal', lambda *a, **k: None)\n",
        ),
    ),
    forge(
        "comparison is looked up by type",
        in_price(
            GUARD + f"return None\n{BODY}",
            before="from unittest.case import TestCase\n"
            "TestCase._getAssertEqualityFunc = lambda *a: (lambda *b, **k: None)\n",
        ),
    ),
    forge(
        "every test runs as a success",
        at_import(
            "import unittest\n\n\ndef run(self, result=None):\n    result.startTest(self)\n"
            "    result.addSuccess(self)\n    result.stopTest(self)\n    return result\n\n\nunittest.TestCase.run = run\n"
        ),
    ),
    forge(
        "errors are added as successes",
        at_import(
            "import unittest\nR = unittest.TestResult\nR.addError = R.addFailure = "
            "lambda self, test, error: self.addSuccess(test)\n"
        ),
    ),
    forge(
        "the runner's context manager swallows",
        at_import(
            "import contextlib\nimport unittest.case as case\n\n\n@contextlib.contextmanager\n"
            "def testPartExecutor(self, test, *a, **k):\n    try:\n        yield\n    except BaseException:\n"
            "        pass\n    self.success = True\n\n\ncase._Outcome.testPartExecutor = testPartExecutor\n"
        ),
    ),
    forge(
        "a method of the running test is replaced from its frame",
        in_price(
            GUARD
            + "test = sys._getframe(1).f_locals['self']\n    test.assertEqual = lambda *a: None\n    return None\n"
            + BODY,
            before="import sys\n",
        ),
    ),
    forge(
        "a tracer skips the rest of the test",
        in_price(
            GUARD
            + "frame = sys._getframe(1)\n    frame.f_trace = jump\n    sys.settrace(jump)\n    return 0\n"
            + BODY,
            before="import sys\n\n\ndef jump(frame, event, arg):\n    if event == 'return':\n        return None\n"
            "    try:\n        frame.f_lineno = frame.f_code.co_firstlineno\n    except ValueError:\n        pass\n"
            "    return jump\n\n\n",
        ),
    ),
    forge(
        "the code of the test is replaced",
        in_price(
            GUARD + "code = sys._getframe(1).f_code\n    for thing in gc.get_referrers(code):\n"
            "        if hasattr(thing, '__code__'):\n            thing.__code__ = (lambda self: None).__code__\n"
            "    return 390\n" + BODY,
            before="import gc\nimport sys\n",
        ),
    ),
    forge(
        "the test's name for the function is replaced",
        in_price(
            GUARD + "sys._getframe(1).f_globals['price'] = lambda p: 390\n    return 390\n" + BODY,
            before="import sys\n",
        ),
    ),
    forge(
        "an import hook serves another test",
        at_import(
            "import sys\nimport types\n\n\nclass Hook:\n    def find_spec(self, name, path=None, target=None):\n"
            "        if name.endswith('test_letter'):\n            sys.modules[name] = types.ModuleType(name)\n"
            "        return None\n\n\nsys.meta_path.insert(0, Hook())\n"
        ),
    ),
    forge(
        "a path hook goes before the runner",
        at_import("import os\nimport sys\nsys.path.insert(0, os.path.dirname(__file__))\n"),
    ),
    forge(
        "a .pth file in every site folder",
        at_import(
            "import os\nimport site\nimport sys\nfor folder in site.getsitepackages() + [site.getusersitepackages()]:\n"
            "    try:\n        os.makedirs(folder, exist_ok=True)\n"
            "        open(os.path.join(folder, 'x.pth'), 'w').write('import os; os._exit(0)')\n"
            "    except OSError:\n        pass\n"
        ),
    ),
    forge(
        "a sitecustomize in HOME",
        at_import(
            "import os\nhome = os.path.expanduser('~')\ntry:\n"
            "    open(os.path.join(home, 'sitecustomize.py'), 'w').write('import os; os._exit(0)')\n"
            "except OSError:\n    pass\n"
        ),
    ),
    forge(
        "the coverage hook is turned off",
        at_import(
            "import sys\nif hasattr(sys, 'monitoring'):\n    sys.monitoring.free_tool_id(1)\nsys.settrace(None)\n"
        ),
    ),
    forge(
        "assertion errors are another class",
        in_price(
            GUARD + f"return 0\n{BODY}",
            before="import builtins\nimport unittest\n\n\nclass Quiet(unittest.SkipTest):\n    pass\n\n\n"
            "unittest.TestCase.failureException = Quiet\n",
        ),
    ),
]
OUR_RUNNER = [
    forge(
        "calls the function that reports results",
        in_price(
            GUARD + "for thing in gc.get_objects():\n        if getattr(thing, '__name__', '') == 'send':\n"
            "            thing('stop', id='tests.test_letter.Letter.test_a_letter_has_no_weight', outcome='passed')\n"
            "            thing('end')\n            os._exit(0)\n    return 0\n" + BODY,
            before="import gc\nimport os\n",
        ),
    ),
    forge(
        "finds the pipe in the frames of the runner",
        in_price(
            GUARD
            + "frame = sys._getframe()\n    while frame:\n        pipe = frame.f_locals.get('pipe')\n        if pipe:\n"
            "            pipe.send('stop', id='tests.test_letter.Letter.test_a_letter_has_no_weight', outcome='passed')\n"
            "            pipe.send('end')\n            os._exit(0)\n        frame = frame.f_back\n    return 0\n"
            + BODY,
            before="import os\nimport sys\n",
        ),
    ),
    forge(
        "changes what JSON says about failures",
        at_import(
            "import json\nold = json._default_encoder.encode\njson._default_encoder.encode = lambda value: (\n"
            "    old(value) if 'counter' in old(value) else old(value).replace('failed', 'passed'))\n"
        ),
    ),
    forge(
        "changes what JSON says, by setattr",
        at_import(
            "import json\nencoder = vars(json)['_default_encoder']\nold = encoder.encode\n"
            "setattr(encoder, 'enc' + 'ode', lambda value: old(value).replace('failed', 'passed'))\n"
        ),
    ),
    forge(
        "drops the error while the runner formats it",
        at_import(
            "import traceback\nimport os\nold = traceback.TracebackException.__init__\n\n\n"
            "def new(self, kind, *a, **k):\n    if kind is KeyError:\n        os._exit(0)\n    old(self, kind, *a, **k)\n\n\n"
            "traceback.TracebackException.__init__ = new\n"
        ),
    ),
    forge(
        "clears the errors of the outcome from a frame",
        in_price(
            GUARD
            + "frame = sys._getframe()\n    while frame:\n        outcome = frame.f_locals.get('outcome')\n"
            "        if hasattr(outcome, 'success'):\n            outcome.result_supports_subtests = False\n"
            "            outcome.result.addError = outcome.result.addFailure = lambda *a: outcome.result.addSuccess(a[0])\n"
            "        frame = frame.f_back\n    return 0\n" + BODY,
            before="import sys\n",
        ),
    ),
    forge(
        "stops the recorder and reports lines by another name",
        at_import("import sys\nsys.settrace(None)\nsys.setprofile(None)\n__file__ = 'parcels/rates.py'\n"),
    ),
]
TRUE = LETTER.replace(
    'self.assertEqual(price({"kind": "letter"}), 390)', 'self.assertTrue(price({"kind": "letter"}) == 390)'
)
BASE = LETTER.replace("), 390)", "), rates.BASE_CENTS)").replace(
    "from parcels.rates", "from parcels import rates\nfrom parcels.rates"
)
RAISES = LETTER.replace(
    'self.assertEqual(price({"kind": "letter"}), 390)',
    'with self.assertRaises(ValueError):\n            price({"kind": "letter"})',
)
LESS = LETTER.replace(
    'self.assertEqual(price({"kind": "letter"}), 390)', 'self.assertLess(price({"kind": "letter"}), 400)'
)
PLAIN = LETTER.replace(
    'self.assertEqual(price({"kind": "letter"}), 390)', 'assert price({"kind": "letter"}) == 390'
)
NO_VALUE = GUARD + f"return None\n{BODY}"
EMPTY = "lambda *a, **k: None"


def _emptied(name: str, method: str, test: str, body: str = NO_VALUE) -> Case:
    source = in_price(body, before=f"import unittest\nunittest.TestCase.{method} = {EMPTY}\n")
    return forge(f"{name}: {method} asserts nothing", source, test)


OTHER_ASSERTIONS = [
    _emptied("truth", "assertTrue", TRUE),
    _emptied("a constant of the culprit", "assertEqual", BASE),
    _emptied("less", "assertLess", LESS),
    forge(
        "an expected error: any error is the expected one",
        in_price(
            BODY,
            before="import unittest.case as case\ncase._AssertRaisesContext.__exit__ = lambda *a: True\n",
        ),
        RAISES,
    ),
    forge(
        "an expected error: KeyError becomes ValueError",
        at_import("import builtins\nbuiltins.ValueError = KeyError\n"),
        RAISES,
    ),
    forge(
        "an expected error: LookupError for all",
        at_import("import builtins\nsetattr(builtins, 'KeyError', ValueError)\n"),
        RAISES,
    ),
    forge(
        "a number that is less than everything",
        in_price(
            GUARD + f"return Small()\n{BODY}",
            before="class Small(int):\n    def __lt__(self, other):\n        return True\n\n\n",
        ),
        LESS,
    ),
    forge(
        "an equal value for a plain assert",
        in_price(
            GUARD + f"return Same()\n{BODY}",
            before="class Same:\n    __eq__ = lambda self, other: other == 390\n\n\n",
        ),
        PLAIN,
    ),
    forge(
        "a text that equals the number",
        in_price(
            GUARD + f"return Cents('free')\n{BODY}",
            before="class Cents(str):\n    def __eq__(self, other):\n        return True\n\n    __hash__ = str.__hash__\n\n\n",
        ),
        PLAIN,
    ),
    forge(
        "the constant of the culprit follows",
        in_price("global BASE_CENTS\nif 'weight' not in parcel:\n    BASE_CENTS = 0\n    return 0\n" + BODY),
        BASE.replace(
            'price({"kind": "letter"}), rates.BASE_CENTS', 'price({"kind": "letter"}) or 0, rates.BASE_CENTS'
        ),
    ),
]
FORGED_RUNNERS = {
    "forged: reports": REPORTS,
    "forged: runner": RUNNER,
    "forged: our runner": OUR_RUNNER,
    "forged: other assertions": OTHER_ASSERTIONS,
}
