"""The scenarios during which the pipeline crashes. Each comes to an end by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.crash.boundaries import Boundary
from workers.engine.stage_table import STAGES

SHOP = {"service_id": "svc-shop", "service_name": "shop", "kind": "monitor.triggered", "source": "railway"}
PING = {"kind": "ping", "source": "ping"}
WEB = {"service_id": "svc-web", "service_name": "web", "kind": "monitor.triggered", "source": "railway"}
ROLL_BACK = {"press": "roll_back"}
CHECK_STAGES = ("receiver", "dispatch", "intake", "survey", "analyse")
REPORT_MODE = {"TRACKWALKER_MODE": "report"}
INCOMING_WEBHOOK = {
    "SLACK_BOT_TOKEN": "", "SLACK_CHANNEL": "",
    "SLACK_WEBHOOK_URL": "https://slack.example/services/T0000001/B0000001/webhook-secret",
}  # fmt: skip
REPORT_STAGES = (*CHECK_STAGES, "enrich", "diagnose", "watch", "notify")


OTHER_STAGES = ("pings", "roll_back")
"""Stages that the way from an alert to a verified fix does not pass."""


@dataclass(frozen=True)
class Scenario:
    """A sequence of events, the settings, and the stages in which the process crashes."""

    name: str
    acts: tuple[tuple[str, dict[str, str]], ...]
    """Phases of the outside with the alert that arrives, or the button that a person presses.

    Each begins once nothing is left to do.
    """
    stages: tuple[str, ...]
    """All stages of the scenario."""
    crash_in: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    """The number of Railway's first answers that are 503."""
    refused: bool = False
    """Railway rejects the token."""
    silence: bool = False
    """No ping comes for a while at the end."""
    closes: bool = False
    """A person closes the pull request unmerged."""
    names: tuple[str, ...] = ()
    """Names of the boundaries to crash at, up to the first space; () for all. Other scenarios cover the rest."""
    after: str = ""
    """After a crash at this boundary the next process makes calls that no undisturbed run makes."""

    def crashes_at(self, where: Boundary) -> bool:
        return where.stage in self.crash_in and (not self.names or where.name.split()[0] in self.names)


SCENARIOS = (
    Scenario(
        "an alert becomes a pull request that is merged and verified",
        acts=(("sick", SHOP),),
        stages=("receiver", "dispatch", *(stage for stage in STAGES if stage not in OTHER_STAGES)),
        crash_in=("receiver", "dispatch", *(stage for stage in STAGES if stage not in OTHER_STAGES)),
        after="ask writer",
    ),
    Scenario(
        "a person closes the pull request and the trouble goes away",
        acts=(("sick", SHOP), ("well", PING), ("well", PING)),
        stages=(*REPORT_STAGES, "plan", "fix", "propose"),
        crash_in=("watch",),
        closes=True,
    ),
    Scenario(
        "trouble is reported and resolved after clean sweeps",
        acts=(("sick", SHOP), ("well", PING), ("well", PING)),
        stages=REPORT_STAGES,
        crash_in=("diagnose", "watch"),
        settings=REPORT_MODE,
    ),
    Scenario(
        "a ping finds no problem, and then pings stay away",
        acts=(("well", PING),),
        stages=(*CHECK_STAGES, "pings", "notify"),
        crash_in=("receiver", "intake", "analyse", "pings", "notify"),
        settings={"TRACKWALKER_HEARTBEAT_URL": "https://beat.example/trackwalker"},
        silence=True,
    ),
    Scenario(
        "Railway rejects the token",
        acts=(("sick", SHOP),),
        stages=("receiver", "dispatch", "intake", "survey", "notify"),
        crash_in=("survey", "notify"),
        refused=True,
    ),
    Scenario(
        "Railway is busy, and then everything is healthy",
        acts=(("well", SHOP),),
        stages=(*CHECK_STAGES, "notify"),
        crash_in=("survey", "analyse", "intake", "notify"),
        busy=4,
        names=("open_journal", "wake_journal", "enqueue_on_sweep", "advance", "record", "end", "POST", "claim"),
    ),
    Scenario(
        "Slack is an incoming webhook that cannot be read",
        acts=(("sick", SHOP), ("well", PING), ("well", PING)),
        stages=REPORT_STAGES,
        crash_in=("notify",),
        settings=REPORT_MODE | INCOMING_WEBHOOK,
        names=("record", "advance", "end", "POST"),
    ),
    Scenario(
        "a symptom is suppressed by its cause, and later has its own",
        acts=(("web", WEB), ("both", PING), ("web", PING), ("web", PING), ("all well", PING), ("all well", PING)),
        stages=REPORT_STAGES,
        crash_in=("analyse",),
        settings=REPORT_MODE,
        names=("update_symptoms", "suppress", "unsuppress", "update_recovery"),
    ),
    Scenario(
        "three incidents at once become an incident group",
        acts=(("storm", PING), ("calm", PING), ("calm", PING)),
        stages=REPORT_STAGES,
        crash_in=("notify",),
        settings=REPORT_MODE,
        names=("record", "end", "POST"),
    ),
    Scenario(
        "a person rolls back, and the trouble goes away",
        acts=(("sick", SHOP), ("sick", ROLL_BACK), ("well", PING)),
        stages=(*REPORT_STAGES, "roll_back"),
        crash_in=("receiver", "roll_back"),
        settings=REPORT_MODE,
    ),
)  # fmt: skip
