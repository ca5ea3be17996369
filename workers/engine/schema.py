"""Every key that the product has in Redis, and every field of a journal's hash.

| key (after PREFIX) | type | written by | lives |
|---|---|---|---|
| `alert:<id>` | hash (journal) | the receiver; `ingest_missed`; the recheck of an answered alert | 30 days after its end |
| `sweep:<environment>:<n>` | hash (journal) | ENQUEUE_ON_SWEEP | 30 days after its end, 2 days for a ping's sweep without findings |
| `incident:<fingerprint>:<occurrence>` | hash (journal) | OPEN_INCIDENT | 30 days after its end |
| `notification:<id of an alert or incident>` | hash (journal) | STORE_ALERT, OPEN_INCIDENT | 30 days after its end |
| `notification:group:<environment>:<time>` | hash (journal) | ASSIGN_GROUP | 30 days after its end |
| `notification:operational:<digest>` | hash (journal) | `report_operational_error`, `ingest_missed` | 30 days after its end |
| `notification:dedupe:<id>` | hash (journal) | a worker that took a notification over | a second after its end, 30 days if Slack cannot be searched |
| `rollback:<fingerprint>:<occurrence>` | hash (journal); `:<number>` follows from the second one on | OPEN_ROLLBACK | 30 days after its end |
| `pings` | hash (journal) | START_WATCHDOG, STORE_ALERT | for ever |
| `schedule` | sorted set: journal → when it is due (ms) | every script that opens or releases a journal | for ever |
| `open` | hash: fingerprint → open incident | OPEN_INCIDENT, END, CANCEL, RETRY | for ever |
| `open:last_end:<fingerprint>` | string: when the last occurrence ended (ms), its `EndedAs` and its key, with spaces in between | END, CANCEL | 30 days, for chronic trouble as long as it lasts |
| `past:<fingerprint>` | hash: occurrence → its end (ms), a space, and its summary; the newest 20 | END | 400 days |
| `ended`, `ended:incidents` | sorted sets: sweep or incident → when it ended (ms), newest 1,000 each | END, CANCEL | 30 days |
| `slot:<environment>` | hash: `n`, `queued_sweep`, `running_sweep`, `cursor` | ENQUEUE_ON_SWEEP, CLAIM, END, CANCEL, ADVANCE_CURSOR | 30 days |
| `opened:<environment>` | sorted set: incident → when it was announced (ms) | ASSIGN_GROUP | 30 minutes |
| `group:<environment>` | string: the open incident group | ASSIGN_GROUP | 30 minutes |
| `dedup:<key>` | string: the alert that answers for repeats of this body or firing | STORE_ALERT | the sender's window, at most 7 days |
| `received:<environment>` | sorted set: event → when (ms), newest 1,000 | STORE_ALERT | 2 days |
| `doctor` | string: the results of the checks at the last start (JSON) | `engine.last_checks` | 30 days |
| `probe:<nonce>` | string | `incidents.intake`, for our own test webhook | 10 minutes |
| `no_problem:<digest>` | string: the alert that got an answer lately | `incidents.answers` | 5 minutes |
| `reserved:<digest>` | string: the incident that fixes this fault location | RESERVE | 30 days, or until it is released |
| `rejected:<digest>` | string: number of the pull request that a person closed | `incidents.rejections` | 30 days |
| `budget:<yyyymmdd>` | hash: `runs`, `cost`, `run:<incident>`, `service:<id>` | RESERVE_BUDGET, SETTLE_BUDGET, COUNT_AGENT_RUN, CANCEL | 3 days |
| `watched:<environment>` | string: 1 once the first check of the environment was reported | `incidents.first_check` | 30 days after the last check |
| `history:<environment>` | hash: service → encoded summaries; `:progress`: the backfill | `history.summary_store` | 14 days |
| `counters` | hash: metric and labels → value (`workers.engine.counters`) | RECORD, END, OPEN_INCIDENT, DECIDE, UNDO_DECISION | for ever |
| `railway:rate_limit` | hash | `incidents.request_quota` | 2 hours |
| `decisions` | hash: id → decision of a person that has not ended | DECIDE, CANCEL, UNDO_DECISION | until it ends, and the next one begins |
| `decisions:ended` | list: decisions that ended, newest first, at most 1,000 | DECIDE, UNDO_DECISION | for ever |
| `audit` | stream: actions of people with their results, about the newest 10,000 | every script that includes `common/answer_once.lua` | for ever |
| `action:<digest>` | string: the audit's entry of one request, for its repeats | the same | 30 days |
| `page:session:<digest>` | string: 1 while a browser is logged in | `receiver.page.sessions` | 7 days, or until the logout |
| `page:attempts:<client>` | string: wrong passwords of a client, or of all | `receiver.page.login` | 5 minutes |
| `dramatiq:*` | Dramatiq's queues | the dispatcher, the receiver | – |
| `dramatiq:enqueued` | Pub/Sub channel: the name of a queue with a new message | the script of `engine.broker` | – |

Fields of a journal, all of them bytes; times are milliseconds of Redis's clock:

| field | meaning | written by |
|---|---|---|
| `stage` | the stage that is due next | the script that opens it; ADVANCE, RETRY, REQUEST_FIX, ADOPT_UNKNOWN_STAGE |
| `opened`, `ended` | when it was opened, when it ended | the script that opens it; END, CANCEL |
| `ended_as`, `outcome` | the reason of the end (`EndedAs`), and the same for people | END, CANCEL |
| `lease` | until when the claim holds; the lock | CLAIM, RENEW_LEASE; removed by ADVANCE, END |
| `fence`, `token` | number and random id of the newest claim | CLAIM; RETRY, CANCEL, REQUEST_FIX raise the fence |
| `run` | Redis's run id at the claim: a restart of Redis is no crash of a worker | CLAIM |
| `taken_over` | 1 if the claim before it was never released | CLAIM |
| `not_before` | no claim before this time, not even of a woken journal | ADVANCE (`blocked`) |
| `signals`, `signals_seen` | number of wakes; that number at the claim | `common/wake.lua`; CLAIM |
| `crashes` | claims of this stage that ran out without progress | CLAIM; set to 0 by RECORD, ADVANCE |
| `attempts`, `failing_since` | failed attempts of this stage, and since when | ADVANCE (`failed`); removed by progress |
| `reason` | why it waits, for people | ADVANCE |
| `unknown` | stage, fence and time since when no worker knows its stage | ADOPT_UNKNOWN_STAGE |
| `crash` | the unforeseen error of the last attempt, for people | `pipeline.worker` |
| `given_up` | why the stage gave up | `pipeline.failures` |
| `c:<record>` | 1 once the record has been counted in the metrics | RECORD |
| `r:<record>` | a record (`workers.engine.records`) | RECORD, and the script that opens it |
| `t:<record>` | incidents and notifications: when the record was first made, and when it was last made anew | RECORD |
| `s:<stage>` | incident: start of the stage's first run, end of its last, ms of all runs, number of runs, number of failed and crashed ones | `common/count_run.lua` |
| `claimed` | incident: when its newest claim began | CLAIM |
| `again:<record>` | 1 if an unreadable record was already made again | `pipeline.failures` |
| alert: `firings`, `sweep`, `on:<sweep prefix>`, `same` | repeats; its sweep; the sweeps of each environment; the alert that answers for it | STORE_ALERT, ENQUEUE_ON_SWEEP |
| sweep: `a:<alert id>`, `same:<scope>` | the alerts that it answers; the first alert of each scope | ENQUEUE_ON_SWEEP |
| incident: `firings`, `found_by` | sweeps that found it; the last of them | OPEN_INCIDENT |
| incident: `clean_sweeps`, `recovery`, `recovered_by` | sweeps in a row without it, how they saw its service (`healthy`, `removed`, `still_sick`), the last of them | UPDATE_RECOVERY |
| incident: `found_at`, `quiet_ms`, `relapse_ms` | the end of the last window with its trouble (ms); the time without it, as of the last sweep; the longest time after which it came back | OPEN_INCIDENT, UPDATE_RECOVERY |
| incident: `suppressed_by` | the incident of which it is a symptom | SUPPRESS, UNSUPPRESS |
| incident: `group` | the incident group that announces it | ASSIGN_GROUP, OPEN_INCIDENT |
| incident: `repository`, `reserved` | where it is fixed; its reservations, comma-separated | `engine.reservations` |
| incident: `verdict_at` | when the verdict was known (epoch seconds) | `pipeline.stages` |
| incident: `budget_day` | the budget in which its run is reserved | `incidents.budget` |
| incident: `began:<role>` | usage before the run of the agent that is under way | `remediation` |
| incident: `fix_requests`, `rewatch_count`, `generation`, `cancel_count` | how often a person asked for a fix, had it watched again, had it planned anew, cancelled it | REQUEST_FIX, RETRY, CANCEL |
| incident: `rollback_count` | how often a person asked for a rollback, or for its end | OPEN_ROLLBACK |
| rollback: `asked` | 1 from before Railway is asked; 2 once it had the time to show the new deployment | `incidents.rollbacks` |
| notification: `ack_due_at` | when the acknowledgement is due | STORE_ALERT, OPEN_INCIDENT |
| notification: `answer`, `repeat_count`, `drop_reason` | the alert's answer; how often it was asked for again; why nothing more is posted | `incidents`, `pipeline`; RETRY |
| notification: `merged_into`, `merge_from:<notification>` | the notification that took it over; those that it took over | OPEN_INCIDENT |
| notification: `forwarded`, `posting`, `of` | the alert is visible in the channel already; a first message may be under way; whose duplicates are looked for | OPEN_INCIDENT; `notifications` |
| incident group: `m:<incident>`, `closed` | its members by time; 1 once its outcome is posted | ASSIGN_GROUP; `notifications.groups` |
| pings: `last`, `interval`, `reported`, `silent` | the last ping; the interval that was asked for; 1 if their absence was reported; the last ping before it | STORE_ALERT; `incidents` |
"""  # noqa: E501  (a table row cannot be split)

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

