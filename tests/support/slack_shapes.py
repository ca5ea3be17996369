"""Messages in Slack's format as tools send them: each with what it reports, and the services that it names.

The layouts are those of the tools' own sources or documentation; names, figures and addresses are invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SERVICES = ("checkout", "api", "web", "worker")
"""The services that the environment of these messages has."""


@dataclass(frozen=True)
class Shape:
    """A message, and how it has to be understood."""

    name: str
    body: dict[str, Any]
    is_alert: bool
    services: tuple[str, ...] = ("checkout",)
    lines: tuple[str, ...] = ()
    """Lines that the alert's message must contain."""


def _attachment(**fields: Any) -> dict[str, Any]:
    return {"attachments": [fields]}


def _kuma(name: str, state: str, text: str, color: str) -> dict[str, Any]:
    message = f"[{name}] [{state}] {text}"
    section = {
        "type": "section",
        "fields": [
            {"type": "mrkdwn", "text": f"*Message*\n{message}"},
            {"type": "mrkdwn", "text": "*Time (UTC)*\n2026-11-23 03:09:58"},
        ],
    }
    button = {
        "type": "button", "value": "Uptime-Kuma", "url": "https://status.example/dashboard/4",
        "text": {"type": "plain_text", "text": "Visit Uptime Kuma"},
    }  # fmt: skip
    site = {
        "type": "button", "value": "Site", "url": "https://checkout.example.com/health",
        "text": {"type": "plain_text", "text": "Visit site"},
    }  # fmt: skip
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Uptime Kuma Alert"}},
        section,
        {"type": "actions", "elements": [button, site]},
    ]
    return {
        "text": f"Uptime Kuma Alert\n{message}",
        "channel": "#ops",
        "username": "Uptime Kuma",
        "attachments": [{"color": color, "blocks": blocks}],
    }


def _healthchecks(state: str, color: str, text: str) -> dict[str, Any]:
    fields = [
        {"title": "Project", "value": "nightly", "short": True},
        {"title": "Schedule", "value": "every 5 minutes", "short": True},
        {"title": "Total Pings", "value": "412", "short": True},
        {"title": "Last Ping", "value": "Success, 12 minutes ago", "short": True},
    ]
    return {
        "username": "Healthchecks.io",
        "attachments": [
            {
                "color": color,
                "fallback": f'The check "worker" is {state}.',
                "mrkdwn_in": ["fields"],
                "title": f"“worker” is {state}{text}.",
                "title_link": "https://healthchecks.io/checks/7f0c/details/",
                "fields": fields,
            }
        ],
    }


def _cloudwatch(state: str, color: str) -> dict[str, Any]:
    return {
        "text": "*AWS CloudWatch Notification*",
        "attachments": [
            {
                "color": color,
                "fields": [
                    {"title": "Alarm Name", "value": "checkout-5xx", "short": True},
                    {"title": "Alarm Description", "value": "5xx of checkout above 5 %", "short": False},
                    {"title": "Trigger", "value": "Sum of HTTPCode_5XX > 5 for 1 period of 60 seconds"},
                    {"title": "Old State", "value": "INSUFFICIENT_DATA", "short": True},
                    {"title": "Current State", "value": state, "short": True},
                ],
                "ts": 1795404238,
            }
        ],
    }


def _datadog(title: str, color: str, text: str) -> dict[str, Any]:
    return _attachment(
        color=color,
        title=title,
        title_link="https://app.datadoghq.com/monitors/77",
        text=text,
        footer="Datadog",
        fields=[{"title": "Tags", "value": "env:production, service:checkout", "short": False}],
    )


