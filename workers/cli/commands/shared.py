"""Arguments, output and connections that several commands share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from workers.engine.journal_store import JournalStore
    from workers.models import ActionKind, ActionResult
    from workers.runtime.settings import Settings

EXACT_ID_HELP = "a whole id as `list` prints it; a unique part is confirmed on a terminal"
ID_HELP = "an id as `list` prints it, or a unique part of one, for example 3f9c2a"


class Subparsers(Protocol):
    """The part of argparse's subparsers action that commands use; argparse keeps the type's name private."""

    def add_parser(
        self, name: str, *, help: str, description: str, epilog: str,  # noqa: A002 (argparse's name)
        formatter_class: type[argparse.HelpFormatter],
    ) -> argparse.ArgumentParser: ...  # fmt: skip


def add_command(
    subparsers: Subparsers, name: str, summary: str, *, details: str = "", example: str
) -> argparse.ArgumentParser:
    """Declare a command.

    Args:
        summary: one line for the list of all commands.
        details: sentences that follow the summary in the help of the command itself.
        example: valid arguments, without `trackwalker`.
    """
    return subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n{details}".strip(),
        epilog=f"example:\n  trackwalker {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_id(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names a journal."""
    parser.add_argument("id", metavar="ID", help=ID_HELP)


def add_exact_id(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names the journal which a command changes."""
    parser.add_argument("id", metavar="ID", help=EXACT_ID_HELP)
    add_yes(parser)


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Declare `--yes`."""
    parser.add_argument("--yes", action="store_true", help="do not ask, for scripts")


def add_end(parser: argparse.ArgumentParser, default: str) -> None:
    """Declare `--for` and `--until`; `default` is a duration, "" for no end."""
    end = parser.add_mutually_exclusive_group()
    shown = default or "until somebody undoes it"
    end.add_argument(
        "--for",
        dest="span",
        metavar="DURATION",
        default=default,
        help=f"90s, 30m, 4h or 2d (default: {shown})",
    )
    end.add_argument(
        "--until", metavar="TIME", help="for example 9:00 or 2026-12-24T09:00, in TRACKWALKER_TIMEZONE"
    )


def read_end(settings: Settings, options: argparse.Namespace) -> datetime | None:
    """The end that `--for` or `--until` names; None without one. Raises Refused for an unreadable one."""
    from datetime import UTC
    from zoneinfo import ZoneInfo

    from workers.cli.end_times import read_until
    from workers.incidents.controls import parse_duration

    now = datetime.now(UTC)
    if options.until:
        return read_until(options.until, now, ZoneInfo(settings.timezone))
    return now + timedelta(seconds=parse_duration(options.span)) if options.span else None


def run_on_journal(
    settings: Settings, options: argparse.Namespace, kind: ActionKind, verb: str, *, stage: str = "",
    until: datetime | None = None, reason: str = "",
) -> int:  # fmt: skip
    """Perform an action on the journal that the command names, and print its result; the exit code.

    Args:
        verb: what it does, for the question that confirms a part of an id.
    """
    from zoneinfo import ZoneInfo

    from workers.cli.console import standard_console
    from workers.cli.exact_id import resolve
    from workers.cli.person import act

    store = open_store(settings)
    target = resolve(store, options.id, verb, standard_console(), yes=options.yes)
    zone = ZoneInfo(settings.timezone)
    return print_result(act(store, kind, target, stage=stage, until=until, reason=reason, zone=zone))


def add_json(parser: argparse.ArgumentParser, unit: str) -> None:
    """Declare `--json`; `unit` is the noun for its output."""
    parser.add_argument("--json", action="store_true", help=f"print {unit} (default: text)")


def open_store(settings: Settings) -> JournalStore:
    """The journals in Redis.

    Raises:
        NotAvailable: Redis does not answer; the error names the setting or the process to check.
        SettingsError: REDIS_URL is malformed, or not set while no embedded Valkey is running.
    """
    from workers.engine.journal_store import JournalStore
    from workers.errors import NotAvailable
    from workers.runtime.store import connect

    store = JournalStore(connect(settings))
    try:
        store.ping()
    except NotAvailable as error:
        hint = (
            "check REDIS_URL"
            if settings.redis_url
            else "the embedded Valkey runs only while `trackwalker up` does"
        )
        raise NotAvailable(f"{error} ({hint})") from None
    return store


def require_sweep_settings(settings: Settings) -> None:
    """Raise SettingsError, which lists them, if settings that every sweep requires are not set."""
    from workers.errors import SettingsError
    from workers.runtime.settings_check import Need, missing

    lacking = [setting for setting in missing(settings) if setting.need is Need.SWEEPS]
    if lacking:
        raise SettingsError(
            *((setting.label, f"not set; it {setting.purpose}. {setting.how}") for setting in lacking)
        )


def print_lines(
    lines: Iterable[str], colour: Callable[[str], str] | None = None, file: TextIO | None = None
) -> None:
    """Print the lines of a result. Every command prints by it or by `print_json`: their text may be untrusted.

    Args:
        colour: adds colours to a line that has been cleaned.
        file: None for standard output.
    """
    from workers.runtime.text import safe_row

    rows = map(safe_row, lines)
    print("\n".join(map(colour, rows) if colour else rows), flush=True, file=file)


def print_result(result: ActionResult) -> int:
    """Print the answer to an action; the exit code: 1 if nothing was changed."""
    print_lines(result.text.split("\n"))
    return 0 if result.done else 1


def print_json(value: object) -> None:
    """Print a result as one line of JSON, in ASCII, with every text in it cleaned and redacted."""
    from workers.runtime.text import safe_value

    print(json.dumps(safe_value(value)), flush=True)


def print_progress(text: str) -> None:
    """Print to standard error; standard output is for the result alone."""
    from workers.runtime.text import safe_line

    print(f"trackwalker: {safe_line(text)}", file=sys.stderr, flush=True)


def print_error(error: Exception) -> None:
    """Print an error to standard error, cleaned and redacted: it may quote untrusted text."""
    from workers.runtime.text import safe_line

    lines = [
        safe_line(line) if number == 0 else f"  {safe_line(line)}"
        for number, line in enumerate(str(error).split("\n"))
    ]
    print("trackwalker:", "\n".join(lines), file=sys.stderr)