PREFIX = "trackwalker2:"  # of every key; a change that older workers cannot read raises the number
SCHEDULE = PREFIX + "schedule"
OPEN = PREFIX + "open"
ENDED = PREFIX + "ended"  # sweeps
ENDED_INCIDENTS = ENDED + ":incidents"
PINGS = PREFIX + "pings"
DECISIONS = PREFIX + "decisions"
ENDED_DECISIONS = PREFIX + "decisions:ended"
AUDIT = PREFIX + "audit"
COUNTERS = PREFIX + "counters"
LAST_CHECKS = PREFIX + "doctor"
RATE_LIMIT = PREFIX + "railway:rate_limit"
DUPLICATE_CHECK_PREFIX = PREFIX + "notification:dedupe:"
PAGE_SESSION_PREFIX = PREFIX + "page:session:"
PAGE_ATTEMPTS_PREFIX = PREFIX + "page:attempts:"

SHARED_KEYS = {
    "schedule": SCHEDULE,
    "open_incidents": OPEN,
    "ended_journals": ENDED,
    "decisions": DECISIONS,
    "ended_decisions": ENDED_DECISIONS,
    "audit": AUDIT,
    "counters": COUNTERS,
}
"""Keys of which there is one: `JournalStore.run` fills them in wherever a script declares them."""


