"""The history of a service: summaries of its earlier windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import ConfigDict, Field

from workers.models.base import Model, Moment


class Summary(Model):
    """One window of a service in the numbers that later windows are compared with. None means unknown.

    CPU and memory are those of the mean replica, in vCPU and GB.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    at: Moment | None = None
    """The end of the window."""
    minutes: float | None = None
    """The length of the window."""
    cpu_mean: float | None = None
    cpu_peak: float | None = None
    """The highest mean over five consecutive minutes."""
    memory_mean: float | None = None
    memory_low: float | None = None
    memory_high: float | None = None
    disk: float | None = None
    """Used GB at the end of the window."""
    egress: float | None = None
    """GB sent in the window."""
    requests: float | None = None
    server_errors: float | None = Field(default=None, alias="5xx")
    ok: float | None = None
    """Requests with a status below 400."""
    p95_median: float | None = None
    """Milliseconds: the median of the 95th percentiles of the steps."""
    p95_high: float | None = None
    """Milliseconds: the 90th percentile of the 95th percentiles of the steps."""
    cpu_high_minutes: float | None = None
    """The longest interval of high CPU."""
    restarted: bool | None = None
    """Whether a container started in the window."""
    error_lines: float | None = None
    run_minutes: float | None = None
    """Minutes with a running container, of a cron service."""
    alerting_kinds: tuple[str, ...] = Field(default=(), alias="sick")
    """Kinds of the findings above a notice. The baseline leaves out windows with such a finding while it is new."""

    notice_kinds: tuple[str, ...] = Field(default=(), alias="noticed")
    """Kinds of the notices that later windows must not be compared with, such as a drop of traffic."""


History = Mapping[str, Sequence[Summary]]
"""Earlier windows that do not overlap, by service id, oldest first."""
