"""What the line lives through while it is killed: each comes to an end by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.crash.boundaries import Boundary
from workers.engine.stage_table import STAGES

SHOP = {"service_id": "svc-shop", "service_name": "shop", "kind": "monitor.triggered", "source": "railway"}
PING = {"kind": "ping", "source": "ping"}
WEB = {"service_id": "svc-web", "service_name": "web", "kind": "monitor.triggered", "source": "railway"}
LOOK = ("door", "move", "intake", "survey", "analyse")
REPORT = {"TRACKWALKER_MODE": "report"}
HOOK = {
    "SLACK_BOT_TOKEN": "", "SLACK_CHANNEL": "",
    "SLACK_WEBHOOK_URL": "https://slack.example/services/T0000001/B0000001/webhook-secret",
}  # fmt: skip
TOLD = (*LOOK, "enrich", "diagnose", "watch", "notify")


@dataclass(frozen=True)
class Scenario:
    """What happens, how the installation is set up, and where it is died in."""

    name: str
    acts: tuple[tuple[str, dict[str, str]], ...]
    """One after the other, each when nothing is to be done any more: how the world is now, who knocks at the door."""
    stages: tuple[str, ...]
    """Those it comes through."""
    die_in: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    """So many answers of Railway are 503 first."""
    refused: bool = False
    """Railway knows no such token."""
    silence: bool = False
    """No ping comes for a while in the end."""
    closes: bool = False
    """A human closes the pull request unmerged."""
    only: tuple[str, ...] = ()
    """Not all boundaries of those stages, but these, as others are the same elsewhere."""
    after: str = ""
    """A death after this asks of the outside what no undisturbed life does."""

    def dies_at(self, where: Boundary) -> bool:
        return where.stage in self.die_in and (not self.only or where.name.split()[0] in self.only)


SCENARIOS = (
    Scenario(
        "an alert becomes a pull request that is merged and holds",
        acts=(("sick", SHOP),),
        stages=("door", "move", *(stage for stage in STAGES if stage != "pings")),
        die_in=("door", "move", *(stage for stage in STAGES if stage != "pings")),
        after="ask writer",
    ),
    Scenario(
        "a human closes the pull request, and the trouble goes away",
        acts=(("sick", SHOP), ("well", PING), ("well", PING)),
        stages=(*TOLD, "plan", "fix", "propose"),
        die_in=("watch",),
        closes=True,
    ),
    Scenario(
        "trouble is reported and over after clean sweeps",
        acts=(("sick", SHOP), ("well", PING), ("well", PING)),
        stages=TOLD,
        die_in=("diagnose", "watch"),
        settings=REPORT,
    ),
    Scenario(
        "a ping finds nothing, and then none comes",
        acts=(("well", PING),),
        stages=(*LOOK, "pings", "notify"),
        die_in=("door", "intake", "analyse", "pings", "notify"),
        settings={"TRACKWALKER_HEARTBEAT_URL": "https://beat.example/trackwalker"},
        silence=True,
    ),
    Scenario(
        "Railway knows no such token",
        acts=(("sick", SHOP),),
        stages=("door", "move", "intake", "survey", "notify"),
        die_in=("survey", "notify"),
        refused=True,
    ),
    Scenario(
        "Railway is busy, and then all looks well",
        acts=(("well", SHOP),),
        stages=(*LOOK, "notify"),
        die_in=("survey", "analyse", "intake", "notify"),
        busy=4,
        only=("open_journal", "wake_journal", "enqueue_on_sweep", "advance", "record", "end", "POST", "claim"),
    ),
    Scenario(
        "Slack takes words and gives none back",
        acts=(("sick", SHOP), ("well", PING), ("well", PING)),
        stages=TOLD,
        die_in=("notify",),
        settings=REPORT | HOOK,
        only=("record", "advance", "end", "POST"),
    ),
    Scenario(
        "a symptom joins its cause, and stands for itself again",
        acts=(("web", WEB), ("both", PING), ("web", PING), ("web", PING), ("all well", PING), ("all well", PING)),
        stages=TOLD,
        die_in=("analyse",),
        settings=REPORT,
        only=("update_symptoms", "suppress", "unsuppress", "update_recovery"),
    ),
    Scenario(
        "three troubles at once stand under one umbrella",
        acts=(("storm", PING), ("calm", PING), ("calm", PING)),
        stages=TOLD,
        die_in=("notify",),
        settings=REPORT,
        only=("record", "end", "POST"),
    ),
)  # fmt: skip
