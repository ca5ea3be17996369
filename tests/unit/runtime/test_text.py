"""Formatting of values and untrusted text."""

from __future__ import annotations

import pytest

from workers.runtime import text
from workers.runtime.characters import visible


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("two\nlines\r\n", "two lines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("left\u202eright", "leftright"),
        ("  wide\u00a0 \u2003space ", "wide space"),
        ("", ""),
    ],
)
def test_one_line_replaces_line_ends_by_a_space_and_drops_hidden_characters(raw: str, line: str) -> None:
    assert text.one_line(raw) == line


def test_one_line_truncates_to_the_limit() -> None:
    assert text.one_line("a\nlong line", 6) == "a lon…"


def test_a_zero_width_space_does_not_hide_a_token_from_the_redaction() -> None:
    assert text.safe_line("key ghp_\u200babcdefghijklmnopqrstuvwx") == "key [redacted]"


@pytest.mark.parametrize(
    "escape", [r"\u200b", r"\\u00ad", r"\xad", r"\u{2060}", r"\U000e0041", r"\u0000", r"\x1b[0m"]
)
def test_a_written_zero_width_character_does_not_hide_a_token_from_the_redaction(escape: str) -> None:
    assert text.safe_line(f"KeyError: 'ghp_aB3aB3aB3{escape}aB3aB3aB3aB3aB3'") == "KeyError: '[redacted]'"


@pytest.mark.parametrize(
    "line",
    [
        r"C:\users\ada",
        r"\u0000 cannot be converted",
        r"a byte \x00 in text",
        r"caf\u00e9",
        r"\U00110000",
        r"\u12",
    ],
)
def test_other_written_escapes_stay(line: str) -> None:
    assert text.safe_line(line) == line


def test_html_shows_text_of_others_as_text_also_inside_an_attribute() -> None:
    hostile = "<b onclick='x()'>\"&\u200b</b>"

    assert text.escape_html(hostile) == "&lt;b onclick=&#x27;x()&#x27;&gt;&quot;&amp;&lt;/b&gt;"


def test_a_token_is_redacted_before_the_line_is_truncated() -> None:
    assert text.safe_line("ghp_abcdefghijklmnopqrstuvwx", 10) == "[redacted]"


def test_visible_text_keeps_line_feeds_and_tabs() -> None:
    assert visible("a\r\n\tb\u202e\x00c") == "a\n\tbc"


@pytest.mark.parametrize(("raw", "cut"), [("exact", "exact"), ("longer", "long…"), ("a b  c d", "a b…")])
def test_truncate_counts_the_ellipsis(raw: str, cut: str) -> None:
    assert text.truncate(raw, 5) == cut


def test_truncate_start_keeps_the_end() -> None:
    assert text.truncate_start("abcdef", 4) == "…def"
    assert text.truncate_start("abcd", 4) == "abcd"


@pytest.mark.parametrize(
    ("count", "counted"), [(0, "0 services"), (1, "1 service"), (2, "2 services"), (2400, "2,400 services")]
)
def test_plural_agrees_with_the_count(count: int, counted: str) -> None:
    assert text.plural(count, "service") == counted


def test_an_irregular_plural_is_given() -> None:
    assert text.plural(2, "retry", "retries") == "2 retries"
    assert text.plural(1, "retry", "retries") == "1 retry"


@pytest.mark.parametrize(
    ("names", "limit", "joined"),
    [
        ([], None, ""),
        (["web"], None, "web"),
        (["web", "api"], None, "web and api"),
        (["web", "api", "db"], None, "web, api and db"),
        (["web", "api", "db"], 2, "web, api and 1 more"),
        (["web", "api"], 2, "web and api"),
    ],
)
def test_names_are_joined_with_commas_and_a_final_and(
    names: list[str], limit: int | None, joined: str
) -> None:
    assert text.join_names(names, limit) == joined


@pytest.mark.parametrize(
    ("seconds", "duration"),
    [
        (0, "0 s"),
        (40, "40 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (9_000, "2.5 h"),
        (100_000, "28 h"),
        (259_200, "3 days"),
    ],
)
def test_durations_use_the_largest_unit_of_which_there_are_two(seconds: float, duration: str) -> None:
    assert text.format_duration(seconds) == duration


@pytest.mark.parametrize(
    ("milliseconds", "latency"),
    [(48, "48 ms"), (999, "999 ms"), (999.9, "1 s"), (3_434, "3.4 s"), (12_000, "12 s")],
)
def test_latencies_of_a_second_and_more_are_given_in_seconds(milliseconds: float, latency: str) -> None:
    assert text.format_milliseconds(milliseconds) == latency


def test_timestamps_name_their_time_zone() -> None:
    assert text.format_timestamp(1_772_366_400) == "2026-03-01 12:00:00 UTC"
