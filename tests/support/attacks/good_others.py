"""Good patches in JavaScript, TypeScript, Go and Ruby. Patches for languages without a runner here are expected as drafts."""

from __future__ import annotations

from tests.support.attacks.cases import Case, Change, Expectation, edit

RATES = "lib/rates.js"
TEST = "test/fault.test.js"


def node(
    name: str, changes: dict[str, Change], body: str, *, imports: str = "price", expect: Expectation = "ready"
) -> Case:
    """A fix with a reproduction that fails without it."""
    text = (
        "const test = require('node:test');\nconst assert = require('node:assert');\n"
        f"const {{ {imports} }} = require('../lib/{'page' if imports in ('label', 'escape') else 'rates'}');\n\n"
        f"test('the fault', {'async ' if 'await' in body else ''}() => {{\n  {body}\n}});\n"
    )
    return Case(f"good: node: {name}", "node", {**changes, TEST: text}, f"test:{TEST}", expect)


LETTER = "assert.strictEqual(price({ kind: 'letter' }), 390);"
FIXED = edit(("parcel.size.weight", "(parcel.size?.weight ?? 0)"))
JAVASCRIPT = [
    node("optional chaining", {RATES: FIXED}, LETTER),
    node(
        "a check first",
        {RATES: edit(("  return 390 + 20", "  if (!parcel.size) return 390;\n  return 390 + 20"))},
        LETTER,
    ),
    node(
        "a default by destructuring",
        {
            RATES: edit(
                (
                    "function price(parcel) {\n  return 390 + 20 * parcel.size.weight;",
                    "function price({ size: { weight = 0 } = {} }) {\n  return 390 + 20 * weight;",
                )
            )
        },
        LETTER,
    ),
    node(
        "a clear error",
        {
            RATES: edit(
                (
                    "  return 390 + 20",
                    "  if (!parcel.size) throw new RangeError('a parcel needs a size');\n  return 390 + 20",
                )
            )
        },
        "assert.throws(() => price({}), RangeError);",
    ),
    node(
        "text becomes a number",
        {RATES: edit(("20 * parcel.size.weight", "20 * Number(parcel.size.weight || 0)"))},
        "assert.strictEqual(price({ size: {} }), 390);",
    ),
    node(
        "capitals",
        {
            RATES: edit(
                ("function surcharge(zone) {\n", "function surcharge(zone) {\n  zone = zone.toLowerCase();\n")
            )
        },
        "assert.strictEqual(surcharge('FAR'), 900);",
        imports="surcharge",
    ),
    node(
        "a new zone",
        {RATES: edit(('["far", 900]]', '["far", 900], ["sea", 1200]]'))},
        "assert.strictEqual(surcharge('sea'), 1200);",
        imports="surcharge",
    ),
    node(
        "a helper",
        {
            RATES: edit(
                ("/** What", "const weightOf = (parcel) => parcel.size?.weight ?? 0;\n\n/** What"),
                ("parcel.size.weight;", "weightOf(parcel);"),
            )
        },
        LETTER,
    ),
    node(
        "a helper module",
        {
            RATES: edit(
                ('"use strict";\n', '"use strict";\n\nconst { weightOf } = require("./weights");\n'),
                ("parcel.size.weight;", "weightOf(parcel);"),
            ),
            "lib/weights.js": '"use strict";\n\nmodule.exports = { weightOf: (parcel) => parcel.size?.weight ?? 0 };\n',
        },
        LETTER,
    ),
    node(
        "no answer of the carrier",
        {
            RATES: edit(
                (
                    "  return JSON.parse(answer.body).state;",
                    "  if (answer.status === 404) return 'unknown';\n  return JSON.parse(answer.body).state;",
                )
            )
        },
        "assert.strictEqual(await track({ get: async () => ({ status: 404 }) }, 1), 'unknown');",
        imports="track",
    ),
    node(
        "a broken answer of the carrier",
        {
            RATES: edit(
                (
                    "  return JSON.parse(answer.body).state;",
                    "  try {\n    return JSON.parse(answer.body).state;\n  } catch (error) {\n    if (!(error instanceof SyntaxError)) throw error;\n    return 'unknown';\n  }",
                )
            )
        },
        "assert.strictEqual(await track({ get: async () => ({ body: '<' }) }, 1), 'unknown');",
        imports="track",
    ),
    node(
        "a name that is missing",
        {"lib/page.js": edit(("(text) => text.", "(text) => String(text ?? '')."))},
        "assert.strictEqual(escape(undefined), '');",
        imports="escape",
    ),
    node(
        "quotes are escaped",
        {"lib/page.js": edit(('.replace(/</g, "&lt;")', '.replace(/</g, "&lt;").replace(/"/g, "&quot;")'))},
        "assert.strictEqual(escape('\"'), '&quot;');",
        imports="escape",
    ),
    node(
        "an optional cache",
        {
            RATES: edit(
                ("parcel.size.weight", "(parcel.size?.weight ?? 0)"),
                (
                    "async function track(client, number) {\n",
                    "async function track(client, number, cache) {\n  const known = await cache?.get(number).catch(() => null);\n  if (known) return known;\n",
                ),
            )
        },
        LETTER,
    ),
    node(
        "a regular expression's exec",
        {
            RATES: edit(
                ("parcel.size.weight", "(parcel.size?.weight ?? 0)"),
                ("module.exports", "const digits = (text) => /\\d+/.exec(text)?.[0];\n\nmodule.exports"),
                ("total, track }", "total, track, digits }"),
            )
        },
        LETTER,
    ),
]


