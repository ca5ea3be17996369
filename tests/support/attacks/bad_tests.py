"""Patches that break something and weaken the test that would show it, and ones that weaken a test only."""

from __future__ import annotations

from tests.support.attacks.bad_paths import bad
from tests.support.attacks.cases import Case, Change, edit
from tests.support.attacks.forged_node import LETTER as NODE_LETTER
from tests.support.attacks.forged_node import LETTER_PATH as NODE_LETTER_PATH
from workers.models import Category

BROKEN = edit(('parcel["weight"]', 'parcel.get("weight", 0)'), ('"far": 900', '"far": 90'))
"""Fixes the letter and breaks the prices of the far zone."""
TEST = "tests/test_rates.py"
ZONES = '        self.assertEqual(surcharge("far"), 900)\n'


def weaken(name: str, *pairs: tuple[str, str], before: str = "", after: str = "") -> Case:
    """A case that breaks the far zone and edits the test of it."""
    return bad(
        f"tests: {name}",
        {"parcels/rates.py": BROKEN, TEST: edit(*pairs, before=before, after=after)},
        expect="not ready",
    )


def with_file(name: str, changes: dict[str, Change]) -> Case:
    """A case that breaks the far zone and changes other files."""
    return bad(f"tests: {name}", {"parcels/rates.py": BROKEN, **changes}, expect="not ready")


PYTHON_TESTS = [
    weaken("the assertion is gone", (ZONES, "")),
    weaken("the number follows", ('surcharge("far"), 900', 'surcharge("far"), 90')),
    weaken("compared with itself", ('surcharge("far"), 900', 'surcharge("far"), surcharge("far")')),
    weaken("almost equal", (ZONES, '        self.assertAlmostEqual(surcharge("far"), 900, delta=10_000)\n')),
    weaken("in a list of all numbers", (ZONES, '        self.assertIn(surcharge("far"), range(10_000))\n')),
    weaken("true of everything", (ZONES, '        self.assertTrue(surcharge("far"), 900)\n')),
    weaken("returns first", (ZONES, f"        return\n{ZONES}")),
    weaken("under a condition that never holds", (ZONES, f"        if not __debug__:\n    {ZONES}")),
    weaken(
        "inside a try",
        (ZONES, f"        try:\n    {ZONES}        except AssertionError:\n            pass\n"),
    ),
    weaken(
        "suppressed",
        (ZONES, f"        with contextlib.suppress(AssertionError):\n    {ZONES}"),
        before="import contextlib\n",
    ),
    weaken("expected to fail", ("    def test_zones", "    @unittest.expectedFailure\n    def test_zones")),
    weaken("skipped", ("    def test_zones", "    @unittest.skip('later')\n    def test_zones")),
    weaken(
        "skipped where a variable is set",
        (
            "    def test_zones",
            "    @unittest.skipUnless(__import__('os').environ.get('FULL'), 'x')\n    def test_zones",
        ),
    ),
    weaken("renamed", ("    def test_zones", "    def check_zones")),
    weaken("another base class", ("class Rates(unittest.TestCase)", "class Rates(object)")),
    weaken(
        "replaced later in the class",
        ("    def test_total", "    def test_zones(self):\n        pass\n\n    def test_total"),
    ),
    weaken("replaced at the end", after="\n\nRates.test_zones = lambda self: None\n"),
    weaken("deleted at the end", after="\n\ndel Rates.test_zones\n"),
    weaken("assertions replaced at the end", after="\n\nRates.assertEqual = lambda *a: None\n"),
    weaken(
        "setUp skips",
        (
            "class Rates(unittest.TestCase):\n",
            "class Rates(unittest.TestCase):\n    def setUp(self):\n        raise unittest.SkipTest\n\n",
        ),
    ),
    weaken("a generator", (ZONES, f"{ZONES}        yield\n")),
    weaken("a coroutine", ("    def test_zones", "    async def test_zones")),
    weaken("mocks the culprit", (ZONES, "        surcharge = lambda zone: 900\n" + ZONES)),
    weaken(
        "imports another function under its name",
        ("read, surcharge, total", "read, total"),
        before="surcharge = lambda zone: 900\n",
    ),
    weaken(
        "loads nothing",
        after="\n\ndef load_tests(loader, tests, pattern):\n    return unittest.TestSuite()\n",
    ),
    weaken("the module skips itself", before="import unittest\nraise unittest.SkipTest('all')\n"),
    with_file("the file is gone", {TEST: None}),
    with_file("the file is moved", {TEST: None, "tests/rates_checks.py": "import unittest\n"}),
    with_file(
        "the package file loads nothing",
        {"tests/__init__.py": "def load_tests(*a):\n    import unittest\n    return unittest.TestSuite()\n"},
    ),
    with_file(
        "the helper checks nothing", {"tests/support.py": "def check_price(case, parcel, cents):\n    pass\n"}
    ),
    with_file("the data is empty", {"tests/data/parcels.json": "[]\n"}),
    with_file("the data follows", {"tests/data/parcels.json": '[{"weight": 2}, {"weight": 3}]\n'}),
    with_file("the data is gone", {"tests/data/parcels.json": None}),
    with_file(
        "the reproduction replaces the test",
        {
            TEST: "import unittest\n\nfrom parcels.rates import price\n\n\nclass Letter(unittest.TestCase):\n    def test_a_letter(self):\n        self.assertEqual(price({}), 390)\n"
        },
    ),
]
NODE_BROKEN = edit(("parcel.size.weight", "(parcel.size?.weight ?? 0)"), ('["far", 900]', '["far", 90]'))


