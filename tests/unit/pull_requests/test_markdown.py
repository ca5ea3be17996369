"""Untrusted text in Markdown: harmless, and unchanged for the reader."""

from __future__ import annotations

import re

import pytest

from tests.support.markdown_judge import MarkdownJudge, generated_texts
from workers.pull_requests.markdown import block, cell_code, code, inline, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a gift_card in `Cart.total`", "a gift_card in `Cart.total`"),
        ("# not a heading", r"\# not a heading"),
        ("- not a list", r"\- not a list"),
        ("1. not a list", r"1\. not a list"),
        ("two\nlines\u202e and \x1b[31mcolour", "two lines and colour"),
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


def test_a_generated_text_links_mentions_and_formats_nothing() -> None:
    judge = MarkdownJudge()

    harmful = {
        text: findings
        for text in generated_texts(3_000)
        if (findings := judge.findings(inline(text)) | judge.plain_findings(plain(text)))
    }

    assert harmful == {}


def test_the_judge_sees_what_github_links_and_formats() -> None:
    judge = MarkdownJudge()
    harmful = (
        "@bob", "#1", "GH-1", "da39a3e", "http://a.zz", "www.a.zz", ":tada:", "*a*", "__a__", "~~a~~", "[a](b)", "<b>",
        "# a", "- a", "> a", "---", "$a$", "| a |\n|---|", "```\na\n```", "    a", "[skip ci]",
        "Signed-off-by: a", "a\n===",
    )  # fmt: skip

    assert [text for text in harmful if not judge.findings(text)] == []


def test_a_block_holds_no_instruction_for_the_commit_that_a_squash_merge_makes_of_it() -> None:
    text = block("[skip ci]\nCo-authored-by: Eve\nfixes #1, thanks @bob\n<!-- trackwalker {} -->")

    assert not re.search(r"\[skip ci\]|-by:|#1|@bob|<!--", text)


def test_a_bar_does_not_end_a_cell() -> None:
    assert "|" not in cell_code(r"a | b \| c")


@pytest.mark.parametrize(
    "line", ["Fix `@app.get`", "[ci skip] a", "Co-authored-by: Eve", "See #1 and da39a3ee5e6b4b0d"]
)
def test_a_title_links_and_instructs_nothing(line: str) -> None:
    assert not MarkdownJudge().plain_findings(plain(line))
