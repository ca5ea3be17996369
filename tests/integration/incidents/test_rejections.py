"""A pull request that a human closed is an answer for that cause, and for no other."""

from __future__ import annotations

from workers.engine.journal_store import JournalStore
from workers.incidents import rejections

FILE, COMMIT, OTHER = (
    "trackwalker2:reserved:file",
    "trackwalker2:reserved:commit",
    "trackwalker2:reserved:other",
)


def test_the_same_cause_is_answered_already(journal: JournalStore) -> None:
    rejections.record_rejection(journal, [FILE, COMMIT], "#7")

    assert rejections.find_rejection(journal, [FILE, COMMIT]) == "#7"
    assert rejections.find_rejection(journal, [COMMIT]) == "#7"


def test_the_same_file_after_another_commit_is_new_evidence(journal: JournalStore) -> None:
    rejections.record_rejection(journal, [FILE, COMMIT], "#7")

    assert rejections.find_rejection(journal, [FILE, OTHER]) is None
    assert rejections.find_rejection(journal, [FILE]) is None


def test_a_file_without_a_known_commit_is_remembered_too(journal: JournalStore) -> None:
    rejections.record_rejection(journal, [FILE], "#7")

    assert rejections.find_rejection(journal, [FILE]) == "#7"
