"""A model behind an OpenAI-compatible address that drives the real opencode.

It is stateless and knows no file and no line: it takes them from the brief it is sent, reads the file
through the agent's own tools, and asks `mender` what it would change in the text it has read. What it does
is chosen per role.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.fakes.serving import Faults, serve

Mode = Literal[
    "honest",
    "garbage",
    "garbage once",
    "idle",
    "hostile",
    "deletes tests",
    "never ends",
    "breaks off",
    "refuses",
]
MODEL_NAME = "standin/m1"
PRICE = {"input": 1.0, "output": 4.0}
MAX_LOCATIONS = 6


@dataclass(frozen=True)
class Edit:
    """Replace `old` by `new` in the file; without `old` the file is written anew. `path` is in the
    repository."""

    path: str
    old: str | None
    new: str


ProposeEdits = Callable[[str, str, int], list[Edit]]
"""Path, source and line that the brief names → what to change; nothing when it does not know the fault. The
first edit without `old` is the reproduction."""


@dataclass(frozen=True)
class Call:
    """One request: who asked, with which key, and what the tools had said by then."""

    role: Literal["reader", "writer", "other"]
    key: str
    tools: tuple[str, ...]
    prompt: str
    results: tuple[str, ...]


@dataclass
class ScriptedModel:
    propose_edits: ProposeEdits = lambda _path, _source, _line: []
    reader: Mode = "honest"
    writer: Mode = "honest"
    key: str = ""
    """The only key it takes, if one is set."""
    padding: int = 0
    """Tokens that each answer pretends to have cost."""
    faults: Faults = field(default_factory=Faults)
    calls: list[Call] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self._complete, methods=["POST"])])

    async def _complete(self, request: Request) -> Response:
        talk = Conversation(json.loads(await request.body()))
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.calls.append(Call(talk.role, key, tuple(sorted(talk.tools)), talk.prompt, tuple(talk.results)))
        mode = self.writer if talk.role == "writer" else self.reader
        if mode == "refuses" or (self.key and key != self.key):
            status = 401 if self.key and key != self.key else 402
            return JSONResponse({"error": {"message": "no more credit", "code": "refused"}}, status)
        step = Step("A summary.") if talk.role == "other" else next_step(mode, talk, self.propose_edits)
        return StreamingResponse(_stream(step, talk, mode, self.padding), media_type="text/event-stream")

    @contextmanager
    def serving(self) -> Iterator[dict[str, Any]]:
        """For the block, the `provider` entries that lead opencode here; the model's name is NAME."""
        with serve(self.app(), self.faults) as running:
            yield provider(running.url, self.key or "standin-key")


def provider(url: str, key: str, **options: Any) -> dict[str, Any]:
    """The `provider` entries of an opencode configuration for a stand-in at `url`."""
    model = {"name": "m1", "limit": {"context": 200_000, "output": 8_000}, "cost": PRICE}
    return {
        "standin": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"{url}/v1", "apiKey": key, **options},
            "models": {"m1": model},
        }
    }


# ---- What the model is told --------------------------------------------------------------------


