"""The network measurement of Railway: amounts per step, or a counter."""

from __future__ import annotations

import pytest

from workers.clients.railway.graphql_types import Series
from workers.clients.railway.series import usage_by_service


def egress(values: list[float]) -> list[float]:
    series = Series.model_validate(
        {
            "measurement": "NETWORK_TX_GB",
            "tags": {"serviceId": "s"},
            "values": [{"ts": 60 * i, "value": value} for i, value in enumerate(values)],
        }
    )
    return [value for _, value in usage_by_service([], [series])["s"].egress]


def test_amounts_are_taken_as_they_are() -> None:
    assert egress([0.2, 0.1, 0.3]) == [0.2, 0.1, 0.3]


def test_a_counter_becomes_the_amount_of_each_step() -> None:
    assert egress([5.0 + 0.5 * i for i in range(12)]) == pytest.approx([0.5] * 11)


def test_a_constant_amount_is_no_counter() -> None:
    assert egress([0.5] * 12) == [0.5] * 12
