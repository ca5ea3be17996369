"""Alerts of other tools in the whole pipeline: good news, and forwarded texts that name no service."""

from __future__ import annotations

from tests.support.pipeline import PipelineHarness, StartHarness
from workers.engine import records
from workers.engine.schema import PREFIX, EndedAs
from workers.incidents.intake import RESOLVED


def sweeps(pipeline: PipelineHarness) -> int:
    return len(list(pipeline.store.scan_iter(f"{PREFIX}sweep:*")))


def ended_as(pipeline: PipelineHarness, alert_id: str) -> str:
    return pipeline.journal.fields(f"{PREFIX}alert:{alert_id}").get("ended_as", b"").decode()


def test_good_news_checks_an_open_incident_at_once_and_posts_nothing(start: StartHarness) -> None:
    with start(TRACKWALKER_MODE="report") as pipeline:
        pipeline.alert()
        pipeline.drive(lambda: bool(pipeline.outcome_posts()))
        before, posts = sweeps(pipeline), len(pipeline.slack.messages)

        good = pipeline.alert(
            source="alertmanager", kind=RESOLVED, service_id=None, service_name=None, project_id=None,
            environment_id=None, names=("shop",), message="[RESOLVED] HighErrorRate",
        )  # fmt: skip
        pipeline.drive(lambda: bool(ended_as(pipeline, good)))
        pipeline.drive(lambda: pipeline.count_ended_sweeps() > before)

        assert ended_as(pipeline, good) == EndedAs.ASSIGNED
        assert sweeps(pipeline) == before + 1
        assert len(pipeline.slack.messages) == posts


def test_good_news_about_a_service_without_an_incident_starts_no_sweep(start: StartHarness) -> None:
    with start(failing="no") as pipeline:
        good = pipeline.alert(kind=RESOLVED)

        pipeline.drive(lambda: bool(ended_as(pipeline, good)))

        assert ended_as(pipeline, good) == EndedAs.DROPPED
        assert sweeps(pipeline) == 0
        assert pipeline.slack.messages == []


def test_a_forwarded_text_that_names_no_service_is_answered(start: StartHarness) -> None:
    with start(failing="no") as pipeline:
        pipeline.alert(
            source="slack", kind="message", service_id=None, service_name=None, project_id=None,
            environment_id=None, message="something is odd",
        )  # fmt: skip

        pipeline.drive(lambda: len(pipeline.slack.messages) == 1)


def test_a_native_alert_is_answered_by_the_incident_of_the_service_that_it_labels(
    start: StartHarness,
) -> None:
    with start(TRACKWALKER_MODE="report") as pipeline:
        alert = pipeline.alert(
            source="grafana", kind="firing", service_id=None, service_name=None, project_id=None,
            environment_id=None, names=("node", "Shop"), message="High latency",
        )  # fmt: skip

        pipeline.drive(lambda: bool(pipeline.outcome_posts()))

        notification = pipeline.journal.fields(f"{PREFIX}notification:alert:{alert}")
        assert notification["merged_into"]


def test_the_answer_to_a_labelled_alert_names_the_service(start: StartHarness) -> None:
    with start(failing="no") as pipeline:
        alert = pipeline.alert(
            source="alertmanager", kind="firing", service_id=None, service_name=None, project_id=None,
            environment_id=None, names=("Shop",), message="High latency",
        )  # fmt: skip

        pipeline.drive(lambda: "shop looks healthy" in "".join(pipeline.slack.texts))

        stored = pipeline.journal.read_record(f"{PREFIX}notification:alert:{alert}", records.ALERT)
        assert stored is not None
        assert stored.service_id == "svc-shop"


def test_the_answer_says_which_label_names_no_service(start: StartHarness) -> None:
    with start(failing="no") as pipeline:
        pipeline.alert(
            source="alertmanager", kind="firing", service_id=None, service_name=None, project_id=None,
            environment_id=None, names=("node<x>",), message="High load",
        )  # fmt: skip

        pipeline.drive(lambda: "TRACKWALKER_SERVICE_MAP=node" in str(pipeline.slack.messages))

        assert "<x>" not in str(pipeline.slack.messages)