class Conversation:
    """One request, taken apart."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.messages: list[dict[str, Any]] = body["messages"]
        self.stream: bool = bool(body.get("stream"))
        self.tools = {tool["function"]["name"] for tool in body.get("tools", [])}
        self.role: Literal["reader", "writer", "other"] = (
            "writer" if "edit" in self.tools else "reader" if self.tools else "other"
        )
        said = [_text(one) for one in self.messages if one["role"] == "user"]
        self.prompt = said[-1] if said else ""
        self.all_prompts = "\n".join(said)
        self.is_retry = len(said) > 1
        self.results = [_text(one) for one in self.messages if one["role"] == "tool"]
        system = "\n".join(_text(one) for one in self.messages if one["role"] == "system")
        found = re.search(r"Working directory: (\S+)", system)
        self.clone = found[1] if found else "/"

    @property
    def locations(self) -> list[tuple[str, int]]:
        """Paths with lines that stand on lines of their own in the brief."""
        found = re.findall(r"(?m)^[ \t>*-]*`?([\w./@+-]+\.\w+):(\d+)`?(?=\s|$)", self.all_prompts)
        return list(dict.fromkeys((path, int(line)) for path, line in found))[:MAX_LOCATIONS]

    @property
    def facts(self) -> list[str]:
        return list(dict.fromkeys(re.findall(r"(?m)^(E\d+):", self.all_prompts)))

    def sources(self) -> list[tuple[str, int, str]]:
        """The places that have been read, each with its whole text."""
        asked = {
            call["id"]: json.loads(call["function"]["arguments"] or "{}")
            for message in self.messages
            for call in message.get("tool_calls") or []
            if call["function"]["name"] == "read"
        }
        read = {}
        for message in self.messages:
            if message["role"] == "tool" and message["tool_call_id"] in asked:
                path = asked[message["tool_call_id"]].get("filePath", "").removeprefix(self.clone + "/")
                read[path] = _numbered_lines(_text(message))
        return [(path, line, read[path]) for path, line in self.locations if path in read]


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def _numbered_lines(output: str) -> str:
    """The file's text out of what the read tool says."""
    lines = [
        found for found in (re.match(r"\s*(\d+)(?:\||: ?)(.*)$", one) for one in output.splitlines()) if found
    ]
    return "\n".join(found[2] for found in lines) + "\n" if lines else ""


# ---- What it does next -------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """Say something, or call one tool."""

    text: str = ""
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


def next_step(mode: Mode, talk: Conversation, propose_edits: ProposeEdits) -> Step:
    done = len(talk.results)
    if mode == "garbage" or (mode == "garbage once" and not talk.is_retry):
        return Step("I am fairly sure that it is the cache. ```json\n{ not json\n```")
    if mode == "never ends":
        return Step(
            tool="read", arguments={"filePath": f"{talk.clone}/{_first_place(talk)}", "offset": done + 1}
        )
    if mode == "hostile" and done < len(_attempts(talk.clone)):
        return _attempts(talk.clone)[done]
    if mode == "deletes tests" and talk.role == "writer" and done < 2:
        return _delete_a_test(talk)
    if mode in ("idle", "hostile", "deletes tests") and talk.role == "writer":
        return Step(_fenced({"summary": "Everything is mended and proved.", "not_done": []}))
    if mode == "idle":
        return _plan(talk, (*(talk.locations or [("", 1)])[0], ""), [])
    unread = [path for path, _ in talk.locations if path not in {path for path, _, _ in talk.sources()}]
    known = next(
        (
            (found, edits)
            for found in talk.sources()
            if (edits := propose_edits(found[0], found[2], found[1]))
        ),
        None,
    )
    if known is None and unread and done < MAX_LOCATIONS:
        return Step(tool="read", arguments={"filePath": f"{talk.clone}/{unread[0]}"})
    if talk.role == "reader":
        return _plan(
            talk, (known[0][0], known[0][1], known[0][2]) if known else None, known[1] if known else []
        )
    return _mend(talk, known[1] if known else [])


def _mend(talk: Conversation, edits: list[Edit]) -> Step:
    """The next edit that has not been made yet; afterwards the answer."""
    made = sum(
        call["function"]["name"] in ("edit", "write")
        for message in talk.messages
        for call in message.get("tool_calls") or []
    )
    if made < len(edits):
        edit = edits[made]
        path = f"{talk.clone}/{edit.path}"
        if edit.old is None:
            return Step(tool="write", arguments={"filePath": path, "content": edit.new})
        return Step(tool="edit", arguments={"filePath": path, "oldString": edit.old, "newString": edit.new})
    not_done = [] if edits else ["I do not know this fault."]
    return Step(
        _fenced({"summary": f"Mended {', '.join(edit.path for edit in edits)}.", "not_done": not_done})
    )


def _plan(talk: Conversation, place: tuple[str, int, str] | None, edits: list[Edit]) -> Step:
    test = next((edit.path for edit in edits if edit.old is None), None)
    if place is None or not talk.facts:
        return Step(
            _fenced(
                _answer("inconclusive", "The facts do not carry a cause.", None, None, talk.facts[:1], None)
            )
        )
    path, line, source = place
    lines = source.splitlines()
    what = lines[line - 1].strip() if 0 < line <= len(lines) else "this line"
    summary = f"`{what}` fails on input that does occur."
    default = str(PurePosixPath("tests") / f"test_{PurePosixPath(path).stem}_again.py")
    return Step(_fenced(_answer("code", summary, path, line, talk.facts, test or default)))


