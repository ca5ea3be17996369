"""Finds secrets in a patch. A result names the file and never repeats the secret. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from workers.remediation.policy.changes import Change
from workers.remediation.policy.javascript_names import read_names as read_script
from workers.remediation.policy.javascript_tree import is_javascript
from workers.remediation.policy.python_names import read_names
from workers.remediation.policy.secret_forms import contains_secret
from workers.remediation.policy.test_files import is_test
from workers.runtime.redaction import find_tokens

ASSIGNED_SECRET = re.compile(
    r"""(?P<name>[\w.-]{0,40}(?:password|passwd|pwd|passphrase|secret|token|api_?key|private_?key|access_?key|signing_?key|credential|auth_?key)[\w-]{0,20})
    ["'\]]{0,2}\s{0,3}(?:=>|:=|[:=])\s{0,3}(?P<prefix>[bru]{0,2})["'`](?P<value>[^"'`\n$<{}]{8,200})["'`]""",
    re.I | re.X,
)
NOT_SECRET_NAME = re.compile(r"(?:header|name|field|url|uri|path|param|key_?name|label|prefix|type|id|placeholder"
                             r"|title|message|error|help|hint|cookie|env|var"
                             r"|regex|pattern|format|column|table|policy|rule|reset|route|view"
                             r"|template)s?$", re.I)  # fmt: skip
PLACEHOLDER = re.compile(r"example|change.?me|dummy|fake|placeholder|xxx|your[_-]|sample|redacted|\*{3}"
                         r"|not.?a.?real|todo|secret_?key$|^(?:new|old|my|the|a|some|test|wrong|bad|good|valid"
                         r"|invalid)[_-]?"
                         r"|^(?:pass(?:word|phrase)?|secret|token|key|hunter|letmein|foobar|qwerty|abc"
                         r"|1234)", re.I)  # fmt: skip
LONG_TOKEN = 20  # characters: tests invent shorter ones
ADDRESS_PASSWORD = re.compile(r"://[^\s:/@\"']{1,60}:([^\s@/\"'{}$<>]{8,100})@")
HEADER = re.compile(r"(?:X-)?[A-Z][A-Za-z0-9]*(?:-[A-Z][A-Za-z0-9]*)+")
WORDS = re.compile(r"[A-Za-z]+(?:[ _.:/-][A-Za-z]+)*[.!?]?")


def find_leaked_secrets(changes: Sequence[Change], secrets: Iterable[str]) -> list[str]:
    """One sentence per leak.

    Args:
        changes: the changed files, without lock files, which are full of hashes.
        secrets: values that no patch may contain, Trackwalker's own settings and keys.
    """
    own_secrets = tuple(secrets)
    everything = "\n".join(
        ["\n".join(change.added) for change in changes] + [change.path for change in changes]
    )
    constants = {change.path: _constants(change) for change in changes}
    texts = [
        everything,
        *("".join(values) for values in constants.values()),
        *(value for values in constants.values() for value in values),
    ]
    sentences = (
        ["the patch contains the value of one of Trackwalker's settings"]
        if contains_secret(texts, own_secrets)
        else []
    )
    for change in changes:
        added, removed = "\n".join(change.added), "\n".join(change.removed)
        # A secret that the file already contains is not the patch's leak.
        old = removed + (change.old or "")
        tokens = [token for text in (added, *constants[change.path]) for token in find_tokens(text)]
        is_leak = any(token not in old for token in tokens) or _has_address_with_password(added, old)
        if is_leak or _has_assigned_secret(added, old, is_test=is_test(change.path)):
            sentences.append(f"the patch contains text that looks like a secret ({change.path})")
    return sentences


def _constants(change: Change) -> list[str]:
    """The texts that the code of a file computes from constants and that were not there before."""
    new, old = _texts(change.path, change.new or ""), set(_texts(change.path, change.old or ""))
    return [text for text in new if text not in old]


def _texts(path: str, text: str) -> list[str]:
    if path.endswith((".py", ".pyi")) and (names := read_names(text)) is not None:
        values = [
            names.constant(node)
            for node in names.nodes
            if isinstance(node, ast.Constant | ast.BinOp | ast.JoinedStr | ast.Call | ast.List | ast.Tuple)
        ]
    elif is_javascript(path) and (script := read_script(path, text)) is not None:
        kinds = ("string", "template_string", "binary_expression", "call_expression", "array")
        values = [script.constant(node) for node in script.nodes if node.type in kinds]
    else:
        return []
    return [_as_text(value) for value in values if isinstance(value, str | bytes | list)]


def _as_text(value: str | bytes | list[object]) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list):
        return "".join(
            chr(item) if isinstance(item, int) and 32 <= item < 127 else str(item) for item in value
        )
    return value


def _has_assigned_secret(added: str, old: str, *, is_test: bool) -> bool:
    for match in ASSIGNED_SECRET.finditer(added):
        name, value = match["name"], match["value"]
        if (
            NOT_SECRET_NAME.search(name)
            or PLACEHOLDER.search(value)
            or HEADER.fullmatch(value)
            or value in old
        ):
            continue
        if _looks_secret(value, is_password="pass" in name.lower() or "pwd" in name.lower(), is_test=is_test):
            return True
    return False


def _has_address_with_password(added: str, old: str) -> bool:
    """True for `scheme://user:password@host` with a password that is none of the usual ones of examples."""
    passwords = [match[1] for match in ADDRESS_PASSWORD.finditer(added)]
    return any(
        word not in old
        and not PLACEHOLDER.search(word)
        and _looks_secret(word, is_password=True, is_test=False)
        for word in passwords
    )


def _looks_secret(value: str, *, is_password: bool, is_test: bool) -> bool:
    """False for names, sentences and keys of settings, which stand beside such words as well."""
    if re.search(r"[/\\]|^\w+\.\w+|%\(|\(\)", value) or " " in value.strip():
        return bool(is_password and re.search(r"\d", value) and " " not in value)
    kinds = sum(bool(re.search(kind, value)) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w]"))
    if WORDS.fullmatch(value):
        # A password of words is one all the same; a token of words is a name.
        return is_password and not is_test and len(re.split(r"[ _.:/-]", value)) >= 3
    minimum = 12 if is_test else 8
    return (
        len(value) >= minimum
        and bool(re.search(r"\d", value))
        and kinds >= (3 if is_test and not is_password and len(value) < LONG_TOKEN else 2)
    )
