"""A run's usage is added up from the messages; its limits and the model's errors decide whether it may be repeated."""

from __future__ import annotations

from typing import Any

import pytest

from workers.agent.opencode_schema import Message, ModelError
from workers.agent.run_limits import MAX_TOKENS, check_limits, model_failure, total_usage
from workers.errors import AgentBusy, AgentRefused
from workers.models import Usage


def answer(*, tokens_in: int = 0, tokens_out: int = 0, cost: float = 0.0) -> Message:
    part = {"type": "step-finish", "cost": cost, "tokens": {"input": tokens_in, "output": tokens_out}}
    return Message.model_validate(
        {"info": {"id": "m", "role": "assistant", "time": {"completed": 1}}, "parts": [part]}
    )


def check(usage: Usage, *messages: Message, **limits: Any) -> None:
    defaults = {"cost_limit_usd": 1.0, "calls_limit": 10, "deadline_seconds": 60.0}
    check_limits(usage, messages, None, **(defaults | limits))


def test_a_step_without_a_cost_is_counted_by_the_price_in_the_settings() -> None:
    message = answer(tokens_in=1_000_000, tokens_out=100_000)

    usage = total_usage([message], (1.0, 10.0), 3.0)

    assert usage == Usage(cost_usd=2.0, tokens=1_100_000, calls=1, seconds=3.0)
    assert total_usage([message], None, 3.0).cost_usd == 0


def test_a_cost_that_opencode_knows_comes_before_the_price_in_the_settings() -> None:
    message = answer(tokens_in=1_000_000, tokens_out=100_000, cost=0.5)

    assert total_usage([message], (1.0, 10.0), 3.0).cost_usd == 0.5


def test_a_run_below_its_limits_goes_on() -> None:
    check(Usage(cost_usd=0.9, tokens=1_000, calls=9, seconds=59))


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        (Usage(cost_usd=1.0), "limit of 1 USD"),
        (Usage(tokens=MAX_TOKENS), "limit of 5,000,000 tokens"),
        (Usage(calls=10), "10 calls without a final answer"),
        (Usage(seconds=60, tokens=5), "no final answer within 60 s"),
    ],
)
def test_a_limit_that_the_agent_reached_by_its_own_work_refuses_the_run(usage: Usage, reason: str) -> None:
    with pytest.raises(AgentRefused, match=reason):
        check(usage)


def test_a_model_whose_answers_break_off_is_busy_and_not_refused() -> None:
    messages = [answer() for _ in range(8)] + [answer(tokens_out=5) for _ in range(2)]

    with pytest.raises(AgentBusy, match="answers break off"):
        check(Usage(calls=10), *messages)


def test_a_model_that_did_not_answer_at_all_is_busy_and_not_refused() -> None:
    with pytest.raises(AgentBusy, match="did not answer within 60 s"):
        check(Usage(seconds=60))


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 422])
def test_a_model_that_rejects_the_request_refuses_the_run(code: int) -> None:
    error = ModelError(name="APIError", data={"statusCode": code})

    assert isinstance(model_failure(error, "no"), AgentRefused)


@pytest.mark.parametrize("code", [408, 409, 425, 429, 500, 503, None])
def test_a_model_that_may_answer_later_is_busy(code: int | None) -> None:
    error = ModelError(name="APIError", data={"statusCode": code})

    assert isinstance(model_failure(error, "later"), AgentBusy)


def test_an_error_that_the_same_prompt_would_cause_again_refuses_the_run() -> None:
    assert isinstance(model_failure(ModelError(name="ContextOverflowError"), "too long"), AgentRefused)
