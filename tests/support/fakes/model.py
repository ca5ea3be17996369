"""A scripted model with an OpenAI-compatible API, for the real opencode and for the small one.

The model is stateless, so a resumed run gets the same answers. `model_conversation` takes a request apart,
`model_steps` decides on the answer; this module serves the API and records each call.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.fakes.model_conversation import Conversation, Role, message_text
from tests.support.fakes.model_steps import Mode, ProposeEdits, Step, next_step, with_appendix
from tests.support.fakes.serving import Faults, serve

MODEL_NAME = "standin/m1"
"""`provider/model`. A neutral id: opencode gives ids with `gpt-5` or `claude` other tools and prompts."""
PRICE = {"input": 1.0, "output": 4.0}
"""US dollars per million tokens."""
CHARS_PER_TOKEN = 4


@dataclass(frozen=True)
class Call:
    """One request to the model: its role, key and tools, the last prompt, and the results of the tools so far."""

    role: Role
    key: str
    tools: tuple[str, ...]
    prompt: str
    results: tuple[str, ...]


@dataclass
class ScriptedModel:
    """The model, with its behaviour per role and the calls that it got."""

    propose_edits: ProposeEdits = lambda _path, _source, _line: []
    reader: Mode = "honest"
    writer: Mode = "honest"
    key: str = ""
    """The only accepted key; empty accepts every key."""
    appendix: str = ""
    """Text that the model appends to every sentence of its answers, as one that repeats what it has read."""
    padding: int = 0
    """Tokens that each answer reports in addition to its real ones."""
    faults: Faults = field(default_factory=Faults)
    calls: list[Call] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self._complete, methods=["POST"])])

    async def _complete(self, request: Request) -> Response:
        conversation = Conversation(json.loads(await request.body()))
        role, tools = conversation.role, tuple(sorted(conversation.tools))
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.calls.append(Call(role, key, tools, conversation.prompt, tuple(conversation.results)))
        mode = self.writer if role == "writer" else self.reader
        if mode == "refuses" or (self.key and key != self.key):
            status = 401 if self.key and key != self.key else 402
            return JSONResponse({"error": {"message": "no more credit", "code": "refused"}}, status)
        step = Step("A summary.") if role == "other" else next_step(mode, conversation, self.propose_edits)
        step = with_appendix(step, self.appendix) if self.appendix else step
        return StreamingResponse(
            _stream(step, conversation, mode, self.padding), media_type="text/event-stream"
        )

    @contextmanager
    def serving(self) -> Iterator[dict[str, Any]]:
        """For the block, serve the model; yields the `provider` entries for opencode, the model being MODEL_NAME."""
        with serve(self.app(), self.faults) as running:
            yield provider(running.url, self.key or "standin-key")


def provider(url: str, key: str, **options: Any) -> dict[str, Any]:
    """The `provider` entries of an opencode configuration for a model at `url`."""
    model = {"name": "m1", "limit": {"context": 200_000, "output": 8_000}, "cost": PRICE}
    return {
        "standin": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"{url}/v1", "apiKey": key, **options},
            "models": {"m1": model},
        }
    }


async def _stream(step: Step, conversation: Conversation, mode: Mode, padding: int) -> AsyncIterator[bytes]:
    yield _chunk({"role": "assistant", "content": step.text})
    if mode == "breaks off":
        return
    if step.tool:
        function = {"name": step.tool, "arguments": json.dumps(step.arguments)}
        # The id follows from the history, so that a repeated request gets the same call.
        call = {
            "index": 0,
            "id": f"call_{len(conversation.messages)}",
            "type": "function",
            "function": function,
        }
        yield _chunk({"tool_calls": [call]})
    yield _chunk({}, finish="tool_calls" if step.tool else "stop")
    tokens_in = sum(len(message_text(message)) for message in conversation.messages) // CHARS_PER_TOKEN
    usage = {
        "prompt_tokens": tokens_in + padding,
        "completion_tokens": 20 + len(step.text) // CHARS_PER_TOKEN,
    }
    yield _data(_head() | {"choices": [], "usage": usage | {"total_tokens": sum(usage.values())}})
    yield b"data: [DONE]\n\n"


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return _data(_head() | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _head() -> dict[str, Any]:
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m1"}


def _data(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()
