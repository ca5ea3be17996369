"""Records the lines of the repository that run, the exceptions that pass through them, and reads of source files.

Only the standard library may be imported; `python_tests.py` loads this file before any code of the repository.
"""

from __future__ import annotations

import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any

SOURCE_SUFFIXES = (
    ".py", ".pyi", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx", ".sql", ".html", ".jinja", ".j2",
)  # fmt: skip
READERS = (
    "importlib",
    "traceback",
    "linecache",
    "warnings",
    "logging",
    "_pytest",
    "pytest",
    "runpy",
    "zipimport",
)
"""Packages that read source files for themselves: imports, printed stacks and rewritten assertions."""
FUNCTION_FLAG = (
    0x01  # CO_OPTIMIZED of Python's inspect module: code of a function, not of a module or a class
)
MAX_RAISED = 200  # exceptions that are recorded
MAX_READS = 20  # reads of source files that are recorded


class Recorder:
    """The lines, exceptions and reads of one test process.

    Args:
        tree: the repository's folder.
        reproduction: the new test or script, relative to the tree; empty for a suite, of which nothing is recorded.
    """

    def __init__(self, tree: str, reproduction: str) -> None:
        self._tree = os.path.realpath(tree) + os.sep
        self._reproduction = self._tree + reproduction if reproduction else ""
        self._traces = bool(reproduction)
        self._names: dict[str, str] = {}
        self._lines: dict[str, set[int]] = {}
        self._functions: set[str] = set()
        self._raised: list[list[Any]] = []
        self._reads: list[str] = []
        self._last: BaseException | None = None
        if reproduction:
            sys.addaudithook(self._audit)

    def start(self) -> None:
        """Record from now on, in this thread and in new ones."""
        if self._traces:
            threading.settrace(self._call)
            sys.settrace(self._call)

    def pause(self) -> None:
        """Stop until the next `start`."""
        if self._traces:
            sys.settrace(None)

    def stop(self) -> None:
        """Record nothing more."""
        self.pause()
        threading.settrace(None)
        self._reproduction = ""

    def summary(self) -> dict[str, Any]:
        """What was recorded, and the files of the repository that were imported."""
        loaded = set()
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and os.path.realpath(file).startswith(self._tree):
                loaded.add(os.path.realpath(file)[len(self._tree) :])
        return {
            "lines": {path: sorted(lines) for path, lines in self._lines.items()},
            "functions": sorted(self._functions), "raised": self._raised, "reads": self._reads,
            "loaded": sorted(loaded),
        }  # fmt: skip

    # ---- lines and exceptions ----

    def _call(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        path = self._path(frame.f_code)
        if not path:
            return None
        lines, raised = self._lines.setdefault(path, set()), self._raised
        if frame.f_code.co_flags & FUNCTION_FLAG:
            self._functions.add(f"{path}:{frame.f_code.co_name}")

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                lines.add(frame.f_lineno)
            elif event == "exception" and len(raised) < MAX_RAISED:
                name = getattr(argument[0], "__name__", "")
                entry = [name, path, frame.f_lineno, frame.f_code.co_name]
                if entry not in raised:
                    raised.append(entry)
            return trace

        return trace

    def _path(self, code: CodeType) -> str:
        name = code.co_filename
        if name not in self._names:
            real = os.path.realpath(name)
            inside = real.startswith(self._tree) and real != self._reproduction and not name.startswith("<")
            self._names[name] = real[len(self._tree) :] if inside else ""
        return self._names[name]

    # ---- reads ----

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not self._reproduction or len(self._reads) >= MAX_READS:
            return
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return
        name = os.path.realpath(os.fsdecode(path))
        if not name.endswith(SOURCE_SUFFIXES) or not name.startswith(self._tree):
            return
        if self._is_read_by_test():
            self._reads.append(name[len(self._tree) :])

    def _is_read_by_test(self) -> bool:
        """True if the reproduction reads the file, not an import or a printed stack that it caused."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if module in READERS:
                return False
            if os.path.realpath(frame.f_code.co_filename) == self._reproduction:
                return True
            frame = frame.f_back
        return False