def unproved(language: str, name: str, changes: dict[str, Change], reproduction: str) -> Case:
    """A fix in a language that has no runner here."""
    return Case(f"good: {language}: {name}", language, changes, reproduction, "draft")


TS = "src/rates.ts"
TYPESCRIPT = [
    Case(f"good: typescript: {name}", "typescript", {path: change}, "none", "draft")
    for name, path, change in (
        ("optional chaining", TS, edit(("parcel.weight!.grams", "(parcel.weight?.grams ?? 0)"))),
        ("a check first", TS, edit(("  return 390 +", "  if (!parcel.weight) return 390;\n  return 390 +"))),
        ("a copy is sorted", TS, edit((".sort()", ".sort((a, b) => a.localeCompare(b))"))),
        ("a type", TS, edit(("weight?: { grams: number }", "weight?: { grams: number; }"), ("parcel.weight!.grams", "(parcel.weight ? parcel.weight.grams : 0)"))),
        ("buffers of two lengths", "src/access.ts", edit(("  return timingSafeEqual", "  if (left.length !== right.length) return false;\n  return timingSafeEqual"))),
        ("no roles", "src/access.ts", edit(("user.roles.includes", "(user.roles ?? []).includes"))),
    )
]  # fmt: skip
GO = [
    unproved("go", "nil", {"rates.go": edit(("\treturn 390 + 20*(*parcel.Weight)", "\tif parcel.Weight == nil {\n\t\treturn 390\n\t}\n\treturn 390 + 20*(*parcel.Weight)"))}, "none"),
    unproved("go", "a helper", {"rates.go": edit(("20*(*parcel.Weight)", "20*weight(parcel)"), after="\nfunc weight(parcel Parcel) int {\n\tif parcel.Weight == nil {\n\t\treturn 0\n\t}\n\treturn *parcel.Weight\n}\n")}, "none"),
    unproved("go", "with a test", {"rates.go": edit(("\treturn 390 + 20*(*parcel.Weight)", "\tif parcel.Weight == nil {\n\t\treturn 390\n\t}\n\treturn 390 + 20*(*parcel.Weight)")), "letter_test.go": 'package parcels\n\nimport "testing"\n\nfunc TestLetter(t *testing.T) {\n\tif Price(Parcel{}) != 390 {\n\t\tt.Fatal("letter")\n\t}\n}\n'}, "test:letter_test.go"),
]  # fmt: skip
RUBY = [
    unproved("ruby", "fetch", {"lib/rates.rb": edit(("parcel[:weight]", "parcel.fetch(:weight, 0)"))}, "none"),
    unproved("ruby", "to_i", {"lib/rates.rb": edit(("parcel[:weight]", "parcel[:weight].to_i"))}, "none"),
    unproved("ruby", "with a spec", {"lib/rates.rb": edit(("parcel[:weight]", "parcel.fetch(:weight, 0)")), "spec/letter_spec.rb": "require_relative '../lib/rates'\n\nRSpec.describe Rates do\n  it 'weighs nothing' do\n    expect(Rates.new.price({})).to eq(390)\n  end\nend\n"}, "test:spec/letter_spec.rb"),
]  # fmt: skip
GOOD_OTHERS = {
    "good: javascript": JAVASCRIPT,
    "good: typescript": TYPESCRIPT,
    "good: go": GO,
    "good: ruby": RUBY,
}
