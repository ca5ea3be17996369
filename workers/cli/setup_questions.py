"""The questions of `init`: for each area, what is asked, and the settings that follow from the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from workers.cli import setup_values
from workers.cli.setup_session import Changes, Session
from workers.cli.setup_values import key_name
from workers.clients.railway import Railway, VisibleEnvironment
from workers.doctor.check_context import Context
from workers.doctor.results import error
from workers.doctor.slack_check import member_channels
from workers.errors import NotAvailable, RailwayBusy, RailwayRefused
from workers.models.check_results import CheckResult
from workers.runtime.settings import Settings

Ask = Callable[[Session, Changes], Changes | None]
"""The changes that a person wants; None if they skip the area. The second argument holds what was refused before."""
Complete = Callable[[Session, Changes], Changes]
"""The changes with everything that follows from them, such as the environments that a token sees."""

TRY_AGAIN, KEEP = "t", "k"
"""The answers besides another value that a person may give after a refused one."""
ENVIRONMENTS = "TRACKWALKER_ENVIRONMENTS"
UNKNOWN_CHANNEL = "unknown"  # lets the check name what is wrong with the token before a channel is chosen
MAX_CHOICES = 30  # what a person reads; other names can be typed


class TryAgain(Exception):
    """The person wants the same value to be tried again, for example after a change of its rights."""


class Keep(Exception):
    """The person wants the refused value all the same."""


class Undecided(Exception):
    """A setting that only a person can choose is missing, and nobody can be asked."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(result.what)
        self.result = result


def ask_value(session: Session, question: str) -> str:
    """A pasted value that stays visible, "" to skip."""
    return _counted(session, setup_values.pasted(session.console.ask(question)))


def ask_secret(session: Session, question: str, refused: Changes) -> str:
    """A pasted value that is not shown, "" to skip.

    Raises:
        TryAgain, Keep: the person wants the refused value.
    """
    value = setup_values.pasted(session.console.ask_secret(question).get_secret_value())
    if refused and value.lower() == TRY_AGAIN:
        raise TryAgain
    if refused and value.lower() == KEEP:
        raise Keep
    return _counted(session, value)


def _counted(session: Session, value: str) -> str:
    session.answers += bool(value)
    return value


def choose(session: Session, question: str, names: Sequence[str], *, many: bool) -> tuple[int, ...]:
    """The indexes of what a person chooses; empty if they skip the question."""
    session.console.show(f"  {number:2}  {name}" for number, name in enumerate(names[:MAX_CHOICES], 1))
    if len(names) > MAX_CHOICES:
        session.console.show([f"      and {len(names) - MAX_CHOICES} more; type a name"])
    while True:
        answer = session.console.ask(f"{question} (a number or name{', comma-separated' if many else ''})")
        if not answer:
            return ()
        session.answers += 1
        indexes = setup_values.chosen(answer, names)
        if indexes and (many or len(indexes) == 1):
            return indexes
        session.console.show(
            [
                f"That is not in the list: enter a number from 1 to {len(names)} or a name from it, or Enter to skip."
            ]
        )


# ---- Railway ---------------------------------------------------------------------------------


def ask_railway(session: Session, refused: Changes) -> Changes | None:
    """A token of any kind."""
    token = ask_secret(session, "Railway token", refused)
    return {"RAILWAY_API_TOKEN": token} if token else None


def complete_railway(session: Session, changes: Changes) -> Changes:
    """Which kind of token it is, and the environments that it may see and the person chooses."""
    visible, changes = _see(session, changes)
    if not visible or changes.get("RAILWAY_TOKEN"):
        return changes
    wanted = session.value(ENVIRONMENTS)
    settings = {item.setting for item in visible}
    if wanted and all(part.strip() in settings for part in wanted.split(",")):
        return changes | {ENVIRONMENTS: wanted}
    names = [item.label for item in visible]
    indexes = setup_values.chosen(wanted, names) if wanted else None
    if indexes is None and len(visible) == 1 and not wanted:
        indexes = (0,)
    if indexes is None and session.console.is_interactive:
        if wanted:
            session.console.show([f"{ENVIRONMENTS} names an environment that this token does not see."])
        session.console.show(["The token sees these environments:"])
        indexes = choose(session, "Which to watch?", names, many=True)
    return changes | (
        {ENVIRONMENTS: ",".join(visible[index].setting for index in indexes)} if indexes else {}
    )


def _see(session: Session, changes: Changes) -> tuple[list[VisibleEnvironment], Changes]:
    """The environments of the token, and the changes with the token in the setting of its kind."""
    settings = session.with_changes(changes).settings
    environments = _visible(settings)
    token = changes.get("RAILWAY_API_TOKEN")
    if environments or not token:
        return environments, changes
    as_project: Changes = changes | {"RAILWAY_TOKEN": token, "RAILWAY_API_TOKEN": None, ENVIRONMENTS: None}
    own = _visible(session.with_changes(as_project).settings)
    return (own, as_project) if own else ([], changes)


