"""The flow, top to bottom: claim, do one stage, hand on. The only file that knows queues and stages at once.

intake → survey → analyse → (per cause) enrich → diagnose → plan → mend → propose → watch;  tell beside it
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import dramatiq
import httpx
from dramatiq.brokers.redis import RedisBroker

from workers import (
    allowance,
    analysis,
    backfill,
    brakes,
    budget,
    diagnosis,
    enrichment,
    opening,
    past,
    pings,
    proposing,
    retries,
    scripts,
    survey,
    telling,
    watching,
)
from workers.broker import STAGES
from workers.errors import Held, NotAvailable, SlackRefused, Superseded, TrackwalkerError
from workers.github import GitHub
from workers.journal import DEATHS_ALLOWED, DUE, PREFIX, TTL_SECONDS, Claim, Journal, Unreadable, pack
from workers.mend import round as mending
from workers.models import (
    Alert,
    Environment,
    Evidence,
    Finding,
    Incident,
    Lane,
    Outcome,
    PullRequest,
    Spent,
    Survey,
    Verdict,
    Watch,
    Window,
    digest,
)
from workers.railway import Railway
from workers.repository import Repositories
from workers.settings import Settings
from workers.slack import Slack

REFUSED_WORDS_SECONDS = 300.0
"""So often it is looked whether a person has mended what Slack refused."""
QUIET_SECONDS = 2 * 86_400
"""How long a ping's sweep is kept that found nothing to open: a survey is some 20 KB, and there are 144 a day."""
BUSY_THREADS = 6
"""Of a worker's eight threads (Procfile): two are left for words, whatever the others hang on."""
INSIST_TRIES = 5
"""So often, within about a minute, facts that cannot be read now are waited for: a round goes by what it has read."""
PLACE_SECONDS = 2.0
"""So soon a journal is woken again that found no place."""
DEADLINES = {"plan": 1800.0, "mend": 3600.0, "propose": 900.0}
"""Seconds that a stage may take; 300 for all others."""

log = logging.getLogger("trackwalker.line")


@dataclass(frozen=True)
class Services:
    """What the stages use; built once by `main`."""

    settings: Settings
    journal: Journal
    railway: Railway
    github: GitHub
    slack: Slack | None
    repositories: Repositories
    mender: mending.Mender
    now: Callable[[], datetime]


def declare(broker: RedisBroker, services: Services) -> None:
    """Declare one actor per stage on the broker. Whatever may hang leaves threads for the words in Slack."""
    mends, all_but_words = threading.Semaphore(services.settings.mends), threading.Semaphore(BUSY_THREADS)
    places = {"mends": (mends, all_but_words), "sweeps": (all_but_words,), "incidents": (all_but_words,)}
    for stage, queue in STAGES.items():
        act = _acting(services, stage, places.get(queue, ()))
        dramatiq.actor(broker=broker, actor_name=stage, queue_name=queue)(act)


def _acting(services: Services, stage: str, places: Sequence[threading.Semaphore]) -> Callable[[str], None]:
    """What the actor of a stage does with a journal's name: its work, where there is a place for it."""

    def act(key: str) -> None:
        with ExitStack() as taken:
            for place in places:
                if not place.acquire(blocking=False):
                    _wake_soon(services.journal, key)
                    return
                taken.callback(place.release)
            work(services, stage, key)

    return act


def _wake_soon(journal: Journal, key: str) -> None:
    """The message is dropped, the journal is woken again before the mover would by itself."""
    with suppress(NotAvailable):
        journal.script(scripts.SOON, [DUE], key, int(PLACE_SECONDS * 1000))


# ---- one stage each --------------------------------------------------------------------------


def take_to_sweeps(services: Services, claim: Claim) -> None:
    """An alert ends by standing on a sweep of each environment it can mean."""
    alert = claim.need("alert", Alert)
    watched = services.settings.environments or tuple(services.railway.environments())
    meant = [one for one in watched if alert.environment_id in (None, one.environment_id)]
    meant = [one for one in meant if alert.project_id in (None, one.project_id)]
    for environment in meant:
        gate = f"{PREFIX}sweeps:{environment.environment_id}"
        prefix = f"{PREFIX}sweep:{environment.environment_id}"
        records = [pack(environment, Environment), pack(alert, Alert)]
        services.journal.script(
            scripts.ATTACH, [gate, DUE, claim.key], prefix, alert.id, *records, 30 * 86_400_000
        )
    if not meant:
        services.journal.raise_wanted(f"{PREFIX}tell:alert:{alert.id}", dropped="not watched")
    claim.end("handed to a sweep" if meant else "not watched")
    log.info("alert taken", extra={"investigation": claim.id, "kind": alert.kind, "sweeps": len(meant)})


