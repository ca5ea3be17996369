"""Sends a hostile text through the product's own parsers to everything that shows text, without a network.

Each inlet is what one kind of stranger can write: the text enters as bytes or JSON and leaves as the values that the
stages pass on. `show` renders these values for every outlet, and `count_leaks` judges the result.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from receiver.sources import railway as railway_source
from receiver.sources import slack as slack_source
from tests.support.agent_answers import FILES, NOON, evidence, fenced, plan_answer
from tests.support.attack_texts import ATTACKS, AttackText, OutletKind, find_leaks
from tests.support.builders import finding, incident
from tests.support.markdown_judge import MarkdownJudge
from workers.agent.plan import PlanError, parse_plan, parse_writer_answer
from workers.agent.prompts import reader_prompt, retry_prompt, writer_prompt
from workers.cli import journal_view
from workers.clients.railway.graphql_types import Deployment as ApiDeployment
from workers.clients.railway.graphql_types import ServiceInstance
from workers.clients.railway.log_lines import HttpLog, Log
from workers.clients.slack_text import escape
from workers.clients.status_pages import parse_summary
from workers.engine import records
from workers.engine.codec import json_text
from workers.investigation.evidence.facts import number_facts
from workers.investigation.evidence.requests import group_requests
from workers.investigation.logs.log_patterns import group_records, to_pattern
from workers.investigation.logs.log_records import build_log_records
from workers.models import (
    Alert,
    Answer,
    AnswerKind,
    Category,
    Check,
    CodeLocation,
    Evidence,
    Fact,
    FactKind,
    Fix,
    FollowUp,
    FollowUpResult,
    Gap,
    GapPart,
    Incident,
    LogSource,
    Outcome,
    Plan,
    Run,
    Suspect,
    Upstream,
    Verdict,
    VerdictReason,
    Verification,
    VerificationReason,
)
from workers.models.proposal import ReasonKind
from workers.notifications.answer_posts import answer_post, looking_post
from workers.notifications.detail_posts import details_post
from workers.notifications.incident_posts import first_post
from workers.notifications.incident_state import IncidentState
from workers.notifications.messages import summarise_verdict
from workers.notifications.presentation import Presentation
from workers.pull_requests.incident_paragraphs import Page
from workers.pull_requests.propose import describe_runs
from workers.pull_requests.rendering import commit_message, render_pull_request
from workers.runtime.logs import _JsonFormatter, _TextFormatter
from workers.runtime.text import safe_row, safe_value

PLAIN_PLAN = parse_plan(fenced(plan_answer()), evidence(), FILES.__contains__)


@dataclass(frozen=True)
class Values:
    """The records of one incident."""

    alert: Alert
    name: str = "api"
    evidence: Evidence = evidence()  # noqa: RUF009 (a frozen value)
    plan: Plan = PLAIN_PLAN
    summary: str = "changed it"
    not_done: tuple[str, ...] = ()
    output: str = "1 != None"
    command: str = "python3 -m unittest test_gift.py"
    reason: str = ""
    answer_problems: tuple[str, ...] = ()


ALERT = Alert(id="a1", source="ping", kind="ping", received_at=NOON)


# ---- inlets ----------------------------------------------------------------------------------


def _webhook(text: str) -> Values:
    body = {
        "type": "Deployment.crashed", "timestamp": "2026-11-23T12:00:00Z",
        "details": {"commitMessage": text, "commitAuthor": text, "branch": text, "error": text},
        "resource": {"service": {"id": "s1", "name": text}, "environment": {"id": "e1", "name": text},
                     "project": {"id": "p1", "name": text}},
    }  # fmt: skip
    alert = railway_source.parse(json.dumps(body).encode(), NOON, "t1")
    assert isinstance(alert, Alert)
    return Values(alert)


def _forwarded(text: str) -> Values:
    body = {
        "text": text,
        # Red, because some of the texts say that all is well.
        "attachments": [
            {"color": "danger", "title": text, "text": text, "fields": [{"title": text, "value": text}]}
        ],
    }
    alert = slack_source.parse(json.dumps(body).encode(), NOON, "t1")
    assert isinstance(alert, Alert)
    return Values(alert)


def _log_line(text: str) -> Values:
    return _logged([text])


def _json_log_line(text: str) -> Values:
    return _logged(
        [json.dumps({"level": "error", "message": text, "stack": f"Error: {text}\n    at f (/app/a.js:1:2)"})]
    )


def _split_log_lines(text: str) -> Values:
    return _logged(text.split("\n"))


def _logged(lines: Sequence[str]) -> Values:
    logs = [
        Log.model_validate(
            {
                "timestamp": NOON + timedelta(seconds=5 * number),
                "message": line,
                "severity": "error",
            }
        )
        for number, line in enumerate(lines)
    ]
    groups = group_records(build_log_records([log.to_model("d1") for log in logs]))
    patterns = tuple(to_pattern(group) for group in groups)
    facts = [
        Fact(kind=FactKind.LOG_PATTERN, pattern=pattern, source=LogSource.DEPLOYMENT) for pattern in patterns
    ]
    return Values(ALERT, evidence=evidence(facts=number_facts(facts), patterns=patterns))


def _commit(text: str) -> Values:
    meta = {
        "commitHash": "abc1234",
        "commitMessage": text,
        "commitAuthor": text,
        "branch": text,
        "image": text,
    }
    answer = {"id": "d1", "status": "SUCCESS", "createdAt": NOON, "meta": meta}
    deployment = ApiDeployment.model_validate(answer).to_model("s1")
    suspect = Suspect(
        deployment_id="d1", commit=deployment.commit, at=NOON, author=deployment.commit_author,
        message=deployment.commit_message, files=(text,),
    )  # fmt: skip
    location = CodeLocation(file=text, line=4, function=text, why="changed", excerpt=text)
    facts = number_facts([
        Fact(kind=FactKind.SUSPECT, suspect=suspect, numbers={"seconds_to_onset": 60}),
        Fact(kind=FactKind.CHANGED_FILES, suspect=suspect), Fact(kind=FactKind.CODE_LOCATION, location=location),
        Fact(kind=FactKind.DEPLOYMENT, deployment=deployment),
    ])  # fmt: skip
    return Values(ALERT, evidence=evidence(facts=facts, suspect=suspect, locations=(location,)))


def _service_name(text: str) -> Values:
    service = ServiceInstance.model_validate(
        {"serviceId": "s1", "serviceName": text, "startCommand": text}
    ).to_model()
    return Values(ALERT, name=service.name)


def _status_page(text: str) -> Values:
    page = {
        "status": {"indicator": "major", "description": text},
        "incidents": [{"name": text, "status": "open", "impact": "major"}],
    }
    state, description = parse_summary(json.dumps(page).encode())
    upstream = Upstream(host="pay.example", errors=2, in_code=True, state=state, description=description)
    facts = number_facts([Fact(kind=FactKind.UPSTREAM, upstream=upstream)])
    return Values(ALERT, evidence=evidence(facts=facts, upstreams=(upstream,)))


def _request(text: str) -> Values:
    line = {"timestamp": NOON, "method": "GET", "path": f"/{text}", "httpStatus": 500, "totalDuration": 12}
    requests = group_requests([HttpLog.model_validate(line).to_model()])
    facts = number_facts([Fact(kind=FactKind.REQUESTS, request=request) for request in requests])
    return Values(ALERT, evidence=evidence(facts=facts, requests=requests))


def _plan(text: str) -> Values:
    answer = plan_answer(
        cause={"summary": text, "file": "api/app/gift.py", "line": 41}, change=[text], risk=text, undo=text,
        reproduction={"kind": "test", "path": "api/tests/test_zero.py", "why": text}, ruled_out=[text],
        unknown=[text], next_checks=[text],
    )  # fmt: skip
    return Values(ALERT, plan=parse_plan(fenced(answer), evidence(), FILES.__contains__))


def _broken_plan(text: str) -> Values:
    try:
        parse_plan(fenced(plan_answer(verdict=text, evidence=[text], cause={"summary": text, "file": text, "line": 1})),
                   evidence(), FILES.__contains__)  # fmt: skip
    except PlanError as error:
        return Values(ALERT, answer_problems=error.problems, reason=str(error))
    return Values(ALERT)


def _writer(text: str) -> Values:
    summary, not_done = parse_writer_answer(fenced({"summary": text, "not_done": [text]}))
    return Values(ALERT, summary=summary, not_done=tuple(not_done))


def _test_output(text: str) -> Values:
    return Values(ALERT, output=f"{text}\n{text}", command=f"make {text}")


def _client_error(text: str) -> Values:
    return Values(ALERT, reason=text)


INLETS: dict[str, Callable[[str], Values]] = {
    "railway webhook": _webhook, "forwarded alert": _forwarded, "log line": _log_line, "json log line": _json_log_line,
    "log lines": _split_log_lines, "commit": _commit, "service name": _service_name, "status page": _status_page,
    "request": _request, "plan": _plan, "broken plan": _broken_plan, "writer": _writer, "test output": _test_output,
    "error of a client": _client_error,
}  # fmt: skip


# ---- outlets ---------------------------------------------------------------------------------


def show(values: Values) -> Iterator[tuple[OutletKind, str]]:
    """The texts of every outlet for these values."""
    gap = Gap(part=GapPart.CODE, subject=values.name, reason=values.reason or "timed out")
    bad = finding(name=values.name, sentence=f"{values.name} fails", labels={"volume": values.name})
    whole = incident(bad, name=values.name, symptoms=(bad,), project_name=values.name, failed_reads=(gap,))
    evidence = values.evidence.model_copy(update={"failed_reads": (gap,)})
    ids = tuple(fact.id for fact in evidence.facts)
    quotes = "; ".join(
        [*(pattern.template for pattern in evidence.patterns), *(fact.text for fact in evidence.facts)]
    )
    verdict = Verdict(
        category=Category.CODE, reason=VerdictReason.ERROR_IN_CODE, summary=f"{values.name}: {quotes}", supports=ids,
        contradicts=ids, action=quotes, next_checks=(quotes,),
    )  # fmt: skip
    fix = Fix(
        base_commit="b" * 40, patch="x", files=("app.py",), committed_at=NOON, summary=values.summary,
        not_done=values.not_done,
    )  # fmt: skip
    run = Run(command=values.command, outcome="failed", output=values.output)
    verification = Verification(
        decision="draft", reproduction_before=run, reproduction_after=run, checks=(Check(before=run, after=run),),
        reasons=(VerificationReason(kind=ReasonKind.STILL_FAILS, text=f"{values.command} fails: {values.output}"),),
        notes=(values.output, values.reason),
    )  # fmt: skip
    outcome = Outcome(
        kind="pull request", headline=f"Cause: {values.plan.cause.summary}",
        lines=(*values.not_done, values.summary, quotes, values.output, describe_runs(verification), values.reason),
        link="https://github.example/acme/shop/pull/1",
    )  # fmt: skip
    yield from _slack(values, whole, evidence, verdict, outcome)
    yield from _terminal(values, whole, evidence, verdict, fix, verification, outcome)
    yield from _logs(values, quotes)
    for private in (True, False):
        title, body = render_pull_request(
            whole, evidence, values.plan, fix, verification, private=private, digests=["0" * 16],
            patch_digest="1" * 16,
            page=Page("https://walker.example/i/1", "https://github.example/acme/shop", values.name, 0.1),
        )  # fmt: skip
        yield "title", title
        yield "description", body
        yield "commit", commit_message(title, values.plan, private=private)
    yield "prompt", reader_prompt(whole, evidence, verdict)
    yield "prompt", writer_prompt(values.plan, values.command)
    yield "prompt", retry_prompt(PlanError(values.answer_problems or (values.reason or "none",)))


def _slack(
    values: Values, whole: Incident, evidence: Evidence, verdict: Verdict, outcome: Outcome
) -> Iterator[tuple[OutletKind, str]]:
    follow_up = FollowUp(result=FollowUpResult.ABANDONED, reason=values.reason, still_affected=(values.name,))
    look = Presentation(page_url="https://walker.example", has_buttons=True, has_modals=True)
    known = IncidentState(whole, verdict, evidence, values.plan, outcome=outcome, reason=values.reason)
    states = (
        known, replace(known, outcome=summarise_verdict(verdict)), replace(known, follow_up=follow_up),
        IncidentState(whole, reason=values.reason),
    )  # fmt: skip
    answer = Answer(kind=AnswerKind.CHECK_FAILED, reason=values.reason)
    posts = [first_post(state, look, NOON) for state in states] + [details_post(known, look)]
    posts += [looking_post(values.alert), answer_post(values.alert, answer, look)]
    for post in filter(None, posts):
        yield "slack", "\n".join((post.text, *post.footer))
    yield "slack", escape(values.alert.message)


def _terminal(
    values: Values, whole: Incident, evidence: Evidence, verdict: Verdict, fix: Fix,
    verification: Verification, outcome: Outcome,
) -> Iterator[tuple[OutletKind, str]]:  # fmt: skip
    recorded: tuple[tuple[Any, Any], ...] = (
        (records.ALERT, values.alert), (records.INCIDENT, whole), (records.EVIDENCE, evidence),
        (records.VERDICT, verdict), (records.PLAN, values.plan), (records.FIX, fix),
        (records.VERIFICATION, verification), (records.OUTCOME, outcome),
    )  # fmt: skip
    for record, value in recorded:
        blob = record.pack(value)
        lines = journal_view.RECORD_LINES[record.name](blob) or []
        yield "terminal", "\n".join(safe_row(journal_view.clean_line(line)) for line in lines)
        yield "log", json.dumps(safe_value(json.loads(json_text(blob) or b"")), ensure_ascii=False)


def _logs(values: Values, quotes: str) -> Iterator[tuple[OutletKind, str]]:
    facts = {
        "quotes": quotes,
        "nested": {"reason": [values.reason, values.output]},
        "alert": values.alert.message,
    }
    try:
        raise ValueError(values.reason or values.output)
    except ValueError:
        record = logging.LogRecord("trackwalker", logging.ERROR, "", 0, "stage gave up", (), sys.exc_info())
    record.__dict__.update(facts)
    yield "log", json.dumps(json.loads(_JsonFormatter("worker").format(record)), ensure_ascii=False)
    yield "terminal", _TextFormatter("worker").format(record)


# ---- the count -------------------------------------------------------------------------------


def count_leaks(
    attacks: Sequence[AttackText] = ATTACKS, *, inlets_each: int = len(INLETS)
) -> tuple[int, dict[str, set[str]]]:
    """Sends every text through the inlets to every outlet.

    Args:
        inlets_each: number of inlets per text, in turn; all of them take about two minutes.

    Returns:
        The number of texts that were shown, and what got through, by attack, inlet and outlet.
    """
    judge, names, outputs = MarkdownJudge(), list(INLETS), 0
    leaks: dict[str, set[str]] = {}
    for number, attack in enumerate(attacks):
        for inlet in ((names * 2)[number % len(names) :])[:inlets_each]:
            for outlet, text in show(INLETS[inlet](attack.text)):
                outputs += 1
                if parts := find_leaks(outlet, text, attack, judge):
                    leaks.setdefault(f"{attack.name} | {inlet} | {outlet}", set()).update(parts)
    return outputs, leaks
