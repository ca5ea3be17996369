"""No verdict depends on a sentence: with every text replaced, diagnosis decides the same."""

from __future__ import annotations

import pytest

from tests.support.cause_cases import CASES
from tests.support.diagnosis_cases import Case
from workers.investigation.diagnosis import diagnose, verdict_sentences
from workers.investigation.diagnosis.conclusion import Texts
from workers.investigation.evidence import fact_sentences
from workers.models import GAP_LABELS, Evidence, Incident, Verdict

OTHER_WORDS = "this sentence says nothing"


def reworded(incident: Incident, evidence: Evidence) -> tuple[Incident, Evidence]:
    """The same incident and evidence with other sentences in findings and failed reads."""
    findings = tuple(finding.model_copy(update={"sentence": OTHER_WORDS}) for finding in incident.findings)
    gaps = tuple(gap.model_copy(update={"reason": OTHER_WORDS}) for gap in evidence.failed_reads)
    return (
        incident.model_copy(update={"findings": findings}),
        evidence.model_copy(update={"failed_reads": gaps}),
    )


def decision(verdict: Verdict) -> tuple[object, ...]:
    """Everything in a verdict that code or a person relies on, without its texts."""
    return (
        verdict.category,
        verdict.reason,
        verdict.supports,
        verdict.contradicts,
        verdict.confidence,
        verdict.calls_for_a_fix,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_diagnosis_decides_the_same_with_other_sentences(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    before = diagnose(*case.build())
    for kind in fact_sentences.RENDERERS:
        monkeypatch.setitem(fact_sentences.RENDERERS, kind, lambda fact: OTHER_WORDS)
    for part in GAP_LABELS:
        monkeypatch.setitem(GAP_LABELS, part, OTHER_WORDS)
    for reason in verdict_sentences.RENDERERS:
        monkeypatch.setitem(
            verdict_sentences.RENDERERS, reason, lambda conclusion: Texts(OTHER_WORDS, OTHER_WORDS)
        )

    incident, evidence = reworded(*case.build())
    after = diagnose(incident, evidence)

    assert {fact.text for fact in evidence.facts} <= {OTHER_WORDS}
    assert after.summary.startswith(OTHER_WORDS)
    assert decision(after) == decision(before)
