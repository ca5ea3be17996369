"""Checks the model: one call of the smallest size, over the same API and with the same key as the model gateway."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

import httpx

from workers.agent.providers import read_providers, upstream
from workers.clients import deadline
from workers.doctor.check_context import CONNECT_SECONDS, Context
from workers.doctor.http_requests import body_of, host_of, reason
from workers.doctor.results import error, passed, skipped, warning
from workers.errors import AgentRefused, NotAvailable
from workers.gateway.formats import FormatName
from workers.gateway.provider_errors import message_of
from workers.gateway.upstream import Price, Upstream
from workers.models.check_results import CheckResult
from workers.runtime.settings import Settings
from workers.runtime.text import safe_line

AREA = "Model"
PROMPT = "Reply with OK."
CALL_SECONDS = 13.0  # for the call; a model that reasons before one token needs several
ANTHROPIC_VERSION = "2023-06-01"
MIN_RESPONSES_TOKENS = 16  # the smallest `max_output_tokens` that OpenAI's Responses API accepts
MAX_SUGGESTIONS = 3
NO_CREDIT = ("credit", "insufficient_quota", "billing", "quota")
SET_MODEL = "set TRACKWALKER_MODEL=provider/model"
KEY_REPAIR = "create a key in the console of the provider, and set it in .env"


class Call(NamedTuple):
    """The smallest request of an API."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


def check_model(context: Context) -> Iterator[CheckResult]:
    """Whether the provider accepts the key and knows the model, and whether its price is known.

    At start only the list of models is asked for, which costs nothing.
    """
    config = context.settings
    if not config.model:
        yield warning(
            AREA,
            "not set: causes are found, and no fix is written",
            f"{SET_MODEL}, for example anthropic/claude-sonnet-4-5",
        )
        return
    try:
        provider = _upstream(config)
    except AgentRefused as refused:
        what, _, repair = str(refused).partition(". ")
        is_file = what.startswith("OPENCODE_CONFIG")
        yield error(AREA, what, repair or ("correct the path or the file" if is_file else KEY_REPAIR))
        return
    # As the gateway: no proxy of the environment.
    with deadline.client(timeout=CONNECT_SECONDS, trust_env=False) as http:
        if context.is_quick:
            yield from _check_key(http, provider, config.model)
        else:
            yield from _check_call(http, provider, config.model)
    if provider.price is None:
        yield warning(
            AREA,
            f"the price of {config.model} is not known, so costs are not limited",
            "set TRACKWALKER_MODEL_PRICE=input/output in USD per million tokens",
        )


def _upstream(config: Settings) -> Upstream:
    keys = config.provider_keys
    environ = dict(os.environ) | {name: key.get_secret_value() for name, key in keys.items()}
    entries = read_providers(config.opencode_config, environ) if config.opencode_config else {}
    return upstream(config.model or "", entries, keys, config.model_price)


def _check_key(http: httpx.Client, provider: Upstream, model: str) -> Iterator[CheckResult]:
    response = _list_models(http, provider)
    if response.status_code in (401, 403):
        yield _refused_key(response, model)
    elif response.is_success:
        yield passed(AREA, f"{model}: the key is accepted")
    else:
        yield skipped(AREA, f"{model}: `trackwalker doctor` asks it")


def _check_call(http: httpx.Client, provider: Upstream, model: str) -> Iterator[CheckResult]:
    call = smallest_call(provider.formats[0], provider.model)
    began = time.monotonic()
    response = _send(http, provider, "POST", call.path, call.headers, call.body)
    if response.status_code == 400 and "max_completion_tokens" in response.text:
        body = {**call.body, "max_completion_tokens": call.body["max_tokens"]}
        body.pop("max_tokens")
        response = _send(http, provider, "POST", call.path, call.headers, body)
    if response.is_success:
        yield passed(
            AREA, f"{model} answered in {time.monotonic() - began:.1f} s{_price_text(provider.price)}"
        )
    else:
        yield _judge(http, provider, model, response)


