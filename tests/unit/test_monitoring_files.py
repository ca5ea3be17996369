"""The Prometheus rules and the Grafana dashboard use metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from receiver.metrics import StoreState, render
from workers.engine.counters import METRICS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus-rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"


def metric_names() -> set[str]:
    """The names of all series that /metrics can show."""
    text = render(CollectorRegistry(), StoreState()).decode()
    shown = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    labelled = {
        f"trackwalker_{name}" + ("" if metric.is_gauge else "_total") for name, metric in METRICS.items()
    }
    return shown | labelled | {"trackwalker_webhook_responses_total", "trackwalker_rule_precision"}


def expressions(node: Any) -> list[str]:
    """Every `expr` below a node of the dashboard."""
    if isinstance(node, list):
        return [text for child in node for text in expressions(child)]
    if not isinstance(node, dict):
        return []
    own = [node["expr"]] if isinstance(node.get("expr"), str) else []
    return own + [text for child in node.values() for text in expressions(child)]


def used_metrics(text: str) -> set[str]:
    return set(re.findall(r"\btrackwalker_\w+", text))


def test_every_panel_of_the_dashboard_shows_metrics_that_exist() -> None:
    shown = expressions(json.loads(DASHBOARD.read_text()))

    assert len(shown) > 20
    assert all(used_metrics(expression) for expression in shown)
    assert used_metrics("\n".join(shown)) - metric_names() == set()


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = used_metrics("\n".join(expressions(json.loads(DASHBOARD.read_text()))))
    families = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in shown}

    assert {f"trackwalker_{name}" for name in METRICS} - families == {"trackwalker_dismissed_findings"}


def test_the_rules_use_metrics_that_exist() -> None:
    lines = [line for line in RULES.read_text().splitlines() if "expr:" in line]

    assert lines
    assert used_metrics("\n".join(lines)) - metric_names() == set()
