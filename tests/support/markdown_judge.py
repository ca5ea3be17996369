"""Renders Markdown as GitHub does and lists what a text links, mentions or formats. Code spans are no formatting.

CommonMark and the extensions of GitHub Flavored Markdown are markdown-it-py's; what GitHub adds to the rendered text is
searched for in the text outside code: https://docs.github.com/en/get-started/writing-on-github
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

HARMLESS = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "code_inline"}
ADDITIONS = {
    "mention": re.compile(r"(?<!\w)@[a-z0-9]", re.IGNORECASE),
    "mention anywhere": re.compile(r"@[a-z0-9]", re.IGNORECASE),
    "issue": re.compile(r"#\d"),
    "issue by GH": re.compile(r"GH-\d", re.IGNORECASE),
    "commit": re.compile(r"(?<!\w)[0-9a-f]{7,40}(?!\w)", re.IGNORECASE),
    "address": re.compile(r"[a-z][a-z0-9+.-]*://|www\.|mailto:|xmpp:", re.IGNORECASE),
    "emoji": re.compile(r":(?:[a-z0-9_+-]*[a-z][a-z0-9_+-]*|100|1234|[+-]1):", re.IGNORECASE),
    "comment": re.compile(r"<!--"),
}
"""Name → pattern of a text that GitHub turns into a link, a mention or a picture outside code."""
EVERYWHERE = {
    "skip": re.compile(r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]|skip-checks:", re.IGNORECASE),
    "trailer": re.compile(r"[a-z]-by[ \t]*:", re.IGNORECASE),
    "comment": re.compile(r"<!--"),
}
"""Patterns that count in code as well: a squash merge turns the description into a commit message."""
MATH = re.compile(r"(?<!\\)\$")

PIECES = (
    "@", "#", "_", "__", "*", "**", "~~", "`", "``", "```", "~~~", "[", "]", "(", ")", "<", ">", "!", "|", "\\",
    "&", "-", "+", "=", "$", "$$", ":", "/", "//", "://", ".", ",", ";", "'", '"', "^", "{", "}", "\n", "\r",
    "\t", " ", "  ", "    ", "\u200b", "\u00a0", "\u202e", "\x1b[31m", "é", "²", "́", "漢", "ß", "_a_", "a_b",
    "__word__", "_www.evil.zz", "_GH-1", "GH-1", "gh-2", "#1", "a#1", "o/r#12", "o/r@da39a3e", "@bob",
    "@org/team", "(@bob)", ".@bob", "_@bob_", "da39a3ee5e6b4b0d", "DEADBEEF", "1234567",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "http://evil.zz", "HTTPS://evil.zz/a_b", "ftp://evil.zz",
    "www.evil.zz", "WWW.evil.zz", "mailto:a@evil.zz", "xmpp:a@evil.zz", "a@evil.zz", "<http://evil.zz>",
    "<a@evil.zz>", "[x](http://evil.zz)", "![x](http://evil.zz/p.png)", "[x]: http://evil.zz", "[x][x]", "[^1]",
    "[^1]: note", "[ ]", "- [x] a", "# head", "> quote", "> [!NOTE]", "- item", "1. item", "1) item", "+ item",
    "---", "===", "***", "___", "| a | b |", "|---|---|", "<b>", "</details>", "<script>",
    "<!-- trackwalker {} -->", "<img src=x>", "&lt;b&gt;", "&#64;bob", "&commat;bob", "&amp;", ":tada:", ":+1:",
    ":100:", "12:30:45", "$x^2$", "$`x`$", "`code`", "`@bob`", "``a`b``", "fixes #1", "Closes GH-2",
    "[skip ci]", "[ci skip]", "***NO_CI***", "skip-checks: true", "Co-authored-by: Eve <e@evil.zz>",
    "Signed-off-by : x", "word", "a", "1", "Error:", "pricing.py", "TypeError: x is not a function",
)  # fmt: skip


def generated_texts(count: int, seed: int = 1) -> Iterator[str]:
    """Texts made of everything that Markdown and GitHub know, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 8)))


class MarkdownJudge:
    """A renderer with GitHub's extensions switched on."""

    def __init__(self) -> None:
        self._parser = MarkdownIt("gfm-like")
        assert self._parser.linkify is not None
        self._parser.linkify.set({"fuzzy_link": False, "fuzzy_email": True, "fuzzy_ip": False})

    def findings(self, markdown: str) -> set[str]:
        """The names of all links, mentions and formats in the Markdown; empty if readers see it as written."""
        blocks = self._parser.parse(markdown)
        tokens = list(_flat(blocks))
        names = {token.type for token in tokens if token.type not in HARMLESS}
        texts = "\n".join(_plain_text(token) for token in blocks)
        names |= {name for name, pattern in ADDITIONS.items() if pattern.search(texts)}
        names |= {name for name, pattern in EVERYWHERE.items() if pattern.search(markdown)}
        return names | ({"math"} if MATH.search(_without_code(markdown)) else set())

    def plain_findings(self, line: str) -> set[str]:
        """The names of all links and mentions in a title or a line of a commit message, which are not Markdown."""
        patterns = {**ADDITIONS, **EVERYWHERE, "code": re.compile("`")}
        return {name for name, pattern in patterns.items() if pattern.search(line)}


def _plain_text(block: Token) -> str:
    """The text of a block outside code; a token of an escape is a part of the text around it."""
    tokens = block.children or [block]
    return "".join("\0" if token.type == "code_inline" else token.content for token in tokens)


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "inline":
            yield from _flat(token.children or [])
        else:
            yield token


def _without_code(markdown: str) -> str:
    return re.sub(r"(?<![`\\])(`+)(?!`).+?(?<!`)\1(?!`)", "", markdown)
