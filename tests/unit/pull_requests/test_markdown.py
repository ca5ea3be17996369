"""Untrusted text in Markdown: harmless, and unchanged for the reader."""

from __future__ import annotations

import pytest

from workers.pull_requests.markdown import block, code, inline, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a gift_card in `Cart.total`", "a gift_card in `Cart.total`"),
        ("# not a heading", r"\# not a heading"),
        ("- not a list", r"\- not a list"),
        ("1. not a list", r"1\. not a list"),
        ("two\nlines\u202e and \x1b[31mcolour", "two lines and \\[31mcolour"),
        ("5 < 6 & 7", "5 &lt; 6 &amp; 7"),
        ("token ghp_abcdefghijklmnopqrstuvwxyz012345", r"token \[redacted\]"),
    ],
)
def test_ordinary_text_reads_as_it_was_written(text: str, shown: str) -> None:
    assert inline(text) == shown


def test_a_plain_line_does_not_keep_github_actions_from_running() -> None:
    assert "[ci skip]" not in plain("[ci skip] a")


def test_text_cannot_close_its_block_and_a_long_text_keeps_its_end() -> None:
    text = block("x" * 5000 + "\n````\nthe error")

    fence = text.split("\n")[0].removesuffix("text")
    assert len(fence) == 5
    assert text.endswith(f"the error\n{fence}")
    assert code("a`b``c") == "```a`b``c```"
