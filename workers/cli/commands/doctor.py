"""`trackwalker doctor`: check everything that an installation depends on."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, print_json, print_lines, print_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.models.check_results import CheckResult
    from workers.runtime.settings import Settings

HEALTH = "Health now"


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "doctor",
        "check tokens, programs, Redis and the webhook, and name the step that repairs each problem",
        details="Takes at most 20 seconds. Asks the model for one token, and changes nothing.\n"
        "Exit code: 0 if everything works, 1 with warnings, 2 if something does not work.",
        example="doctor --post",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (default: text)")
    parser.add_argument("--quick", action="store_true", help="run only the checks that `up` runs at start")
    parser.add_argument(
        "--only", action="append", default=[], metavar="AREA",
        help="check only this area, for example slack; may be repeated (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--sweep", action="store_true", help="check the services once, too, and show how each is now"
    )
    parser.add_argument("--post", action="store_true", help="post one test message to Slack")
    parser.set_defaults(run=run, without_settings=True)


def run(_: Settings | None, options: argparse.Namespace) -> int:
    """Print the report. Return 0 if everything works, 1 with warnings, 2 with errors."""
    from workers import doctor
    from workers.doctor import report_lines
    from workers.errors import InvalidArgument

    # Checks report by their results; what the clients log besides would stand between the lines.
    logging.getLogger().addHandler(logging.NullHandler())
    areas = {area.lower() for area in options.only}
    every_area = doctor.all_areas()
    if unknown := sorted(areas - {area.lower() for area in every_area}):
        raise InvalidArgument(f"--only {unknown[0]}: no such area; there are {', '.join(every_area)}")
    report = doctor.examine(
        areas=areas, is_quick=options.quick, post_test=options.post, report_progress=_progress(options)
    )
    if options.sweep:
        report = report.model_copy(update={"results": (*report.results, *_health_now())})
    if options.json:
        print_json(report.model_dump(mode="json") | {"exit_code": report.exit_code})
    else:
        print_lines(report_lines.render(report), report_lines.colour if sys.stdout.isatty() else None)
    return report.exit_code


def _health_now() -> list[CheckResult]:
    """How the watched services are now, as `sweep` finds them."""
    from workers.cli.environment_check import check_environments
    from workers.doctor.results import passed, warning
    from workers.errors import TrackwalkerError
    from workers.runtime import settings
    from workers.runtime.text import plural

    try:
        reports = check_environments(settings.read(), datetime.now(UTC), lambda _: None)
    except TrackwalkerError as error:
        return [warning(HEALTH, str(error))]
    results = []
    for report in reports:
        services = report["services"]
        failing = [(service["service"], item) for service in services for item in service["findings"]]
        text = f"{report['environment']}: {plural(len(services), 'service')}, no problem found"
        results += [passed(HEALTH, text)] if not failing else []
        for name, finding in failing:
            repair = f"Trackwalker reports it; to silence it: trackwalker mute {name}"
            results.append(warning(HEALTH, f"{name}: {finding['sentence']}", repair))
    return results


def _progress(options: argparse.Namespace) -> Callable[[str], None]:
    if options.json or not sys.stderr.isatty():
        return lambda _: None
    return lambda area: print_progress(f"{area} checked")
