"""Reads the user's model providers, and splits the settings of a run's provider between the gateway and opencode.

The gateway gets the address, the key, the user's headers and the price. opencode gets an entry that names the gateway
and its token, and no secret that is valid elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from workers.errors import AgentRefused
from workers.gateway.formats import FormatName
from workers.gateway.list_prices import list_price
from workers.gateway.upstream import Price, Upstream
from workers.runtime.private_hosts import is_private_host


@dataclass(frozen=True)
class Package:
    """A provider package of opencode: the API that it speaks, and how that API gets the key."""

    formats: tuple[FormatName, ...]
    base_url: str = ""
    """The package's default address, without a trailing slash."""
    key_header: str = "authorization"


OPENAI_COMPATIBLE = "@ai-sdk/openai-compatible"
CHAT: tuple[FormatName, ...] = ("chat",)

PACKAGES: Mapping[str, Package] = {
    OPENAI_COMPATIBLE: Package(CHAT),
    "@ai-sdk/openai": Package(("responses", "chat"), "https://api.openai.com/v1"),
    "@ai-sdk/anthropic": Package(("messages",), "https://api.anthropic.com/v1", "x-api-key"),
    "@ai-sdk/google": Package(
        ("gemini",), "https://generativelanguage.googleapis.com/v1beta", "x-goog-api-key"
    ),
    "@ai-sdk/azure": Package(("responses", "chat"), "", "api-key"),
    "@ai-sdk/alibaba": Package(CHAT, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    "@ai-sdk/cerebras": Package(CHAT, "https://api.cerebras.ai/v1"),
    "@ai-sdk/deepinfra": Package(CHAT, "https://api.deepinfra.com/v1/openai"),
    "@ai-sdk/groq": Package(CHAT, "https://api.groq.com/openai/v1"),
    "@ai-sdk/mistral": Package(CHAT, "https://api.mistral.ai/v1"),
    "@ai-sdk/perplexity": Package(CHAT, "https://api.perplexity.ai"),
    "@ai-sdk/togetherai": Package(CHAT, "https://api.together.xyz/v1"),
    "@ai-sdk/vercel": Package(CHAT, "https://api.v0.dev/v1"),
    "@ai-sdk/xai": Package(CHAT, "https://api.x.ai/v1"),
    "@openrouter/ai-sdk-provider": Package(CHAT, "https://openrouter.ai/api/v1"),
}
"""Packages inside the opencode binary whose API the gateway passes on, with the addresses of their documentation.
opencode installs any other package from npm during the first prompt, and without network that prompt never ends."""

NOT_PASSED_ON: Mapping[str, str] = {
    "@ai-sdk/amazon-bedrock": "signs each request with AWS credentials; use Bedrock's OpenAI-compatible endpoint "
    "with an API key, or the model maker's own API",
    "@ai-sdk/google-vertex": "signs in with OAuth; use provider `google` with GEMINI_API_KEY",
    "@ai-sdk/google-vertex/anthropic": "signs in with OAuth; use provider `anthropic` with ANTHROPIC_API_KEY",
    "@ai-sdk/cohere": "speaks an API of its own; use @ai-sdk/openai-compatible with baseURL "
    "https://api.cohere.ai/compatibility/v1",
    "@ai-sdk/gateway": "speaks an API of its own; use @ai-sdk/openai-compatible with baseURL "
    "https://ai-gateway.vercel.sh/v1",
}
"""Packages that a gateway with a key cannot serve, and what to use instead."""

NAMES: Mapping[str, str] = {
    "openai": "@ai-sdk/openai", "anthropic": "@ai-sdk/anthropic", "google": "@ai-sdk/google",
    "azure": "@ai-sdk/azure", "azure-cognitive-services": "@ai-sdk/azure", "alibaba": "@ai-sdk/alibaba",
    "cerebras": "@ai-sdk/cerebras", "deepinfra": "@ai-sdk/deepinfra", "groq": "@ai-sdk/groq",
    "mistral": "@ai-sdk/mistral", "perplexity": "@ai-sdk/perplexity", "togetherai": "@ai-sdk/togetherai",
    "v0": "@ai-sdk/vercel", "xai": "@ai-sdk/xai", "openrouter": "@openrouter/ai-sdk-provider",
    "amazon-bedrock": "@ai-sdk/amazon-bedrock", "google-vertex": "@ai-sdk/google-vertex",
    "google-vertex-anthropic": "@ai-sdk/google-vertex/anthropic", "cohere": "@ai-sdk/cohere",
    "vercel": "@ai-sdk/gateway",
}  # fmt: skip
"""opencode's own providers → their packages, for an entry without `npm`."""

COMPATIBLE_URLS: Mapping[str, str] = {
    "baseten": "https://inference.baseten.co/v1",
    "chutes": "https://llm.chutes.ai/v1",
    "cortecs": "https://api.cortecs.ai/v1",
    "deepseek": "https://api.deepseek.com",
    "fireworks-ai": "https://api.fireworks.ai/inference/v1",
    "friendli": "https://api.friendli.ai/serverless/v1",
    "huggingface": "https://router.huggingface.co/v1",
    "inference": "https://inference.net/v1",
    "moonshotai": "https://api.moonshot.ai/v1",
    "moonshotai-cn": "https://api.moonshot.cn/v1",
    "nebius": "https://api.tokenfactory.nebius.com/v1",
    "novita-ai": "https://api.novita.ai/openai",
    "nvidia": "https://integrate.api.nvidia.com/v1",
    "ollama-cloud": "https://ollama.com/v1",
    "opencode": "https://opencode.ai/zen/v1",
    "opencode-go": "https://opencode.ai/zen/go/v1",
    "requesty": "https://router.requesty.ai/v1",
    "scaleway": "https://api.scaleway.ai/v1",
    "siliconflow": "https://api.siliconflow.com/v1",
    "stepfun": "https://api.stepfun.com/v1",
    "upstage": "https://api.upstage.ai/v1/solar",
    "wandb": "https://api.inference.wandb.ai/v1",
    "zai": "https://api.z.ai/api/paas/v4",
    "zhipuai": "https://open.bigmodel.cn/api/paas/v4",
}
"""Providers of models.dev with an OpenAI-compatible API → their addresses. Others are named in OPENCODE_CONFIG."""

KEY_VARIABLES = {"google": ("GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY", "GOOGLE_API_KEY")}
"""Environment variables that hold a provider's key, if the name is not `<PROVIDER>_API_KEY`. The first one set wins."""

REJECT_STREAM_OPTIONS = frozenset(("@ai-sdk/mistral", "@ai-sdk/perplexity"))
"""Packages whose providers reject the unknown field `stream_options`, and report usage without it."""

AGENT_PATIENCE_MS = 900_000
"""Milliseconds without a header or a chunk before opencode repeats a request: longer than the gateway's own waits for
the provider, which decides on repeats."""

DEFAULT_OUTPUT_TOKENS = 32_000
"""Limit of one answer where the user's entry has no `limit.output`; opencode's own default."""


def upstream(
    model: str,
    provider_config: Mapping[str, Any],
    keys: Mapping[str, SecretStr],
    price: tuple[float, float] | None = None,
) -> Upstream:
    """The provider of a model, for the gateway.

    Args:
        model: `provider/model`.
        provider_config: the user's `provider` entries, in opencode's format.
        keys: values of the variables that hold providers' keys, by name.
        price: TRACKWALKER_MODEL_PRICE, which comes before every other price.

    Raises:
        AgentRefused: the key or the address is missing, or the gateway cannot serve this provider.
    """
    name, _, model_id = model.partition("/")
    entry = dict(provider_config.get(name) or {})
    options: dict[str, Any] = dict(entry.get("options") or {})
    package_name, package = _package(name, entry)
    model_entry: dict[str, Any] = dict((entry.get("models") or {}).get(model_id) or {})
    base_url = _base_url(name, package_name, package, options)
    headers = {**dict(options.get("headers") or {}), **dict(model_entry.get("headers") or {})}
    limit = dict(model_entry.get("limit") or {}).get("output")
    return Upstream(
        formats=package.formats,
        base_url=base_url,
        key=SecretStr(_key(name, model, options, keys)),
        # An entry may give the provider's name of the model; opencode asks for that one.
        model=str(model_entry.get("id") or model_id),
        key_header=package.key_header,
        headers={str(key): SecretStr(str(value)) for key, value in headers.items()},
        query={"api-version": str(options.get("apiVersion") or "v1")} if package_name == "@ai-sdk/azure" else {},
        price=_price(name, model_id, model_entry, price),
        max_output_tokens=limit if isinstance(limit, int) and limit > 0 else DEFAULT_OUTPUT_TOKENS,
        asks_for_usage=package_name not in REJECT_STREAM_OPTIONS,
    )  # fmt: skip


def opencode_entry(
    model: str, provider_config: Mapping[str, Any], gateway_url: str, token: str
) -> dict[str, Any]:
    """The `provider` entry that opencode gets: the user's own, with the gateway in place of address, key and headers.

    Args:
        gateway_url: `http://127.0.0.1:<port>`, as seen from the sandbox.
        token: the gateway's token of this run.
    """
    name, _, model_id = model.partition("/")
    entry = dict(provider_config.get(name) or {})
    package_name, package = _package(name, entry)
    # Azure's package builds addresses and headers of its own; the API behind them is OpenAI's.
    npm = "@ai-sdk/openai" if package_name == "@ai-sdk/azure" else package_name
    prefix = "/v1beta" if package.formats == ("gemini",) else "/v1"
    options = {
        "baseURL": gateway_url + prefix,
        "apiKey": token,
        "headerTimeout": AGENT_PATIENCE_MS,
        "chunkTimeout": AGENT_PATIENCE_MS,
    }
    own = dict((entry.get("models") or {}).get(model_id) or {})
    kept = {field: own[field] for field in MODEL_FIELDS if field in own}
    # The binary's list of models is as old as its release; an entry makes a newer model known.
    return {"npm": npm, "name": name, "options": options, "models": {model_id: kept}}


MODEL_FIELDS = (
    "id", "name", "limit", "cost", "reasoning", "temperature", "tool_call", "attachment", "modalities", "options",
    "variants", "interleaved",
)  # fmt: skip
"""Fields of the user's model entry that opencode gets. `headers` and `provider` are not among them: they may hold
secrets and other addresses."""


def _package(name: str, entry: Mapping[str, Any]) -> tuple[str, Package]:
    """The package that a provider uses."""
    own = NAMES.get(name) or (OPENAI_COMPATIBLE if name in COMPATIBLE_URLS else "")
    package = str(entry.get("npm") or own or OPENAI_COMPATIBLE)
    if package in NOT_PASSED_ON:
        raise AgentRefused(
            f"TRACKWALKER_MODEL: the provider {name} ({package}) {NOT_PASSED_ON[package]}. Trackwalker keeps keys "
            "out of the sandbox, so its model gateway must be able to add one to each request."
        )
    if package not in PACKAGES:
        raise AgentRefused(
            f"OPENCODE_CONFIG: the provider {name} needs the package {package}, which is not part of opencode. "
            f"Use a bundled package, for example {OPENAI_COMPATIBLE}."
        )
    return package, PACKAGES[package]


def _base_url(name: str, package_name: str, package: Package, options: Mapping[str, Any]) -> str:
    url = str(options.get("baseURL") or COMPATIBLE_URLS.get(name) or package.base_url)
    if package_name == "@ai-sdk/azure" and not url and options.get("resourceName"):
        url = f"https://{options['resourceName']}.openai.azure.com/openai"
    if package_name == "@ai-sdk/azure" and url and not urlsplit(url).path.rstrip("/").endswith("/v1"):
        url = f"{url.rstrip('/')}/v1"
    if not url:
        what = "resourceName or options.baseURL" if package_name == "@ai-sdk/azure" else "options.baseURL"
        raise AgentRefused(f"OPENCODE_CONFIG: the provider {name} has no address. Set {what}.")
    return _checked_url(name, url)


def _checked_url(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        # A model server of one's own, on this machine or in Railway's private network, has no certificate.
        is_plain = parts.scheme == "http" and is_private_host(parts.hostname or ".")
        valid = (parts.scheme == "https" or is_plain) and bool(parts.hostname) and parts.port != 0
        valid = valid and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        valid = False
    if not valid:
        # Without the value: it may hold a password.
        raise AgentRefused(
            f"OPENCODE_CONFIG: options.baseURL of {name} must be an https address without user name and query; http "
            "is accepted only for this machine and private networks (localhost, *.railway.internal, 10.0.0.5)."
        )
    return url.rstrip("/")


def key_variables(provider: str) -> tuple[str, ...]:
    """The environment variables that may hold a provider's key; the first one that is set wins."""
    return KEY_VARIABLES.get(provider, (re.sub(r"[^A-Z0-9]", "_", provider.upper()) + "_API_KEY",))


def _key(name: str, model: str, options: Mapping[str, Any], keys: Mapping[str, SecretStr]) -> str:
    variables = key_variables(name)
    values = (keys[variable].get_secret_value() for variable in variables if variable in keys)
    key = str(options.get("apiKey") or next(values, ""))
    # A base URL without a key is a local model, which needs none.
    if not key and not options.get("baseURL"):
        raise AgentRefused(
            f"{' or '.join(variables)}: the key for {model} is missing. Set it, or name it in OPENCODE_CONFIG."
        )
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise AgentRefused(f"{' or '.join(variables)}: the key holds characters that no header can carry.")
    return key


def _price(
    name: str, model_id: str, model_entry: Mapping[str, Any], setting: tuple[float, float] | None
) -> Price | None:
    """The model's price: the setting, the user's entry, or the dated list; None if none of them knows it."""
    if setting is not None:
        return Price(setting[0], setting[1], source="TRACKWALKER_MODEL_PRICE")
    cost = model_entry.get("cost")
    if isinstance(cost, dict) and _is_price(cost.get("input")) and _is_price(cost.get("output")):
        read, write = cost.get("cache_read"), cost.get("cache_write")
        return Price(
            float(cost["input"]), float(cost["output"]), read if _is_price(read) else None,
            write if _is_price(write) else None, source="OPENCODE_CONFIG",
        )  # fmt: skip
    return list_price(name, model_id)


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


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
