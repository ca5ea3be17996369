"""`python -m tests.eval.redaction`: secrets that redaction leaves and texts that it changes, over both corpora."""

from __future__ import annotations

import sys
import time

from tests.support.secret_texts import INNOCENT, SECRETS
from workers.runtime.redaction import redact

ROUNDS = 5  # passes over the corpora that are timed


def main() -> int:
    """Print the figures; the exit code is 1 if a secret is left or more than 1 % of the texts are changed."""
    left = [text for text, part in SECRETS.items() if part and part in redact(text)]
    changed = [text for text in INNOCENT if redact(text) != text]
    for text in left:
        print(f"left:    {text!r}")
    for text in changed:
        print(f"changed: {text!r} -> {redact(text)!r}")
    print(f"secrets left: {len(left)} of {len(SECRETS)} (goal 0)")
    print(f"texts changed: {len(changed)} of {len(INNOCENT)}, {len(changed) / len(INNOCENT):.1%} (goal 1 %)")
    print(f"one line: {_microseconds():.0f} us on average over both corpora")
    return 1 if left or len(changed) > len(INNOCENT) / 100 else 0


def _microseconds() -> float:
    texts = [*SECRETS, *INNOCENT]
    start = time.perf_counter()
    for _ in range(ROUNDS):
        for text in texts:
            redact(text)
    return (time.perf_counter() - start) / (ROUNDS * len(texts)) * 1e6


if __name__ == "__main__":
    sys.exit(main())
