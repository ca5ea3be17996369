"""The main job on real input: `python -m tests.demo [--seed N] [--kind K] [--keep]`; 0 when all of it held.

A service gets sick, a webhook comes in, the product (a child, configured by its environment only) finds the
cause, mends the code through the agent and opens a pull request; merged and deployed, the trouble is gone.
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

from tests.demo.following import Follower
from tests.demo.product import Product, product, settings_for, uses_own_model
from tests.demo.services import KINDS, Kind, draw
from tests.demo.services.writing import git
from tests.demo.story import Story, await_, is_sick, is_well, measure
from tests.demo.town import Town, town
from tests.support.fakes.github_shapes import Pull

HEALTHY_SECONDS = 5.0
SICK_SECONDS = 14.0
PULL_SECONDS = 80.0
"""How long the product may take from the webhook to the pull request with the scripted model."""
OWN_MODEL_SECONDS = 1500.0
AFTER_SECONDS = 8.0
WATCH_SECONDS = 30.0


def main() -> int:
    """0 when the pull request came, its patch went through, and the trouble is gone; else 1."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="trackwalker-demo-"))
    try:
        return run(options.seed, options.kind, folder)
    except KeyboardInterrupt:
        print("\ninterrupted: everything that was started has been ended")
        return 130
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seed", type=int, default=int(os.environ.get("SEED") or 1), help="which service and bug"
    )
    parser.add_argument("--kind", choices=KINDS, help="the kind of bug, instead of the seed's")
    parser.add_argument("--keep", action="store_true", help="keep repositories, logs and the product's state")
    return parser.parse_args()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(seed: int, kind: Kind | None, folder: Path) -> int:
    """The whole story in `folder`."""
    story, sickness = Story(), draw(seed, kind)
    print(f"Trackwalker demo, seed {seed}: {sickness.language} service `{sickness.service}`, {sickness.kind}")
    with town(sickness, seed, folder) as outside:
        story.say("town", "Railway, GitHub, Slack, a status page and a model stand ready on loopback")
        outside.platform.deploy(outside.commits.healthy)
        story.say("railway", f"{outside.commits.healthy[:7]} is live: {sickness.messages[0]}")
        settings = settings_for(outside, folder, os.environ)
        _print_settings(settings)
        with outside.visitors(), product(settings, folder) as running:
            story.say("product", f"up at {running.url}: web, worker, clock and its own store")
            try:
                held = _unfold(story, outside, running)
            except Exception:
                story.say("product", f"its log ends with\n{running.log[-3000:]}")
                raise
            if not held:
                story.say("product", f"its log ends with\n{running.log[-6000:]}\n{running.command('list')}")
        story.say("product", "ended")
    return 0 if held else 1


def _print_settings(settings: dict[str, str]) -> None:
    for name, value in sorted(settings.items()):
        hidden = name.endswith(("_TOKEN", "_KEY", "_SECRET"))
        print(f"    {name}={value[:4] + '…' if hidden else value}")
    own = uses_own_model(os.environ)
    print(
        "  scripted: "
        + ("nothing, the model is your own" if own else f"only the model, {settings['TRACKWALKER_MODEL']}")
    )
    print("  stand-ins on real sockets: Railway, GitHub, Slack, a status page")
    print("  real: the product, opencode, git, tests, services, CPU and memory, traffic")


def _unfold(story: Story, outside: Town, running: Product) -> bool:
    sickness, requests = outside.sickness, outside.service.requests
    await_(lambda: time.time() - outside.service.requests[0].at > HEALTHY_SECONDS, HEALTHY_SECONDS + 5)
    story.say("visitors", f"before: {measure(requests, 0)}")

    story.head("a commit brings a bug")
    outside.platform.deploy(outside.commits.sick)
    sick_since = time.time()
    story.say("railway", f"{outside.commits.sick[:7]} is live: {sickness.messages[1]}")

    def sick_for_long() -> bool:
        return time.time() - sick_since > SICK_SECONDS and is_sick(sickness, measure(requests, sick_since))

    await_(sick_for_long, SICK_SECONDS * 2)
    sick = measure(requests, sick_since)
    story.say("visitors", f"now: {sick}")
    if not is_sick(sickness, sick):
        story.say("demo", "the service did not get sick: this machine is not what the demo expects")
        return False

    story.head("the webhook")
    answer = running.post(webhook(outside))
    story.say(
        "railway", f"POST /hooks/railway Monitor.triggered → {answer.status_code} {answer.text.strip()}"
    )
    pull = _await_pull(story, outside, running)
    if pull is None:
        story.say("demo", "no pull request came")
        return False
    _show_pull(story, outside, running, pull)

    story.head("a human merges, Railway deploys")
    return _merge(story, outside, running, pull)


def webhook(outside: Town) -> dict[str, object]:
    """What Railway posts when a monitor of the service fires."""
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


def _await_pull(story: Story, outside: Town, running: Product) -> Pull | None:
    """Follows Slack until it links the pull request; None when the product gave up or was too slow."""
    follower = Follower(story, outside.slack)
    limit = OWN_MODEL_SECONDS if uses_own_model(os.environ) else PULL_SECONDS

    def come() -> bool:
        follower.follow()
        open_ones = [pull for pull in outside.github.pulls if pull.state == "open"]
        linked = any(f"/pull/{pull.number}" in text for pull in open_ones for text in follower.texts)
        return linked or follower.ended or running.process.poll() is not None

    await_(come, limit)
    return next((pull for pull in outside.github.pulls if pull.state == "open"), None)


def _show_pull(story: Story, outside: Town, running: Product, pull: Pull) -> None:
    story.head("the pull request")
    kind = "draft" if pull.draft else "ready for review"
    story.say("github", f"#{pull.number} {pull.title} ({kind})\n\n{(pull.body or '').strip()}")
    story.say("github", "\n" + git(outside.bare, "diff", f"{pull.base}...{pull.head}"))
    story.say("journal", running.command("list"))
    for word in running.command("list").split():
        if word.startswith("incident:"):
            lines = running.command("show", word).splitlines()
            story.say(
                "journal", "python -m workers show " + "\n".join([word, *(line[:160] for line in lines[:60])])
            )
            break


def _merge(story: Story, outside: Town, running: Product, pull: Pull) -> bool:
    commit = outside.github.merge(pull.number)
    deployment = outside.platform.deploy(commit)
    since = time.time()
    story.say("railway", f"#{pull.number} merged as {commit[:7]}, deployed: {deployment.status}")
    follower = Follower(story, outside.slack, quiet=True)
    await_(lambda: time.time() - since > AFTER_SECONDS, AFTER_SECONDS + 1)

    def watched() -> bool:
        follower.follow()
        return any(": Fix " in text for text in follower.texts)

    await_(watched, WATCH_SECONDS)
    sick_id, requests = outside.commits.sick, outside.service.requests
    ids = {one.id for one in outside.service.deployments if one.meta["commitHash"] == sick_id}
    before, after = (
        measure([one for one in requests if one.deployment_id in ids], 0),
        measure(requests, since),
    )
    held = deployment.status == "SUCCESS" and is_well(after)
    story.head("before and after")
    story.say("visitors", f"before the fix: {before}")
    story.say("visitors", f"after the fix:  {after}")
    if outside.github.wrong:
        story.say("github", "calls that the real one does not know: " + "\n".join(outside.github.wrong))
    story.say("demo", "the trouble is gone" if held else "the trouble is NOT gone")
    return held


if __name__ == "__main__":
    sys.exit(main())
