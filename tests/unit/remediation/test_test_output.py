"""The error text of tests."""

from __future__ import annotations

import time

import pytest

from workers.remediation.test_output import load_error, missing_dependency, runner_error

LOADED_BY_TEST = 'File "/x/tests/test_a.py", line 3, in test_it\n    shop.gift()\n'
LOADED_BY_SERVICE = 'File "/x/shop.py", line 3, in price\n    gift()\n'


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("ModuleNotFoundError: No module named 'flask'\n", "flask"),
        ("ModuleNotFoundError: No module named 'shop.missing'\n", ""),
        ("Error: Cannot find module 'express'\n", "express"),
        ("Error: Cannot find module './cart'\n", ""),
        ("KeyError: 'price'\n", ""),
    ],
)
def test_a_missing_module_is_a_dependency_unless_the_repository_has_it(text: str, module: str) -> None:
    assert missing_dependency(text, lambda name: name == "shop") == module


@pytest.mark.parametrize(
    "error",
    [
        "NameError: name 'x' is not defined",
        "AttributeError: module 'shop' has no attribute 'gift'",
        "SyntaxError: x",
    ],
)
def test_a_load_error_counts_only_where_the_test_raises_it(error: str) -> None:
    assert load_error(LOADED_BY_TEST + error, "tests/test_a.py") == error
    assert load_error(LOADED_BY_SERVICE + error, "tests/test_a.py") == ""


def test_a_missing_runner_is_named() -> None:
    assert "pytest" in runner_error("ModuleNotFoundError: No module named 'pytest'\n")
    assert runner_error("1 failed\n") == ""


def test_hostile_text_is_read_quickly() -> None:
    started = time.process_time()

    for text in ("\n" * 200_000, "E" * 200_000, "at (" * 50_000, "TypeError: " * 20_000, " " * 200_000):
        load_error(text, "tests/test_a.py")
        missing_dependency(text, lambda _name: True)

    assert time.process_time() - started < 10  # seconds of CPU time; a pattern that backtracks takes minutes
