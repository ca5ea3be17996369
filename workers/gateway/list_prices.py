"""List prices of well-known models, for runs whose price no setting names.

From the list of models.dev inside opencode 1.18.33, whose newest entry is of 2026-09-27. Prices change: a price in
TRACKWALKER_MODEL_PRICE or in OPENCODE_CONFIG comes first, and the log names the source at the first run.
"""

from __future__ import annotations

from workers.gateway.upstream import Price

LIST_DATE = "2026-09-27"

Row = tuple[float, float, float | None, float | None, tuple[int, float, float] | None]
"""US dollars per million tokens: input, output, cache reads, cache writes; then the number of input tokens above which
a call costs more, with its prices of input and output."""

# One row a model, in the order of models.dev.
LIST_PRICES: dict[str, Row] = {
    "anthropic/claude-fable-5": (10, 50, 1, 12.5, None),
    "anthropic/claude-fable-5-1": (10, 50, 0.25, 12.5, None),
    "anthropic/claude-haiku-4-5": (1, 5, 0.1, 1.25, None),
    "anthropic/claude-haiku-4-5-20251001": (1, 5, 0.1, 1.25, None),
    "anthropic/claude-opus-4-5": (5, 25, 0.5, 6.25, None),
    "anthropic/claude-opus-4-5-20251101": (5, 25, 0.5, 6.25, None),
    "anthropic/claude-opus-4-6": (5, 25, 0.5, 6.25, None),
    "anthropic/claude-opus-4-7": (5, 25, 0.5, 6.25, None),
    "anthropic/claude-opus-4-8": (5, 25, 0.5, 6.25, None),
    "anthropic/claude-opus-5": (5, 25, 0.5, 6.25, None),
    "anthropic/claude-opus-5-5": (4, 20, 0.2, 5, None),
    "anthropic/claude-sonnet-4-5": (3, 15, 0.3, 3.75, None),
    "anthropic/claude-sonnet-4-5-20250929": (3, 15, 0.3, 3.75, None),
    "anthropic/claude-sonnet-4-6": (3, 15, 0.3, 3.75, None),
    "anthropic/claude-sonnet-5": (2, 10, 0.2, 2.5, None),
    "openai/gpt-4.1": (2, 8, 0.5, None, None),
    "openai/gpt-4.1-mini": (0.4, 1.6, 0.1, None, None),
    "openai/gpt-4o": (2.5, 10, 1.25, None, None),
    "openai/gpt-4o-2024-08-06": (2.5, 10, 1.25, None, None),
    "openai/gpt-4o-2024-11-20": (2.5, 10, 1.25, None, None),
    "openai/gpt-4o-mini": (0.15, 0.6, 0.075, None, None),
    "openai/gpt-5": (1.25, 10, 0.125, None, None),
    "openai/gpt-5-mini": (0.25, 2, 0.025, None, None),
    "openai/gpt-5-nano": (0.05, 0.4, 0.005, None, None),
    "openai/gpt-5-pro": (15, 120, None, None, None),
    "openai/gpt-5.1": (1.25, 10, 0.125, None, None),
    "openai/gpt-5.2": (1.75, 14, 0.175, None, None),
    "openai/gpt-5.2-pro": (21, 168, None, None, None),
    "openai/gpt-5.3-codex": (1.75, 14, 0.175, None, None),
    "openai/gpt-5.4": (2.5, 15, 0.25, None, (272000, 5, 22.5)),
    "openai/gpt-5.4-mini": (0.75, 4.5, 0.075, None, None),
    "openai/gpt-5.4-nano": (0.2, 1.25, 0.02, None, None),
    "openai/gpt-5.4-pro": (30, 180, None, None, (272000, 60, 270)),
    "openai/gpt-5.5": (5, 30, 0.5, None, (272000, 10, 45)),
    "openai/gpt-5.5-pro": (30, 180, None, None, (272000, 60, 270)),
    "openai/gpt-5.6": (4, 20, 0.4, 5, (272000, 8, 30)),
    "openai/gpt-5.6-luna": (0.2, 1.2, 0.02, 0.25, (272000, 0.4, 1.8)),
    "openai/gpt-5.6-luna-pro": (0.2, 1.2, 0.02, 0.25, (272000, 0.4, 1.8)),
    "openai/gpt-5.6-pro": (4, 20, 0.4, 5, (272000, 8, 30)),
    "openai/gpt-5.6-sol": (4, 20, 0.4, 5, (272000, 8, 30)),
    "openai/gpt-5.6-sol-pro": (4, 20, 0.4, 5, (272000, 8, 30)),
    "openai/gpt-5.6-terra": (2, 12, 0.2, 2.5, (272000, 4, 18)),
    "openai/gpt-5.6-terra-pro": (2, 12, 0.2, 2.5, (272000, 4, 18)),
    "openai/gpt-6-astra": (10, 50, 1, 12.5, (272000, 20, 75)),
    "openai/gpt-6-astra-pro": (10, 50, 1, 12.5, (272000, 20, 75)),
    "openai/gpt-6-luna": (0.1, 0.5, 0.01, 0.125, (272000, 0.2, 0.75)),
    "openai/gpt-6-luna-pro": (0.1, 0.5, 0.01, 0.125, (272000, 0.2, 0.75)),
    "openai/gpt-6-sol": (2, 10, 0.2, 2.5, (272000, 4, 15)),
    "openai/gpt-6-sol-pro": (2, 10, 0.2, 2.5, (272000, 4, 15)),
    "openai/o3": (2, 8, 0.5, None, None),
    "openai/o3-pro": (20, 80, None, None, None),
    "google/gemini-2.5-flash": (0.3, 2.5, 0.03, None, None),
    "google/gemini-2.5-flash-lite": (0.1, 0.4, 0.01, None, None),
    "google/gemini-2.5-pro": (1.25, 10, 0.125, None, (200000, 2.5, 15)),
    "google/gemini-3-flash-preview": (0.5, 3, 0.05, None, None),
    "google/gemini-3.1-flash-lite": (0.25, 1.5, 0.025, None, None),
    "google/gemini-3.1-pro-preview": (2, 12, 0.2, None, (200000, 4, 18)),
    "google/gemini-3.1-pro-preview-customtools": (2, 12, 0.2, None, (200000, 4, 18)),
    "google/gemini-3.5-flash": (1.5, 9, 0.15, None, None),
    "google/gemini-3.5-flash-lite": (0.3, 2.5, 0.03, None, None),
    "google/gemini-3.6-flash": (0.75, 3.75, 0.075, None, None),
    "google/gemini-3.7-flash": (0.75, 3.75, 0.075, None, None),
    "google/gemini-3.8-flash": (0.75, 3.75, 0.075, None, None),
    "google/gemini-flash-latest": (0.75, 3.75, 0.075, None, None),
    "google/gemini-flash-lite-latest": (0.3, 2.5, 0.03, None, None),
    "xai/grok-4.20-0309-non-reasoning": (1.25, 2.5, 0.2, None, (200000, 2.5, 5)),
    "xai/grok-4.20-0309-reasoning": (1.25, 2.5, 0.2, None, (200000, 2.5, 5)),
    "xai/grok-4.3": (1.25, 2.5, 0.2, None, (200000, 2.5, 5)),
    "xai/grok-4.5": (2, 6, 0.3, None, (200000, 4, 12)),
    "xai/grok-4.6": (2, 6, 0.5, None, (200000, 4, 12)),
    "xai/grok-4.7": (2, 6, 0.5, None, (200000, 4, 12)),
    "xai/grok-build-0.1": (1, 2, 0.2, None, (200000, 2, 4)),
    "mistral/codestral-latest": (0.3, 0.9, None, None, None),
    "mistral/magistral-medium-latest": (2, 5, None, None, None),
    "mistral/magistral-small": (0.5, 1.5, None, None, None),
    "mistral/ministral-3b-latest": (0.04, 0.04, None, None, None),
    "mistral/ministral-8b-latest": (0.1, 0.1, None, None, None),
    "mistral/mistral-large-2411": (2, 6, None, None, None),
    "mistral/mistral-large-2512": (0.5, 1.5, None, None, None),
    "mistral/mistral-large-latest": (0.5, 1.5, None, None, None),
    "mistral/mistral-medium-2505": (0.4, 2, None, None, None),
    "mistral/mistral-medium-2508": (0.4, 2, None, None, None),
    "mistral/mistral-medium-2604": (1.5, 7.5, None, None, None),
    "mistral/mistral-medium-latest": (1.5, 7.5, None, None, None),
    "mistral/mistral-nemo": (0.15, 0.15, None, None, None),
    "mistral/mistral-small-2506": (0.1, 0.3, None, None, None),
    "mistral/mistral-small-2603": (0.15, 0.6, None, None, None),
    "mistral/mistral-small-latest": (0.15, 0.6, None, None, None),
    "mistral/zai-glm-5-2": (1.4, 4.4, 0.14, None, None),
    "mistral/zai-glm-5-3": (1.4, 4.4, 0.14, None, None),
    "deepseek/deepseek-flash": (0.15, 0.6, 0.003, None, None),
    "deepseek/deepseek-v4-pro": (0.435, 0.87, 0.003625, None, None),
    "groq/llama-3.1-8b-instant": (0.05, 0.08, None, None, None),
    "groq/llama-3.3-70b-versatile": (0.59, 0.79, None, None, None),
    "groq/openai/gpt-oss-120b": (0.15, 0.6, 0.075, None, None),
    "groq/openai/gpt-oss-20b": (0.075, 0.3, 0.0375, None, None),
    "groq/qwen/qwen3.6-27b": (0.6, 3, 0.3, None, None),
    "groq/qwen/qwen3.8-27b": (0.8, 4, None, None, None),
}  # fmt: skip


def list_price(provider: str, model: str) -> Price | None:
    """The list price of a model at its maker, None if the list has none."""
    row = LIST_PRICES.get(f"{provider}/{model}")
    return None if row is None else Price(*row, source=f"list prices of {LIST_DATE}")
