"""Makes untrusted text harmless for GitHub: no mention, link, reference, HTML, formatting or open fence.

Logs, repositories and model answers come from others, and their authors must not be able to notify people, close
issues, load images or hide text through one of Trackwalker's pull requests. A squash merge turns a description into a
commit message, so that blocks and code have no instructions for GitHub Actions and no trailers either. Pure.
"""

from __future__ import annotations

import re

from workers.runtime.characters import visible
from workers.runtime.redaction import redact
from workers.runtime.text import one_line, safe_line, truncate_start

LINE_LIMIT = 600  # characters of one line of untrusted text: a long log message still fits
BLOCK_LIMIT = 3000  # characters of command output: its last 40 lines or so
BREAK = "\u200a"  # hair space: readers hardly see it, and GitHub reads what it parts as two words
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# What GitHub turns into links, references and emoji outside code. Sources: GitHub Flavored Markdown, "Autolinks
# (extension)"; GitHub's documentation, "Autolinked references and URLs" and "Basic writing and formatting syntax".
REFERENCES = re.compile(r"@(?=\w)|#(?=\d)")
AUTOLINKS = re.compile(
    r"(?<=GH)-(?=\d)|(?<=/)(?=/)|(?<=www)\.|(?<=mailto):|(?<=xmpp):"
    r"|(?<=:)(?=[a-z0-9_+-]{0,100}[a-z][a-z0-9_+-]{0,100}:|(?:100|1234|[+-]1):)",
    re.IGNORECASE,
)
HASH = re.compile(
    r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])|(?<!\w)[0-9a-f]{7,40}(?!\w)",
    re.IGNORECASE,
)
"""A possible commit hash, which GitHub would link. A UUID matches as a whole, because its parts look like hashes."""
HASH_CHUNK = re.compile(r".{1,6}")  # GitHub links seven characters and more
SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|(?<!\w)#")
SKIPS = re.compile(r"\[(?=(?:skip|ci|no|actions)[ -])|skip(?=-checks)|(?<=\*{3})(?=NO_CI)", re.IGNORECASE)
"""Instructions such as `[skip ci]`, which keep GitHub Actions from running when a commit message has them."""
TRAILER = re.compile(r"(?<=-by)(?=\s{0,3}:)|(?<=^change-id)(?=\s{0,3}:)", re.IGNORECASE | re.MULTILINE)
"""The keys of trailers such as `Co-authored-by:`, which name people as authors of a commit."""
LIST_START = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")


def plain(text: str, limit: int = LINE_LIMIT) -> str:
    """One line for titles and commit messages: reads the same, links to nothing. Only backticks work in titles.

    Args:
        limit: longest line in characters, before breaks are added.
    """
    line = _without_instructions(safe_line(text, limit).replace("`", "'"))
    line = HASH.sub(lambda match: BREAK.join(HASH_CHUNK.findall(match[0])), line)
    return _without_links(line)


def inline(text: str, limit: int = LINE_LIMIT) -> str:
    """One line of Markdown that GitHub shows as the text is written; code in backticks stays code.

    Args:
        limit: longest line in characters, before escapes are added.
    """
    parts, end = [], 0
    line = safe_line(text, limit)
    for match in CODE.finditer(line):
        parts += [*_escape_with_hashes(line[end : match.start()]), code(match[1])]
        end = match.end()
    escaped = _joined([*parts, *_escape_with_hashes(line[end:])])
    return LIST_START.sub(r"\\\1" if escaped[:1] in "-+=" else r"\1\\", escaped)


def code(text: str) -> str:
    """Text as inline code, even if it contains backticks. Not redacted: it is for names and paths."""
    line = _without_instructions(one_line(visible(text), LINE_LIMIT))
    # CommonMark closes a code span at a run of as many backticks as opened it, so a longer run is safe.
    marks = "`" * (_longest_backtick_run(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{marks}{space}{line}{space}{marks}"


def cell_code(text: str) -> str:
    """The same in a table, where a bar ends the cell even inside code."""
    return code(text.replace("|", "∣"))


def block(text: str, limit: int = BLOCK_LIMIT) -> str:
    """Redacted text as a fenced block that the text cannot close.

    Args:
        limit: longest text in characters; the end of a longer text is kept, because errors are there.
    """
    content = truncate_start(_without_instructions(redact(visible(text)).strip("\n")), limit)
    content = REFERENCES.sub(lambda match: match[0] + BREAK, content)
    fence = "`" * max(3, _longest_backtick_run(content) + 1)
    return f"{fence}text\n{content}\n{fence}"


def _escape_with_hashes(text: str) -> list[str]:
    """The text in parts: hashes as code, which is not linked, and the rest escaped."""
    parts, end = [], 0
    for match in HASH.finditer(text):
        parts += [_escape(text[end : match.start()]), f"`{match[0]}`"]
        end = match.end()
    return [*parts, _escape(text[end:])]


def _joined(parts: list[str]) -> str:
    joined = ""
    for part in parts:
        # Two code spans side by side would be one run of backticks.
        joined += BREAK + part if joined.endswith("`") and part.startswith("`") else part
    return joined


def _escape(text: str) -> str:
    # Links first: an escape inside an emoji's or a host's name would hide it from the search.
    text = _without_links(_without_instructions(text))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(lambda match: "\\" + match[0], text)


def _without_links(text: str) -> str:
    text = REFERENCES.sub(lambda match: match[0] + BREAK, text)
    return AUTOLINKS.sub(lambda match: BREAK + match[0], text)


def _without_instructions(text: str) -> str:
    text = SKIPS.sub(lambda match: match[0] + BREAK, text)
    text = TRAILER.sub(BREAK, text)
    # The marker of a pull request is an HTML comment: a forged one must not start anywhere, not even in code.
    return text.replace("<!--", f"<!{BREAK}--")


def _longest_backtick_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