def _blocks(*texts: str) -> dict[str, Any]:
    return {
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": texts[0]}},
            *({"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in texts[1:]),
        ]
    }


SHAPES = (
    # Alertmanager's default template, and one of the templates with labels that many people copy.
    Shape(
        "alertmanager-firing",
        _attachment(
            title="[FIRING:1] HighErrorRate (checkout production critical)",
            title_link="http://am.example:9093/#/alerts?receiver=ops",
            text="",
            fallback="[FIRING:1] HighErrorRate",
            color="danger",
            footer="",
        ),
        True,
    ),
    Shape(
        "alertmanager-resolved",
        _attachment(
            title="[RESOLVED] HighErrorRate (checkout production critical)",
            text="5xx above 5 % on checkout",
            color="good",
        ),
        False,
    ),
    Shape(
        "alertmanager-labels",
        _attachment(
            title="[FIRING:2] Latency",
            text="*Alert:* Latency - `critical`\n*Details:*\n • *alertname:* `Latency`\n • *service:* `checkout`\n"
            " • *instance:* `api.example.com:443`",
            color="#d63232",
            actions=[{"type": "button", "text": "Runbook", "url": "https://wiki.example/latency"}],
        ),
        True,
        lines=("Runbook (https://wiki.example/latency)",),
    ),
    Shape(
        "alertmanager-mixed",
        {
            "attachments": [
                {"title": "[RESOLVED] Latency (web)", "color": "good"},
                {"title": "[FIRING:1] Latency (checkout)", "color": "danger"},
            ]
        },
        True,
        ("checkout", "web"),
    ),
    # Grafana's Slack contact point, and its legacy notifier.
    Shape(
        "grafana-firing",
        _attachment(
            color="#D63232",
            title="[FIRING:1] High latency (checkout)",
            title_link="https://grafana.example/alerting/list",
            text="**Firing**\n\nValue: B=4.2, C=1\nLabels:\n - alertname = High latency\n - service = checkout\n"
            "Annotations:\n - summary = p95 is 4.2 s\n"
            "Source: https://grafana.example/alerting/grafana/abc/view\n",
            fallback="[FIRING:1] High latency (checkout)",
            footer="Grafana v11.3",
            ts=1795404238,
        ),
        True,
    ),
    Shape(
        "grafana-resolved",
        _attachment(
            color="#36a64f",
            title="[RESOLVED] High latency (checkout)",
            text="**Resolved**\n\nValue: B=0.2, C=0\nLabels:\n - alertname = High latency\n",
            footer="Grafana v11.3",
        ),
        False,
    ),
    Shape(
        "grafana-legacy-alerting",
        _attachment(
            color="#D63232",
            title="[Alerting] checkout latency",
            fields=[{"title": "p95", "value": 4.2, "short": True}],
        ),
        True,
        lines=("p95: 4.2",),
    ),
    Shape("grafana-legacy-ok", _attachment(color="#36a64f", title="[OK] checkout latency"), False),
    # Uptime Kuma.
    Shape(
        "kuma-down",
        _kuma("checkout", "🔴 Down", "Request failed with status code 503", "#e01e5a"),
        True,
        lines=("Visit site (https://checkout.example.com/health)",),
    ),
    Shape("kuma-up", _kuma("checkout", "✅ Up", "200 - OK", "#2eb886"), False),
    Shape("kuma-host-only", _kuma("shop front", "🔴 Down", "connect ECONNREFUSED", "#e01e5a"), True, ()),
    # Healthchecks.io.
    Shape("healthchecks-down", _healthchecks("DOWN", "#d9534f", " (success signal did not arrive)"), True, ("worker",)),
    Shape("healthchecks-up", _healthchecks("UP", "#5cb85c", ""), False, ("worker",)),
    # Relays of CloudWatch alarms.
    Shape("cloudwatch-alarm", _cloudwatch("ALARM", "danger"), True),
    Shape("cloudwatch-ok", _cloudwatch("OK", "good"), False),
    Shape(
        "chatbot-ok",
        _blocks("✅ CloudWatch Alarm | checkout-5xx | us-east-1", "*State change:* ALARM → OK\nThreshold crossed"),
        False,
        (),
    ),
    # UptimeRobot.
    Shape(
        "uptimerobot-down",
        _attachment(
            text="Monitor is DOWN: checkout\nReason: HTTP 503 - Service Unavailable", color="#df484a",
            title_link="https://dashboard.uptimerobot.com/monitors/9",
        ),
        True,
    ),
    Shape(
        "uptimerobot-up",
        {"text": "Monitor is UP: checkout ( https://checkout.example.com ). It was down for 4 minutes and 2 seconds."},
        False,
    ),
    # Datadog.
    Shape(
        "datadog-triggered",
        _datadog("Triggered: checkout error rate is high", "#a30200", "More than 5 % of requests fail"),
        True,
    ),
    Shape(
        "datadog-recovered",
        _datadog("Recovered: checkout error rate is high", "#2eb886", "@slack-ops error rate above 5 %"),
        False,
    ),
    Shape(
        "datadog-warn",
        _datadog("[Warn] [P2] checkout error rate", "#daa038", "3 % of requests fail"),
        True,
    ),
    # Better Stack.
    Shape(
        "betterstack-started",
        _blocks("🔴 New incident started", "*checkout*\n*Cause:* Status 503", "Checked URL: GET https://web.example.com"),
        True,
    ),
    Shape("betterstack-resolved", _blocks("✅ Incident resolved", "*checkout*\n*Length:* 4 minutes"), False),
    # Relays of PagerDuty and Opsgenie.
    Shape(
        "pagerduty-triggered",
        _attachment(
            color="#d9534f", pretext="Triggered #4711", title="checkout: disk full",
            fields=[{"title": "Service", "value": "checkout"}, {"title": "Urgency", "value": "high"}],
        ),
        True,
    ),
    Shape(
        "pagerduty-resolved",
        _attachment(color="#5cb85c", pretext="Resolved #4711 by Ana", title="checkout: disk full"),
        False,
    ),
    Shape("opsgenie-closed", _attachment(color="good", title="Closed: checkout is failing health checks"), False),
    # Sentry's and GlitchTip's, Railway's own, and what deploys say.
    Shape(
        "glitchtip",
        {
            "text": "GlitchTip Alert",
            "attachments": [
                {
                    "title": "KeyError: 'gift'",
                    "title_link": "https://glitchtip.example/issues/7",
                    "text": "shop.pricing in total",
                    "color": "#e52b50",
                    "fields": [
                        {"title": "Project", "value": "checkout", "short": True},
                        {"title": "Environment", "value": "production", "short": True},
                    ],
                }
            ],
        },
        True,
    ),
    Shape(
        "deploy-succeeded",
        _attachment(
            color="good", fallback="checkout deployed", author_name="mira",
            fields=[{"title": "Ref", "value": "refs/heads/main"}, {"title": "checkout deployed", "value": "Round"}],
        ),
        False,
    ),
    Shape(
        "deploy-failed",
        _attachment(color="danger", title="checkout deploy failed", text="exit code 1"),
        True,
    ),
    Shape("deploy-then-failure", {"text": "Deploy of checkout succeeded, but the health check failed 3 times"}, True),
    Shape("github-success", {"text": ":white_check_mark: Workflow *test* of acme/checkout succeeded"}, False),
    Shape("checkly-recovered", {"text": "*checkout* has recovered after 5 minutes"}, False),
    Shape("statuspage", {"text": "Resolved - This incident has been resolved. Nov 23, 03:30 UTC (checkout)"}, False),
    # What a person or a script writes.
    Shape("person", {"text": "checkout is slow, can somebody look?"}, True),
    Shape("not-resolved", {"text": "checkout: the incident is not resolved yet"}, True),
    Shape("dns", {"text": "checkout: db.example.com could not be resolved"}, True),
    Shape("panic", {"text": "recovered from panic in checkout: nil pointer dereference"}, True),
    Shape("still-down", {"text": "✅ dns ok, but checkout is still down"}, True),
    Shape("growing", {"text": "memory of checkout is up 40 % since 03:00"}, True),
    Shape("host", {"text": "https://checkout.example.com/x answers 502, api.stripe.com too"}, True, ()),
    Shape("path", {"text": "GET /api/orders is slow on checkout-canary, see src/web/index.ts"}, True, ()),
    Shape("service-in-sentence", {"text": "Since 03:01 the web service answers 500."}, True, ("web",)),
    Shape(
        "rich-text",
        {
            "blocks": [
                {
                    "type": "rich_text",
                    "elements": [
                        {
                            "type": "rich_text_section",
                            "elements": [
                                {"type": "emoji", "name": "fire"},
                                {"type": "text", "text": " checkout ", "style": {"bold": True}},
                                {"type": "link", "url": "https://logs.example/9", "text": "logs"},
                            ],
                        },
                        {
                            "type": "rich_text_list",
                            "elements": [
                                {
                                    "type": "rich_text_section",
                                    "elements": [{"type": "text", "text": "p95 4.2 s"}],
                                }
                            ],
                        },
                    ],
                },
                {"type": "context", "elements": [{"type": "mrkdwn", "text": "by *prober*"}]},
            ]
        },
        True,
        lines=(":fire: checkout logs (https://logs.example/9)", "p95 4.2 s", "by *prober*"),
    ),
)  # fmt: skip
"""All of them."""
