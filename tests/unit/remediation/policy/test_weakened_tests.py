"""Existing tests stay as strict as they were; any edit of one makes a draft at best."""
# ruff: noqa: E501  # one edit per line reads best

from __future__ import annotations

import pytest

from tests.support.patches import Edits, Tree, edited, judge
from tests.unit.remediation.policy.trees import HOTEL, SHOP

BOOKING = "hotel/booking.py"
BASKET = "src/basket.js"
BOOKING_TEST = "tests/test_booking.py"
BASKET_TEST = "test/basket.test.js"
NIGHTS = "    assert nights(date(2026, 1, 1), date(2026, 1, 4)) == 3\n"
PRICE = '    assert price({"rate": 10}, count) == 10 * count\n'
SUM = "  assert.strictEqual(sum([{ product: { price: 2 }, count: 3 }]), 6);\n"

PYTHON: dict[str, Edits] = {
    "deleted test": ((BOOKING_TEST, f"def test_nights():\n{NIGHTS}", ""),),
    "renamed test": ((BOOKING_TEST, "def test_nights", "def nights_test"),),
    "no assertion": ((BOOKING_TEST, NIGHTS, "    nights(date(2026, 1, 1), date(2026, 1, 4))\n"),),
    "assert True": ((BOOKING_TEST, NIGHTS, "    assert True\n"),),
    "or True": ((BOOKING_TEST, "== 3", "== 3 or True"),),
    "the same on both sides": ((BOOKING_TEST, NIGHTS, "    assert 3 == 3\n"),),
    "a tuple": (
        (BOOKING_TEST, NIGHTS, '    assert (nights(date(2026, 1, 1), date(2026, 1, 4)) == 3, "x")\n'),
    ),
    "early return": ((BOOKING_TEST, NIGHTS, f"    return\n{NIGHTS}"),),
    "return under a condition": ((BOOKING_TEST, NIGHTS, f"    if price:\n        return\n{NIGHTS}"),),
    "under a condition": ((BOOKING_TEST, NIGHTS, f"    if date is None:\n    {NIGHTS}"),),
    "in a loop over nothing": ((BOOKING_TEST, NIGHTS, f"    for _ in []:\n    {NIGHTS}"),),
    "in a try": (
        (BOOKING_TEST, NIGHTS, f"    try:\n    {NIGHTS}    except AssertionError:\n        pass\n"),
    ),
    "skip": ((BOOKING_TEST, "def test_nights", "@pytest.mark.skip\ndef test_nights"),),
    "skip by getattr": (
        (
            BOOKING_TEST,
            "def test_nights",
            'mark = getattr(pytest.mark, "sk" + "ip")\n\n\n@mark\ndef test_nights',
        ),
    ),
    "xfail": ((BOOKING_TEST, "def test_nights", "@pytest.mark.xfail(strict=False)\ndef test_nights"),),
    "skip inside": ((BOOKING_TEST, NIGHTS, f'    pytest.skip("x")\n{NIGHTS}'),),
    "importorskip": ((BOOKING_TEST, "def test_nights", 'pytest.importorskip("x")\n\n\ndef test_nights'),),
    "no parameters": ((BOOKING_TEST, "[1, 2, 3]", "[]"),),
    "fewer parameters": ((BOOKING_TEST, "[1, 2, 3]", "[1]"),),
    "not a test": ((BOOKING_TEST, "def test_nights", "__test__ = False\n\n\ndef test_nights"),),
    "load_tests": (
        (
            BOOKING_TEST,
            "def test_nights",
            "def load_tests(loader, tests, pattern):\n    return tests\n\n\ndef test_nights",
        ),
    ),
    "replaced below": (
        (
            BOOKING_TEST,
            "    check_price(20, 2)\n",
            "    check_price(20, 2)\n\n\ntest_nights = lambda: None\n",
        ),
    ),
    "defined again": (
        (
            BOOKING_TEST,
            "    check_price(20, 2)\n",
            "    check_price(20, 2)\n\n\ndef test_nights():\n    assert nights\n",
        ),
    ),
    "another function": (
        (
            BOOKING_TEST,
            "from hotel.booking import nights, price\n",
            "from hotel.booking import price\n\n\ndef nights(start, end):\n    return 3\n",
        ),
    ),
    "another module": (
        (
            BOOKING_TEST,
            "from hotel.booking import nights, price",
            "from tests.data.copy import nights, price",
        ),
    ),
    "the helper is emptied": (
        ("tests/tools.py", '    assert price({"rate": 10}, count) == expected\n', "    price({}, count)\n"),
    ),
    "the file does not parse": ((BOOKING_TEST, "def test_nights():", "def test_nights(:"),),
    "a mark of the module": ((BOOKING_TEST, "def test_nights", "pytestmark = []\n\n\ndef test_nights"),),
    "the runner is changed": (
        (
            BOOKING_TEST,
            "def test_nights",
            "import unittest\n\nunittest.TestCase.run = print\n\n\ndef test_nights",
        ),
    ),
    "the process ends": ((BOOKING_TEST, "def test_nights", "import os\n\nos._exit(0)\n\n\ndef test_nights"),),
}
NODE: dict[str, Edits] = {
    "deleted test": ((BASKET_TEST, f"test('adds lines up', () => {{\n{SUM}}});\n", ""),),
    "no assertion": ((BASKET_TEST, SUM, "  sum([]);\n"),),
    "the same on both sides": ((BASKET_TEST, SUM, "  assert.strictEqual(6, 6);\n"),),
    "or true": ((BASKET_TEST, SUM, "  assert.ok(sum([]) || true);\n"),),
    "early return": ((BASKET_TEST, SUM, f"  return;\n{SUM}"),),
    "under a condition": ((BASKET_TEST, SUM, f"  if (!sum) {{\n{SUM}  }}\n"),),
    "skip": ((BASKET_TEST, "test('adds lines up'", "test.skip('adds lines up'"),),
    "skip by an option": (
        (BASKET_TEST, "test('adds lines up', () =>", "test('adds lines up', { skip: true }, () =>"),
    ),
    "only": ((BASKET_TEST, "test('adds lines up'", "test.only('adds lines up'"),),
    "todo inside": ((BASKET_TEST, SUM, f"  t.skip('x');\n{SUM}"),),
    "another module": ((BASKET_TEST, "require('../src/basket')", "require('./copy')"),),
    "the process ends": ((BASKET_TEST, "test('adds", "process.exit(0);\n\ntest('adds"),),
}
GO: Tree = {
    "go.mod": "module x\n",
    "cart.go": "package x\n\nfunc Sum(a []int) int {\n\treturn a[0]\n}\n",
    "cart_test.go": 'package x\n\nimport "testing"\n\nfunc TestSum(t *testing.T) {\n\tif Sum([]int{1}) != 1 {\n\t\tt.Fatal("sum")\n\t}\n}\n',
}
RUBY: Tree = {
    "lib/cart.rb": "class Cart\n  def sum(a)\n    a[0]\n  end\nend\n",
    "spec/cart_spec.rb": "RSpec.describe Cart do\n  it 'sums' do\n    expect(Cart.new.sum([1])).to eq(1)\n  end\nend\n",
    "test/cart_test.rb": "class CartTest < Minitest::Test\n  def test_sum\n    assert_equal 1, Cart.new.sum([1])\n  end\nend\n",
}
CART_TEST = "cart_test.go"
CART_SPEC = "spec/cart_spec.rb"
RUBY_TEST = "test/cart_test.rb"
OTHER: dict[str, tuple[Tree, Edits]] = {
    "go: deleted": (GO, ((CART_TEST, GO[CART_TEST], ""),)),
    "go: renamed": (GO, ((CART_TEST, "func TestSum", "func testSum"),)),
    "go: emptied": (
        GO,
        ((CART_TEST, '\tif Sum([]int{1}) != 1 {\n\t\tt.Fatal("sum")\n\t}\n', "\t_ = Sum([]int{1})\n"),),
    ),
    "go: skipped": (GO, ((CART_TEST, "\tif Sum", '\tt.Skip("x")\n\tif Sum'),)),
    "go: early return": (GO, ((CART_TEST, "\tif Sum", "\treturn\n\tif Sum"),)),
    "go: logged": (GO, ((CART_TEST, "t.Fatal", "t.Log"),)),
    "go: left out": (GO, ((CART_TEST, "package x", "//go:build never\n\npackage x"),)),
    "go: ends": (GO, ((CART_TEST, "\tif Sum", "\tos.Exit(0)\n\tif Sum"),)),
    "ruby: deleted": (RUBY, ((CART_SPEC, RUBY[CART_SPEC], ""),)),
    "ruby: emptied": (RUBY, ((CART_SPEC, "    expect(Cart.new.sum([1])).to eq(1)\n", ""),)),
    "ruby: xit": (RUBY, ((CART_SPEC, "  it 'sums'", "  xit 'sums'"),)),
    "ruby: pending": (RUBY, ((CART_SPEC, "    expect", "    pending 'x'\n    expect"),)),
    "ruby: skip": (RUBY, ((RUBY_TEST, "    assert_equal", "    skip\n    assert_equal"),)),
    "ruby: renamed": (RUBY, ((RUBY_TEST, "def test_sum", "def sum_test"),)),
    "ruby: no assertion": (
        RUBY,
        ((RUBY_TEST, "    assert_equal 1, Cart.new.sum([1])\n", "    Cart.new.sum([1])\n"),),
    ),
}


