"""Finds secrets in a patch. A result names the file and never repeats the secret. Pure."""

from __future__ import annotations

import base64
import re

from workers.clients.git import FileDiff
from workers.remediation.test_integrity import is_test
from workers.runtime.redaction import find_tokens

MIN_SECRET_LENGTH = 8  # characters: a shorter setting could be part of any word
LITERAL_SECRET = re.compile(
    r"""(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|credential)[\w-]{0,20}["']?\s{0,3}[:=]\s{0,3}"""
    r"""["'`](?P<value>[^"'`\s$<{]{12,})["'`]""",
    re.I,
)
PLACEHOLDER = re.compile(r"example|change.?me|dummy|fake|test|placeholder|xxx|your[_-]", re.I)


def find_leaked_secrets(files: list[FileDiff], patch: str, secrets: tuple[str, ...]) -> list[str]:
    """One sentence per leak.

    Args:
        files: the files to search for anything that looks like a secret.
        patch: the whole patch, which is searched for the exact values.
        secrets: Trackwalker's own settings.
    """
    refusals = [
        "the patch contains the value of one of Trackwalker's settings"
        for secret in secrets
        if len(secret) >= MIN_SECRET_LENGTH and (secret in patch or _encoded(secret) in patch)
    ]
    for file in files:
        added = "\n".join(text for _, text in file.added)
        removed = "\n".join(text for _, text in file.removed)
        # A secret that a line already contained and that only moved is not the patch's leak.
        token = any(token not in removed for token in find_tokens(added))
        if token or (_has_literal_secret(added, removed) and not is_test(file.path)):
            refusals.append(f"the patch contains text that looks like a secret ({file.path})")
    return refusals


def _encoded(secret: str) -> str:
    # The last characters of Base64 depend on what follows the secret, so they are left out.
    return base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]


def _has_literal_secret(added: str, removed: str) -> bool:
    values = [match["value"] for match in LITERAL_SECRET.finditer(added) if not PLACEHOLDER.search(match[0])]
    return any(
        re.search(r"\d", value) and re.search(r"[A-Za-z]", value) and value not in removed for value in values
    )
