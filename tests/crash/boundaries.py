"""A simulated process that crashes at one boundary: before a call to the outside, or after it, with its answer lost.

Every call of a worker to the outside goes through `Process.cross`: Redis commands, HTTP requests, git commands and
agent runs. After the crash no call of that process reaches the outside any more, as after SIGKILL.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import httpx
import redis
from graphql import FieldNode, OperationDefinitionNode, parse

from workers.clients import git as repository
from workers.clients.git import git, trees
from workers.engine import scripts
from workers.sandbox.sandbox import LAUNCHER

T = TypeVar("T")
When = Literal["before", "after"]


SCRIPTS = {script.sha: script.name for script in scripts.ALL}
"""The name of each of the product's scripts by the hash under which it is called."""


class SimulatedCrash(BaseException):
    """The simulated SIGKILL. It is no Exception, so that no `except Exception` of the product survives it."""


class Boundary(NamedTuple):
    """A call to the outside: the `ordinal`-th with this kind and name in one step of the pipeline."""

    step: int
    stage: str
    kind: str
    name: str
    ordinal: int


class CrashPoint(NamedTuple):
    boundary: Boundary
    when: When


class Process:
    """One worker process. Without a crash point it never crashes; `crossed` lists the boundaries that it crossed."""

    def __init__(self, crash_point: CrashPoint | None = None) -> None:
        self.crash_point, self.has_crashed = crash_point, False
        self.crossed: list[Boundary] = []
        self.step, self.stage = 0, ""
        self._times: Counter[tuple[int, str, str, str]] = Counter()
        self._lock = threading.Lock()

    def cross(self, kind: str, name: str, work: Callable[[], T]) -> T:
        """The answer of the outside. Raises SimulatedCrash at the crash point, and at every boundary after it."""
        here = self._here(kind, name)
        self._crash_if(here, "before")
        with UNTRACKED_IO.allowed():
            answer = work()
        self._crash_if(here, "after")
        return answer

    def _here(self, kind: str, name: str) -> Boundary:
        with self._lock:
            what = (self.step, self.stage, kind, name)
            self._times[what] += 1
            here = Boundary(*what, self._times[what])
            if not self.has_crashed:
                self.crossed.append(here)
            return here

    def _crash_if(self, here: Boundary, when: When) -> None:
        with self._lock:
            self.has_crashed = self.has_crashed or self.crash_point == (here, when)
            if self.has_crashed:
                raise SimulatedCrash(f"{when} {here}")


# ---- the store -------------------------------------------------------------------------------


class CrashingRedis(redis.Redis):
    """A Redis client whose commands are boundaries, named by command or script."""

    process: Process

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        call: Callable[..., Any] = super().execute_command
        return self.process.cross("store", command(arguments), lambda: call(*arguments, **options))

    def pipeline(self, *arguments: Any, **options: Any) -> Any:
        """A pipeline whose execution is one boundary, named by all of its commands."""
        pipe = super().pipeline(*arguments, **options)
        execute = pipe.execute

        def executed(*arguments: Any, **options: Any) -> Any:
            names = [command(words) for words, _ in pipe.command_stack]
            return self.process.cross("store", " ".join(names), lambda: execute(*arguments, **options))

        pipe.execute = executed  # type: ignore[method-assign]  # adds the boundary
        return pipe


def command(arguments: tuple[Any, ...]) -> str:
    """A stable name of a command: scripts by their name, with the record or stage that they set."""
    name = str(arguments[0])
    if name == "SCRIPT LOAD":
        return f"load {SCRIPTS[_sha(arguments[1])]}"
    if name == "EVALSHA":
        return _script(SCRIPTS[arguments[1]], arguments[3 + arguments[2] :])
    return name


def _sha(source: str) -> str:
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def _script(name: str, arguments: tuple[Any, ...]) -> str:
    place = {"record": 2, "advance": 2}.get(name)
    return name if place is None else f"{name} {arguments[place]}"


