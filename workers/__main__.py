"""The commands for people: `python -m workers up | list | show | retry | cancel | replay | pause | mend | …`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from workers.errors import NotAvailable, SettingsError, TrackwalkerError
from workers.runtime import logs, settings
from workers.runtime.settings import Settings
from workers.runtime.text import INVISIBLE

TO_LOOK = ("RAILWAY", "TRACKWALKER_ENVIRONMENTS")
"""How the sentences of `settings.missing` begin without which nothing can be looked at."""

ID = "an id as `list` shows it, or a part that no other one has"

log = logging.getLogger("trackwalker.up")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked, 1 when it could not, 2 when it was asked wrongly."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(settings.read(), options))
    except TrackwalkerError as error:
        _complain(error)
        return 1
    except BrokenPipeError:
        # Who reads our lines has seen enough; what is left must not be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"trackwalker: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers", description="Trackwalker's commands")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    up = command("up", _up, "run web, worker and clock from the Procfile in the foreground")
    up.add_argument("--procfile", type=Path, default=Path("Procfile"))
    listed = command("list", _list, "what is due and why, what is open, what ended lately")
    listed.add_argument(
        "--limit", type=_count, default=None, help="so many of each kind; else 50, and 20 endings"
    )
    listed.add_argument("--all", action="store_true", help="all of them")
    listed.add_argument("--json", action="store_true", help="for machines")
    show = command("show", _show, "what a journal recorded, stage by stage")
    show.add_argument("id", help=ID)
    show.add_argument("--json", action="store_true", help="everything, for machines")
    command("pause", _pause, "no effect acts until `resume`")
    command("resume", _resume, "take the pause back")
    mute = command("mute", _mute, "nothing is done or told about a service for a while")
    mute.add_argument("service")
    mute.add_argument("--for", dest="span", default="4h", help="90s, 30m, 4h, 2d; 0s ends a mute")
    mend = command("mend", _mend, "let the agent mend an incident that was only told")
    mend.add_argument("id", help="an incident's id, or `all`")
    command("cancel", _cancel, "end a journal now, whoever works on it").add_argument("id", help=ID)
    retry = command("retry", _retry, "have a journal worked on now, from where it stands or from a stage")
    retry.add_argument("id", help=ID)
    retry.add_argument(
        "--from", dest="stage", metavar="STEP", help="forget what this stage and later ones made"
    )
    replay = command(
        "replay", _replay, "judge the recorded facts again: same (0), differs (1), cannot be (2)"
    )
    replay.add_argument("id", help=ID)
    sweep = command("sweep", _sweep, "look once at what is watched; tell nobody, store nothing")
    sweep.add_argument("--json", action="store_true", help="one JSON line an environment")
    sweep.add_argument("--no-past", action="store_true", help="judge the window alone, read no past")
    lookback = command("lookback", _lookback, "what would have been reported over days gone by; tell nobody")
    lookback.add_argument("--days", type=_days, default=7.0, help="1 to 30, default 7")
    lookback.add_argument("--service", help="only what concerns the service of this name")
    lookback.add_argument("--json", action="store_true", help="one JSON line an environment")
    judge = command("judge", _judge, "what would be said of windows written as JSON lines; needs no settings")
    judge.add_argument("file", type=Path, help="a file of JSON lines, or - for standard input")
    return parser


def _up(config: Settings, options: argparse.Namespace) -> int:
    from workers.runtime import supervise

    logs.configure("up")
    lacks = settings.missing(config)
    needed = [lack for lack in lacks if lack.startswith(("TRACKWALKER_SECRET", *TO_LOOK))]
    others = [lack for lack in lacks if lack not in needed]
    if needed:
        print("\n  ".join(["trackwalker: without these nothing can be looked at:", *needed]), file=sys.stderr)
        if others:
            print("\n  ".join(["not set either:", *others]), file=sys.stderr)
        return 2
    for lack in others:
        log.warning("not set", extra={"setting": lack})
    if not options.procfile.is_file():
        print(f"trackwalker: no {options.procfile}: run from the project's folder", file=sys.stderr)
        return 2
    _warn_of_what_may_pass(config)
    log.info(
        "starting", extra={"doors": f"{config.url}/hooks/railway, /hooks/slack, /ping", "mode": config.mode}
    )
    if config.model:
        log.info("code and log patterns of sick services go to a model", extra={"model": config.model})
    return supervise.up(config, options.procfile)


def _warn_of_what_may_pass(config: Settings) -> None:
    """A port that is taken and a store that is away: each is tried again until it is well."""
    from workers.runtime import supervise

    trouble = supervise.port_trouble(config.port)
    if trouble:
        log.warning("the doors stay shut", extra={"setting": f"PORT={config.port}", "why": trouble})
    if config.redis_url:
        try:
            _journal(config)
        except NotAvailable as error:
            log.warning("nothing can be done yet", extra={"why": str(error)})


def _list(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import listing

    limit = None if options.all else listing.LIMIT if options.limit is None else options.limit
    journal, now = _journal(config), datetime.now(UTC)
    if options.json:
        print(json.dumps(listing.collect(journal, now, limit)))
    else:
        print("\n".join(listing.overview(journal, now, limit)))
    return 0


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(text)


def _show(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import show

    journal = _journal(config)
    if options.json:
        print(json.dumps(show.everything(journal, options.id)))
    else:
        print("\n".join(show.show(journal, options.id, datetime.now(UTC))))
    return 0


def _pause(config: Settings, _options: argparse.Namespace) -> int:
    from workers.incidents import controls

    controls.pause(_journal(config))
    print("paused: nothing is proposed, told or mended until `python -m workers resume`")
    return 0


def _resume(config: Settings, _options: argparse.Namespace) -> int:
    from workers.incidents import controls

    controls.resume(_journal(config))
    print("resumed: what waited goes on within half a minute")
    return 0


def _mute(config: Settings, options: argparse.Namespace) -> int:
    from workers.incidents import controls

    seconds = controls.parse_duration(options.span)
    controls.mute(_journal(config), options.service, time.time() + seconds)
    if not seconds:
        print(f"{options.service} is not muted")
        return 0
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    print(f"{options.service} is muted until {end:%Y-%m-%d %H:%M} UTC")
    return 0


def _mend(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import listing

    done = listing.mend(_journal(config), options.id)
    print("\n".join(done) or "nothing to mend: no open incident waits without a pull request")
    return 0


def _cancel(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import control

    print("\n".join(control.cancel(_journal(config), options.id)))
    return 0


def _retry(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import control

    print("\n".join(control.retry(_journal(config), options.id, options.stage)))
    return 0


def _replay(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import replay

    try:
        code, lines = replay.replay(_journal(config), options.id, config.min_duration_minutes)
    except TrackwalkerError as error:
        # 1 says that the verdict differs.
        _complain(error)
        return replay.IMPOSSIBLE
    print("\n".join(lines))
    return code


def _sweep(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import sweep

    _needs_to_look(config)
    found = sweep.check_environments(config, datetime.now(UTC), _aside, use_history=not options.no_past)
    for report in found:
        print(json.dumps(report) if options.json else "\n".join(sweep.render(report)))
    return 0


def _judge(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import evaluate

    bad = 0
    with sys.stdin.buffer if str(options.file) == "-" else options.file.open("rb") as lines:
        for said in evaluate.evaluate_lines(lines, min_duration_minutes=config.min_duration_minutes):
            print(said.text, flush=str(options.file) == "-")
            bad += not said.is_valid
    if bad:
        print(f"trackwalker: {bad} line{'s' if bad > 1 else ''} could not be judged", file=sys.stderr)
    return 1 if bad else 0


def _lookback(config: Settings, options: argparse.Namespace) -> int:
    from workers.cli import lookback
    from workers.cli.lookback import report

    _needs_to_look(config)
    looks = lookback.backtest(config, options.days, datetime.now(UTC), _aside, service=options.service)
    for looked in looks:
        result = report.report(looked, options.service)
        print(json.dumps(result) if options.json else "\n".join(report.render(result)), flush=True)
    return 0


def _days(text: str) -> float:
    """A number of days that Railway may still hold."""
    from workers.cli.lookback import MAX_DAYS

    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 1 <= days <= MAX_DAYS:
        raise argparse.ArgumentTypeError(
            f"must be a number from 1 to {MAX_DAYS}, Railway keeps nothing longer"
        )
    return days


def _needs_to_look(config: Settings) -> None:
    lacks = [lack for lack in settings.missing(config) if lack.startswith(TO_LOOK)]
    if lacks:
        raise SettingsError("\n  ".join(["not set:", *lacks]))


def _complain(error: TrackwalkerError) -> None:
    """What went wrong may quote what others wrote: it steers no terminal."""
    lines = [INVISIBLE.sub(" ", line) for line in str(error).split("\n")]
    print("trackwalker:", "\n".join(lines), file=sys.stderr)


def _aside(words: str) -> None:
    """Said beside the result, which alone goes to stdout."""
    print(f"trackwalker: {words}", file=sys.stderr, flush=True)


def _journal(config: Settings):  # type: ignore[no-untyped-def]  # imported late: a typo must not cost a connection
    from workers.engine.journal import JournalStore
    from workers.runtime.store import connect

    journal = JournalStore(connect(config))
    try:
        journal.ping()
    except NotAvailable as error:
        hint = (
            "check REDIS_URL"
            if config.redis_url
            else "the embedded one runs while `python -m workers up` does"
        )
        raise NotAvailable(f"{error} ({hint})") from None
    return journal


if __name__ == "__main__":
    sys.exit(main())
