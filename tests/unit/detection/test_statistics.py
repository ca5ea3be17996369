"""The statistics behind the rules, against values that follow from their definitions."""

from __future__ import annotations

import pytest

from workers.detection.statistics import (
    densest_interval,
    floors,
    intervals,
    kendall_tau,
    quantile,
    theil_sen,
    wilson_low,
)

LINE = [(i, 2.0 * i) for i in range(10)]


def test_the_theil_sen_slope_tolerates_an_outlier() -> None:
    assert theil_sen([*LINE, (10, 500.0)]) == pytest.approx(2.0)


def test_kendall_tau_counts_rising_and_falling_pairs() -> None:
    assert kendall_tau([1, 2, 3, 2.5]) == pytest.approx(4 / 6)


def test_floors_are_the_lowest_values_of_equal_periods() -> None:
    assert [value for _, value in floors(LINE, 2)] == [0.0, 10.0]


def test_the_wilson_bound_of_34_of_100_is_a_quarter() -> None:
    assert wilson_low(34, 100) == pytest.approx(0.2546, abs=1e-3)
    assert wilson_low(0, 0) == 0.0


def test_quantiles_interpolate_between_neighbours() -> None:
    assert quantile([1, 2, 3, 4], 0.5) == 2.5
    assert quantile([], 0.5) == 0.0


def test_a_gap_in_the_samples_ends_an_interval() -> None:
    result = intervals([0, 1, 2, 3, 9], [True] * 5, 1)

    assert [(interval.first, interval.last) for interval in result] == [(0, 3)]


def test_the_densest_interval_spans_single_samples_that_do_not_hold() -> None:
    interval = densest_interval(range(6), [False, True, True, False, True, True], 1, 0.5)

    assert interval is not None
    assert (interval.first, interval.last, interval.seconds) == (1, 5, 5)
