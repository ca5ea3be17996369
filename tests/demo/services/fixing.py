"""Recognises each kind of bug in its source, fixes it and writes a test for it: the knowledge of the scripted model.

The functions see only source text, neither the drawn names nor line numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from re import Match, Pattern

from tests.support.fakes.model_steps import Edit


@dataclass(frozen=True)
class Recogniser:
    """One kind of bug: its pattern in the source, its fix and its reproduction."""

    cause: str
    pattern: Pattern[str]
    fixed: Callable[[Match[str]], str]
    reproduction: Callable[[PurePosixPath, Match[str]], tuple[str, str]]


def fix(source: str) -> str | None:
    """The source without its bug; None if no bug is recognised."""
    bug = _find(source)
    return source.replace(bug[1].group(0), bug[0].fixed(bug[1])) if bug else None


def propose_edits(path: str, source: str, _line: int) -> list[Edit]:
    """The edits of the scripted model for a file: the fix, then the reproduction; empty if no bug is recognised."""
    bug = _find(source)
    if bug is None:
        return []
    recogniser, match = bug
    test_path, test = recogniser.reproduction(PurePosixPath(path), match)
    return [Edit(path, match.group(0), recogniser.fixed(match)), Edit(test_path, None, test)]


def cause(source: str) -> str | None:
    """The bug in one sentence; None if no bug is recognised."""
    bug = _find(source)
    return bug[0].cause if bug else None


def reproduction(path: str, source: str) -> tuple[str, str] | None:
    """Path and source of a test that fails on this source and passes on the fixed source."""
    bug = _find(source)
    return bug[0].reproduction(PurePosixPath(path), bug[1]) if bug else None


def _find(source: str) -> tuple[Recogniser, Match[str]] | None:
    for recogniser in RECOGNISERS:
        matches = list(recogniser.pattern.finditer(source))
        if len(matches) == 1 and source.count(matches[0].group(0)) == 1:
            return recogniser, matches[0]
    return None


def _python_test(path: PurePosixPath, name: str, body: str, imports: str = "") -> tuple[str, str]:
    source = (
        f"import unittest\n{imports}\nimport {path.stem}\n\n\nclass Reproduction(unittest.TestCase):\n{body}"
    )
    return str(path.parent / "tests" / f"test_{name}.py"), source


# ---- an optional field is read without a check ----


def _optional(match: Match[str]) -> str:
    space, name, owner, key, table, inner = match.group("space", "name", "owner", "key", "table", "inner")
    return (
        f'{space}{name} = {owner}.get("{key}")\n{space}if not {name}:\n{space}    return 0\n'
        f'{space}return {table}.get({name}.get("{inner}"), 0)'
    )


def _optional_test(path: PurePosixPath, match: Match[str]) -> tuple[str, str]:
    key, inner = match.group("key", "inner")
    body = f'''    def test_a_gift_needs_no_{key}(self):
        bare = {{"gift": True, "lines": [{{"cents": 100, "count": 1}}]}}

        self.assertEqual({path.stem}.total(bare), 100 + {path.stem}.SHIPPING)

    def test_an_unknown_{key}_gives_no_discount(self):
        odd = {{"gift": True, "{key}": {{"{inner}": "?"}}, "lines": [{{"cents": 100, "count": 1}}]}}

        self.assertEqual({path.stem}.total(odd), 100 + {path.stem}.SHIPPING)
'''
    return _python_test(path, f"gift_without_{key}", body)


# ---- a connection is not returned to the pool after an error ----


def _returned(match: Match[str]) -> str:
    space = match["space"]
    work = "".join(f"    {line}\n" if line.strip() else "\n" for line in match["work"].splitlines())
    give = f"{match['pool']}.give_back({match['name']})"
    guarded = f"{space}try:\n{work}    {space}return {match['answer']}\n"
    return f"{match['take']}{guarded}{space}finally:\n{space}    {give}"


def _returned_test(path: PurePosixPath, match: Match[str]) -> tuple[str, str]:
    module, function, error = path.stem, match["function"], match["error"]
    body = f"""    def test_an_unknown_id_does_not_use_up_the_connections(self):
        for _ in range({module}.POOL_SIZE + 1):
            with self.assertRaises({module}.{error}):
                {module}.{function}(-1)

        self.assertEqual({module}.{function}(3), 3)
"""
    return _python_test(path, "connections_come_back", body)


# ---- a lock is held during a request to an upstream ----


def _unlocked(match: Match[str]) -> str:
    space, lock, key, cache, ask = match.group("space", "lock", "key", "known", "ask")
    deep = space + "    "
    return (
        f"{space}with {lock}:\n{deep}if {key} in {cache}:\n{deep}    return {cache}[{key}]\n"
        f"{space}answer = {ask}\n{space}with {lock}:\n{deep}return {cache}.setdefault({key}, answer)"
    )


def _unlocked_test(path: PurePosixPath, match: Match[str]) -> tuple[str, str]:
    module, function, far = path.stem, match["function"], match["far"]
    body = f"""    def test_two_callers_do_not_wait_for_each_other(self):
        both, answers = threading.Barrier(2), []

        def call(place):
            try:
                answers.append({module}.{function}(place))
            except threading.BrokenBarrierError:
                pass

        callers = [threading.Thread(target=call, args=(place,)) for place in ("00001", "00002")]
        with mock.patch.object({module}.{far}, "ask", lambda *_: both.wait(timeout=2)):
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()

        self.assertEqual(len(answers), 2)
