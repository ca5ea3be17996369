"""Makes untrusted text harmless for GitHub: no mention, link, issue reference, HTML, hidden character or open fence.

Logs, repositories and model answers come from others, and their authors must not be able to notify people, close
issues, load images or hide text through one of Trackwalker's pull requests. Pure.
"""

from __future__ import annotations

import re

from workers.runtime.characters import visible
from workers.runtime.redaction import redact
from workers.runtime.text import one_line, safe_line, truncate_start

LINE_LIMIT = 600  # characters of one line of untrusted text: a long log message still fits
BLOCK_LIMIT = 3000  # characters of command output: its last 40 lines or so
BREAK = "\u200b"  # zero-width space: invisible to readers, stops GitHub's automatic links
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
AUTOLINKS = re.compile(
    r"@(?=\w)|#(?=\d)|(?<=\bGH)-(?=\d)|(?<=:)//|(?<=\bwww)\.(?=\w)|(?<=\bmailto):|(?<=\bxmpp):", re.I
)
"""Characters that GitHub turns into mentions, issue references and links, outside code.
Source: GitHub Flavored Markdown, "Autolinks (extension)", and GitHub's "Autolinked references and URLs"."""
SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)|(?<!\w)#")
SKIPS = re.compile(r"\[(?=(?:skip|ci|no|actions)[ -])|\bskip(?=-checks)", re.I)
"""Instructions such as `[skip ci]`, which keep GitHub Actions from running when a commit message has them."""
LIST_START = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")


def plain(text: str, limit: int = LINE_LIMIT) -> str:
    """One line for titles and commit messages, which are not Markdown: reads the same, links to nothing.

    Args:
        limit: longest line in characters, before invisible breaks are added.
    """
    line = SKIPS.sub(lambda match: match[0] + BREAK, safe_line(text, limit))
    return AUTOLINKS.sub(lambda match: _with_break(match[0]), line)


def inline(text: str, limit: int = LINE_LIMIT) -> str:
    """One line of Markdown that GitHub shows as the text is written; code in backticks stays code.

    Args:
        limit: longest line in characters, before escapes are added.
    """
    parts, end = [], 0
    line = safe_line(text, limit)
    for match in CODE.finditer(line):
        parts += [_escape(line[end : match.start()]), code(match[1])]
        end = match.end()
    escaped = "".join([*parts, _escape(line[end:])])
    return LIST_START.sub(r"\\\1" if escaped[:1] in "-+=" else r"\1\\", escaped)


def code(text: str) -> str:
    """Text as inline code, even if it contains backticks. Not redacted: it is for names and paths."""
    line = _without_comments(one_line(visible(text), LINE_LIMIT))
    # CommonMark closes a code span at a run of as many backticks as opened it, so a longer run is safe.
    marks = "`" * (_longest_backtick_run(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{marks}{space}{line}{space}{marks}"


def block(text: str, limit: int = BLOCK_LIMIT) -> str:
    """Redacted text as a fenced block that the text cannot close.

    Args:
        limit: longest text in characters; the end of a longer text is kept, because errors are there.
    """
    content = truncate_start(_without_comments(redact(visible(text)).strip("\n")), limit)
    fence = "`" * max(3, _longest_backtick_run(content) + 1)
    return f"{fence}text\n{content}\n{fence}"


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = SPECIAL.sub(lambda match: "\\" + match[0], text)
    return AUTOLINKS.sub(lambda match: _with_break(match[0]), text)


def _with_break(mark: str) -> str:
    # `@` and `#` link what follows them; the other marks link what precedes them.
    return mark + BREAK if mark in ("@", "#") else BREAK + mark


def _without_comments(text: str) -> str:
    # The marker of a pull request is an HTML comment: a forged one must not start anywhere, not even in code.
    return text.replace("<!--", f"<!{BREAK}--")


def _longest_backtick_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