def smallest_call(api: FormatName, model: str) -> Call:
    """A request for as few tokens as the API allows."""
    message = {"role": "user", "content": PROMPT}
    if api == "messages":
        return Call(
            "/messages", {"model": model, "max_tokens": 1, "messages": [message]},
            {"anthropic-version": ANTHROPIC_VERSION},
        )  # fmt: skip
    if api == "responses":
        body = {"model": model, "input": PROMPT, "max_output_tokens": MIN_RESPONSES_TOKENS, "store": False}
        return Call("/responses", body, {})
    if api == "gemini":
        contents = [{"role": "user", "parts": [{"text": PROMPT}]}]
        body = {"contents": contents, "generationConfig": {"maxOutputTokens": 1}}
        return Call(f"/models/{model}:generateContent", body, {})
    return Call("/chat/completions", {"model": model, "max_tokens": 1, "messages": [message]}, {})


def _judge(http: httpx.Client, provider: Upstream, model: str, response: httpx.Response) -> CheckResult:
    status, message = response.status_code, message_of(response.text)
    text = message.lower()
    if status == 402 or (status in (400, 403, 429) and any(word in text for word in NO_CREDIT)):
        return error(
            AREA,
            f"the account of {model} has no credit ({message})",
            "add credit in the console of the provider",
        )
    if status == 404 or (status in (400, 403, 422) and "model" in text):
        return _unknown_model(http, provider, model, status, message)
    if status in (401, 403) or (status == 400 and "api key" in text):
        return _refused_key(response, model)
    if status == 429:
        return warning(AREA, f"{model}: the provider limits the rate ({message})", "try again in a minute")
    if status >= 500:
        return warning(
            AREA, f"{model}: the provider answered {status}", "try again; Trackwalker retries by itself"
        )
    return warning(AREA, f"{model}: the provider answered {status}: {message}", "check OPENCODE_CONFIG")


def _refused_key(response: httpx.Response, model: str) -> CheckResult:
    status, message = response.status_code, message_of(response.text)
    detail = f": {message}" if message else ""
    return error(AREA, f"the provider of {model} refuses the key ({status}{detail})", KEY_REPAIR)


def _unknown_model(
    http: httpx.Client, provider: Upstream, model: str, status: int, message: str
) -> CheckResult:
    try:
        listed = _list_models(http, provider)
    except NotAvailable:
        listed = None
    ids = _ids(listed) if listed is not None and listed.is_success else []
    name = model.partition("/")[0]
    if provider.model in ids or not ids:
        what = f"the provider of {model} answers {status} ({message})"
        return error(
            AREA, what, f"{SET_MODEL} to a model of the provider, and check the address in OPENCODE_CONFIG"
        )
    close = get_close_matches(provider.model, ids, MAX_SUGGESTIONS, 0.4) or sorted(ids)[:MAX_SUGGESTIONS]
    suggestions = ", ".join(f"{name}/{safe_line(item, 80)}" for item in close)
    return error(
        AREA,
        f"{name} has no model {provider.model}; closest: {suggestions}",
        f"set TRACKWALKER_MODEL={name}/{safe_line(close[0], 80)}",
    )


def _list_models(http: httpx.Client, provider: Upstream) -> httpx.Response:
    headers = {"anthropic-version": ANTHROPIC_VERSION} if provider.formats[0] == "messages" else {}
    return _send(http, provider, "GET", "/models", headers)


def _ids(response: httpx.Response) -> list[str]:
    """The ids in a list of models: OpenAI's and Anthropic's `data`, Google's `models`."""
    body = body_of(response)
    items = body.get("data") or body.get("models") or []
    names = [item.get("id") or item.get("name") for item in items if isinstance(item, dict)]
    return [str(name).removeprefix("models/") for name in names if name]


def _send(
    http: httpx.Client, provider: Upstream, method: str, path: str, headers: dict[str, str],
    body: dict[str, Any] | None = None,
) -> httpx.Response:  # fmt: skip
    url = f"{provider.parts.scheme}://{provider.parts.netloc}{provider.target(path, {})}"
    try:
        with deadline.within(CALL_SECONDS):
            return http.request(
                method, url, json=body, headers=provider.request_headers() | headers, timeout=CALL_SECONDS
            )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as failure:
        raise NotAvailable(
            f"the provider cannot be reached at {host_of(url)}: {reason(failure)}"
        ) from failure


def _price_text(price: Price | None) -> str:
    return f"; ${price.input:g} in, ${price.output:g} out per million tokens" if price else ""