"""
    return _python_test(
        path, "callers_do_not_wait", body, imports="import threading\nfrom unittest import mock\n"
    )


# ---- a list is searched once per element ----


def _set(match: Match[str]) -> str:
    space = match["space"]
    return f"{space}return list(dict.fromkeys({match['all']}))"


def _set_test(path: PurePosixPath, match: Match[str]) -> tuple[str, str]:
    body = f"""    def test_the_work_grows_in_proportion_to_the_number_of_ids(self):
        compared = 0

        class Id(str):
            __hash__ = str.__hash__

            def __eq__(self, other):
                nonlocal compared
                compared += 1
                return str.__eq__(self, other)

        {path.stem}.{match["function"]}([Id(number) for number in range(600)])

        self.assertLess(compared, 600 * 20)
"""
    return _python_test(path, "work_stays_small", body)


# ---- Node.js: a missing entry of a map is not handled ----


def _guarded(match: Match[str]) -> str:
    name, value = match["name"], match["value"]
    return f"{match['lookup']}{match['space']}const {value} = {name} ? {name}.{value} : 0;"


def _guarded_test(path: PurePosixPath, match: Match[str]) -> tuple[str, str]:
    root = path.parent.parent if path.parent.name in ("lib", "src") else path.parent
    target = root / "test" / f"every-{path.stem}-entry.test.js"
    module = "../" + str(path.relative_to(root).with_suffix(""))
    return (
        str(target),
        f'''"use strict";
const test = require("node:test");
const assert = require("node:assert");
const {{ show, ITEMS }} = require("{module}");

test("every entry can be shown", () => {{
  for (const id of ITEMS.keys()) assert.ok(show(id).now <= show(id).cents);
}});
''',
    )


RECOGNISERS: tuple[Recogniser, ...] = (
    Recogniser(
        "an optional field of the input is read without a check",
        re.compile(
            r'^(?P<space>[ \t]+)(?P<name>\w+) = (?P<owner>\w+)\.get\("(?P<key>\w+)"\)\n'
            r'[ \t]+return (?P<table>\w+)\[(?P=name)\["(?P<inner>\w+)"\]\]',
            re.MULTILINE,
        ),
        _optional,
        _optional_test,
    ),
    Recogniser(
        "a connection is not returned to the pool after an error",
        re.compile(
            r"def (?P<function>\w+)\([^\n]*\n(?:(?!def ).*\n)*?"
            r"(?P<take>(?P<space>[ \t]+)(?P<name>\w+) = (?P<pool>\w+)\.take\(\)\n)"
            r"(?P<work>(?:[ \t]+.*\n)*?[ \t]+raise (?P<error>\w+)\(.*\n(?:[ \t]+.*\n)*?)"
            r"(?P=space)(?P=pool)\.give_back\((?P=name)\)\n[ \t]+return (?P<answer>.+)"
        ),
        lambda match: match.group(0)[: match.start("take") - match.start()] + _returned(match),
        _returned_test,
    ),
    Recogniser(
        "a lock is held during a request to an upstream, so callers wait for each other",
        re.compile(
            r"def (?P<function>\w+)\((?P<key>\w+)\):\n(?:[ \t]+\"\"\".*\n)?"
            r"(?P<body>(?P<space>[ \t]+)with (?P<lock>\w+):\n[ \t]+if (?P=key) not in (?P<known>\w+):\n"
            r"[ \t]+(?P=known)\[(?P=key)\] = (?P<ask>(?P<far>\w+)\.ask\((?P=key)\))\n"
            r"[ \t]+return (?P=known)\[(?P=key)\])"
        ),
        lambda match: match.group(0)[: match.start("body") - match.start()] + _unlocked(match),
        _unlocked_test,
    ),
    Recogniser(
        "a list is searched once per element, so the work grows with the square of the input",
        re.compile(
            r"def (?P<function>\w+)\([^\n]*\n(?:[ \t]+\"\"\".*\n)?"
            r"(?P<body>(?P<space>[ \t]+)(?P<seen>\w+) = \[\]\n[ \t]+for (?P<one>\w+) in (?P<all>\w+):\n"
            r"[ \t]+if (?P=one) not in (?P=seen):\n[ \t]+(?P=seen)\.append\((?P=one)\)\n"
            r"[ \t]+return (?P=seen))"
        ),
        lambda match: match.group(0)[: match.start("body") - match.start()] + _set(match),
        _set_test,
    ),
    Recogniser(
        "a missing entry of a map is not handled",
        re.compile(
            r"(?P<lookup>^(?P<space>[ \t]+)const (?P<name>\w+) = (?P<table>\w+)\.get\(\w+\);\n)"
            r"[ \t]+const (?P<value>\w+) = (?P=name)\.(?P=value);",
            re.MULTILINE,
        ),
        _guarded,
        _guarded_test,
    ),
)
