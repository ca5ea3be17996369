"""The secrets of the settings and of the model configuration are found in every form that a text may quote."""

from __future__ import annotations

from pathlib import Path

from workers.remediation.resources import patch_secrets
from workers.runtime import settings
from workers.runtime.redaction import redact

CONFIG = """{
  // comment
  "provider": {"own": {"options": {"apiKey": "own-provider-key-1", "baseURL": "https://models.example/v1",
    "headers": {"X-Api-Key": "own-header-key-1", "Authorization": "Bearer own-bearer-key-1"}},
    "other": {"options": {"apiKey": "{env:OTHER_MODEL_KEY}"}}}},
}"""


def test_no_secret_of_the_settings_or_the_model_configuration_stays_in_a_text(tmp_path: Path) -> None:
    config = tmp_path / "opencode.json"
    config.write_text(CONFIG)
    settings.read(
        {
            "TRACKWALKER_SECRET": "first-webhook-secret,second-webhook-secret",
            "REDIS_URL": "redis://:store-pa%2Fssword@127.0.0.1:6379/0",
            "SLACK_WEBHOOK_URL": "https://slack.example/services/TAAA/BBBB/cccc",
            "ANTHROPIC_API_KEY": "provider-key-of-env",
            "OTHER_MODEL_KEY": "key-by-its-variable",
            "OPENCODE_CONFIG": str(config),
        },
        dotenv=None,
    )
    secrets = (
        "first-webhook-secret", "second-webhook-secret", "store-pa%2Fssword", "store-pa/ssword",
        "services/TAAA/BBBB/cccc",
        "provider-key-of-env", "key-by-its-variable", "own-provider-key-1", "own-header-key-1", "own-bearer-key-1",
    )  # fmt: skip

    assert [secret for secret in secrets if secret in redact(f"text {secret} text")] == []
    assert redact("https://models.example/v1") == "https://models.example/v1"


def test_a_patch_is_searched_for_the_keys_of_the_model_configuration(tmp_path: Path) -> None:
    config = tmp_path / "opencode.json"
    config.write_text(CONFIG)
    environ = {"OPENCODE_CONFIG": str(config), "ANTHROPIC_API_KEY": "provider-key-of-env"}

    searched = patch_secrets(settings.read(environ, dotenv=None))

    assert {"own-provider-key-1", "own-header-key-1", "own-bearer-key-1", "provider-key-of-env"} <= {
        *searched
    }
