"""A pull request that a person closed rejects fixes of its cause, and of no other."""

from __future__ import annotations

from workers.engine.journal_store import JournalStore
from workers.incidents import rejections

FILE = "trackwalker2:reserved:file"
COMMIT = "trackwalker2:reserved:commit"
OTHER_COMMIT = "trackwalker2:reserved:other"


def test_a_rejection_is_found_by_file_and_commit_and_by_commit_alone(journal: JournalStore) -> None:
    rejections.record_rejection(journal, [FILE, COMMIT], "#7")

    assert rejections.find_rejection(journal, [FILE, COMMIT]) == "#7"
    assert rejections.find_rejection(journal, [COMMIT]) == "#7"


def test_the_same_file_after_another_commit_is_not_rejected(journal: JournalStore) -> None:
    rejections.record_rejection(journal, [FILE, COMMIT], "#7")

    assert rejections.find_rejection(journal, [FILE, OTHER_COMMIT]) is None
    assert rejections.find_rejection(journal, [FILE]) is None


def test_a_rejection_without_a_suspect_commit_is_found_by_its_file(journal: JournalStore) -> None:
    rejections.record_rejection(journal, [FILE], "#7")

    assert rejections.find_rejection(journal, [FILE]) == "#7"
