"""The tree uses the terms of docs/glossary.md and none of the terms that they replaced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OLD_TERMS = {
    r"\bdoors?\b|\bdoor_answers\b": "webhook endpoint",
    r"\bwalls?\b(?![ -]clock)|\bbuild_wall\b|\brungs?\b": "sandbox, isolation level",
    r"\bbrakes?\b": "controls",
    r"\bumbrellas?\b": "incident group",
    r"\bfirst[_ ]words?\b|\bfirst_at\b": "acknowledgement",
    r"\bstands? aside\b|\bailing\b|\bails\b": "suppressed, affected",
    r"\blanes?\b": "category",
    r"\bmend(s|ed|ing|er)?\b": "fix",
    r"\bmover\b|\btrackwalker_due\b": "dispatcher, trackwalker_open_journals",
    r"\bpulse\b": "lease renewer",
    r"\bstumbl(e|es|ed|ing)\b": "fails",
    r"\bretorts?\b": "validate_answer",
    r"\b(expect|take_back)_doubles\b|\btell:doubles\b": "duplicates",
    r"\babove the line\b|\blook(s|ed)? over\b": "checked, no problem found",
    r"\b(it held|did not hold)\b": "fix verified, fix failed",
    r"\blet go\b|\blets go\b|\b_?let_go\b|\bhand(s|ed)? back\b|\bhand_back\b": "release",
    r"\bhand(s|ed)? on\b|\bhand_on\b": "advance",
    r"\btake_in\b|\btake_in_each\b": "ingest",
    r"\braise_wanted\b": "wake",
    r"\bheard(_key|_name)?\b": "received",
    r"\bgates?\b|\bgate_of\b": "environment slot",
    r"\btell_(of|trouble)\b|\btells_trouble\b|\btelling\b|\btold_of\b": "notify",
    r"\bcertif(y|ied|ies)\b|\bCertificate\b": "verify, Verification",
    r"\bleftovers?\b": "orphans",
    r"\bweaknesses\b": "durability warnings",
    r"\bfurnish\b": "prepare",
    r"\bnot_seen\b": "failed_reads",
    r"\bhabits?\b|\bpersist_minutes\b|--no-past\b": "baseline, minimum duration, history",
    r"\bstretch(es)?\b": "chunk",
    r"\bNoun\b": "Model",
    r"\bwhoever\b": "the named thing",
    r"\bsoak\b": "chaos",
    r"\bmortal\b|\bdeaths?\b|\bdied\b": "crash",
    r"\bDEATHS_ALLOWED\b|\bLives\b": "MAX_CRASHES, CrashRunner",
    r"\btowns?\b": "the name of the fake",
    r"\bTRACKWALKER_(WATCH|STATE|PERSIST_MINUTES|STEP_SECONDS|WATCH_MINUTES|FIRST_WORD_SECONDS|MENDS|DAILY_RUNS|RUN_COST_USD"
    r"|DAILY_COST_USD|PRICE|UNSANDBOXED)\b": "the setting's name in docs/configuration.md",
}
"""Pattern of an old term → the term that took its place. Patterns in lower case ignore case."""

EXCEPTIONS = {
    "CHANGELOG.md": "names what changed",
    "tests/unit/test_vocabulary.py": "lists the old terms",
}
"""File → why it may contain old terms."""

FOLDERS = ("receiver", "workers", "tests", "docs", "tools", ".ci")
SUFFIXES = {".py", ".md", ".lua", ".toml", ".txt", ""}


def texts() -> list[Path]:
    """All text files of the project. Recorded payloads and lock files are data and not searched."""
    inside = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    return [
        path
        for path in [*inside, *(path for path in sorted(ROOT.iterdir()) if path.is_file())]
        if path.suffix in SUFFIXES and not {"data", "__pycache__", "node_modules"} & set(path.parts)
    ]


@pytest.mark.parametrize(("old", "new"), OLD_TERMS.items(), ids=OLD_TERMS.values())
def test_no_file_uses_a_replaced_term(old: str, new: str) -> None:
    pattern = re.compile(old, re.IGNORECASE if old.islower() else 0)

    places = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in texts()
        if str(path.relative_to(ROOT)) not in EXCEPTIONS
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]

    assert places == [], f"use “{new}”"
