"""Runs Trackwalker's main job on real input: `python -m tests.demo [--seed N] [--kind K] [--keep]`.

A commit brings a bug into a small service, and a webhook reports it. The product, a child process that knows only its
environment variables, finds the cause, lets the agent fix the code and opens a pull request. The demo merges it,
deploys it and measures the service again. The exit code is 0 if the fault is gone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from tests.demo.environment import DemoEnvironment, demo_environment
from tests.demo.product import Product, product, settings_for, uses_own_model
from tests.demo.services import KINDS, Kind, draw
from tests.demo.services.writing import git
from tests.demo.slack_follower import SlackFollower
from tests.demo.story import Story, is_faulty, is_healthy, measure, wait_for
from tests.support.fakes.github_shapes import Pull

HEALTHY_SECONDS = 5.0  # traffic before the bug, as a baseline
FAULTY_SECONDS = 14.0  # traffic with the bug before the alert: longer than the product's minimum duration
PULL_SECONDS = 80.0  # deadline from the webhook to the pull request with the scripted model
OWN_MODEL_SECONDS = 1500.0  # the same with a real model: two agent runs
AFTER_SECONDS = 8.0  # traffic after the fix, enough for a measurement
VERIFY_SECONDS = 30.0  # deadline for the product's own measurement after the deployment
SHOWN_LINES = 60  # lines of a journal that the story prints
SHOWN_WIDTH = 160


def main() -> int:
    """Run the demo; 0 if the pull request came, its patch was deployed and the fault is gone."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="trackwalker-demo-"))
    try:
        return run(options.seed, options.kind, folder)
    except KeyboardInterrupt:
        print("\ninterrupted: all processes of the demo have been stopped")
        return 130
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.demo",
        description="Runs Trackwalker on a small service with a real bug, from the alert to the merged fix.",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=int(os.environ.get("SEED") or 1),
        help="selects the service and its bug (default: $SEED or 1)",
    )
    parser.add_argument("--kind", choices=KINDS, help="kind of bug (default: the seed selects one)")
    parser.add_argument("--keep", action="store_true", help="keep repositories, logs and the product's data")
    return parser.parse_args()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(seed: int, kind: Kind | None, folder: Path) -> int:
    """Run the demo in `folder`; 0 if the fault is gone."""
    story, fault = Story(), draw(seed, kind)
    print(f"Trackwalker demo, seed {seed}: {fault.language} service `{fault.service}`, bug `{fault.kind}`")
    with demo_environment(fault, seed, folder) as outside:
        story.event(
            "demo", "local stand-ins for Railway, GitHub, Slack, a status page and a model are running"
        )
        outside.platform.deploy(outside.commits.healthy)
        story.event("railway", f"deployed {outside.commits.healthy[:7]}: {fault.messages[0]}")
        settings = settings_for(outside, folder, os.environ)
        _print_settings(settings)
        with outside.visitors(), product(settings, folder) as running:
            story.event("product", f"running at {running.url}: web, worker, clock and its own Redis")
            try:
                fixed = _tell_story(story, outside, running)
            except Exception:
                story.event("product", f"end of its log:\n{running.log[-3000:]}")
                raise
            if not fixed:
                story.event("product", f"end of its log:\n{running.log[-6000:]}\n{running.command('list')}")
        story.event("product", "stopped")
    return 0 if fixed else 1


def _print_settings(settings: dict[str, str]) -> None:
    print("\nThe product's settings:")
    for name, value in sorted(settings.items()):
        hidden = name.endswith(("_TOKEN", "_KEY", "_SECRET"))
        print(f"    {name}={value[:4] + '…' if hidden else value}")
    model = "your own" if uses_own_model(os.environ) else f"scripted ({settings['TRACKWALKER_MODEL']})"
    print(f"Model: {model}")
    print("Local stand-ins over HTTP: Railway, GitHub, Slack, a status page")
    print("Real: the product, opencode, git, tests, services, CPU and memory, traffic\n")


