"""The changed code of a Python file."""

from __future__ import annotations

import pytest

from workers.remediation.changed_code import find_changed_code, function_lines

SHOP = '"""Orders."""\nRATE = 2\n\n\ndef total(cart):\n    """Sum."""\n    return sum(cart)\n'


def test_a_changed_line_in_a_function_names_the_function() -> None:
    after = SHOP.replace("sum(cart)", "sum(cart or [])")

    changed = find_changed_code(SHOP, after, [7], [])

    assert changed
    assert (set(changed.lines), set(changed.functions), set(changed.constants)) == ({7}, {5}, set())


def test_a_changed_header_counts_only_if_the_body_runs() -> None:
    changed = find_changed_code(SHOP, SHOP.replace("(cart)", "(cart=())", 1), [5], [])

    assert changed
    assert changed.lines == {6, 7}
    assert changed.functions == {5}


@pytest.mark.parametrize(
    "after",
    [SHOP.replace("Orders.", "Gifts have no price."), SHOP.replace("Sum.", "All."), SHOP + "# gifts\n"],
)
def test_comments_and_docstrings_are_no_code(after: str) -> None:
    assert find_changed_code(SHOP, after, [1, 6, 8], []) is None


def test_a_deletion_counts_for_the_function_around_it() -> None:
    before = SHOP.replace("    return", "    cart = list(cart)\n    return")

    changed = find_changed_code(before, SHOP, [], [7])

    assert changed
    assert changed.functions == {5}
    assert 7 in changed.lines


@pytest.mark.parametrize(("value", "literal"), [("3", True), ("int('3')", False)])
def test_a_plain_value_is_distinguished_from_a_computed_value(value: str, literal: bool) -> None:
    changed = find_changed_code(SHOP, SHOP.replace("RATE = 2", f"RATE = {value}"), [2], [])

    assert changed
    assert changed.constants == {2}
    assert changed.literals_only is literal


def test_the_lines_of_a_function_are_those_around_a_line() -> None:
    assert list(function_lines(SHOP, 7)) == [6, 7]
    assert list(function_lines(SHOP, 2)) == [2]
    assert list(function_lines("def broken(", 1)) == [1]