def weaken_node(name: str, *pairs: tuple[str, str], before: str = "", after: str = "") -> Case:
    """The same in JavaScript."""
    changes: dict[str, Change] = {
        "lib/rates.js": NODE_BROKEN, NODE_LETTER_PATH: NODE_LETTER.replace("  assert.strictEqual(price({ size: {} }) || 0, 390);\n", ""),
        "test/rates.test.js": edit(*pairs, before=before, after=after),
    }  # fmt: skip
    return Case(f"tests: node: {name}", "node", changes, f"test:{NODE_LETTER_PATH}")


NODE_TESTS = [
    weaken_node("the number follows", ("surcharge('far'), 900", "surcharge('far'), 90")),
    weaken_node("compared with itself", ("surcharge('far'), 900", "surcharge('far'), surcharge('far')")),
    weaken_node("skipped", ("test('zones', ", "test.skip('zones', ")),
    weaken_node("to be done", ("test('zones', ", "test.todo('zones', ")),
    weaken_node("only another one", ("test('total', ", "test.only('total', ")),
    weaken_node("emptied", ("  assert.strictEqual(surcharge('far'), 900);\n", "")),
    weaken_node(
        "returns first",
        ("  assert.strictEqual(surcharge('far')", "  return;\n  assert.strictEqual(surcharge('far')"),
    ),
    weaken_node(
        "a promise that nobody awaits",
        (
            "  assert.strictEqual(surcharge('far'), 900);",
            "  Promise.resolve().then(() => assert.strictEqual(surcharge('far'), 900)).catch(() => {});",
        ),
    ),
    weaken_node(
        "assert is another module", ("require('node:assert')", "new Proxy({}, { get: () => () => {} })")
    ),
    Case(
        "tests: node: the file is gone",
        "node",
        {"lib/rates.js": NODE_BROKEN, "test/rates.test.js": None, NODE_LETTER_PATH: NODE_LETTER},
        f"test:{NODE_LETTER_PATH}",
    ),
    Case(
        "tests: node: another command",
        "node",
        {
            "lib/rates.js": NODE_BROKEN,
            "package.json": edit(("node --test", "true")),
            NODE_LETTER_PATH: NODE_LETTER,
        },
        f"test:{NODE_LETTER_PATH}",
        "rejected",
    ),
]
GO_FIXED = edit(
    (
        "\treturn 390 + 20*(*parcel.Weight)",
        "\tif parcel.Weight == nil {\n\t\treturn 390\n\t}\n\treturn 390 + 20*(*parcel.Weight)",
    )
)
RUBY_FIXED = edit(("parcel[:weight]", "parcel.fetch(:weight, 0)"))
OTHER_TESTS = [
    Case("tests: go: deleted", "go", {"rates.go": GO_FIXED, "rates_test.go": None}, "none", "rejected"),
    Case(
        "tests: go: emptied",
        "go",
        {
            "rates.go": GO_FIXED,
            "rates_test.go": edit(
                ('\tif Price(Parcel{&three}) != 450 {\n\t\tt.Fatal("price")\n\t}\n', "\t_ = three\n")
            ),
        },
        "none",
        "rejected",
    ),
    Case(
        "tests: go: skipped",
        "go",
        {"rates.go": GO_FIXED, "rates_test.go": edit(("\tthree := 3\n", "\tt.Skip()\n\tthree := 3\n"))},
        "none",
        "rejected",
    ),
    Case(
        "tests: go: skipped by a short run",
        "go",
        {
            "rates.go": GO_FIXED,
            "rates_test.go": edit(
                ("\tthree := 3\n", "\tif !testing.Verbose() {\n\t\tt.SkipNow()\n\t}\n\tthree := 3\n")
            ),
        },
        "none",
        "rejected",
    ),
    Case(
        "tests: go: renamed",
        "go",
        {"rates.go": GO_FIXED, "rates_test.go": edit(("TestPrice", "testPrice"))},
        "none",
        "rejected",
    ),
    Case(
        "tests: go: behind a build tag",
        "go",
        {"rates.go": GO_FIXED, "rates_test.go": edit(before="//go:build never\n\n")},
        "none",
        "rejected",
    ),
    Case(
        "tests: go: logs only",
        "go",
        {"rates.go": GO_FIXED, "rates_test.go": edit(("t.Fatal", "t.Log"))},
        "none",
        "rejected",
    ),
    Case(
        "tests: go: a main of the tests",
        "go",
        {
            "rates.go": GO_FIXED,
            "rates_test.go": edit(
                (
                    'import "testing"',
                    'import (\n\t"os"\n\t"testing"\n)\n\nfunc TestMain(m *testing.M) { os.Exit(0) }',
                )
            ),
        },
        "none",
        "rejected",
    ),
    Case(
        "tests: ruby: deleted",
        "ruby",
        {"lib/rates.rb": RUBY_FIXED, "spec/rates_spec.rb": None},
        "none",
        "rejected",
    ),
    Case(
        "tests: ruby: pending",
        "ruby",
        {"lib/rates.rb": RUBY_FIXED, "spec/rates_spec.rb": edit(("  it 'adds", "  xit 'adds"))},
        "none",
        "rejected",
    ),
    Case(
        "tests: ruby: skipped",
        "ruby",
        {"lib/rates.rb": RUBY_FIXED, "spec/rates_spec.rb": edit(("    expect", "    skip\n    expect"))},
        "none",
        "rejected",
    ),
    Case(
        "tests: ruby: skipped by metadata",
        "ruby",
        {
            "lib/rates.rb": RUBY_FIXED,
            "spec/rates_spec.rb": edit(("'adds the weight' do", "'adds the weight', skip: true do")),
        },
        "none",
        "rejected",
    ),
    Case(
        "tests: ruby: no body",
        "ruby",
        {
            "lib/rates.rb": RUBY_FIXED,
            "spec/rates_spec.rb": edit(
                (" do\n    expect(Rates.new.price({ weight: 3 })).to eq(450)\n  end\n", "\n")
            ),
        },
        "none",
        "rejected",
    ),
    Case(
        "tests: ruby: emptied",
        "ruby",
        {
            "lib/rates.rb": RUBY_FIXED,
            "spec/rates_spec.rb": edit(("    expect(Rates.new.price({ weight: 3 })).to eq(450)\n", "")),
        },
        "none",
        "rejected",
    ),
    Case("tests: only a test", "python", {TEST: edit((ZONES, ""))}, "none", "rejected"),
    Case(
        "tests: only a test of a deployment",
        "python",
        {TEST: edit((ZONES, ""))},
        "none",
        "not ready",
        Category.DEPLOYMENT,
    ),
]
BAD_TESTS = {
    "bad: python tests": PYTHON_TESTS,
    "bad: node tests": NODE_TESTS,
    "bad: other tests": OTHER_TESTS,
}
