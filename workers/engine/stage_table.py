"""Every stage, described once: which journals it works on, its queue, its records and its deadline.

The pipeline registers a handler for each of these stages. The engine, the command line and the incidents read the
table for queues, for the order of stages and for the records that a retry discards.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from workers.engine import records
from workers.engine.codec import Record

DEFAULT_DEADLINE_SECONDS = 300.0  # of a stage that starts no agent, pushes nothing and runs no tests


@dataclass(frozen=True)
class Stage:
    """One unit of work on a journal.

    Args:
        name: value of the hash field `stage`, and the name of the stage's Dramatiq actor.
        kind: the kind of journal that it works on, which is how the journal's id begins; "" for the ping watchdog,
            a single journal that no command cancels or retries.
        queue: the Dramatiq queue of its messages.
        needs: records of an earlier stage; the stage can start when one of them is there.
        makes: records that this stage computes, and that a retry from this stage discards. `outcome` stands for
            the outcomes that earlier stages record as well.
        deadline_seconds: the lease is not renewed beyond this.
    """

    name: str
    kind: str
    queue: str
    needs: tuple[Record[Any], ...] = ()
    makes: tuple[Record[Any], ...] = ()
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS

    def can_start(self, fields: Container[str]) -> bool:
        """True if the hash fields of a journal include a record that the stage needs."""
        return not self.needs or any(record.field in fields for record in self.needs)


ALERT = "alert"
SWEEP = "sweep"
INCIDENT = "incident"
NOTIFICATION = "notification"
ROLLBACK = "rollback"
JOURNAL_KINDS = (ALERT, SWEEP, INCIDENT, NOTIFICATION, ROLLBACK)  # an id is `<kind>:…`

INTAKE = Stage("intake", ALERT, queue="sweeps")
SURVEY = Stage("survey", SWEEP, queue="sweeps", makes=(records.SURVEY,))
ANALYSE = Stage(
    "analyse", SWEEP, queue="sweeps", needs=(records.SURVEY,), makes=(records.FINDINGS, records.OPENED_AT)
)
ENRICH = Stage("enrich", INCIDENT, queue="incidents", makes=(records.EVIDENCE,))
DIAGNOSE = Stage("diagnose", INCIDENT, queue="incidents", needs=(records.EVIDENCE,), makes=(records.VERDICT,))
PLAN = Stage(
    "plan",
    INCIDENT,
    queue="fixes",
    needs=(records.VERDICT,),
    makes=(records.READER_CALLS, records.INTERIM, records.PLAN),
    deadline_seconds=1800.0,  # one run of the reading agent takes up to 900 s, and the clone may be cold
)
FIX = Stage(
    "fix",
    INCIDENT,
    queue="fixes",
    needs=(records.PLAN,),
    makes=(records.BASE, records.RUNNER_HINT, records.WRITER_CALLS, records.FIX, records.VERIFICATION),
    deadline_seconds=3600.0,  # one run of the writing agent takes up to 1500 s; the checks run before and after
)
PROPOSE = Stage(
    "propose",
    INCIDENT,
    queue="incidents",
    needs=(records.VERIFICATION,),
    makes=(records.WOULD_PROPOSE, records.OUTCOME),
    deadline_seconds=900.0,  # clone, commit and push of a large repository
)
WATCH = Stage(
    "watch",
    INCIDENT,
    queue="incidents",
    needs=(records.OUTCOME, records.PULL),
    makes=(
        records.MERGED_AT,
        records.MERGE_PROGRESS,
        records.SURVEY_AFTER_MERGE,
        records.FOLLOW_UP,
    ),
)
ROLL_BACK = Stage(
    "roll_back", ROLLBACK, queue="incidents", makes=(records.KNOWN_DEPLOYMENTS, records.NEW_DEPLOYMENT)
)
NOTIFY = Stage("notify", NOTIFICATION, queue="notifications")
PINGS = Stage("pings", "", queue="notifications")

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        INTAKE,
        SURVEY,
        ANALYSE,
        ENRICH,
        DIAGNOSE,
        PLAN,
        FIX,
        PROPOSE,
        WATCH,
        ROLL_BACK,
        NOTIFY,
        PINGS,
    )
}
"""Every stage by its name; those of one kind of journal in the order in which it goes through them."""


def kind_of(journal_id: str) -> str:
    """`incident` for `incident:<fingerprint>:<occurrence>`; "" for a key that is not such a journal."""
    kind = journal_id.partition(":")[0]
    return kind if kind in JOURNAL_KINDS else ""


def stages_of(journal_id: str) -> list[Stage]:
    """The stages of this journal's kind, in order."""
    kind = kind_of(journal_id)
    return [stage for stage in STAGES.values() if kind and stage.kind == kind]


def startable_stages(journal_id: str, fields: Container[str]) -> list[str]:
    """Names of the stages that can start with the records in the journal's fields, in order."""
    return [stage.name for stage in stages_of(journal_id) if stage.can_start(fields)]


def maker_of(record_name: str) -> Stage | None:
    """The stage that makes a record, and can make it again; None for a record that no stage makes."""
    return next((stage for stage in STAGES.values() if record_name in {r.name for r in stage.makes}), None)
