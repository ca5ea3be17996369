"""Score evidence and diagnosis on cases with right answers: `python -m tests.eval.evidence [FILE …]`.

A line of a file is `{"name", "case", "expected"}`: a case in the format of `trackwalker diagnose` and what must
be true of the answer. Two other forms test one part alone: `texts` for redaction, and `levels` for log levels.
Without a file: `../shared/cases/evidence.jsonl` next to the repository, if it is there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from workers.cli.diagnosis import diagnose_line
from workers.errors import InvalidCase
from workers.investigation.logs.log_records import build_log_records
from workers.models import LogLine
from workers.runtime.redaction import redact

DEFAULT_FILE = Path(__file__).parents[3] / "shared" / "cases" / "evidence.jsonl"
MAX_SHOWN_CHARS = 110  # of a text inside a difference
QUIET_LEVELS = frozenset({"info", "debug", "notice", "trace", "stderr"})
SECONDS_BETWEEN_OCCURRENCES = 1.0
"""A pause in a log from which the next line belongs to another occurrence of the error."""

Answer = dict[str, Any]
Check = Callable[[Answer, Any, dict[str, Any]], str]
"""An answer, what is expected, and the case: what differs, empty if nothing does."""


def main(arguments: list[str]) -> int:
    """Print a line per case and the rate; the exit code is 1 if a case is wrong."""
    parser = argparse.ArgumentParser("python -m tests.eval.evidence", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help=f"default: {DEFAULT_FILE}")
    parser.add_argument("--wrong", action="store_true", help="print the wrong cases alone")
    options = parser.parse_args(arguments)
    files = options.files or [DEFAULT_FILE]
    if missing := [file for file in files if not file.exists()]:
        print(f"skipped: there is no {missing[0]}")
        return 0
    results = [(name, differences) for file in files for name, differences in score_file(file)]
    for name, differences in results:
        if differences or not options.wrong:
            print(
                f"{'wrong' if differences else 'right':6}{name}"
                + "".join(f"\n      {text}" for text in differences)
            )
    right = sum(not differences for _, differences in results)
    print(f"{right} of {len(results)} cases are right ({100 * right / max(1, len(results)):.0f} %)")
    return 0 if right == len(results) else 1


def score_file(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The name of each case and what differs from the expected answer."""
    for line in file.read_text().splitlines():
        if line.strip():
            entry = json.loads(line)
            yield entry["name"], score(entry)


def score(entry: dict[str, Any]) -> list[str]:
    """The differences from the right answer; empty if the case is right."""
    if "texts" in entry:
        return _score_redaction(entry)
    if "levels" in entry:
        return _score_levels(entry)
    try:
        answer = json.loads(diagnose_line(json.dumps(entry["case"])))
    except InvalidCase as error:
        return [f"invalid: {error}"]
    differences = [CHECKS[key](answer, value, entry["case"]) for key, value in entry["expected"].items()]
    return [text for text in differences if text]


# ---- other forms ----


def _score_redaction(entry: dict[str, Any]) -> list[str]:
    redacted = redact("\n".join(entry["texts"]))
    expected = entry["expected"]
    left = [f"is left: {text}" for text in expected.get("must_go", []) if text in redacted]
    return left + [f"is gone: {text}" for text in expected.get("must_stay", []) if text not in redacted]


def _score_levels(entry: dict[str, Any]) -> list[str]:
    differences = []
    for line in entry["levels"]:
        record = LogLine.model_validate(
            {"timestamp": "2026-11-20T11:48:00Z", "level": line["severity"], "message": line["message"]}
        )
        levels = {record.level for record in build_log_records([record])}
        wanted = QUIET_LEVELS if line["level"] == "quiet" else {line["level"]}
        if not levels or not levels <= wanted:
            differences.append(f"{sorted(levels)}, not {line['level']}: {_short(line['message'])}")
    return differences


# ---- keys of `expected` ----


def _category(answer: Answer, wanted: list[str], _: Answer) -> str:
    return "" if answer["category"] in wanted else f"category {answer['category']}, not {' or '.join(wanted)}"


def _not_category(answer: Answer, unwanted: list[str], _: Answer) -> str:
    return f"category {answer['category']}" if answer["category"] in unwanted else ""


def _place(answer: Answer, wanted: str, _: Answer) -> str:
    places = [f"{place['file']}:{place['line']}" for place in answer["places"]]
    return "" if places[:1] == [wanted] else f"places {places[:4]}, not {wanted} first"


def _place_file(answer: Answer, wanted: str, _: Answer) -> str:
    files = [place["file"] for place in answer["places"]]
    return "" if wanted in files else f"places {files}, not {wanted}"


def _place_within_file(answer: Answer, wanted: bool, case: Answer) -> str:
    lengths = {file: len(text.splitlines()) for file, text in case["repository"]["files"].items()}
    beyond = [place for place in answer["places"] if (place["line"] or 0) > lengths.get(place["file"], 0)]
    return f"beyond the end of its file: {beyond}" if wanted and beyond else ""


def _has(key: str) -> Check:
    def check(answer: Answer, wanted: list[str], _: Answer) -> str:
        missing = [text for text in wanted if text.lower() not in answer[key].lower()]
        return f"{key} lacks {missing}: {_short(answer[key])}" if missing else ""

    return check


def _lacks(key: str) -> Check:
    def check(answer: Answer, unwanted: list[str], _: Answer) -> str:
        present = [text for text in unwanted if text.lower() in answer[key].lower()]
        return f"{key} has {present}: {_short(answer[key])}" if present else ""

    return check


def _no_upstream(answer: Answer, hosts: list[str], _: Answer) -> str:
    told = json.dumps([answer["summary"], answer["action"], answer["upstreams"]])
    told += " ".join(fact["text"] for fact in answer["facts"] if fact["kind"] == "upstream")
    blamed = [host for host in hosts if host in told]
    return f"blames {blamed}" if blamed else ""


def _facts_lack(answer: Answer, unwanted: list[str], _: Answer) -> str:
    present = [text for text in unwanted if any(text in fact["text"] for fact in answer["facts"])]
    return f"facts have {present}" if present else ""


def _records_each(answer: Answer, wanted: int, case: Answer) -> str:
    times = [
        LogLine.model_validate({"timestamp": line["at"], "message": ""}).timestamp for line in case["logs"]
    ]
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    occurrences = 1 + sum(pause > SECONDS_BETWEEN_OCCURRENCES for pause in pauses)
    each = answer["records"] / occurrences
    return "" if each == wanted else f"{each:g} records an occurrence, not {wanted}"


CHECKS: dict[str, Check] = {
    "category": _category,
    "not_category": _not_category,
    "place": _place,
    "place_file": _place_file,
    "place_within_file": _place_within_file,
    "summary_has": _has("summary"),
    "summary_lacks": _lacks("summary"),
    "action_has": _has("action"),
    "no_upstream": _no_upstream,
    "facts_lack": _facts_lack,
    "records_each": _records_each,
}


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
