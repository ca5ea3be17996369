"""All classes, and the share of each healthy one on a typical day."""

from __future__ import annotations

from types import ModuleType

from tests.eval import failing_resources, failing_traffic, healthy_changes, healthy_load, healthy_traffic
from tests.eval.scenario import Scenario


def _scenarios_of(*modules: ModuleType) -> dict[str, Scenario]:
    scenarios = [
        scenario for module in modules for scenario in vars(module).values() if isinstance(scenario, Scenario)
    ]
    return {scenario.name: scenario for scenario in scenarios}


CLASSES = _scenarios_of(healthy_load, healthy_traffic, healthy_changes, failing_resources, failing_traffic)
HEALTHY = {name: scenario for name, scenario in CLASSES.items() if not scenario.is_failing}
FAILING = {name: scenario for name, scenario in CLASSES.items() if scenario.is_failing}

RARE_SHARE = 0.004
TYPICAL_DAY = {
    "flat": 0.5, "idle": 0.04, "cpu_spikes": 0.07, "mem_spike": 0.02, "deploy_blip": 0.03, "gc_sawtooth": 0.05,
    "low_traffic_one_fail": 0.03, "bot_scan_4xx": 0.03, "diurnal_rise": 0.04, "traffic_surge": 0.01,
    "slow_by_nature": 0.02, "high_stable_memory": 0.02, "cron_batch": 0.03, "few_requests_noise": 0.03,
}  # fmt: skip
"""Shares of the windows of a healthy service. A healthy class that is not named has RARE_SHARE; all are scaled to 1."""


def typical_day() -> dict[str, float]:
    """Every healthy class with its share of a typical day; the shares sum to 1."""
    shares = {name: TYPICAL_DAY.get(name, RARE_SHARE) for name in HEALTHY}
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}
