"""The report of `doctor` as lines: aligned, with the repair beside the problem, within the width."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.doctor.report_lines import MAX_COLUMNS, colour, render
from workers.models.check_results import CheckReport, CheckResult, CheckStatus

LONG = "acme/thumbs: GITHUB_TOKEN cannot push branches and cannot open pull requests, of 8 repositories 7 are fine"


def report(*results: CheckResult) -> CheckReport:
    return CheckReport(results=results, at=datetime(2026, 11, 28, tzinfo=UTC), seconds=1.2)


def result(status: CheckStatus, what: str, repair: str = "", **fields: object) -> CheckResult:
    return CheckResult.model_validate(
        {"area": "GitHub", "status": status, "what": what, "repair": repair} | fields
    )


def test_a_short_repair_stands_on_the_line_of_its_problem() -> None:
    lines = render(report(result(CheckStatus.ERROR, "the bot is not in it", "/invite @trackwalker")))

    assert lines[0] == "GitHub          ✗ the bot is not in it → /invite @trackwalker"
    assert lines[-1] == "1 error (1.2 s)"


def test_long_results_are_wrapped_below_their_column_and_the_repair_begins_a_line() -> None:
    lines = render(report(result(CheckStatus.WARNING, LONG, LONG)))

    assert max(map(len, lines)) <= MAX_COLUMNS
    assert lines[0].startswith("GitHub          ! acme/thumbs")
    assert [line[:20] for line in lines[1:4]] == [" " * 18 + "re", " " * 18 + "→ ", " " * 20]


def test_an_area_is_named_once_and_lines_to_copy_stay_whole() -> None:
    setting = "TRACKWALKER_ENVIRONMENTS=" + "1" * 36 + "/" + "2" * 36 + "   # acme/production"

    lines = render(
        report(
            result(CheckStatus.OK, "one"), result(CheckStatus.ERROR, "two", "three", lines=(setting,)),
        )
    )  # fmt: skip

    assert lines[1].startswith(" " * 16 + "✗ two")
    assert lines[2].strip() == setting


def test_a_mark_is_coloured_and_nothing_else() -> None:
    plain = render(report(result(CheckStatus.OK, "fine")))[0]

    assert colour(plain) == "GitHub          \x1b[32m✓\x1b[0m fine"
    assert colour("plain text") == "plain text"


def test_the_exit_code_is_that_of_the_worst_result() -> None:
    ok, warning = result(CheckStatus.OK, ""), result(CheckStatus.WARNING, "")
    error, skipped = result(CheckStatus.ERROR, ""), result(CheckStatus.SKIPPED, "")

    codes = [
        report(ok, skipped).exit_code,
        report(ok, warning).exit_code,
        report(warning, error).exit_code,
    ]
    assert codes == [0, 1, 2]
    assert report(warning, ok, error).problems == (error, warning)


def test_one_result_is_one_sentence_with_its_repair() -> None:
    assert result(CheckStatus.ERROR, "wrong", "do it").sentence == "GitHub: wrong → do it"
