"""When an incident began, and how many requests its service received before and after. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from workers.models import Incident, Service

MIN_SAMPLES = 3  # traffic samples needed on each side of the onset: one or two are noise


class RequestRates(NamedTuple):
    """Requests per minute before and since the onset; `before` is above zero."""

    before: float
    since: float

    @property
    def growth(self) -> float:
        """The rate since the onset divided by the rate before it."""
        return self.since / self.before


def onset_of(incident: Incident) -> datetime:
    """The start of the oldest alerting finding, or of the window if there is no finding."""
    return min((finding.since for finding in incident.opening_findings), default=incident.window.start)


def request_rates(service: Service, onset: datetime) -> RequestRates | None:
    """The service's request rates, or None if either side of the onset has too few samples or no request."""
    before = [sample.requests for sample in service.traffic if sample.at < onset.timestamp()]
    since = [sample.requests for sample in service.traffic if sample.at >= onset.timestamp()]
    if len(before) < MIN_SAMPLES or len(since) < MIN_SAMPLES or not sum(before):
        return None
    minutes_per_sample = max(1, service.traffic_step_seconds) / 60
    return RequestRates(
        sum(before) / len(before) / minutes_per_sample, sum(since) / len(since) / minutes_per_sample
    )