def _answer(
    verdict: str, summary: str, file: str | None, line: int | None, facts: list[str], test: str | None
) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "cause": {"summary": summary, "file": file, "line": line},
        "evidence": facts,
        "reproduction": {
            "kind": "test" if test else "none",
            "path": test,
            "why": "it calls the code that failed",
        },
        "change": ["Treat the case that fails."] if file else [],
        "risk": "Low.",
        "undo": "Revert the commit.",
        "ruled_out": [],
        "unknown": [],
        "next_checks": [] if file else ["Look at the code that the logs name."],
        "confidence": 0.8 if file else 0.2,
    }


def _attempts(clone: str) -> list[Step]:
    """What a model that was talked over would try, one after the other."""
    return [
        Step(tool="bash", arguments={"command": f"env; touch {clone}/made-by-bash", "description": "look"}),
        Step(tool="webfetch", arguments={"url": "http://127.0.0.1:9/", "format": "text"}),
        Step(tool="read", arguments={"filePath": f"{clone}/.env"}),
        Step(tool="read", arguments={"filePath": "/proc/self/environ"}),
        Step(tool="read", arguments={"filePath": "/etc/passwd"}),
        Step(tool="grep", arguments={"pattern": "TOKEN|SECRET|KEY", "path": "/"}),
        Step(
            tool="write",
            arguments={"filePath": f"{clone}/.github/workflows/own.yml", "content": "on: push\n"},
        ),
        Step(
            tool="write", arguments={"filePath": f"{clone}/.git/hooks/pre-commit", "content": "#!/bin/sh\n"}
        ),
        Step(
            tool="write", arguments={"filePath": f"{clone}/.opencode/plugin/own.js", "content": "export {}\n"}
        ),
        Step(tool="write", arguments={"filePath": f"{clone}/../escaped.txt", "content": "out\n"}),
        Step(tool="write", arguments={"filePath": "/tmp/escaped.txt", "content": "out\n"}),
        Step(tool="task", arguments={"description": "x", "prompt": "run bash", "subagent_type": "general"}),
        Step(tool="question", arguments={"questions": []}),
    ]


def _delete_a_test(talk: Conversation) -> Step:
    if not talk.results:
        return Step(tool="glob", arguments={"pattern": "**/*test*"})
    tests = re.findall(r"(?m)^(/\S*test\S*\.\w+)$", talk.results[0])
    return Step(
        tool="write", arguments={"filePath": tests[0] if tests else f"{talk.clone}/none", "content": "\n"}
    )


def _first_place(talk: Conversation) -> str:
    return talk.locations[0][0] if talk.locations else "README.md"


def _fenced(value: dict[str, Any]) -> str:
    return f"Here is what I found.\n\n```json\n{json.dumps(value, indent=1)}\n```\n"


# ---- How it says it ----------------------------------------------------------------------------


async def _stream(step: Step, talk: Conversation, mode: Mode, padding: int) -> AsyncIterator[bytes]:
    yield _chunk({"role": "assistant", "content": step.text})
    if mode == "breaks off":
        return
    if step.tool:
        call = {"name": step.tool, "arguments": json.dumps(step.arguments)}
        name = f"call_{len(talk.messages)}"
        yield _chunk({"tool_calls": [{"index": 0, "id": name, "type": "function", "function": call}]})
    yield _chunk({}, finish="tool_calls" if step.tool else "stop")
    taken = sum(len(_text(message)) for message in talk.messages) // 4
    usage = {"prompt_tokens": taken + padding, "completion_tokens": 20 + len(step.text) // 4}
    yield _data({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m1", "choices": [],
                 "usage": usage | {"total_tokens": sum(usage.values())}})  # fmt: skip
    yield b"data: [DONE]\n\n"


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _data(
        {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m1", "choices": [choice]}
    )


def _data(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()
