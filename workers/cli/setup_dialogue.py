"""Leads a person, or a script, through the settings: asks, tries each answer at once, and writes what is accepted."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from workers.cli import setup_questions
from workers.cli.setup_questions import UNKNOWN_CHANNEL, Ask, Complete, Keep, TryAgain, Undecided
from workers.cli.setup_session import Changes, Session, has_errors
from workers.cli.setup_values import key_name
from workers.models.check_results import CheckResult

SECRET_BYTES = 32  # of a new TRACKWALKER_SECRET
RETRY_HINT = "Paste another one, or t to try the same again, k to keep it all the same, Enter to skip."


@dataclass(frozen=True)
class Area:
    """A part of the product with its settings.

    Args:
        name: as the checks of `doctor` name it.
        names: its settings.
        credentials: those of its settings of which one has to be set.
        purpose: what it is for, and where its values come from; lines for people.
        without: what is missing without it.
    """

    name: str
    names: tuple[str, ...]
    credentials: tuple[str, ...]
    purpose: tuple[str, ...]
    without: str
    ask: Ask
    complete: Complete


def _as_it_is(_: Session, changes: Changes) -> Changes:
    return changes


AREAS = (
    Area(
        "Railway", ("RAILWAY_API_TOKEN", "RAILWAY_TOKEN", setup_questions.ENVIRONMENTS),
        ("RAILWAY_API_TOKEN", "RAILWAY_TOKEN"),
        (
            "reads deployments, metrics and logs of the environment to watch",
            "Create a workspace or account token at https://railway.com/account/tokens",
        ),
        "nothing is watched", setup_questions.ask_railway, setup_questions.complete_railway,
    ),
    Area(
        "Slack", ("SLACK_BOT_TOKEN", "SLACK_CHANNEL", "SLACK_WEBHOOK_URL"), ("SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL"),
        (
            "gets one message per incident",
            "Create an app from deploy/slack-app.yaml at https://api.slack.com/apps?new_app=1, install it,",
            "copy its Bot User OAuth Token, and type /invite @trackwalker in the channel",
        ),
        "incidents are only logged, and shown on the incident page",
        setup_questions.ask_slack, setup_questions.complete_slack,
    ),
    Area(
        "GitHub", ("GITHUB_TOKEN", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"), ("GITHUB_TOKEN", "GITHUB_APP_ID"),
        (
            "holds the code: causes are looked for in it, fixes become pull requests",
            "Create a token for the watched repositories, with Contents and Pull requests read and write, at",
            "https://github.com/settings/personal-access-tokens/new?name=Trackwalker&contents=write&pull_requests=write",
        ),
        "no code is read and no pull request is opened", setup_questions.ask_github, _as_it_is,
    ),
    Area(
        "Model", ("TRACKWALKER_MODEL",), ("TRACKWALKER_MODEL",),
        (
            "writes the fixes, in a sandbox and within TRACKWALKER_MAX_COST_PER_DAY_USD (20)",
            "Create a key, for example at https://console.anthropic.com/settings/keys",
        ),
        "causes are found, and no fix is written", setup_questions.ask_model, _as_it_is,
    ),
)  # fmt: skip


def run_dialogue(session: Session) -> None:
    """Settle every area. After each of them `.env` holds what was accepted so far.

    Raises:
        EOFError, KeyboardInterrupt: the person stops.
    """
    if session.console.is_interactive:
        session.console.show(
            [
                f"Settings go to {session.path.absolute()}.",
                "Enter skips a question. Ctrl-C stops and keeps what was accepted.",
            ]
        )
    if not session.value("TRACKWALKER_SECRET"):
        session.accept({"TRACKWALKER_SECRET": secrets.token_urlsafe(SECRET_BYTES)})
    for number, area in enumerate(AREAS, 1):
        _settle(session, area, f"{number}/{len(AREAS)}")


def _settle(session: Session, area: Area, number: str) -> None:
    present = {name: value for name in _names(session, area) if (value := session.value(name))}
    changes: Changes = dict(present)
    is_known = any(name in changes for name in area.credentials)
    if session.console.is_interactive:
        session.console.show(["", f"{number}  {area.name} {area.purpose[0]}"])
        session.console.show(f"     {line}" for line in area.purpose[1:] if not is_known)
    while True:
        if is_known:
            changes, results = _try(session, area, changes)
            if not has_errors(results):
                _accept(session, changes)
                return
        try:
            answer = _ask(session, area, changes if is_known else {})
        except TryAgain:
            continue
        except Keep:
            _accept(session, changes)
            return
        if answer is None:
            _give_up(session, area, is_known=is_known)
            return
        changes, is_known = answer, True


def _names(session: Session, area: Area) -> tuple[str, ...]:
    """The settings of the area, with the variable of the model's key."""
    model = session.value("TRACKWALKER_MODEL")
    return area.names if area.name != "Model" or not model else (*area.names, key_name(model))


def _try(session: Session, area: Area, changes: Changes) -> tuple[Changes, tuple[CheckResult, ...]]:
    """The changes with what follows from them, and the results of the check."""
    try:
        completed = area.complete(session, changes)
    except Undecided as undecided:
        session.show((undecided.result,))
        return changes, (undecided.result,)
    return completed, session.check(area.name, completed)


def _ask(session: Session, area: Area, refused: Changes) -> Changes | None:
    if not session.console.is_interactive:
        return None
    if refused:
        session.console.show([RETRY_HINT])
    return area.ask(session, refused)


def _accept(session: Session, changes: Changes) -> None:
    """Write the settings; a channel that nobody has chosen is not one of them."""
    session.accept({name: value for name, value in changes.items() if value != UNKNOWN_CHANNEL})


def _give_up(session: Session, area: Area, *, is_known: bool) -> None:
    (session.refused if is_known else session.skipped).append(area.name)
    if not is_known:
        session.console.show([f"{area.name}: skipped, so {area.without}"])