@pytest.mark.parametrize("name", PYTHON)
def test_a_python_test_that_becomes_weaker_is_refused(name: str) -> None:
    after = edited(HOTEL, ((BOOKING, "* count", "* (count or 0)"), *PYTHON[name]))

    assert judge(HOTEL, after, culprit=BOOKING).refusals


@pytest.mark.parametrize("name", NODE)
def test_a_node_test_that_becomes_weaker_is_refused(name: str) -> None:
    after = edited(SHOP, ((BASKET, "line.count", "(line.count ?? 1)"), *NODE[name]))

    assert judge(SHOP, after, culprit=BASKET).refusals


@pytest.mark.parametrize("name", OTHER)
def test_a_go_or_ruby_test_that_becomes_weaker_is_refused(name: str) -> None:
    before, edits = OTHER[name]
    source = "cart.go" if before is GO else "lib/cart.rb"

    after = edited(before, ((source, "a[0]", "a[0] + 0"), *edits))

    assert judge(before, after, culprit=source).refusals


@pytest.mark.parametrize(
    ("tree", "source", "path", "old", "new"),
    [
        (HOTEL, BOOKING, BOOKING_TEST, "== 3\n", "== 4\n"),
        (
            HOTEL,
            BOOKING,
            BOOKING_TEST,
            NIGHTS,
            f"{NIGHTS}    assert nights(date(2026, 1, 1), date(2026, 1, 1)) == 0\n",
        ),
        (SHOP, BASKET, BASKET_TEST, "/tea/", "/coffee/"),
        (GO, "cart.go", CART_TEST, "!= 1", "!= 2"),
        (RUBY, "lib/cart.rb", CART_SPEC, "eq(1)", "eq(2)"),
    ],
)
def test_any_other_edit_of_a_test_is_a_draft(tree: Tree, source: str, path: str, old: str, new: str) -> None:
    before = {**tree}
    after = edited({**before, source: before[source] + "\n"}, ((path, old, new),))

    result = judge(before, after, culprit=source)

    assert result.refusals == ()
    assert any(path in draft for draft in result.drafts)


def test_a_test_that_moves_to_another_file_is_not_removed() -> None:
    moved = {path: text for path, text in HOTEL.items() if path != BOOKING_TEST}

    result = judge(
        HOTEL,
        {**moved, "tests/test_stay.py": HOTEL[BOOKING_TEST], BOOKING: HOTEL[BOOKING] + "\n"},
        culprit=BOOKING,
    )

    assert result.refusals == ()
    assert result.drafts
