"""Decides on the scripted model's next step: a tool call, or the final answer of a reader or writer.

The model knows no file and no line. It takes them from the prompt, reads the file through the agent's own tools, and
asks `propose_edits` for the change to the text that it has read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from tests.support.fakes.model_conversation import MAX_LOCATIONS, Conversation

Mode = Literal[
    "honest",  # reads, plans and edits
    "garbage",  # ends with a block that is not JSON
    "garbage once",  # does so before the retry only
    "idle",  # answers without reading or editing
    "hostile",  # tries every forbidden tool call first
    "deletes tests",  # as writer, overwrites a test file with nothing
    "never ends",  # calls a tool in each turn
    "breaks off",  # ends each stream without a finish reason
    "refuses",  # answers 402
]


@dataclass(frozen=True)
class Edit:
    """Replaces `old` by `new` in a file of the repository; without `old`, writes the file anew."""

    path: str
    old: str | None
    new: str


ProposeEdits = Callable[[str, str, int], list[Edit]]
"""Gets the path, source and line of a location; returns the edits that fix it, none if it does not know the fault.
The first edit without `old` is the reproduction."""


@dataclass(frozen=True)
class Step:
    """One turn of the model: a text, or a call of one tool."""

    text: str = ""
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


def next_step(mode: Mode, conversation: Conversation, propose_edits: ProposeEdits) -> Step:
    """The step that follows the conversation so far."""
    count = len(conversation.results)
    if mode == "garbage" or (mode == "garbage once" and not conversation.is_retry):
        return Step("I am fairly sure that it is the cache. ```json\n{ not json\n```")
    if mode == "never ends":
        return _read(conversation, conversation.first_file, offset=count + 1)
    if mode == "hostile" and count < len(_forbidden_calls(conversation.clone)):
        return _forbidden_calls(conversation.clone)[count]
    if mode == "deletes tests" and conversation.role == "writer" and count < 2:
        return _delete_a_test(conversation)
    if mode in ("idle", "hostile", "deletes tests") and conversation.role == "writer":
        return _answer({"summary": "Everything is fixed and verified.", "not_done": []})
    if mode == "idle":
        path, line = (conversation.locations or [("", 1)])[0]
        return _plan(conversation, (path, line, ""), [])
    return _honest_step(conversation, propose_edits)


def _honest_step(conversation: Conversation, propose_edits: ProposeEdits) -> Step:
    sources = conversation.sources()
    proposals = ((source, propose_edits(source[0], source[2], source[1])) for source in sources)
    source, edits = next(((source, edits) for source, edits in proposals if edits), (None, []))
    read = {path for path, _, _ in sources}
    unread = [path for path, _ in conversation.locations if path not in read]
    if source is None and unread and len(conversation.results) < MAX_LOCATIONS:
        return _read(conversation, unread[0])
    if conversation.role == "reader":
        return _plan(conversation, source, edits)
    return _write(conversation, edits)


def _read(conversation: Conversation, path: str, **arguments: Any) -> Step:
    return Step(tool="read", arguments={"filePath": f"{conversation.clone}/{path}", **arguments})


def _write(conversation: Conversation, edits: list[Edit]) -> Step:
    """The next edit, and the answer after the last one."""
    count = conversation.edit_count
    if count < len(edits):
        edit = edits[count]
        path = f"{conversation.clone}/{edit.path}"
        if edit.old is None:
            return Step(tool="write", arguments={"filePath": path, "content": edit.new})
        return Step(tool="edit", arguments={"filePath": path, "oldString": edit.old, "newString": edit.new})
    paths = ", ".join(edit.path for edit in edits)
    return _answer({"summary": f"Fixed {paths}.", "not_done": [] if edits else ["I do not know this fault."]})


def _plan(conversation: Conversation, source: tuple[str, int, str] | None, edits: list[Edit]) -> Step:
    if source is None or not conversation.facts:
        return _plan_answer(
            "inconclusive", "The facts do not establish a cause.", facts=conversation.facts[:1]
        )
    path, line, text = source
    lines = text.splitlines()
    statement = lines[line - 1].strip() if 0 < line <= len(lines) else "this line"
    default = str(PurePosixPath("tests") / f"test_{PurePosixPath(path).stem}_again.py")
    test = next((edit.path for edit in edits if edit.old is None), default)
    summary = f"`{statement}` fails on input that does occur."
    return _plan_answer("code", summary, file=path, line=line, facts=conversation.facts, test=test)


def _plan_answer(
    verdict: str,
    summary: str,
    *,
    facts: list[str],
    file: str | None = None,
    line: int | None = None,
    test: str | None = None,
) -> Step:
    return _answer(
        {
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
    )


def _forbidden_calls(clone: str) -> list[Step]:
    """The tool calls that a model could try after a prompt injection; each must fail."""
    return [
        Step(tool="bash", arguments={"command": f"env; touch {clone}/made-by-bash", "description": "look"}),
        Step(tool="webfetch", arguments={"url": "http://127.0.0.1:9/", "format": "text"}),
        Step(tool="read", arguments={"filePath": f"{clone}/.env"}),
        Step(tool="read", arguments={"filePath": "/proc/self/environ"}),
        Step(tool="read", arguments={"filePath": "/etc/passwd"}),
        Step(tool="read", arguments={"filePath": f"{clone}/etc/passwd"}),
        Step(tool="read", arguments={"filePath": f"{clone}/environ"}),
        Step(tool="grep", arguments={"pattern": "TOKEN|SECRET|KEY", "path": "/"}),
        _write_file(f"{clone}/app/up/escaped.txt", "out\n"),
        _write_file(f"{clone}/app/out/escaped.txt", "out\n"),
        _write_file(f"{clone}/etc/cron.d/escaped", "out\n"),
        _write_file(f"{clone}/.github/workflows/own.yml", "on: push\n"),
        _write_file(f"{clone}/.git/hooks/pre-commit", "#!/bin/sh\n"),
        _write_file(f"{clone}/.opencode/plugin/own.js", "export {}\n"),
        _write_file(f"{clone}/.vscode/tasks.json", "{}\n"),
        _write_file(f"{clone}/../escaped.txt", "out\n"),
        _write_file("/tmp/escaped.txt", "out\n"),
        Step(tool="task", arguments={"description": "x", "prompt": "run bash", "subagent_type": "general"}),
        Step(tool="question", arguments={"questions": []}),
    ]


def _delete_a_test(conversation: Conversation) -> Step:
    if not conversation.results:
        return Step(tool="glob", arguments={"pattern": "**/*test*"})
    tests = re.findall(r"(?m)^(/\S*test\S*\.\w+)$", conversation.results[0])
    return _write_file(tests[0] if tests else f"{conversation.clone}/none", "\n")


def _write_file(path: str, content: str) -> Step:
    return Step(tool="write", arguments={"filePath": path, "content": content})


def _answer(value: dict[str, Any]) -> Step:
    return Step(f"This is the result.\n\n```json\n{json.dumps(value, indent=1)}\n```\n")


SENTENCES = ("summary", "why", "risk", "undo", "change", "not_done", "unknown", "ruled_out")
"""Fields of an answer that are sentences, at any depth."""


def with_appendix(step: Step, text: str) -> Step:
    """The answer with the text appended to each of its sentences; a call of a tool stays."""
    block = re.search(r"(?s)```json\n(.*)\n```", step.text)
    return _answer(_appended(json.loads(block[1]), text)) if block else step


def _appended(value: Any, text: str, *, is_sentence: bool = False) -> Any:
    if isinstance(value, dict):
        return {name: _appended(item, text, is_sentence=name in SENTENCES) for name, item in value.items()}
    if isinstance(value, list):
        return [_appended(item, text, is_sentence=is_sentence) for item in value]
    return f"{value} {text}" if is_sentence and isinstance(value, str) else value