def _tell_story(story: Story, outside: DemoEnvironment, running: Product) -> bool:
    fault, requests = outside.fault, outside.service.requests
    wait_for(lambda: time.time() - outside.service.requests[0].at > HEALTHY_SECONDS, HEALTHY_SECONDS + 5)
    story.event("visitors", f"before the bug: {measure(requests, 0)}")

    story.chapter("1. A commit brings a bug")
    outside.platform.deploy(outside.commits.faulty)
    since = time.time()
    story.event("railway", f"deployed {outside.commits.faulty[:7]}: {fault.messages[1]}")

    def fault_shows() -> bool:
        return time.time() - since > FAULTY_SECONDS and is_faulty(fault, measure(requests, since))

    wait_for(fault_shows, FAULTY_SECONDS * 2)
    measurement = measure(requests, since)
    story.event("visitors", f"with the bug: {measurement}")
    if not is_faulty(fault, measurement):
        story.event("demo", "the bug does not show on this machine, so there is nothing to fix")
        return False

    story.chapter("2. Railway sends a webhook, Trackwalker investigates")
    response = running.post(webhook(outside))
    story.event(
        "railway",
        f"POST /hooks/railway Monitor.triggered → {response.status_code} {response.text.strip()}",
    )
    pull = _await_pull(story, outside, running)
    if pull is None:
        story.event("demo", "Trackwalker opened no pull request")
        return False
    _show_pull(story, outside, running, pull)

    story.chapter("4. A person merges it, Railway deploys it")
    return _merge(story, outside, running, pull)


def webhook(outside: DemoEnvironment) -> dict[str, object]:
    """The body that Railway posts when a monitor of the service fires."""
    world = outside.world
    return {
        "type": "Monitor.triggered",
        "details": {"id": str(uuid.uuid4()), "metric": "network_egress", "condition": "above"},
        "resource": {
            "workspace": {"id": world.workspace_id, "name": "Acme"},
            "project": {"id": world.project_id, "name": world.project_name},
            "environment": {"id": world.environment_id, "name": world.environment_name, "isEphemeral": False},
            "service": {"id": outside.service.id, "name": outside.service.name},
        },
        "severity": "WARNING",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _await_pull(story: Story, outside: DemoEnvironment, running: Product) -> Pull | None:
    """The open pull request once Slack links it; None if the incident ends without one or the deadline passes."""
    follower = SlackFollower(story, outside.slack)
    limit = OWN_MODEL_SECONDS if uses_own_model(os.environ) else PULL_SECONDS

    def open_pull() -> Pull | None:
        return next((pull for pull in outside.github.pulls if pull.state == "open"), None)

    def decided() -> bool:
        changed, pull = follower.follow(), open_pull()
        linked = pull is not None and any(f"/pull/{pull.number}" in text for text in follower.texts)
        # The journal is read only after a change in Slack, because each read starts a Python process.
        without_pull = changed and pull is None and running.has_incident_record("outcome")
        return linked or without_pull or running.process.poll() is not None

    wait_for(decided, limit)
    return open_pull()


def _show_pull(story: Story, outside: DemoEnvironment, running: Product, pull: Pull) -> None:
    story.chapter("3. The pull request")
    kind = "draft" if pull.draft else "ready for review"
    story.event("github", f"#{pull.number} {pull.title} ({kind})\n\n{(pull.body or '').strip()}")
    story.event("github", "\n" + git(outside.bare, "diff", f"{pull.base}...{pull.head}"))
    story.event("journal", f"trackwalker list\n{running.command('list')}")
    for incident in running.incidents()[:1]:
        lines = running.command("show", incident).splitlines()[:SHOWN_LINES]
        text = "\n".join(line[:SHOWN_WIDTH] for line in lines)
        story.event("journal", f"trackwalker show {incident}\n{text}")


def _merge(story: Story, outside: DemoEnvironment, running: Product, pull: Pull) -> bool:
    commit = outside.github.merge(pull.number)
    deployment = outside.platform.deploy(commit)
    since = time.time()
    story.event("railway", f"#{pull.number} merged as {commit[:7]}, deployment: {deployment.status}")
    follower = SlackFollower(story, outside.slack, skip_existing=True)
    wait_for(lambda: time.time() - since > AFTER_SECONDS, AFTER_SECONDS + 1)
    wait_for(lambda: follower.follow() and running.has_incident_record("follow_up"), VERIFY_SECONDS)
    requests = outside.service.requests
    faulty = {
        deployment.id
        for deployment in outside.service.deployments
        if deployment.meta["commitHash"] == outside.commits.faulty
    }
    before = measure([request for request in requests if request.deployment_id in faulty], 0)
    after = measure(requests, since)
    fixed = deployment.status == "SUCCESS" and is_healthy(after)
    story.chapter("5. Before and after")
    story.event("visitors", f"before the fix: {before}")
    story.event("visitors", f"after the fix:  {after}")
    if outside.github.wrong:
        story.event("github", "requests that the real GitHub rejects: " + "\n".join(outside.github.wrong))
    story.event("demo", "the fault is gone" if fixed else "the fault is NOT gone")
    return fixed


if __name__ == "__main__":
    sys.exit(main())