class EndedAs(StrEnum):
    """Why a journal ended, in its field `ended_as`. Code decides by this; `outcome` is text for people."""

    ASSIGNED = "assigned"
    """An alert is on a sweep of each environment that it can mean."""
    NOT_WATCHED = "not_watched"
    """An alert means no environment that is watched."""
    NO_FINDINGS = "no_findings"
    """A sweep found nothing, not even a notice."""
    FINDINGS = "findings"
    RESOLVED = "resolved"
    """The trouble of an incident is gone."""
    FIX_VERIFIED = "fix_verified"
    FIX_FAILED = "fix_failed"
    """A merged fix was not deployed, did not end the trouble, or could not be measured."""
    NOTIFIED = "notified"
    MERGED = "merged"
    """Another notification speaks for this one."""
    DROPPED = "dropped"
    """A notification that is not needed any more, or good news that concerns no open incident."""
    CHECKED = "checked"
    """The check for duplicate posts is done, or impossible."""
    CANCELLED = "cancelled"
    NOT_A_PROBLEM = "not_a_problem"
    """A person decided that the trouble of an incident is none."""
    PERFORMED = "performed"
    """A rollback, or the end of one, is done."""
    REFUSED = "refused"
    """A rollback came too late, or Railway refused it; nothing was changed."""
    FAILED = "failed"
    """A stage gave up."""


