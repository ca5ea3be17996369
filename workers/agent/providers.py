"""Reads the user's model providers, and completes the one that a run uses with its key and its timeouts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from workers.errors import AgentRefused

BUNDLED_PACKAGES = frozenset(
    f"@ai-sdk/{name}"
    for name in (
        "alibaba", "amazon-bedrock", "anthropic", "azure", "cerebras", "cohere", "deepinfra", "gateway",
        "google", "google-vertex", "google-vertex/anthropic", "groq", "mistral", "openai",
        "openai-compatible", "perplexity", "togetherai", "vercel", "xai",
    )
) | {"@openrouter/ai-sdk-provider"}  # fmt: skip
"""Provider packages inside the opencode binary. opencode installs any other one from npm during the first prompt, and
without network that prompt never ends."""

KEY_VARIABLES = {"google": ("GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY", "GOOGLE_API_KEY")}
"""Environment variables that hold a provider's key, if the name is not `<PROVIDER>_API_KEY`. The first one set wins."""

MODEL_SILENCE_MS = 180_000
"""Milliseconds without a header or a chunk before opencode repeats a request. Reasoning models think for minutes."""


def provider(model: str, provider_config: Mapping[str, Any], keys: Mapping[str, SecretStr]) -> dict[str, Any]:
    """The provider entry of a model: the user's own, completed with the key and with timeouts.

    Args:
        model: `provider/model`.
        provider_config: the user's `provider` entries, in opencode's format.
        keys: values of the variables that hold providers' keys, by name.

    Raises:
        AgentRefused: the key is missing, or the provider needs a package that is not part of opencode.
    """
    name, _, model_id = model.partition("/")
    entry = dict(provider_config.get(name) or {})
    package = entry.get("npm")
    if package is not None and package not in BUNDLED_PACKAGES:
        raise AgentRefused(
            f"OPENCODE_CONFIG: the provider {name} needs the package {package}, which is not part of opencode. "
            "Use a bundled package, for example @ai-sdk/openai-compatible."
        )
    options: dict[str, Any] = {"headerTimeout": MODEL_SILENCE_MS, "chunkTimeout": MODEL_SILENCE_MS}
    options |= dict(entry.get("options") or {})
    variables = KEY_VARIABLES.get(name, (re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_API_KEY",))
    key = next((keys[variable].get_secret_value() for variable in variables if variable in keys), None)
    if key and not options.get("apiKey"):
        options["apiKey"] = key
    # A base URL without a key is a local model, which needs none.
    if not options.get("apiKey") and not options.get("baseURL"):
        raise AgentRefused(
            f"{' or '.join(variables)}: the key for {model} is missing. Set it, or name it in OPENCODE_CONFIG."
        )
    # The binary's list of models is as old as its release; an entry makes a newer model known.
    models: dict[str, Any] = {model_id: {}} | dict(entry.get("models") or {})
    return entry | {"options": options, "models": models}


def read_providers(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The `provider` entries of a file in opencode's format: JSON with comments and trailing commas.

    Args:
        path: the file.
        environ: the variables that replace `{env:NAME}`; a missing one becomes empty text, as in opencode.

    Raises:
        AgentRefused: the file cannot be read, or `provider` is not an object of objects.
    """
    try:
        text = path.read_text()
        # Each expression matches whole strings first, so that `//` in a URL is not taken for a comment.
        plain = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m[1] or "", text, flags=re.DOTALL)
        plain = re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda m: m[1] or "", plain)
        entries = json.loads(plain).get("provider", {})
    except (OSError, ValueError, AttributeError) as error:
        raise AgentRefused(f"OPENCODE_CONFIG: {path} cannot be read: {error}") from error
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise AgentRefused(f"OPENCODE_CONFIG: `provider` in {path} must be an object of objects")
    expanded: dict[str, Any] = _expand(entries, environ)
    return expanded


def _expand(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{env:([^}]+)\}", lambda match: environ.get(match[1].strip(), ""), value)
    if isinstance(value, dict):
        return {key: _expand(item, environ) for key, item in value.items()}
    return [_expand(item, environ) for item in value] if isinstance(value, list) else value
