"""The stack traces inside a JSON log line, as text in the format of their language. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

MAX_DEPTH = 6  # of nested objects that are looked into; also causes of causes
MAX_VALUES = 300  # of one line that are looked at
MAX_TRACES = 4  # of one line
STACK_KEYS = (
    "stack_trace", "stacktrace", "stack", "traceback", "exc_info", "exception", "@x", "error", "err", "e", "cause",
    "thrown", "throwable", "errorverbose", "backtrace", "exc_text", "full_message", "reason",
)  # fmt: skip
"""Names of fields with an exception, in lower case."""
TRACE_TEXT = re.compile(
    r'Traceback \(most recent call|\n\s{0,8}(?:File "|at \S|from \S{1,300}:\d)|\ngoroutine \d|^goroutine \d|\n#\d{1,3} '
    r"|\n\t\S{1,300}\.go:\d|:\d{1,7}:in [`']|\n\s{1,8}\(\w{1,60} [\d.]{1,20}\) \S{1,200}:\d"
)
CAUSE = "The above exception was the direct cause of the following exception:"
HANDLING = "During handling of the above exception, another exception occurred:"
PHP_FILE = re.compile(r"\.php:\d{1,7}$")
CLASS_KEYS = ("type", "class", "name", "exc_type", "exception_class", "kind")
MESSAGE_KEYS = ("message", "exc_value", "msg", "value", "localizedmessage")


def is_trace_text(text: str) -> bool:
    """True if the text holds a stack trace."""
    return "\n" in text and TRACE_TEXT.search(text) is not None


def trace_of(value: Mapping[str, object]) -> str:
    """The traces and exceptions in a JSON object; empty without one."""
    traces: list[str] = []
    for text in _exceptions(value):
        if len(traces) < MAX_TRACES and not any(text in earlier or earlier in text for earlier in traces):
            traces.append(text)
    return "\n".join(traces)


def _exceptions(value: Mapping[str, object]) -> Iterator[str]:
    """The text of each field that holds an exception, outer ones first."""
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    for count, (name, item, depth) in enumerate(waiting):
        if count >= MAX_VALUES:
            return
        if isinstance(item, str):
            if is_trace_text(item) or (name in STACK_KEYS and item.strip()):
                yield item.strip("\n")
            continue
        if name in STACK_KEYS and (text := _exception_text(item, 0)):
            yield text
        elif depth < MAX_DEPTH and isinstance(item, dict | list):
            waiting += _children(item, depth + 1)


def _children(item: dict[str, object] | list[object], depth: int) -> list[tuple[str, object, int]]:
    if isinstance(item, list):
        return [("", part, depth) for part in item[:MAX_VALUES]]
    named = [(key.lower(), part, depth) for key, part in list(item.items())[:MAX_VALUES]]
    # The error before its stack: some loggers print them apart, and the exception names the trace below it.
    return sorted(named, key=lambda child: child[0] not in ("error", "err"))


def _exception_text(value: object, depth: int) -> str:
    """An exception as a logger nests it: text, a list of lines or frames, or an object with class and stack."""
    if isinstance(value, str):
        return value.strip("\n")
    if depth > MAX_DEPTH:
        return ""
    if isinstance(value, list):
        return _list_text(value, depth)
    if not isinstance(value, dict):
        return ""
    fields = {key.lower(): item for key, item in value.items()}
    if isinstance(values := fields.get("values"), list):
        return _list_text(values, depth + 1)
    head = _head(fields)
    stack = next((text for key in STACK_KEYS if (text := _stack(fields.get(key), depth))), "")
    frames = fields.get("frames") or fields.get("trace") or fields.get("stacktrace")
    if isinstance(frames, dict):
        frames = frames.get("frames")
    if not stack and isinstance(frames, list) and frames:
        return _framed(head, frames, str(fields.get("file") or ""))
    if head and stack and not _names(stack, head):
        stack = f"{head}\n{stack}"
    # Monolog says where an exception was raised even if it logs no trace.
    file = str(fields.get("file") or "")
    return stack or (f"{head} at {file}" if head and PHP_FILE.search(file) else head)


def _names(stack: str, head: str) -> bool:
    """True if the stack says itself what the exception is."""
    return head.partition(": ")[2][:80] in stack or head.partition(":")[0] in stack.partition("\n")[0]


def _stack(value: object, depth: int) -> str:
    text = _exception_text(value, depth + 1) if isinstance(value, str | list | dict) else ""
    return text if "\n" in text or isinstance(value, dict) or is_trace_text(f"\n{text}") else ""


def _head(fields: Mapping[str, object]) -> str:
    name, message = _first_text(fields, CLASS_KEYS), _first_text(fields, MESSAGE_KEYS)
    if name and message and not message.startswith(name):
        return f"{name}: {message}"
    return message or name


def _first_text(fields: Mapping[str, object], keys: Sequence[str]) -> str:
    return next((text for key in keys if isinstance(text := fields.get(key), str) and text), "")


def _list_text(values: Sequence[object], depth: int) -> str:
    """A list of lines, of frames, or of exceptions (structlog, Sentry), innermost last."""
    if all(isinstance(line, str) for line in values):
        return "\n".join(str(line) for line in values)
    frames = [item for item in values if isinstance(item, dict) and _frame(item)]
    if frames:
        return _framed("", frames, "")
    chain = [item for item in values[:MAX_TRACES] if isinstance(item, dict | str)]
    # structlog lists the last exception of a chain first, and says of each whether it caused the one before it.
    text, link = "", HANDLING
    for item in reversed(chain):
        part = _exception_text(item, depth + 1)
        text = f"{text}\n\n{link}\n\n{part}" if text and part else text or part
        link = CAUSE if isinstance(item, dict) and item.get("is_cause") else HANDLING
    return text


def _framed(head: str, frames: Sequence[object], file: str) -> str:
    """Frames as a traceback: of Python with the exception last, of PHP with `#0`, of Go with file and line."""
    if all(isinstance(frame, str) for frame in frames):
        place = f" at {file}" if file else ""
        texts = [str(frame) for frame in frames]
        lines = [re.sub(r":(\d+)$", r"(\1): {}", text) for text in texts] if file else texts
        numbered = [
            line if line.startswith("#") else f"#{number} {line}" for number, line in enumerate(lines)
        ]
        return "\n".join([f"{head}{place}", *(numbered if file else lines)]).strip("\n")
    lines = [line for frame in frames if isinstance(frame, dict) and (line := _frame(frame))]
    if lines and lines[0].startswith("  File"):
        return "\n".join(["Traceback (most recent call last):", *lines, head]).rstrip("\n")
    return "\n".join([head, *lines]).lstrip("\n")


def _frame(frame: Mapping[str, object]) -> str:
    """A frame as its language prints it; empty if the object is none."""
    path = (
        frame.get("filename")
        or frame.get("source")
        or frame.get("fileName")
        or frame.get("file")
        or frame.get("abs_path")
    )
    line = frame.get("lineno") or frame.get("line") or frame.get("lineNumber") or frame.get("lineNo")
    function = (
        frame.get("name")
        or frame.get("func")
        or frame.get("function")
        or frame.get("methodName")
        or frame.get("method")
        or "?"
    )
    if not isinstance(path, str) or not isinstance(line, int | str) or not str(line).isdigit():
        return ""
    if path.endswith((".py", ".pyx")) or path.startswith("<"):
        return f'  File "{path}", line {line}, in {function}'
    if path.endswith(".go"):
        return f"{function}(...)\n\t{path}:{line}"
    owner = frame.get("class") or frame.get("className") or frame.get("declaringClass")
    if owner and path.endswith((".java", ".kt", ".scala")):
        return f"\tat {owner}.{function}({path}:{line})"
    return f"    at {function} ({path}:{line})"
