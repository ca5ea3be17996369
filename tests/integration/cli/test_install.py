"""`install`: the webhook in Railway, against the fake Railway and a real receiver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from receiver.main import compose
from tests.support.command_line import run_command
from tests.support.fakes.railway import FakeRailway, World
from tests.support.fakes.serving import serve
from workers.cli.console import Console
from workers.cli.webhook_installation import InstallOptions, install
from workers.doctor.railway_webhook import EVENTS
from workers.runtime import settings as settings_module

HOST = "tw.example.com"
SECRET = "a-long-webhook-secret-of-ours"
HOOK = f"https://{HOST}/hooks/railway"
YES = InstallOptions(yes=True)
TERMINAL = Console(is_interactive=True)
PIPE = Console(is_interactive=False)


@dataclass
class Stage:
    """The fake Railway, and the variables of an installation whose receiver runs at `https://HOST`."""

    fake: FakeRailway
    variables: dict[str, str]

    def install(self, options: InstallOptions = YES, console: Console = PIPE, **changes: str) -> int:
        settings = settings_module.read(self.variables | changes, None)
        return install(settings, options, console)

    def rules(self) -> list[dict[str, Any]]:
        return self.fake.rules.rows

    def changes(self) -> list[str]:
        """The mutations that reached Railway, but for the test webhook."""
        return [
            name for name in self.fake.operations if name.startswith("notificationRule") and name[-1] != "s"
        ]


@pytest.fixture
def stage(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.chdir(tmp_path)
    fake = FakeRailway(World("prj", "acme", "env", "production"), project_token="of-project")
    variables = {
        "RAILWAY_API_TOKEN": fake.token, "TRACKWALKER_ENVIRONMENTS": "prj/env,prj/staging", "REDIS_URL": store_url,
        "TRACKWALKER_SECRET": SECRET, "TRACKWALKER_PUBLIC_URL": f"https://{HOST}",
    }  # fmt: skip
    with ExitStack() as stack:
        variables["RAILWAY_API_URL"] = stack.enter_context(serve(fake.app, fake.faults)).url
        receiver = compose(settings_module.read(variables, None))
        fake.rules.hosts[HOST] = stack.enter_context(serve(receiver)).url
        yield Stage(fake, variables)


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: text)


def test_one_rule_per_project_is_created_and_its_test_arrives(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    code = stage.install()

    printed = capsys.readouterr().out
    assert code == 0
    assert [row["projectId"] for row in stage.rules()] == ["prj"]
    assert stage.rules()[0]["channels"][0]["config"] == {
        "type": "webhook",
        "url": HOOK,
        "headers": {"X-Trackwalker-Secret": SECRET},
    }
    assert "Webhook registered and received in " in printed
    assert SECRET not in printed


def test_a_second_run_changes_nothing(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.install()

    code = stage.install()

    assert code == 0
    assert stage.changes() == ["notificationRuleCreate"]
    assert "is registered" in capsys.readouterr().out


def test_a_rule_that_lacks_events_is_updated_and_keeps_its_id(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.install()
    stage.rules()[0]["eventTypes"] = ["Deployment.failed", "Deployment.Crashed"]
    capsys.readouterr()

    code = stage.install()

    assert code == 0
    assert [row["id"] for row in stage.rules()] == ["rule-1"]
    assert stage.rules()[0]["eventTypes"] == list(EVENTS)
    assert "it lacks Deployment.oom_killed" in capsys.readouterr().out


def test_a_changed_secret_is_written_again(stage: Stage) -> None:
    stage.install()

    stage.install(TRACKWALKER_SECRET=f"the-new-secret,{SECRET}")

    headers = stage.rules()[0]["channels"][0]["config"]["headers"]
    assert headers == {"X-Trackwalker-Secret": "the-new-secret"}


def test_a_rule_from_elsewhere_is_kept_with_a_word_about_its_secret(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.install()
    (tmp_path / ".trackwalker" / "webhook-secrets.json").unlink()
    capsys.readouterr()

    stage.install()
    assert "install --renew" in capsys.readouterr().out

    stage.install(InstallOptions(yes=True, renew=True))
    assert stage.changes() == ["notificationRuleCreate", "notificationRuleUpdate"]


def test_a_terminal_shows_the_plan_and_a_no_changes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "")

    code = stage.install(InstallOptions(), TERMINAL)

    printed = capsys.readouterr().out
    assert code == 0
    assert stage.rules() == []
    assert all(event in printed for event in EVENTS)
    assert HOOK in printed
    assert "Nothing was changed" in printed


def test_a_yes_on_a_terminal_creates_the_rule(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "y")

    code = stage.install(InstallOptions(), TERMINAL)

    assert (code, len(stage.rules())) == (0, 1)


def test_in_a_pipe_nothing_is_changed_without_yes(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    code = stage.install(InstallOptions())

    assert (code, stage.rules()) == (2, [])
    assert "install --yes" in capsys.readouterr().out


def test_remove_deletes_our_rules_and_no_other(stage: Stage) -> None:
    for url in (HOOK, "https://pager.example.com/hook", f"{HOOK}/{SECRET}"):
        stage.fake.rules.create("account", {
            "workspaceId": "workspace-1", "projectId": "prj", "eventTypes": list(EVENTS),
            "channelConfigs": [{"type": "webhook", "url": url}],
        })  # fmt: skip

    code = stage.install(InstallOptions(yes=True, remove=True))

    assert code == 0
    assert [row["channels"][0]["config"]["url"] for row in stage.rules()] == [
        "https://pager.example.com/hook"
    ]


def test_a_rule_that_also_sends_to_somebody_else_is_left_alone(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.install()
    stage.rules()[0]["channels"].append({"config": {"type": "email"}, **stage.rules()[0]["channels"][0]})
    stage.rules()[0]["channels"][1] = stage.rules()[0]["channels"][1] | {"config": {"type": "email"}}

    code = stage.install(InstallOptions(yes=True, remove=True))

    assert (code, len(stage.rules())) == (1, 1)
    assert "https://railway.com/project/prj/settings/webhooks" in capsys.readouterr().out


def test_duplicates_are_named(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.install()
    stage.rules().append(stage.rules()[0] | {"id": "rule-2"})
    capsys.readouterr()

    stage.install()

    assert "Also registered: rule rule-2, so each event arrives 2 times" in capsys.readouterr().out


def test_a_project_token_gets_the_steps_by_hand(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    code = stage.install(RAILWAY_API_TOKEN="", RAILWAY_TOKEN="of-project", TRACKWALKER_ENVIRONMENTS="")

    printed = capsys.readouterr().out
    assert code == 1
    assert "https://railway.com/project/prj/settings/webhooks" in printed
    assert HOOK in printed
    assert SECRET not in printed


def test_a_workspace_token_that_may_not_update_is_explained(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.fake.workspace_token = "of-workspace"
    stage.install()
    stage.rules()[0]["eventTypes"] = []

    code = stage.install(RAILWAY_API_TOKEN="of-workspace")

    assert code == 1
    assert "A workspace token may create webhooks" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://tw.example.com", "https://127.0.0.1:8000", "https://tw.internal"])
def test_an_address_that_railway_cannot_reach_is_refused(
    stage: Stage, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = stage.install(TRACKWALKER_PUBLIC_URL=url)

    assert (code, stage.fake.operations) == (1, [])
    assert "Set TRACKWALKER_PUBLIC_URL" in capsys.readouterr().out


def test_a_receiver_with_another_secret_is_told(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    code = stage.install(TRACKWALKER_SECRET="another-secret-than-the-receivers")

    assert code == 1
    assert "another TRACKWALKER_SECRET" in capsys.readouterr().out


def test_a_project_that_does_not_exist_is_told(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    code = stage.install(TRACKWALKER_ENVIRONMENTS="other/env")

    assert code == 1
    assert "Check TRACKWALKER_ENVIRONMENTS" in capsys.readouterr().out


def test_another_program_at_the_address_is_told(
    stage: Stage, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # The receiver there notes the test in another store than ours.
    code = stage.install(
        REDIS_URL=store_url.replace("/0", "/1") if store_url.endswith("/0") else f"{store_url}/1"
    )

    assert code == 1
    assert "did not reach this installation" in capsys.readouterr().out


def test_an_address_that_nothing_answers_is_told_without_the_secret(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.fake.rules.hosts.clear()

    code = stage.install()

    printed = capsys.readouterr().out
    assert code == 1
    assert "could not send its test" in printed
    assert SECRET not in printed


def test_the_command_works_in_a_pipe(stage: Stage, tmp_path: Path) -> None:
    finished = run_command(tmp_path, "install", "--yes", **stage.variables)

    assert finished.returncode == 0, finished.stderr
    assert "Webhook registered and received" in finished.stdout


@pytest.mark.parametrize(
    "secret", ["what?is#this-secret", "100%25-secret/with/slashes", "two words & more=1"]
)
def test_a_secret_of_any_characters_arrives_with_the_test(
    stage: Stage, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = compose(settings_module.read(stage.variables | {"TRACKWALKER_SECRET": secret}, None))
    with serve(receiver) as served:
        stage.fake.rules.hosts[HOST] = served.url
        code = stage.install(TRACKWALKER_SECRET=secret)

    assert code == 0, capsys.readouterr().out
    assert secret not in capsys.readouterr().out
