"""A patch whose added lines contain hidden or deceptive characters is refused."""
# ruff: noqa: E501  # one line per way to hide something reads best

from __future__ import annotations

import pytest

from tests.support.patches import edited, judge
from tests.unit.remediation.policy.trees import HOTEL

B = "hotel/booking.py"
TOP = 'CURRENCY = "EUR"\n'


@pytest.mark.parametrize(
    "line",
    [
        "# \u202e reversed", "# zero\u200bwidth", "# \u2066isolate\u2069", "# soft\u00adhyphen", "# tag\U000e0041", "# \x1b[2K", "# a\rb",
        "# bell\x07", "# form\x0cfeed", "# \u2028line", "# \ue000private", "X\u00a0= 1", "# \u3164filler", "# \u2800braille",
        "# selector\ufe01", "# joiner\u200d", "# \ufeffmark", "# a\u0300\u0301\u0302\u0303", "# \x85next", "# \U000e0101",
        "def pr\u0456ce(room):\n    return 0", "\U0001d41e\U0001d42f\U0001d41a\U0001d425 = 1", "r\u0430te = 1", "CURRENC\u03a5 = 1",
        f"# {'x' * 500}", f"X = 1{' ' * 60}; import os", "X = 1\t\t\t\t\t\t\t; import os", f"{' ' * 120}# far", "\n" * 40,
    ],
)  # fmt: skip
def test_text_that_hides_something_is_refused(line: str) -> None:
    after = edited(HOTEL, ((B, TOP, f"{TOP}{line}\n"),))

    assert judge(HOTEL, after, culprit=B).refusals


@pytest.mark.parametrize(
    "line",
    [
        'GREETING = "Grüße, señor, 你好, Привет, こんにちは"', "# ein Übertrag, 10 μs, 5 Ω, π", 'STAR = "\u2764\ufe0f"', "\tX = 1".strip(),
        'ROW = "a" +          "b"', "# – “quotes” …", 'NAMES = ["Zoë", "Łukasz", "Ñandú"]',
    ],
)  # fmt: skip
def test_ordinary_text_of_any_language_is_accepted(line: str) -> None:
    after = edited(HOTEL, ((B, TOP, f"{TOP}{line}\n"),))

    assert judge(HOTEL, after, culprit=B).refusals == ()


def test_a_file_with_windows_line_ends_keeps_them() -> None:
    before = {**HOTEL, B: HOTEL[B].replace("\n", "\r\n")}
    after = {**before, B: before[B].replace("* count", "* (count or 0)")}

    assert judge(before, after, culprit=B).refusals == ()