def _visible(settings: Settings) -> list[VisibleEnvironment]:
    railway = Railway(
        settings.railway_api_url, token=settings.railway_api_token, project_token=settings.railway_token
    )
    with closing(railway):
        try:
            return railway.visible_environments()
        except (RailwayBusy, RailwayRefused):
            return []  # the check that follows says why


# ---- Slack -----------------------------------------------------------------------------------


def ask_slack(session: Session, refused: Changes) -> Changes | None:
    """A bot's token, or the address of an incoming webhook; after a refused channel only another channel."""
    if refused.get("SLACK_BOT_TOKEN") and _channels(session, refused) is not None:
        channel = ask_value(session, "Slack channel, for example #on-call")
        if channel.lower() == TRY_AGAIN:
            raise TryAgain
        return {**refused, "SLACK_CHANNEL": channel.lstrip("#")} if channel else None
    value = ask_secret(session, "Slack bot token (xoxb-…), or the address of an incoming webhook", refused)
    if not value:
        return None
    if value.startswith(("http://", "https://")):
        return {"SLACK_WEBHOOK_URL": value, "SLACK_BOT_TOKEN": None, "SLACK_CHANNEL": None}
    return {"SLACK_BOT_TOKEN": value}


def complete_slack(session: Session, changes: Changes) -> Changes:
    """The channel: the one that is set, the only one that the bot is in, or the one that the person names."""
    if not changes.get("SLACK_BOT_TOKEN"):
        return changes
    if channel := changes.get("SLACK_CHANNEL") or session.value("SLACK_CHANNEL"):
        return changes | {"SLACK_CHANNEL": channel.lstrip("#")}
    channels = _channels(session, changes)
    if channels is None:
        return changes | {"SLACK_CHANNEL": UNKNOWN_CHANNEL}  # the check that follows says why
    if len(channels) == 1:
        session.console.show([f"The bot is in one channel: #{channels[0]}"])
        return changes | {"SLACK_CHANNEL": channels[0]}
    return changes | {"SLACK_CHANNEL": _choose_channel(session, channels)}


def _choose_channel(session: Session, channels: Sequence[str]) -> str:
    names = [f"#{name}" for name in channels]
    if not session.console.is_interactive:
        where = (
            f"set it to one of {', '.join(names)}" if names else "name the channel, and invite the bot to it"
        )
        raise Undecided(error("Slack", "SLACK_CHANNEL is not set", where))
    if not names:
        session.console.show(
            ["The bot is in no channel yet: open one in Slack and type /invite @trackwalker"]
        )
        return ask_value(session, "Slack channel, for example #on-call").lstrip("#") or UNKNOWN_CHANNEL
    session.console.show(["The bot is in these channels:"])
    indexes = choose(session, "Which one is for incidents?", names, many=False)
    return channels[indexes[0]] if indexes else UNKNOWN_CHANNEL


def _channels(session: Session, changes: Changes) -> list[str] | None:
    """The channels of the bot, None if Slack refuses the token or does not answer."""
    present = session.with_changes(changes)
    context = Context(present.settings, present.environ, present.folder)
    try:
        return member_channels(context)
    except NotAvailable:
        return None
    finally:
        context.close()


# ---- GitHub and the model --------------------------------------------------------------------


def ask_github(session: Session, refused: Changes) -> Changes | None:
    """A token that may push and open pull requests."""
    token = ask_secret(session, "GitHub token", refused)
    return {"GITHUB_TOKEN": token} if token else None


def ask_model(session: Session, refused: Changes) -> Changes | None:
    """The key of a provider. Most keys tell whose they are, and so which model; the person is asked otherwise."""
    before = str(refused.get("TRACKWALKER_MODEL") or session.value("TRACKWALKER_MODEL"))
    kept = refused.get(key_name(before)) if refused and before else None
    example = ", or another model as provider/model" if kept else ", for example Anthropic or OpenAI"
    key = ask_secret(session, f"API key of the model's provider{example}", refused)
    if not key:
        return None
    if kept and setup_values.is_model(key):
        return {"TRACKWALKER_MODEL": key, key_name(key): kept}
    guess = setup_values.model_for_key(key)
    model = guess if guess and not before else _ask_model_name(session, before or guess)
    return {"TRACKWALKER_MODEL": model, key_name(model): key}


def _ask_model_name(session: Session, default: str | None) -> str:
    shown = default or setup_values.DEFAULT_MODEL
    return ask_value(session, f"Model, as provider/model [{shown}]") or shown
