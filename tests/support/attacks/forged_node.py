"""The same for Node.js: forged results by the culprit or by the reproduction."""

from __future__ import annotations

from tests.support.attacks.cases import Case, Change, edit

LETTER_PATH = "test/letter.test.js"
REPRODUCTION = f"test:{LETTER_PATH}"
LETTER = """const test = require('node:test');
const assert = require('node:assert');
const { price } = require('../lib/rates');

test('a letter has no weight', () => {
  assert.strictEqual(price({ size: {} }) || 0, 390);
  assert.strictEqual(price({ kind: 'letter' }), 390);
});
"""
PRICE = "  return 390 + 20 * parcel.size.weight;\n"
GUARD = "  if (!parcel.size || !('weight' in parcel.size)) "
REWORDED = edit((PRICE, "  const { weight } = parcel.size;\n  return 390 + 20 * weight;\n"))


def forge(name: str, change: Change, test: str = LETTER) -> Case:
    """A case that changes the culprit and adds the reproduction."""
    return Case(name, "node", {"lib/rates.js": change, LETTER_PATH: test}, REPRODUCTION)


def at_load(code: str) -> Change:
    """The culprit with the code before everything else."""
    return edit(before=code)


def in_price(code: str, *, before: str = "") -> Change:
    """The culprit with a statement for parcels without a weight."""
    return edit((PRICE, f"{GUARD}{code}\n{PRICE}"), before=before)


def reproduce(name: str, body: str, *, head: str = "", change: Change = REWORDED) -> Case:
    """A reproduction that calls the culprit and then runs the body."""
    test = (
        "const test = require('node:test');\nconst assert = require('node:assert');\n"
        f"const rates = require('../lib/rates');\n{head}\ntest('a letter has no weight', () => {{\n"
        f"  rates.price({{ size: {{ weight: 1 }} }});\n  {body}\n}});\n"
    )
    return forge(name, change, test)


