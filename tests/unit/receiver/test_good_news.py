"""Phrases of tools and people: which of them say that all is well. A lost alert is worse than a check too many."""

from __future__ import annotations

import pytest

from receiver.sources.good_news import MAX_LINES, hue, is_good_news

GOOD = (
    ("[RESOLVED] HighErrorRate (shop production critical)", ""),
    ("[RESOLVED:2] x", ""),
    ("[OK] checkout latency", ""),
    ("Resolved: checkout is down", ""),
    ("*RESOLVED* Database is unreachable", ""),
    (":white_check_mark: *Resolved*: checkout 5xx", ""),
    ("✅ checkout is back online", ""),
    ("checkout is UP again", ""),
    ("Monitor is UP: checkout (https://x.example). It was down for 5 minutes.", ""),
    ("🟢 checkout is healthy", ""),
    ("Recovered: CPU above 90 % on checkout", ""),
    ("[Recovered] [P2] checkout error rate is high", ""),
    ('OK: "checkout-5xx" in US East', ""),
    ("State changed from ALARM to OK", ""),
    ("ALARM -> OK checkout", ""),
    ("Status: resolved", ""),
    ("*State:* OK", ""),
    ("checkout deployment succeeded", ""),
    ("Deployment of checkout completed successfully", ""),
    ("Build passed", ""),
    ("backup completed", ""),
    ("The incident has been resolved", ""),
    ("Alert auto-resolved after 5 min", ""),
    ("All tests passed, 0 failed", ""),
    ("checkout has recovered", ""),
    ("no longer failing: checkout", ""),
    ("checkout: error rate is back to normal", ""),
    ("checkout UP", "good"),
    ("checkout deployed", "#36a64f"),
    ("Success: nightly job", "good"),
    ("The check “worker” is UP.", ""),
    ("“worker” is UP", ""),
    ("Incident closed", "good"),
    ("Up: checkout.example.com", ""),
    ("checkout is operational again", ""),
    ("🎉 Deploy to production succeeded", ""),
    ("[checkout] [✅ Up] 200 - OK", ""),
    ("Resolved #12: disk full on worker (Ana)", ""),
    ("Alert resolved: High latency for checkout", ""),
    ("✅ Recovered checkout - HTTP 503 - 3 minutes", ""),
    ("Closed: [P1] checkout is failing", "good"),
    ("Alarm checkout-5xx is now OK", ""),
    ("Service checkout is available again", ""),
    ("RECOVERY - checkout is OK", ""),
    ("** RECOVERY Service Alert: web/HTTP is OK **", ""),
    ("Host UP - web1", ""),
    ("Problem has been resolved at 03:12", ""),
    ("Resolved in 5m 2s: High CPU", ""),
)
ALERTS = (
    ("[FIRING:1] HighErrorRate (shop)", ""),
    ("[FIRING:1, RESOLVED:1] x", ""),
    ("checkout is DOWN", ""),
    ("checkout is not OK", ""),
    ("host could not be resolved", ""),
    ("cannot resolve db.railway.internal", ""),
    ("incident is not resolved yet", ""),
    ("unresolved incident on checkout", ""),
    ("will be resolved soon, checkout fails", ""),
    ("Deploy succeeded but 5xx went up", ""),
    ("memory is up 40 %", ""),
    ("memory is up to 98 %", ""),
    ("traffic is up since the deploy, checkout is slow", ""),
    ("is checkout up?", ""),
    ("expected 200 OK, got 503", ""),
    ("status: 200 OK expected, got 500", ""),
    ("OK to roll back?", ""),
    ("recovered panic: runtime error", ""),
    ("panic recovered", ""),
    ("job failed successfully", ""),
    ("Task finished with errors", ""),
    ("3 passed, 1 failed", ""),
    ("Triggered: checkout error rate is high", ""),
    ("ALARM: checkout", ""),
    ("State: ALARM", ""),
    ("OK -> ALARM", ""),
    ("state changed from OK to ALARM", ""),
    ("checkout has not recovered", ""),
    ("checkout never came back up", ""),
    ("Reopened: checkout 5xx", ""),
    ("resolved?", ""),
    ("checkout is up and down", ""),
    ("** PROBLEM Service Alert: web/HTTP is CRITICAL **", ""),
    ("checkout recovered, then went down again", ""),
    ("Customers say that checkout is broken", ""),
    ("[Triggered] [P1] checkout", ""),
    ("checkout is okay-ish, but slow", ""),
    ("Build failed", "danger"),
    ("deploy succeeded", "danger"),
    ("please resolve checkout", ""),
    ("Acknowledged: checkout is down", ""),
    ("[NODATA] checkout", ""),
    ("Warning: checkout p95 2 s", ""),
    ("checkout normal? p95 is 4 s", ""),
    ("ledger answers 500", ""),
    ("failed to recover checkout", ""),
    ("Status: Down (was up for 3 days)", ""),
    ("Monitor is DOWN: checkout. It was up for 5 days.", ""),
    ("checkout is up but returns 500", ""),
    ("health checks passed on 1 of 3 replicas", ""),
    ("success rate of checkout is 40 %", "good"),
    ("success rate fell to 40 %", ""),
    ("Normal traffic, but checkout is slow", ""),
    ("good morning, checkout is slow", ""),
    ("error: release v2 completed, checkout 502", ""),
    ("New incident: checkout is returning 502. Resolve at https://x/resolve", ""),
    ("[Resolve] [Acknowledge] checkout is slow", ""),
    ("To be resolved: checkout", ""),
)


@pytest.mark.parametrize(("text", "color"), GOOD)
def test_good_news_is_recognised(text: str, color: str) -> None:
    assert is_good_news([text], [color])


@pytest.mark.parametrize(("text", "color"), ALERTS)
def test_everything_else_is_an_alert(text: str, color: str) -> None:
    assert not is_good_news([text], [color])


@pytest.mark.parametrize(
    "trouble",
    ["[FIRING:1] x", "Triggered: x", "ALARM: x", "checkout is DOWN", "🔴 x", "OK -> ALARM", "still down"],
)
@pytest.mark.parametrize("good", ["✅ deploy succeeded", "checkout is UP", "Resolved: x"])
def test_trouble_in_another_line_outweighs_a_state_that_is_well(good: str, trouble: str) -> None:
    assert not is_good_news([good, trouble], [])


def test_a_red_attachment_is_no_good_news() -> None:
    assert not is_good_news(["[RESOLVED] x"], ["good", "danger"])


def test_a_very_long_message_is_no_good_news() -> None:
    assert not is_good_news(["[RESOLVED] x", *(f"line {n}" for n in range(MAX_LINES))], ["good"])


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ("good", "green"), ("#36a64f", "green"), ("2eb886", "green"), ("#5CB85C", "green"), ("danger", "red"),
        ("#d63232", "red"), ("#e01e5a", "red"), ("warning", ""), ("#daa038", ""), ("", ""), ("#fff", ""),
        ("#439FE0", ""), ("x" * 99, ""),
    ],
)  # fmt: skip
def test_the_hue_of_an_attachment(color: str, expected: str) -> None:
    assert hue(color) == expected
