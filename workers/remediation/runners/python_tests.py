"""Runs Python tests or a script and sends every result through a pipe; see `guard.py` for the lines.

The runner, its plugin and their imports are loaded before a folder of the repository is on `sys.path`, so no file of it
can shadow them. Only the standard library and, for pytest, the project's pytest may be imported.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import random
import runpy
import sys
import traceback
import unittest
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from workers.remediation.runners.recorder import Recorder

Send = Callable[..., None]
F = TypeVar("F")

MAX_TEXT = 4_000  # characters of one test's error text
MAX_MESSAGE = 500  # characters of an exception's message
MAX_FRAMES = 40  # frames of one stack, from the end


class Pipe:
    """Sends events. A forked copy of the process sends nothing."""

    def __init__(self, descriptor: int, nonce: str) -> None:
        os.set_inheritable(descriptor, False)
        process, number, write, dump, pid = os.getpid(), iter(range(10**9)), os.write, json.dumps, os.getpid

        def send(event: str, **fields: Any) -> None:
            if pid() != process:
                return
            data = f"{nonce} {next(number)} {dump({'event': event, **fields})}\n".encode()
            while data:
                data = data[write(descriptor, data) :]

        self.send = send


def _load_recorder() -> Any:
    # By its file and under no name in sys.modules: a module of the repository may have the same name.
    spec = importlib.util.spec_from_file_location("recorder", Path(__file__).with_name("recorder.py"))
    if spec is None or spec.loader is None:
        raise ImportError("recorder.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Recorder


def main() -> int:
    """Run the task on standard input. The result is 0 if every test passed."""
    task = json.loads(sys.stdin.buffer.read())
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    pipe = Pipe(task.pop("descriptor"), task.pop("nonce"))
    runner = {"unittest": run_unittest, "pytest": run_pytest, "script": run_script}[task["kind"]]
    if task["kind"] == "pytest":
        import pytest  # noqa: F401 (before the repository is on the path)
    watch: Recorder = _load_recorder()(task["tree"], task["reproduction"])
    sys.path[:0] = task["path"]
    os.environ["PYTHONPATH"] = os.pathsep.join(task["path"])
    sys.argv = list(task["argv"])
    pipe.send("begin")
    ok = runner(task, pipe.send, watch)
    watch.stop()
    pipe.send("end", **watch.summary())
    sys.stdout.flush()
    sys.stderr.flush()
    return 0 if ok else 1


def describe_error(
    kind: type[BaseException] | None, error: BaseException | None, stack: Any
) -> dict[str, Any]:
    """The exception with its stack; chained exceptions are part of the text."""
    frames = [
        [frame.f_code.co_filename, line, frame.f_code.co_name] for frame, line in traceback.walk_tb(stack)
    ]
    chain: list[str] = []
    cause = error
    while cause is not None and len(chain) < 8:
        chain.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    try:
        message = str(error)[:MAX_MESSAGE]
    except Exception:
        message = ""
    return {
        "type": kind.__name__ if kind else "",
        "chain": chain,
        "message": message,
        "frames": frames[-MAX_FRAMES:],
    }


# ---- unittest ----


def run_unittest(task: dict[str, Any], send: Send, watch: Recorder) -> bool:
    """Discover below each folder, or load one file, and run all."""
    watch.start()
    loader = unittest.TestLoader()
    suites = []
    for place in task["places"]:
        if place.get("module"):
            suites.append(_load_module(loader, place["module"], send))
            continue
        suites.append(loader.discover(place["start"], place.get("pattern", "test*.py"), place.get("top")))
        loader._top_level_dir = None  # type: ignore[attr-defined]
    tests = [test for suite in suites for test in _flatten(suite)]
    _reorder(tests, task["order"], lambda test: (type(test).__module__, type(test).__qualname__))
    send("tests", ids=[test.id() for test in tests])

    def result(*arguments: Any, **named: Any) -> unittest.TestResult:
        return _Result(send, *arguments, **named)

    runner = unittest.TextTestRunner(resultclass=result)  # type: ignore[arg-type]
    return runner.run(unittest.TestSuite(tests)).wasSuccessful()


def _load_module(loader: unittest.TestLoader, name: str, send: Send) -> unittest.TestSuite:
    """The tests of the module. The loader reports an ImportError itself, and lets other errors pass."""
    try:
        return loader.loadTestsFromName(name)
    except Exception as error:
        traceback.print_exception(error)
        failure = f"unittest.loader._FailedTest.{name}"
        send("start", id=failure)
        text = "".join(traceback.format_exception(error))[-MAX_TEXT:]
        described = describe_error(type(error), error, error.__traceback__)
        send("stop", id=failure, outcome="failed", error=described, text=text)
        return unittest.TestSuite()


def _flatten(suite: Any) -> Iterator[Any]:
    try:
        parts = list(suite)
    except TypeError:
        yield suite
        return
    for part in parts:
        yield from _flatten(part)


def _reorder(tests: list[Any], order: int, block: Callable[[Any], Any]) -> None:
    """Put the blocks of tests in another order; tests of one block keep theirs, since fixtures span them."""
    if not order:
        return
    blocks: dict[Any, list[Any]] = {}
    for test in tests:
        blocks.setdefault(block(test), []).append(test)
    keys = list(blocks)
    random.Random(order).shuffle(keys)
    tests[:] = [test for key in keys for test in blocks[key]]


class _Result(unittest.TextTestResult):
    def __init__(self, send: Send, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._send = send
        self._outcomes: dict[int, dict[str, Any]] = {}

    def startTest(self, test: Any) -> None:
        self._outcomes[id(test)] = {"outcome": "none"}
        self._send("start", id=test.id())
        super().startTest(test)

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        self._send("stop", id=test.id(), **self._outcomes.pop(id(test)))

    def _set(self, test: Any, outcome: str, err: Any = None) -> None:
        fields: dict[str, Any] = {"outcome": outcome}
        if err is not None:
            fields |= {"error": describe_error(*err), "text": self._exc_info_to_string(err, test)[-MAX_TEXT:]}  # type: ignore[attr-defined]
        if id(test) not in self._outcomes:  # setUpClass and setUpModule
            self._send("start", id=test.id())
            self._send("stop", id=test.id(), **fields)
        elif self._outcomes[id(test)]["outcome"] in ("none", "passed"):
            self._outcomes[id(test)] = fields

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._set(test, "passed")

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._set(test, "failed", err)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._set(test, "failed", err)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._set(test, "skipped")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._set(test, "expected failure", err)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._set(test, "failed")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._set(test, "failed", err)


# ---- pytest ----


def run_pytest(task: dict[str, Any], send: Send, watch: Recorder) -> bool:
    """Run pytest with a plugin that sends the reports of each test."""
    import pytest

    plugin = _plugin(pytest, task, send, watch)
    return int(pytest.main(list(task["arguments"]), plugins=[plugin])) == 0


def _plugin(pytest: Any, task: dict[str, Any], send: Send, watch: Recorder) -> object:
    results: dict[str, dict[str, Any]] = {}
    around: Callable[[F], F] = pytest.hookimpl(tryfirst=True, hookwrapper=True)
    last: Callable[[F], F] = pytest.hookimpl(trylast=True)

    class Plugin:
        @around
        def pytest_collection(self) -> Iterator[None]:
            # A coverage plugin of the project may have taken the trace function.
            watch.start()
            yield
            watch.pause()

        @last
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            _reorder(items, task["order"], lambda item: item.nodeid.partition("::")[0])

        def pytest_collection_finish(self, session: Any) -> None:
            send("tests", ids=[item.nodeid for item in session.items])

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                send("start", id=report.nodeid)
                send(
                    "stop", id=report.nodeid, outcome="failed", text=str(report.longrepr)[-MAX_TEXT:],
                    error=_pytest_error(report),
                )  # fmt: skip

        @around
        def pytest_runtest_protocol(self) -> Iterator[None]:
            watch.start()
            yield
            watch.pause()

        @around
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, None]:  # noqa: ARG002
            outcome = yield
            if call.excinfo is not None:
                info = call.excinfo
                outcome.get_result().trackwalker = describe_error(info.type, info.value, info.tb)

        def pytest_runtest_logstart(self, nodeid: str) -> None:
            results[nodeid] = {"outcome": "none"}
            send("start", id=nodeid)

        def pytest_runtest_logreport(self, report: Any) -> None:
            result = results.setdefault(report.nodeid, {"outcome": "none"})
            if report.outcome == "rerun":
                return
            if report.failed:
                result |= {
                    "outcome": "failed", "text": report.longreprtext[-MAX_TEXT:],
                    "error": getattr(report, "trackwalker", None) or _pytest_error(report),
                }  # fmt: skip
            elif report.skipped and result["outcome"] != "failed":
                result["outcome"] = "expected failure" if hasattr(report, "wasxfail") else "skipped"
            elif report.when == "call" and result["outcome"] == "none":
                result["outcome"] = "passed"

        def pytest_runtest_logfinish(self, nodeid: str) -> None:
            send("stop", id=nodeid, **results.pop(nodeid, {"outcome": "none"}))

    return Plugin()


def _pytest_error(report: Any) -> dict[str, Any]:
    crash = getattr(report.longrepr, "reprcrash", None)
    message = str(getattr(crash, "message", "") or report.longrepr)
    lines = [line[1:].strip() for line in message.splitlines() if line.startswith("E ")]
    name = (lines or message.splitlines() or [""])[-1 if lines else 0].partition(":")[0].strip()
    return {
        "type": name.rpartition(".")[2][:80],
        "chain": [],
        "message": message[-MAX_MESSAGE:],
        "frames": [],
    }


# ---- scripts ----


def run_script(task: dict[str, Any], send: Send, watch: Recorder) -> bool:
    """Run a file as a program. A clean end, or an exit with 0, counts as passed."""
    path = task["arguments"][0]
    send("tests", ids=[path])
    send("start", id=path)
    sys.path.insert(0, str(Path(path).resolve().parent))
    outcome: dict[str, Any] = {"outcome": "passed"}
    watch.start()
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as error:
        if error.code not in (None, 0):
            outcome = _script_failure(error, error.__traceback__)
    except BaseException as error:
        outcome = _script_failure(error, error.__traceback__)
        traceback.print_exception(error)
    send("stop", id=path, **outcome)
    return bool(outcome["outcome"] == "passed")


def _script_failure(error: BaseException, stack: TracebackType | None) -> dict[str, Any]:
    text = io.StringIO()
    traceback.print_exception(type(error), error, stack, file=text)
    return {
        "outcome": "failed", "error": describe_error(type(error), error, stack), "text": text.getvalue()[-MAX_TEXT:]
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
