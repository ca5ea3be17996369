"""The public exam: its incidents are complete and clean, and its marks can tell right from wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests.exam.incidents import DATA, Answer, Exercise, load_exercise, load_exercises
from tests.exam.marks import Mark, missed_goals, total
from tests.exam.products import Reply, grep, product_behind, this_product, thresholds
from tests.exam.variants import VARIANTS, Variant, dressed
from workers.cli.diagnosis_format import parse_case
from workers.models import Category

FOLDERS = sorted(path.parent for path in DATA.glob("*/answer.json"))
MAX_FOLDER_BYTES = 64 * 1024
MAX_EXAM_BYTES = 3 * 1024 * 1024
FOREIGN_PATHS = re.compile(
    r"/tmp/(?!exam-)|/home/|/work/|registry\.|pypi\.org|npmjs\.|deb\.debian|\.pyenv|runsc"
)
"""Paths of the machine that recorded, and addresses of registries."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_incident_is_complete_and_clean(folder: Path) -> None:
    exercise = load_exercise(folder)
    texts = [
        path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "record.json"
    ]

    parse_case(exercise.line)

    assert len((folder / "why.md").read_text()) > 40
    assert set(exercise.answer.category) <= {category.value for category in Category}
    assert bool(exercise.answer.recorded) == (folder / "record.json").exists()
    assert sum(len(text.encode()) for text in texts) <= MAX_FOLDER_BYTES
    assert not [match[0] for text in texts for match in FOREIGN_PATHS.finditer(text)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_right_place_is_a_line_of_the_repository(folder: Path) -> None:
    exercise = load_exercise(folder)

    for place in exercise.answer.places:
        file, _, line = place.rpartition(":")
        assert 1 <= int(line) <= len(exercise.case["repository"]["files"][file].splitlines())


def test_the_exam_has_all_categories_many_languages_and_many_recordings() -> None:
    exercises = load_exercises()
    categories = Counter(exercise.answer.category[0] for exercise in exercises)

    size = sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file())

    assert len(exercises) >= 60
    assert set(categories) == {category.value for category in Category}
    assert len({exercise.answer.language for exercise in exercises}) >= 6
    assert sum(bool(exercise.answer.recorded) for exercise in exercises) >= 24
    assert size <= MAX_EXAM_BYTES


def test_the_diagnosis_meets_the_goals_of_the_exam() -> None:
    marks = [Mark(exercise, this_product(exercise)) for exercise in load_exercises()]

    assert missed_goals(total(marks)) == []


ANSWER = Answer(
    category=("upstream",), language="go", places=("src/pay.go:7",), trace=True, names=(("bank", "charge"),),
    innocent=("docs.example",),
)  # fmt: skip
EXERCISE = Exercise("pay", {"service": "pay", "repository": {"files": {"src/pay.go": "\n" * 9}}}, ANSWER)
RIGHT = Reply("upstream", ("src/pay.go:7",), summary="the bank does not answer", action="wait")


@pytest.mark.parametrize(
    ("reply", "category", "first", "three", "action"),
    [
        (RIGHT, True, True, True, True),
        (RIGHT._replace(category="code"), False, True, True, False),
        (
            RIGHT._replace(places=("src/a.go:1", "src/a.go:2", "src/b.go:1", "src/pay.go:9")),
            True,
            False,
            True,
            True,
        ),
        (RIGHT._replace(places=("a.go:1", "b.go:1", "c.go:1", "src/pay.go:7")), True, False, False, True),
        (RIGHT._replace(summary="something does not answer"), True, True, True, False),
        (RIGHT._replace(action="ask docs.example"), True, True, True, False),
    ],
    ids=["right", "code", "second file", "fourth file", "unnamed", "innocent blamed"],
)
def test_a_reply_is_marked(reply: Reply, category: bool, first: bool, three: bool, action: bool) -> None:
    mark = Mark(EXERCISE, reply)

    assert (mark.category_right, mark.first_right, mark.among_first_right, mark.action_right) == (
        category, first, three, action,
    )  # fmt: skip


def test_an_upstream_that_is_called_code_misses_a_goal_of_its_own() -> None:
    sums = total([Mark(EXERCISE, RIGHT)] * 30 + [Mark(EXERCISE, RIGHT._replace(category="code"))])

    assert missed_goals(sums) == ["no upstream, platform or configuration is called code"]


def test_another_product_answers_on_standard_output(tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text(
        json.dumps({"category": "upstream", "summary": "bank", "places": [{"file": "a.go", "line": 3}]})
    )

    reply = product_behind(f"cat {answer}")(EXERCISE)

    assert (reply.category, reply.places, reply.model_calls) == ("upstream", ("a.go:3",), 0)


def test_the_rivals_answer_from_thresholds_and_from_the_last_exception() -> None:
    logs = [
        {"at": "2026-11-20T11:48:00Z", "severity": "error", "message": message}
        for message in ("\t/app/src/pay.go:7 +0x1d", "PaymentError: refused")
    ]
    rows = ({"method": "GET", "path": "/", "status": 500, "count": 9, "p95_ms": 10},)
    exercise = Exercise("pay", EXERCISE.case | {"logs": logs}, ANSWER, requests=rows)

    assert thresholds(exercise)[:2] == ("code", ())
    assert grep(exercise)[:2] == ("code", ("src/pay.go:7",))
    assert thresholds(EXERCISE).category == grep(EXERCISE).category == "none"


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_a_variant_keeps_every_line_in_the_order_of_time(variant: Variant) -> None:
    exercise = load_exercise(DATA / "go-nil-pointer-panic")
    messages = [line["message"] for line in exercise.case["logs"]]

    lines = dressed(exercise, variant).case["logs"]

    assert all(any(message in line["message"] for line in lines) for message in messages)
    times = [datetime.fromisoformat(line["at"]) for line in lines]
    assert times == sorted(times)
