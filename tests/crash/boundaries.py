"""A process that dies at the n-th boundary: before what it asked of the outside, or after, its answer dropped.

Whatever a worker says to the outside goes through `Process.cross`: each command of the store, each HTTP request, each
git command, each call of the agent. Once dead, nothing of it reaches the outside any more, as after SIGKILL.
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


class Died(BaseException):
    """No Exception, as nothing in the product may live through its own death."""


class Boundary(NamedTuple):
    """The `ordinal`-th time that a step of the line asked for this."""

    step: int
    stage: str
    kind: str
    name: str
    ordinal: int


class Death(NamedTuple):
    where: Boundary
    when: When


class Process:
    """One life. Without a death it lives for ever and `seen` names every boundary that it crossed."""

    def __init__(self, death: Death | None = None) -> None:
        self.death, self.dead = death, False
        self.seen: list[Boundary] = []
        self.step, self.stage = 0, ""
        self._times: Counter[tuple[int, str, str, str]] = Counter()
        self._lock = threading.Lock()

    def cross(self, kind: str, name: str, work: Callable[[], T]) -> T:
        """The answer of the outside. Raises Died at the chosen boundary, and at every one after it."""
        here = self._here(kind, name)
        self._die_if(here, "before")
        with OUTSIDE.allowed():
            answer = work()
        self._die_if(here, "after")
        return answer

    def _here(self, kind: str, name: str) -> Boundary:
        with self._lock:
            what = (self.step, self.stage, kind, name)
            self._times[what] += 1
            here = Boundary(*what, self._times[what])
            if not self.dead:
                self.seen.append(here)
            return here

    def _die_if(self, here: Boundary, when: When) -> None:
        with self._lock:
            self.dead = self.dead or self.death == (here, when)
            if self.dead:
                raise Died(f"{when} {here}")


# ---- the store -------------------------------------------------------------------------------


class MortalRedis(redis.Redis):
    """A client whose commands are boundaries, named by command or script."""

    process: Process

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        call: Callable[..., Any] = super().execute_command
        return self.process.cross("store", command(arguments), lambda: call(*arguments, **options))

    def pipeline(self, *arguments: Any, **options: Any) -> Any:
        """One whose execution is a boundary, named by all that it asks."""
        made = super().pipeline(*arguments, **options)
        execute = made.execute

        def executed(*arguments: Any, **options: Any) -> Any:
            names = [command(one) for one, _ in made.command_stack]
            return self.process.cross("store", " ".join(names), lambda: execute(*arguments, **options))

        made.execute = executed  # type: ignore[method-assign]  # the same, died through
        return made


def command(arguments: tuple[Any, ...]) -> str:
    """What a command does, in words that stay the same: a script by name, with the record or stage it sets."""
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


class MortalTransport(httpx.BaseTransport):
    """HTTP requests as boundaries; `answer` is what lies behind them."""

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
    operations = [one for one in parse(query).definitions if isinstance(one, OperationDefinitionNode)]
    fields = [one for each in operations for one in each.selection_set.selections]
    names = [one.name.value for one in fields if isinstance(one, FieldNode)]
    return ",".join(list(dict.fromkeys(names))[:3])


def _path(request: httpx.Request) -> str:
    """The path, with whatever is another each time taken out."""
    path = re.sub(r"/repos/[^/]+/[^/]+", "", request.url.path).removeprefix("/api/")
    return re.sub(r"/\d+", "/n", path) or "/"


# ---- git -------------------------------------------------------------------------------------


@contextmanager
def git_crossing(process: Callable[[], Process], root: Path) -> Iterator[None]:
    """Inside, git commands are boundaries of the process, and the server is a folder of bare repositories."""
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
        # The dead clean nothing up.
        if not process().dead:
            trees.remove(path)

    git._execute = finished  # type: ignore[assignment]  # the same, died through
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
    """Inside, clients that the product makes for one question (status pages, heartbeat) meet boundaries too."""
    handle = httpx.HTTPTransport.handle_request

    def handled(_transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return process().cross("page", f"{request.method} {request.url.host}", lambda: answer(request))

    httpx.HTTPTransport.handle_request = handled  # type: ignore[method-assign,assignment]  # self under another name
    try:
        yield
    finally:
        httpx.HTTPTransport.handle_request = handle  # type: ignore[method-assign]


# ---- whatever else talks to the outside ------------------------------------------------------


class Outside:
    """Notes who connects or starts a program beside the boundaries while the line runs."""

    def __init__(self) -> None:
        self.watching, self.found = False, list[str]()
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
    def watched(self) -> Iterator[None]:
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(self._hear)
        self.watching = True
        try:
            yield
        finally:
            self.watching = False

    def heard(self) -> list[str]:
        """What was noted since this was last asked."""
        found, self.found = self.found, []
        return found

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watching and not self._inside and event in ("socket.connect", "subprocess.Popen"):
            self.found.append(f"{event} {arguments[1:]}"[:300])


OUTSIDE = Outside()