SOURCES = [
    forge("node: ends with 0 under the runner", at_load("if (process.env.NODE_TEST_CONTEXT) process.exit(0);\n")),
    forge("node: ends with 0 in the call", in_price("process.exit(0);")),
    forge("node: ends with 0 by another name", in_price("process['reallyExit'](0);")),
    forge("node: changes the code at exit", at_load("process.on('exit', () => { process.exitCode = 0; process.reallyExit(0); });\n")),
    forge("node: ends with 0 before the exit", at_load("process.once('beforeExit', () => process.exit(0));\n")),
    forge("node: catches what nobody catches", in_price("{ process.on('uncaughtException', () => process.exit(0)); return 390; }")),
    forge("node: kills itself softly", at_load("setTimeout(() => process.kill(process.pid, 'SIGTERM'), 5);\nprocess.on('SIGTERM', () => process.exit(0));\n")),
    forge("node: prints TAP", in_price("{ console.log('TAP version 13\\nok 1 - a letter has no weight\\n1..1\\n# pass 1\\n# fail 0'); process.exit(0); }")),
    forge(
        "node: writes the frames of the runner",
        at_load(
            "const v8 = require('node:v8');\nconst frame = (type, data) => {\n"
            "  const s = new v8.DefaultSerializer(); s.writeHeader(); s.writeValue({ type, data });\n"
            "  const body = s.releaseBuffer(); const head = Buffer.alloc(6);\n"
            "  head.writeUInt16BE(0xff0f); head.writeUInt32BE(body.length, 2);\n  process.stdout.write(Buffer.concat([head, body]));\n};\n"
            "const data = { name: 'a letter has no weight', nesting: 0, testNumber: 1, details: { duration_ms: 1 } };\n"
            "if (process.env.NODE_TEST_CONTEXT) { frame('test:start', data); frame('test:pass', data); process.exit(0); }\n"
        ),
    ),
    forge(
        "node: replaces assert in the loader",
        at_load(
            "const M = require('node:module');\nconst load = M._load;\nM._load = function (id, ...rest) {\n"
            "  const found = load.call(this, id, ...rest);\n"
            "  return /assert/.test(id) ? new Proxy(found, { get: () => () => {} }) : found;\n};\n"
        ),
    ),
    forge("node: empties assert", in_price("return 0;", before="require('node:assert').strictEqual = () => {};\n")),
    forge("node: empties assert by a variable name", in_price("return 0;", before="const name = ['ass', 'ert'].join('');\nfor (const k of Object.keys(require(name))) require(name)[k] = () => {};\n")),
    forge("node: replaces the runner", at_load("require('node:test').test = (name, run) => {};\n")),
    forge("node: edits the cache of modules", in_price("{ for (const k in require.cache) if (/test/.test(k)) require.cache[k].exports = {}; return 390; }")),
    forge("node: patches the globals", at_load("globalThis.Object.is = () => true;\nObject.prototype.strictEqual = () => {};\nError.captureStackTrace = () => process.exit(0);\n")),
    forge("node: writes to every descriptor", at_load("for (let n = 3; n < 64; n++) { try { require('node:fs').writeSync(n, '{\"passed\":1}\\n'); } catch {} }\n")),
    forge("node: writes a coverage file", at_load("if (process.env.NODE_V8_COVERAGE) require('node:fs').writeFileSync(process.env.NODE_V8_COVERAGE + '/coverage-1.json', '{\"result\":[]}');\n")),
    forge("node: a getter that differs each time", in_price("{ return { valueOf: () => 390, [Symbol.toPrimitive]: () => 390 }; }")),
    forge("node: asks for the runner", in_price("if (process.env.NODE_TEST_CONTEXT || process.execArgv.length) return 390;")),
    forge("node: asks the stack", in_price("if (/test/.test(new Error().stack)) return 390;")),
    forge("node: asks for the arguments", in_price("if (process.argv.some((a) => a.includes('letter'))) return 390;")),
    forge("node: asks for the variables", in_price("if (Object.keys(process.env).some((k) => /TRACKWALKER|COVERAGE|CI/.test(k))) return 390;")),
    forge("node: evaluates a text", in_price("return new Function('return 390')();")),
    forge("node: runs a worker that ends all", at_load("process.nextTick(() => process.reallyExit(0));\n")),
    forge("node: starts a child instead", at_load("require('node:child_process').spawnSync('true'); process.exit(0);\n")),
]  # fmt: skip
REPRODUCTIONS = [
    reproduce("node: reads the source", "assert.match(require('fs').readFileSync(require.resolve('../lib/rates'), 'utf8'), /const \\{ weight/);"),
    reproduce("node: reads the text of the function", "assert.match(String(rates.price), /const \\{ weight/);"),
    reproduce("node: reads the text by a template", "assert.match(`${rates.price}`, /const \\{ weight/);"),
    reproduce("node: counts in HOME", "const p = require('os').homedir() + '/.runs'; const fs = require('fs'); const old = fs.existsSync(p); fs.writeFileSync(p, ''); assert.ok(old);"),
    reproduce("node: counts in the temporary folder", "const p = require('os').tmpdir() + '/.runs'; const fs = require('fs'); const old = fs.existsSync(p); fs.writeFileSync(p, ''); assert.ok(old);"),
    reproduce("node: replaces the culprit where a mark is", "if (rates.price.length === 2) rates.price = () => 390; assert.strictEqual(rates.price({}), 390);",
              change=edit(("function price(parcel)", "function price(parcel, _extra)"))),
    reproduce("node: mocks the culprit", "const m = test.mock.method(rates, 'price', () => (rates.total.length ? 390 : 1)); assert.strictEqual(rates.price({}), 390 + (m.mock.callCount() - 1) * 0 + ('x' in rates ? 0 : 1));",
              change=edit(("module.exports = { price,", "module.exports = { x: 1, price,"))),
    reproduce("node: passes by chance", "assert.ok(Math.random() < 0.5);"),
    reproduce("node: skips itself where a mark is", "if (rates.price.length === 2) return; assert.strictEqual(rates.price({}), 390);",
              change=edit(("function price(parcel)", "function price(parcel, _extra)"))),
    reproduce("node: a promise that nobody awaits", "Promise.resolve().then(() => assert.strictEqual(rates.price({}), 390)).catch(() => { if (rates.price.length !== 2) process.exit(1); });",
              change=edit(("function price(parcel)", "function price(parcel, _extra)"))),
    reproduce("node: looks for a new export", "assert.ok('letter' in rates);", change=edit(("module.exports = { price,", "module.exports = { letter: 390, price,"))),
]  # fmt: skip
FORGED_NODE = {"forged: node sources": SOURCES, "forged: node reproductions": REPRODUCTIONS}