def look_at(services: Services, claim: Claim) -> None:
    """What the environment is and did in the window."""
    settings, environment = services.settings, claim.need("environment", Environment)

    def look() -> Survey:
        end = services.now()
        start = datetime.fromtimestamp(end.timestamp() - settings.window_minutes * 60, UTC)
        window = Window(start=start, end=end)
        railway, made = services.railway.counted(), None
        try:
            made = survey.survey(railway, environment, window, settings.step_seconds)
            return made
        finally:
            # A sweep that was refused half-way says nothing of what one costs, but what is left is worth knowing.
            cost, name = railway.sent if made else 0, environment.environment_id
            allowance.keep(services.journal, name, railway.allowance, cost, services.now())

    seen = claim.step("survey", Survey, look)
    log.info("surveyed", extra={"investigation": claim.id, "services": len(seen.services)})
    claim.hand_on("analyse")


def judge(services: Services, claim: Claim) -> None:
    """Findings; an incident per cause; an answer to every alert."""
    seen = claim.need("survey", Survey)
    persist = services.settings.persist_minutes

    def compare() -> list[Finding]:
        railway = services.railway.counted(backfill.SECONDS)
        known = backfill.remember(railway, services.journal, seen, persist_minutes=persist)
        if cost := railway.sent:
            name, left = seen.environment_id, railway.allowance
            allowance.keep_past(services.journal, name, left, cost, services.now())
        usual = past.usual(known, seen.window.start)
        return analysis.judge(seen, persist_minutes=persist, past=usual)

    findings = claim.step("findings", list[Finding], compare)
    past.add(services.journal, seen, findings)
    opened_at = claim.step("opened_at", datetime, services.now)
    held = opening.open_incidents(
        claim, services.journal, seen, findings,
        opened_at=opened_at, first_word_seconds=services.settings.first_word_seconds,
    )  # fmt: skip
    log.info("judged", extra={"investigation": claim.id, "findings": len(findings), "incidents": held})
    asked = {alert.source for alert in opening.alerts_of(claim)}
    claim.end(
        f"{len(findings)} findings" if findings else "nothing above the line",
        keep_seconds=TTL_SECONDS if held or asked != {"ping"} else QUIET_SECONDS,
    )
    if "ping" in asked:
        _heartbeat(services)


def enrich(services: Services, claim: Claim) -> None:
    """The facts of the sick service."""
    if stands_aside(claim):
        return
    incident = claim.need("incident", Incident)
    newest = claim.get("suffering", list[Finding])
    if newest is not None:
        incident = incident.model_copy(update={"symptoms": tuple(newest)})

    def read() -> Evidence:
        return enrichment.read_evidence(
            incident, railway=services.railway, github=services.github,
            repositories=services.repositories, status_pages=services.settings.status_pages,
            insist=claim.tries < INSIST_TRIES,
        )  # fmt: skip

    evidence = claim.step("evidence", Evidence, read)
    log.info("evidence", extra={"investigation": claim.id, "facts": len(evidence.facts)})
    claim.hand_on("diagnose", tell=tell_of(claim))


def diagnose(services: Services, claim: Claim) -> None:
    """The lane; what is not for the code, or names what else would end it, is told and waited for."""
    if stands_aside(claim):
        return
    incident, evidence = claim.need("incident", Incident), claim.need("evidence", Evidence)
    verdict = claim.step("verdict", Verdict, lambda: diagnosis.diagnose(incident, evidence))
    log.info("verdict", extra={"investigation": claim.id, "lane": verdict.lane.value})
    mends = verdict.lane in (Lane.CODE, Lane.DEPLOYMENT) and not verdict.action
    lacks = mending.lacks(services.settings, evidence) if mends else None
    if mends and not lacks:
        claim.hand_on("plan", tell=tell_of(claim))
        return
    outcome = telling.inconclusive(verdict, evidence)
    if lacks:
        outcome = outcome.model_copy(update={"lines": (*outcome.lines, f"not mended: {lacks}")})
    conclude(claim, outcome)


def plan(services: Services, claim: Claim) -> None:
    """The reading agent's plan."""
    if stands_aside(claim):
        return
    hold(services, claim)
    outcome = mending.plan(claim, services.mender)
    if outcome is not None:
        conclude(claim, outcome)
        return
    claim.hand_on("mend", tell=tell_of(claim))


def mend(services: Services, claim: Claim) -> None:
    """The writing agent's patch, and what the host proved of it."""
    if stands_aside(claim):
        return
    hold(services, claim)
    outcome = mending.mend(claim, services.mender)
    if outcome is not None:
        conclude(claim, outcome)
        return
    claim.hand_on("propose", tell=tell_of(claim))


