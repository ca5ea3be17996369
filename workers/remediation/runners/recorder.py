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
READERS = ("traceback", "warnings", "logging", "_pytest", "pytest", "runpy", "zipimport")
"""Packages that read source files for themselves: printed stacks and rewritten assertions."""
IMPORTING = ("get_code", "exec_module", "_find_and_load", "_fill_cache")
"""Functions of importlib that read files in order to import them, and not for their caller."""
CODE_ATTRIBUTES = ("__code__", "f_code", "tb_frame", "gi_code", "cr_code")
"""Attributes that lead from a function, a frame or a stack to its code; Python audits access to them."""
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
        self._is_auditing = False
        if reproduction:
            sys.addaudithook(self._audit)

    def start(self) -> None:
        """Record from now on, in this thread and in new ones."""
        if self._traces:
            threading.settrace(self._call)
            sys.settrace(self._call)

    def pause(self) -> None:
        """Stop recording until the next `start`."""
        if self._traces:
            sys.settrace(None)

    def stop(self) -> None:
        """Record nothing more."""
        self.pause()
        threading.settrace(None)
        self._reproduction = ""

    def summary(self) -> dict[str, Any]:
        """The records, and the files of the repository that were imported."""
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
        is_service = self._tree + path != self._reproduction
        if is_service and frame.f_code.co_flags & FUNCTION_FLAG:
            self._functions.add(f"{path}:{frame.f_code.co_name}")

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                lines.add(frame.f_lineno)
            elif event == "exception" and is_service and len(raised) < MAX_RAISED:
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
            inside = real.startswith(self._tree) and not name.startswith("<")
            self._names[name] = real[len(self._tree) :] if inside else ""
        return self._names[name]

    # ---- reads ----

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_code = event == "object.__getattr__" and arguments[1] in CODE_ATTRIBUTES
        # Looking at a frame here is an audited event as well.
        if self._is_auditing or not (is_code or event == "open") or not self._reproduction:
            return
        self._is_auditing = True
        try:
            access = self._find_code_access(arguments[1]) if is_code else self._find_read(arguments[0])
            if access and len(self._reads) < MAX_READS:
                self._reads.append(access)
        finally:
            self._is_auditing = False

    def _find_code_access(self, attribute: str) -> str:
        caller = sys._getframe(2).f_code.co_filename
        return f"{attribute} of an object" if os.path.realpath(caller) == self._reproduction else ""

    def _find_read(self, path: Any) -> str:
        if not isinstance(path, str | bytes | os.PathLike):
            return ""
        name = os.path.realpath(os.fsdecode(path))
        if not name.endswith(SOURCE_SUFFIXES) or not name.startswith(self._tree):
            return ""
        return name[len(self._tree) :] if self._is_read_by_test() else ""

    def _is_read_by_test(self) -> bool:
        """True if the reproduction reads the file, not an import or a printed stack that it caused."""
        frame: FrameType | None = sys._getframe(3)
        while frame is not None:
            module = str(frame.f_globals.get("__name__", "")).partition(".")[0].removesuffix("_external")
            is_import = module.endswith("importlib") and frame.f_code.co_name in IMPORTING
            if module in READERS or is_import:
                return False
            if os.path.realpath(frame.f_code.co_filename) == self._reproduction:
                return True
            frame = frame.f_back
        return False
