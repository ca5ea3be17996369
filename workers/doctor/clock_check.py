"""Checks this machine's clock against those of Railway, GitHub, Slack and Redis."""

from __future__ import annotations

from collections.abc import Iterator

from workers.doctor.check_context import Context
from workers.doctor.results import passed, skipped, warning
from workers.models.check_results import CheckResult
from workers.runtime.text import format_duration

AREA = "Clock"
# A `Date` header has whole seconds, and a response takes seconds on its way.
TOLERATED_SECONDS = 5.0
# Slack refuses, and so do we, a signed request whose time is more than five minutes away; GitHub an app's token of one.
SEVERE_SECONDS = 60.0


def check_clock(context: Context) -> Iterator[CheckResult]:
    """How far this machine's clock is away from the others, as the other checks have seen them."""
    skews = context.skews.by_host
    if not skews:
        yield skipped(AREA, "no other clock to compare with")
        return
    # The median: one host with a wrong clock says nothing about ours.
    skew = sorted(skews.values())[len(skews) // 2]
    if abs(skew) <= TOLERATED_SECONDS:
        yield passed(AREA, f"agrees with {', '.join(sorted(skews))}")
        return
    direction = "behind" if skew > 0 else "ahead"
    what = f"this machine's clock is {format_duration(abs(skew))} {direction}"
    severity = " (GitHub Apps and Slack's buttons are refused)" if abs(skew) > SEVERE_SECONDS else ""
    yield warning(AREA, what + severity, "turn on time synchronisation: timedatectl set-ntp true")