def propose(services: Services, claim: Claim) -> None:
    """One pull request."""
    if stands_aside(claim):
        return
    claim.brake = lambda: hold(services, claim)
    claim.brake()
    outcome = proposing.propose(
        claim, services.github, services.repositories, mode=services.settings.mode,
        link=services.settings.url, max_open=services.settings.max_open_prs,
    )  # fmt: skip
    log.info("proposed", extra={"investigation": claim.id, "link": outcome.link})
    conclude(claim, outcome)


def watch(services: Services, claim: Claim) -> None:
    """Until the trouble is gone: the pull request's fate, the deployment of the merge, clean sweeps."""
    watching.watch(
        claim, services.railway, services.github, services.settings, services.journal, services.now(),
        tell=tell_of(claim),
    )  # fmt: skip


def tell(services: Services, claim: Claim) -> None:
    """Slack shows what the journal says; in shadow, or where none is set up, only the journal does."""
    slack = None if services.settings.mode == "shadow" else services.slack
    try:
        telling.tell(claim, services.journal, slack, now=services.now())
    except SlackRefused as error:
        # A wrong token or channel is mended by a person; what was to be said is kept for hours.
        raise NotAvailable(str(error), retry_after=REFUSED_WORDS_SECONDS) from error


def wait_for_pings(services: Services, claim: Claim) -> None:
    """Pings are due; whoever set this up hears when they stay away, and when they come again."""
    now, usual = services.now(), services.settings.ping_minutes * 60
    apart = allowance.next_ping(services.journal, usual, now) or usual
    if note := pings.look(claim, apart, now):
        log.warning("pings", extra={"what": note})
        _tell_trouble(services, note)
    pings.let_go(claim, apart, now)


LINE: dict[str, Callable[[Services, Claim], None]] = {
    "intake": take_to_sweeps,
    "survey": look_at,
    "analyse": judge,
    "enrich": enrich,
    "diagnose": diagnose,
    "plan": plan,
    "mend": mend,
    "propose": propose,
    "watch": watch,
    "tell": tell,
    "pings": wait_for_pings,
}


MADE_BY = {
    "survey": "survey", "evidence": "enrich", "verdict": "diagnose", "plan": "plan",
    "fix": "mend", "certificate": "mend",
}  # fmt: skip
"""Record → the stage that makes it again where it cannot be read any more."""


# ---- what every stage shares -----------------------------------------------------------------


def tell_of(claim: Claim) -> str:
    """The tell's journal that belongs to an incident, sweep or alert."""
    return f"{PREFIX}tell:{claim.id}"


def conclude(claim: Claim, outcome: Outcome) -> None:
    """The active part of a round is over: it is told, and the trouble is watched until it is gone."""
    budget.settle(claim.journal, claim, (claim.get("spent", Spent) or Spent()).cost_usd)
    claim.keep("outcome", Outcome, outcome)
    log.info("concluded", extra={"investigation": claim.id, "kind": outcome.kind, "what": outcome.headline})
    claim.hand_on("watch", tell=tell_of(claim))


def stands_aside(claim: Claim) -> bool:
    """Whether a sweep called it a symptom of another incident: then nothing further begins, it waits in `watch`.

    A pull request that may be open already is seen to its end, and what a person asked for is done.
    """
    began = claim.stage == "propose" and "r:remote" in claim.fields
    if not claim.text("joined") or claim.text("asked") or began:
        return False
    mending.release(claim, claim.journal)
    budget.settle(claim.journal, claim, (claim.get("spent", Spent) or Spent()).cost_usd)
    holder = claim.text("joined").removeprefix(PREFIX)
    log.info("stands aside", extra={"investigation": claim.id, "stage": claim.stage, "cause": holder})
    claim.hand_on("watch", reason=f"a symptom of {holder}", tell=tell_of(claim))
    return True


def hold(services: Services, claim: Claim) -> None:
    """Raises Held while paused, or while the sick service is muted."""
    incident = claim.need("incident", Incident)
    names = (incident.cause.key, incident.cause.name)
    brakes.check(services.journal, names, services.now().timestamp())


def work(services: Services, stage: str, key: str) -> None:
    """One stage of one journal under a claim, and what follows when it fails."""
    journal = services.journal
    if journal.stopping.is_set():
        return
    try:
        with journal.claimed(key, stage, deadline_seconds=DEADLINES.get(stage, 300.0)) as claim:
            if claim is not None:
                _attempt(services, claim)
    except (Superseded, NotAvailable) as error:
        log.warning("let go", extra={"investigation": key.removeprefix(PREFIX), "why": str(error)})