# ---- HTTP ------------------------------------------------------------------------------------


class CrashingTransport(httpx.BaseTransport):
    """An HTTP transport whose requests are boundaries; `answer` is the server behind it."""

    def __init__(
        self, process: Process, kind: str, answer: Callable[[httpx.Request], httpx.Response]
    ) -> None:
        self.process, self.kind, self.answer = process, kind, answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        name = _question(body) if self.kind == "railway" else f"{request.method} {_path(request)}"
        return self.process.cross(self.kind, name, lambda: self.answer(request))


def _question(body: bytes) -> str:
    return _fields(json.loads(body)["query"])


@cache
def _fields(query: str) -> str:
    """The first root fields of a GraphQL document."""
    operations = [
        definition
        for definition in parse(query).definitions
        if isinstance(definition, OperationDefinitionNode)
    ]
    fields = [selection for operation in operations for selection in operation.selection_set.selections]
    names = [field.name.value for field in fields if isinstance(field, FieldNode)]
    return ",".join(list(dict.fromkeys(names))[:3])


def _path(request: httpx.Request) -> str:
    """The path without the repository and without numbers, which differ between runs."""
    path = re.sub(r"/repos/[^/]+/[^/]+", "", request.url.path).removeprefix("/api/")
    return re.sub(r"/\d+", "/n", path) or "/"


# ---- git -------------------------------------------------------------------------------------


@contextmanager
def git_crossing(process: Callable[[], Process], root: Path) -> Iterator[None]:
    """Make git commands boundaries of the process, and a folder of bare repositories their server."""
    finish = git._execute

    def finished(command: list[str], folder: Path, surroundings: dict[str, str], *rest: Any) -> Any:
        name = "git " + next(word for word in command[1:] if not word.startswith("-"))
        if str(LAUNCHER) in command:
            spec = json.loads(command[-1])
            words = [re.sub(r"^https://github\.example/", f"{root}/", word) for word in spec["argv"]]
            name = f"git {words[1]} over the network"
            command, surroundings = words, surroundings | {"GIT_ALLOW_PROTOCOL": "file"}
        return process().cross("git", name, lambda: finish(command, folder, surroundings, *rest))

    def removed(path: Path) -> None:
        # A killed process leaves its files behind.
        if not process().has_crashed:
            trees.remove(path)

    git._execute = finished  # type: ignore[assignment]  # adds the boundary
    setattr(repository, "remove", removed)  # noqa: B010  (a name that the module does not export)
    try:
        yield
    finally:
        git._execute = finish
        setattr(repository, "remove", trees.remove)  # noqa: B010


@contextmanager
def stray_http(
    process: Callable[[], Process], answer: Callable[[httpx.Request], httpx.Response]
) -> Iterator[None]:
    """Make the requests of short-lived clients (status pages, heartbeat) boundaries too."""
    handle = httpx.HTTPTransport.handle_request

    def handled(_transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return process().cross("page", f"{request.method} {request.url.host}", lambda: answer(request))

    httpx.HTTPTransport.handle_request = handled  # type: ignore[method-assign,assignment]  # self under another name
    try:
        yield
    finally:
        httpx.HTTPTransport.handle_request = handle  # type: ignore[method-assign]


# ---- I/O beside the boundaries ---------------------------------------------------------------


class UntrackedIO:
    """Records connections and started programs that bypass the boundaries while the pipeline runs."""

    def __init__(self) -> None:
        self.is_watching, self.events = False, list[str]()
        self._inside, self._lock, self._hooked = 0, threading.Lock(), False

    @contextmanager
    def allowed(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    @contextmanager
    def watching(self) -> Iterator[None]:
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(self._note)
        self.is_watching = True
        try:
            yield
        finally:
            self.is_watching = False

    def take_events(self) -> list[str]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_watching and not self._inside and event in ("socket.connect", "subprocess.Popen"):
            self.events.append(f"{event} {arguments[1:]}"[:300])


UNTRACKED_IO = UntrackedIO()
