"""Foreign text made harmless for GitHub: no mention, link, issue reference, HTML, hidden character or open fence.

Logs, repositories and model answers are written by others; whoever writes them must not be able to ping people,
close issues, load pictures or hide words in a pull request of ours. Pure.
"""

from __future__ import annotations

import re
import unicodedata

from workers.runtime.redaction import redact

BREAK = "\u200b"
"""A space without width: the text reads the same, GitHub's automatic links do not see it."""
LONGEST_LINE = 600
LONGEST_BLOCK = 3000
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
AUTOLINKS = re.compile(
    r"@(?=\w)|#(?=\d)|(?<=\bGH)-(?=\d)|(?<=:)//|(?<=\bwww)\.(?=\w)|(?<=\bmailto):|(?<=\bxmpp):", re.I
)
SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)|(?<!\w)#")
SKIPS = re.compile(r"\[(?=(?:skip|ci|no|actions)[ -])|\bskip(?=-checks)", re.I)
"""Words by which a commit message keeps the checks from running."""
LEADING = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")


def visible(text: str) -> str:
    """The text without control, direction and other unseen characters; line ends and tabs stay."""
    text = text.replace("\r\n", "\n")
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co")
    )


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Visible text on one line, redacted, then cut where it is too long."""
    return _cut(" ".join(redact(visible(text)).split()), longest)


def plain(text: str, longest: int = LONGEST_LINE) -> str:
    """One line that is no markdown, for titles and commit messages: reads the same, links to nothing."""
    line = SKIPS.sub(lambda found: found[0] + BREAK, one_line(text, longest))
    return AUTOLINKS.sub(lambda found: _parted(found[0]), line)


def inline(text: str, longest: int = LONGEST_LINE) -> str:
    """One line that GitHub shows as it is written; code in backticks stays code."""
    parts, end = [], 0
    line = one_line(text, longest)
    for found in CODE.finditer(line):
        parts += [_escaped(line[end : found.start()]), code(found[1])]
        end = found.end()
    escaped = "".join([*parts, _escaped(line[end:])])
    return LEADING.sub(r"\\\1" if escaped[:1] in "-+=" else r"\1\\", escaped)


def code(text: str) -> str:
    """Text as inline code, whatever backticks it holds; not redacted, it is for names and paths."""
    words = _uncommented(_cut(" ".join(visible(text).split()), LONGEST_LINE))
    marks = "`" * (_longest_run(words) + 1)
    space = " " if words.startswith("`") or words.endswith("`") or not words else ""
    return f"{marks}{space}{words}{space}{marks}"


def block(text: str, longest: int = LONGEST_BLOCK) -> str:
    """Text, redacted, as a fenced block that it cannot end; of long text the end is kept, where errors stand."""
    words = _uncommented(redact(visible(text)).strip("\n"))
    if len(words) > longest:
        words = "…" + words[-longest + 1 :]
    fence = "`" * max(3, _longest_run(words) + 1)
    return f"{fence}text\n{words}\n{fence}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = SPECIAL.sub(lambda found: "\\" + found[0], text)
    return AUTOLINKS.sub(lambda found: _parted(found[0]), text)


def _parted(mark: str) -> str:
    """`@` and `#` are parted from what follows them, the others from what stands before them."""
    return mark + BREAK if mark in ("@", "#") else BREAK + mark


def _uncommented(text: str) -> str:
    """No HTML comment may begin, not even in code: our own marker is one."""
    return text.replace("<!--", f"<!{BREAK}--")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