def journal_id(key: str) -> str:
    """A journal's key without our prefix, as people write it: `incident:<fingerprint>:<occurrence>`."""
    return key.removeprefix(PREFIX)


def journal_key(journal: str) -> str:
    """The key of a journal by its id."""
    return PREFIX + journal


def alert_key(alert_id: str) -> str:
    return f"{PREFIX}alert:{alert_id}"


def notification_key(journal: str) -> str:
    """The notification journal of an incident or alert, by that journal's id."""
    return f"{PREFIX}notification:{journal}"


def alert_notification_key(alert_id: str) -> str:
    return notification_key(f"alert:{alert_id}")


def group_notification_key(environment_id: str, opened_at: datetime) -> str:
    """A new incident group; its time is the sweep's, so that the sweep finds it again after a crash."""
    return f"{PREFIX}notification:group:{environment_id}:{opened_at:%Y%m%dT%H%M%S}"


def operational_notification_key(topic: str) -> str:
    """A message about a failure of our own; one for each topic."""
    return f"{PREFIX}notification:operational:{topic}"


def sweep_prefix(environment_id: str) -> str:
    """`<prefix>:<n>` is the environment's nth sweep."""
    return f"{PREFIX}sweep:{environment_id}"


def slot_key(environment_id: str) -> str:
    """The environment's slot, which lets one of its sweeps run at a time."""
    return f"{PREFIX}slot:{environment_id}"


def slot_key_of(key: str) -> str:
    """The slot that a journal needs for its claim; "" for a journal that is no sweep."""
    return key.rpartition(":")[0].replace("sweep:", "slot:") if key.startswith(PREFIX + "sweep:") else ""


def last_end_key(fingerprint: str) -> str:
    """When and as what the cause's last occurrence ended, and its key; `common/close_incident.lua` writes it."""
    return f"{OPEN}:last_end:{fingerprint}"


def past_key(fingerprint: str) -> str:
    """How the cause's earlier occurrences ended; `end.lua` writes it."""
    return f"{PREFIX}past:{fingerprint}"


def fingerprint_of(key: str) -> str:
    """The fingerprint of an incident's journal; "" for another journal."""
    kind, _, rest = journal_id(key).partition(":")
    return rest.partition(":")[0] if kind == "incident" else ""


def opened_lately_key(environment_id: str) -> str:
    return f"{PREFIX}opened:{environment_id}"


def current_group_key(environment_id: str) -> str:
    return f"{PREFIX}group:{environment_id}"


def dedup_key(key: str) -> str:
    return f"{PREFIX}dedup:{key}"


def received_key(environment_id: str) -> str:
    """The events that Railway's webhooks reported of an environment lately."""
    return f"{PREFIX}received:{environment_id}"


def probe_key(nonce: str) -> str:
    """Exists once the receiver got our own test webhook with this number."""
    return f"{PREFIX}probe:{nonce}"


def no_problem_key(digest: str) -> str:
    """The alert that was answered "no problem found" a few minutes ago, by environment and scope."""
    return f"{PREFIX}no_problem:{digest}"


def reservation_key(digest: str) -> str:
    """The reservation of a fault location."""
    return f"{PREFIX}reserved:{digest}"


def action_key(digest: str) -> str:
    """The result of a person's action, by the digest of its request id."""
    return f"{PREFIX}action:{digest}"


def rejection_key(digest: str) -> str:
    return f"{PREFIX}rejected:{digest}"


def budget_key(day: datetime) -> str:
    return f"{PREFIX}budget:{day:%Y%m%d}"


def watched_key(environment_id: str) -> str:
    """Exists once the first check of the environment was reported."""
    return f"{PREFIX}watched:{environment_id}"


def history_key(environment_id: str) -> str:
    return f"{PREFIX}history:{environment_id}"