def _attempt(services: Services, claim: Claim) -> None:
    if claim.deaths > DEATHS_ALLOWED:
        give_up(services, claim, f"the worker died {claim.deaths} times during {claim.stage}")
        return
    try:
        LINE[claim.stage](services, claim)
    except TrackwalkerError as error:
        if services.journal.stopping.is_set():
            # Whatever went wrong now may come of our own killing.
            claim.hand_on(claim.stage, reason="the worker was ended")
            return
        _failed(services, claim, error)
    except Exception:
        # A bug counts as a death: the lease runs out, another attempt follows, a few deaths end the round.
        log.exception("a stage broke", extra={"investigation": claim.id, "stage": claim.stage})


def _failed(services: Services, claim: Claim, error: TrackwalkerError) -> None:
    """The error's class says what follows. Raises Superseded again: there is nothing to let go of."""
    if isinstance(error, Superseded):
        raise error
    if isinstance(error, Held):
        wait = max(0.5, error.until - services.now().timestamp())
        claim.hand_on(claim.stage, after=wait, reason=str(error))
    elif isinstance(error, NotAvailable):
        _try_later(services, claim, error)
    elif isinstance(error, Unreadable) and error.name in MADE_BY and not claim.text(f"again:{error.name}"):
        claim.mark(**{f"again:{error.name}": "1"})
        claim.hand_on(MADE_BY[error.name], reason=f"{error.name} is made again")
    else:
        give_up(services, claim, str(error))


def _try_later(services: Services, claim: Claim, error: NotAvailable) -> None:
    telling_it = claim.stage == "tell"
    if claim.failing_seconds > retries.patience(error, telling=telling_it).give_up:
        give_up(services, claim, str(error))
        return
    wait = retries.wait(error, claim.tries, telling=telling_it)
    log.warning("tried again later", extra={"investigation": claim.id, "why": str(error), "seconds": wait})
    tell_key = "" if telling_it or claim.stage == "pings" else tell_of(claim)
    claim.hand_on(claim.stage, after=wait, blocked=True, reason=str(error), failed=True, tell=tell_key)


def give_up(services: Services, claim: Claim, why: str) -> None:
    """No sense in going on: the round ends, and that is told with the raw facts. Who lost the claim ends nothing."""
    claim.mark(given_up=why[:500])
    log.error("given up", extra={"investigation": claim.id, "stage": claim.stage, "why": why})
    if claim.stage == "tell":
        claim.end(f"given up: {why}")
    elif claim.id.startswith("incident:"):
        _give_up_incident(services, claim, why)
    else:
        _give_up_look(services, claim, why)


def _give_up_incident(services: Services, claim: Claim, why: str) -> None:
    if claim.get("pull", PullRequest) is None:
        mending.release(claim, services.journal)
    incident = claim.get("incident", Incident)
    if incident is None:
        # Nobody could be told under its name: the next sweep that sees the trouble opens a new round.
        _tell_trouble(services, f"{claim.id} cannot be worked out: {why}")
        claim.end(f"given up: {why}")
        return
    if claim.stage == "watch":
        claim.keep("watch", Watch, Watch(held=False, sentence=f"not watched any more: {why}"))
        claim.end(f"given up watching: {why}", tell=tell_of(claim))
        return
    lines = (*telling.raw_words(incident), f"given up during {claim.stage}: {why}")
    conclude(claim, Outcome(kind="failed", headline="could not be worked out", lines=lines))


def _give_up_look(services: Services, claim: Claim, why: str) -> None:
    """A sweep or alert that cannot be worked on: everyone who asked hears so, a failing ping once a day."""
    journal, note = services.journal, f"could not look: {why}"
    alerts = opening.alerts_of(claim) or [one for one in [claim.get("alert", Alert)] if one]
    told = [journal.raise_wanted(f"{PREFIX}tell:alert:{alert.id}", note=note) for alert in alerts]
    if not any(told):
        _tell_trouble(services, note)
    claim.end(f"given up: {why}")


def _tell_trouble(services: Services, note: str) -> None:
    """Trouble of our own that no alert or incident is told of; the same once a day."""
    key = f"{PREFIX}tell:trouble:{digest(note, f'{services.now():%Y%m%d}')}"
    services.journal.script(scripts.OPEN, [key, DUE], 0, "stage", "tell", "note", note)


def _heartbeat(services: Services) -> None:
    """Tell an outside dead man's switch that a ping was looked into to its end."""
    url = services.settings.heartbeat_url
    if url:
        try:
            httpx.get(url.get_secret_value(), timeout=5)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("TRACKWALKER_HEARTBEAT_URL does not answer", extra={"error": type(error).__name__})
