"""The end of `init`: the webhook, a look back at the last week, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from workers.cli import lookback
from workers.cli.lookback import Backtest
from workers.cli.setup_session import Session
from workers.cli.webhook_installation import InstallOptions, install
from workers.clients import deadline
from workers.doctor import railway_webhook
from workers.errors import NotAvailable, Refused, SettingsError
from workers.runtime.settings import Settings
from workers.runtime.text import plural

DAYS = 7.0  # that the look back covers
READY_SECONDS = 5.0  # in which a running receiver answers
FIXABLE_KINDS = frozenset(
    (
        "server_errors",
        "latency",
        "memory_growth",
        "oom_killed",
        "crashed",
        "restart_loop",
        "failed_deployment",
    )
)
"""Kinds of trouble that a change of the code may end. How many of them it really would, only a diagnosis tells."""


def finish(session: Session, *, register: bool | None, look_back: bool) -> None:
    """Offer the webhook, look back, and name the next steps.

    Args:
        register: whether to register the webhook; None asks, and does not without a terminal.
        look_back: whether to read the last week from Railway.
    """
    settings = session.present.settings
    is_watching = "Railway" not in (*session.skipped, *session.refused)
    session.console.show(["", *_summary(session)])
    if is_watching:
        _offer_webhook(session, settings, register)
        if look_back:
            _look_back(session, settings)
    session.console.show(
        ["", "Next:", "  trackwalker up       start it", "  trackwalker doctor   check everything"]
    )


def _summary(session: Session) -> list[str]:
    number = len([value for value in session.accepted.values() if value])
    lines = [f"{plural(number, 'setting')} in {session.path.absolute()}, which only you can read."]
    if session.refused:
        lines.append(
            f"Not working yet: {', '.join(session.refused)}. Run `trackwalker init` again after the repair."
        )
    if session.skipped:
        lines.append(f"Not set: {', '.join(session.skipped)}. `trackwalker init` asks again.")
    return lines


# ---- the webhook -----------------------------------------------------------------------------


def _offer_webhook(session: Session, settings: Settings, register: bool | None) -> None:
    if railway_webhook.address_problem(settings.url):
        minutes = f"{settings.ping_minutes:g}"
        session.console.show(
            [
                "",
                f"Without a public address Trackwalker checks every {minutes} minutes. For alerts within seconds set",
                "TRACKWALKER_PUBLIC_URL to the https address of this installation, then run `trackwalker install`.",
            ]
        )
        return
    if register is None and session.console.is_interactive:
        session.console.show([""])
        register = session.console.confirm(f"Register the webhook in Railway, to {settings.url}?")
    if not register:
        session.console.show(["Webhook: not registered. `trackwalker install` does it."])
        return
    is_running = _is_running(settings.url)
    # A rule that an earlier installation has left would send its secret.
    has_new_secret = "TRACKWALKER_SECRET" in session.accepted
    try:
        install(settings, InstallOptions(yes=True, test=is_running, renew=has_new_secret), session.console)
    except (NotAvailable, Refused, SettingsError) as error:
        session.console.show([f"Webhook: {error}. Try `trackwalker install` later."])
        return
    if not is_running:
        session.console.show(
            ["Test it once Trackwalker runs: `trackwalker up`, then `trackwalker install` again."]
        )


def _is_running(url: str) -> bool:
    """True if a receiver answers at the public address, as far as this machine can tell."""
    try:
        with deadline.client(timeout=READY_SECONDS) as http, deadline.within(READY_SECONDS):
            return http.get(f"{url}/ready").is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


# ---- the look back ---------------------------------------------------------------------------


def _look_back(session: Session, settings: Settings) -> None:
    hint = " Ctrl-C skips this." if session.console.is_interactive else ""
    session.console.show(["", f"Reading the last {DAYS:g} days from Railway.{hint}"])
    try:
        backtests = list(lookback.backtest(settings, DAYS, datetime.now(UTC), session.console.show_progress))
    except (NotAvailable, Refused) as error:
        session.console.end_progress()
        session.console.show(
            [f"The look back is not possible now: {error}. Try `trackwalker lookback` later."]
        )
        return
    except KeyboardInterrupt:
        session.console.end_progress()
        session.console.show(["Skipped. `trackwalker lookback` shows the last days at any time."])
        return
    session.console.end_progress()
    session.console.show(lookback_lines(backtests, can_fix=settings.can_fix))


def lookback_lines(backtests: Sequence[Backtest], *, can_fix: bool) -> list[str]:
    """One sentence about what Trackwalker would have done in the last days."""
    incidents = [incident for backtest in backtests for incident in backtest.simulation.incidents]
    days = min((backtest.window.seconds / 86_400 for backtest in backtests), default=0.0)
    fixes = sum(bool(FIXABLE_KINDS & set(incident.kinds)) for incident in incidents)
    span = f"In the last {days:.0f} days" if round(days) > 1 else "In the last day"
    if not incidents:
        return [f"{span} Trackwalker would not have written to you: nothing was wrong."]
    times = "once" if len(incidents) == 1 else f"{len(incidents)} times"
    text = f"{span} Trackwalker would have written to you {times}"
    if can_fix:
        text += f" and opened up to {plural(fixes, 'fix')}" if fixes else " and opened no fix"
    return [f"{text}.", "`trackwalker lookback` lists the incidents."]
