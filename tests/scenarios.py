"""What the line lives through while it is killed: each comes to an end by itself."""

from __future__ import annotations

from tests.mortal_line import PING, SHOP, Scenario
from workers.broker import STAGES

WEB = {"service_id": "svc-web", "service_name": "web", "kind": "monitor.triggered", "source": "railway"}
LOOK = ("door", "move", "intake", "survey", "analyse")
REPORT = {"TRACKWALKER_MODE": "report"}
HOOK = {
    "SLACK_BOT_TOKEN": "", "SLACK_CHANNEL": "",
    "SLACK_WEBHOOK_URL": "https://slack.example/services/T0000001/B0000001/webhook-secret",
}  # fmt: skip
TOLD = (*LOOK, "enrich", "diagnose", "watch", "tell")

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
        stages=(*TOLD, "plan", "mend", "propose"),
        die_in=("watch",),
        closes=True,
    ),
    Scenario(
        "trouble is reported and over after clean sweeps",
        acts=(("sick", SHOP), ("well", PING), ("well", PING)),
        stages=TOLD,
        die_in=("diagnose", "watch", "tell"),
        settings=REPORT,
    ),
    Scenario(
        "a ping finds nothing, and then none comes",
        acts=(("well", PING),),
        stages=(*LOOK, "pings", "tell"),
        die_in=("door", "intake", "analyse", "pings", "tell"),
        settings={"TRACKWALKER_HEARTBEAT_URL": "https://beat.example/trackwalker"},
        silence=True,
    ),
    Scenario(
        "Railway knows no such token",
        acts=(("sick", SHOP),),
        stages=("door", "move", "intake", "survey", "tell"),
        die_in=("survey", "tell"),
        refused=True,
    ),
    Scenario(
        "Railway is busy, and then all looks well",
        acts=(("well", SHOP),),
        stages=(*LOOK, "tell"),
        die_in=("survey", "analyse", "intake", "tell"),
        busy=4,
        only=("OPEN", "RAISE", "ATTACH", "HAND_ON", "RECORD", "END", "POST", "CLAIM"),
    ),
    Scenario(
        "Slack takes words and gives none back",
        acts=(("sick", SHOP), ("well", PING), ("well", PING)),
        stages=TOLD,
        die_in=("tell",),
        settings=REPORT | HOOK,
    ),
    Scenario(
        "a symptom joins its cause, and stands for itself again",
        acts=(("web", WEB), ("both", PING), ("web", PING), ("web", PING), ("all well", PING), ("all well", PING)),
        stages=TOLD,
        die_in=("analyse", "watch"),
        settings=REPORT,
        only=("OPEN_INCIDENT", "SUFFER", "JOIN", "ON_ITS_OWN", "CLEAN", "END", "HAND_ON"),
    ),
)  # fmt: skip
