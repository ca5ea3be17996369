"""All classes, and how often each healthy one is met on a usual day."""

from __future__ import annotations

from types import ModuleType

from tests.eval import failing_resources, failing_traffic, quiet_changes, quiet_load, quiet_traffic
from tests.eval.scenario import Scenario


def _of(*modules: ModuleType) -> dict[str, Scenario]:
    found = [one for module in modules for one in vars(module).values() if isinstance(one, Scenario)]
    return {one.name: one for one in found}


CLASSES = _of(quiet_load, quiet_traffic, quiet_changes, failing_resources, failing_traffic)
QUIET = {name: one for name, one in CLASSES.items() if not one.sick}
SICK = {name: one for name, one in CLASSES.items() if one.sick}

SELDOM = 0.004
USUAL_DAY = {
    "flat": 0.5, "idle": 0.04, "cpu_spikes": 0.07, "mem_spike": 0.02, "deploy_blip": 0.03, "gc_sawtooth": 0.05,
    "low_traffic_one_fail": 0.03, "bot_scan_4xx": 0.03, "diurnal_rise": 0.04, "traffic_surge": 0.01,
    "slow_by_nature": 0.02, "high_stable_memory": 0.02, "cron_batch": 0.03, "few_requests_noise": 0.03,
}  # fmt: skip
"""Shares of a healthy service's windows; every healthy class that is not named comes at SELDOM. All are scaled to 1."""


def usual_day() -> dict[str, float]:
    """Every healthy class with its share of a usual day; they sum to 1."""
    shares = {name: USUAL_DAY.get(name, SELDOM) for name in QUIET}
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}
