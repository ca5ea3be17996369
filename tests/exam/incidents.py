"""The incidents of the exam, read from their folders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
LOGS = {"logs": "deployment.log", "build_logs": "build.log"}
"""Key of the input line → file of the folder."""


@dataclass(frozen=True)
class Answer:
    """The right answer to an incident, as `answer.json` says it."""

    category: tuple[str, ...]
    """The right category; more than one where the facts leave it open."""
    language: str
    places: tuple[str, ...] = ()
    """`file:line` of the fault; several where each of them is right."""
    trace: bool = False
    """True if the logs name the place, so that a product without any knowledge of the code can find it."""
    occurrence: str = ""
    """A text that each occurrence of the fault logs once; empty if the logs do not show occurrences."""
    occurrences: int = 0
    """The number of occurrences in the logs."""
    names: tuple[tuple[str, ...], ...] = ()
    """Texts that summary or action must name, such as the variable to set: one of each group."""
    innocent: tuple[str, ...] = ()
    """Texts that summary and action must not contain, such as a host that works."""
    recorded: str = ""
    """The versions with which the logs were recorded; empty if they were written after a library's published format."""

    @property
    def files(self) -> frozenset[str]:
        """The files of the places."""
        return frozenset(place.rpartition(":")[0] for place in self.places)


@dataclass(frozen=True)
class Exercise:
    """One incident: the input line, the right answer, and the measurements that only thresholds read."""

    name: str
    case: dict[str, Any]
    answer: Answer
    requests: tuple[dict[str, Any], ...] = ()
    series: tuple[dict[str, Any], ...] = ()

    @property
    def line(self) -> str:
        """The input line of `trackwalker diagnose`."""
        return json.dumps(self.case)


def load_exercises(folders: list[Path] | None = None) -> list[Exercise]:
    """The incidents of these folders, by default all of the exam, in the order of their names.

    Raises:
        FileNotFoundError: A folder has no `incident.json` or no `answer.json`.
    """
    chosen = folders or sorted(path.parent for path in DATA.glob("*/answer.json"))
    return [load_exercise(folder) for folder in chosen]


def load_exercise(folder: Path) -> Exercise:
    """The incident of one folder."""
    case = json.loads((folder / "incident.json").read_text())
    for key, name in LOGS.items():
        if (folder / name).exists():
            case[key] = [_log_line(line) for line in (folder / name).read_text().split("\n") if line]
    requests, series = _rows(folder / "requests.jsonl"), _rows(folder / "series.jsonl")
    if requests:
        case["requests"] = [{key: row[key] for key in row if key != "p95_ms"} for row in requests]
    if (folder / "repository").is_dir():
        case["repository"] = {"files": _files(folder / "repository"), "root": case.pop("root", "")}
    answer = _answer(json.loads((folder / "answer.json").read_text()))
    return Exercise(folder.name, case, answer, tuple(requests), tuple(series))


def _log_line(line: str) -> dict[str, str]:
    """A line of a log file: time, severity, instance and message, with one space between them."""
    at, severity, instance, message = line.split(" ", 3)
    return {"at": at, "severity": severity, "instance": instance, "message": message}


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _files(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def _answer(fields: dict[str, Any]) -> Answer:
    names = tuple((name,) if isinstance(name, str) else tuple(name) for name in fields.get("names", ()))
    logged = fields.get("occurrences", {"text": "", "count": 0})
    lists = {key: tuple(fields.get(key, ())) for key in ("category", "places", "innocent")}
    return Answer(
        language=fields["language"],
        trace=fields.get("trace", False),
        occurrence=logged["text"],
        occurrences=logged["count"],
        names=names,
        recorded=fields.get("recorded", ""),
        **lists,
    )
