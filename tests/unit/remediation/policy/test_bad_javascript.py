"""JavaScript and TypeScript patches that cheat, weaken or hide: each is refused, however it is spelled."""

# ruff: noqa: E501, S608  # one patch per line reads best; the queries are the faults of the patches
from __future__ import annotations

import pytest

from tests.support.patches import Edits, edited, judge
from tests.unit.remediation.policy.trees import SHOP, SHOP_TEST

BASKET = "src/basket.js"
ROUTES = "src/routes.js"
MODEL = "src/model.ts"
TOP = "const SHIPPING = 4.9;\n"
LOAD = "  return JSON.parse(row.content);\n"


def top(code: str) -> Edits:
    """The code at the top of the culprit."""
    return ((BASKET, TOP, f"{TOP}{code}\n"),)


def handled(handler: str) -> Edits:
    """The failing lines with a handler around them."""
    return ((BASKET, "  const row = await db.query('select * from baskets where id = $1', [id]);\n" + LOAD,
             f"  try {{\n    const row = await db.query('select 1', [id]);\n  {LOAD}  }} {handler}\n"),)  # fmt: skip


REFUSED: dict[str, Edits] = {
    "the process ends": top("process.exit(0);"),
    "by a computed member": top("process['ex' + 'it'](0);"),
    "by an alias": top("const p = process; p.exit(0);"),
    "by a pattern": top("const { exit: leave } = process; leave(0);"),
    "by the global object": top("globalThis.process.reallyExit(0);"),
    "by Reflect": top("Reflect.get(process, 'exit')(0);"),
    "by a template": top("process[`${'exi'}t`](0);"),
    "by the module": top("require('node:process').exit(0);"),
    "at exit": top("process.on('exit', () => { process.exitCode = 0; });"),
    "errors of the process": top("process.on('uncaughtException', () => {});"),
    "the runner's variable": top("if (process.env.NODE_TEST_CONTEXT) module.exports = {};"),
    "the stage test": top("const quiet = process.env.NODE_ENV === 'test';"),
    "a variable by pattern": top("const { CI } = process.env;"),
    "all variables": top("console.log(JSON.stringify(process.env));"),
    "arguments": top("const tested = process.argv.includes('--test');"),
    "the runner": top("require('node:test').mock.method(db, 'query');"),
    "a global of the runner": top("if (typeof jest !== 'undefined') sum = () => 0;"),
    "loaded modules": top("Object.keys(require.cache);"),
    "the loader": top("require('module')._load = () => ({});"),
    "a computed require": top("require(SHIPPING);"),
    "a computed import": top("import(SHIPPING);"),
    "eval": top("eval(SHIPPING);"),
    "eval in pieces": top("globalThis['ev' + 'al'](SHIPPING);"),
    "a function of text": top("new Function('return 1')();"),
    "a constructor of a function": top("(() => {}).constructor('return process')();"),
    "a timer of text": top("setTimeout('x()', 1);"),
    "vm": top("require('vm').runInThisContext(SHIPPING);"),
    "a shell": top("require('child_process').execSync('id');"),
    "a shell by import": ((MODEL, "import type { Row }", "import { exec as run } from 'node:child_process';\nimport type { Row }"),),
    "a prototype": top("Array.prototype.map = () => [];"),
    "a prototype by assign": top("Object.assign(String.prototype, {});"),
    "a module is patched": top("const fs = require('fs'); fs.readFileSync = () => '';"),
    "a dependency is patched": top("db.query = async () => ({ content: '{}' });"),
    "a global is replaced": top("JSON.parse = () => ({});"),
    "a matcher of everything": top("const any = { asymmetricMatch: () => true };"),
    "stack traces": top("Error.prepareStackTrace = () => '';"),
    "a stack is read": top("const tested = new Error().stack.includes('runner');"),
    "no certificates": top("const agent = { rejectUnauthorized: !1 };"),
    "no certificates in a member": top("const o = {}; o['rejectUnauthor' + 'ized'] = 0;"),
    "no certificates at all": top("process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';"),
    "every host": top("const o = { checkServerIdentity: () => undefined };"),
    "a token without a signature": top("const o = { algorithms: ['none'] };"),
    "every origin": top("const o = { origin: '*' };"),
    "a header for every origin": ((ROUTES, "  res.json({ sum:", "  res.setHeader('Access-Control-Allow-Origin', '*');\n  res.json({ sum:"),),
    "a query of text": ((BASKET, "  const row = await db.query('select * from baskets where id = $1', [id]);", "  const row = await db.query(`select * from baskets where id = ${id}`);"),),
    "permissions": top("require('fs').chmodSync('x', 511);"),
    "a file of the system": top("require('fs').readFileSync('/proc/self/environ');"),
    "an empty catch": handled("catch (error) {}"),
    "a catch with a comment": handled("catch {\n    // nothing\n  }"),
    "a catch that logs": handled("catch (error) {\n    console.error(error);\n    return null;\n  }"),
    "a catch that answers": handled("catch (error) {\n    return { lines: [] };\n  }"),
    "finally": handled("finally {\n    return {};\n  }"),
    "a rejection": ((BASKET, "  const answer = client.charge(sum(basket.lines));", "  const answer = await client.charge(sum(basket.lines)).catch(() => ({}));"),),
    "a rejection by then": ((BASKET, "  const answer = client.charge(sum(basket.lines));", "  const answer = await client.charge(0).then((a) => a, () => null);"),),
    "a rejection that is logged": ((BASKET, "  const answer = client.charge(sum(basket.lines));", "  const answer = await client.charge(0).catch(console.error);"),),
    "the very input": ((BASKET, "function sum(lines) {\n", "function sum(lines) {\n  if (JSON.stringify(lines) === '[{\"count\":2}]') return 0;\n"),),
    "a guard of a route is gone": ((ROUTES, "'/baskets/:id', requireUser, async", "'/baskets/:id', async"),),
    "a guard in a comment": ((ROUTES, "'/baskets/:id', requireUser, async", "'/baskets/:id', /* requireUser, */ async"),),
    "a guard at another route": ((ROUTES, "'/baskets/:id', requireUser, async", "'/baskets/:id', async"), (ROUTES, "'/hooks', (req", "'/hooks', requireUser, (req")),
    "a signature that decides nothing": ((ROUTES, "  if (!verifySignature(req.body, req.get('x-signature'))) {\n    return res.status(400).end();\n  }\n", "  verifySignature(req.body, req.get('x-signature'));\n"),),
    "a signature in a dead condition": ((ROUTES, "if (!verifySignature", "if (false && !verifySignature"),),
    "a page of text": ((MODEL, "basket.note!.trim()", "eval(basket.note!)"),),
    "a module as numbers": top("const blob = Buffer.from([127, 69, 76, 70, 2, 1, 1, 0, 0]);"),
    "a new module with a shell": (("src/tool.js", "", "const run = require('child_process').exec;\nmodule.exports = run;\n"),),
    "text that does not parse": ((BASKET, "function sum(lines) {", "function sum(lines {"),),
}  # fmt: skip
PERSON: dict[str, Edits] = {
    "a new route without a guard": ((ROUTES, "module.exports = router;", "router.get('/all', (req, res) => res.json(sum([])));\n\nmodule.exports = router;"),),
    "a changed guard": (("src/access.js", "req.user ? next()", "req.user || req.query.x === 'sesame' ? next()"),),
    "a socket": top("require('net').connect(1, 'h');"),
    "a catch that answers a client": handled("catch (error) {\n    return respond(error, 500);\n  }"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_patch_that_cheats_or_weakens_the_service_is_refused(name: str) -> None:
    after = edited(SHOP, (*REFUSED[name], ("test/line.test.js", "", SHOP_TEST)))

    assert judge(SHOP, after, culprit=BASKET, reproduction="test/line.test.js").refusals


@pytest.mark.parametrize("name", PERSON)
def test_a_patch_that_only_a_person_can_judge_is_a_draft(name: str) -> None:
    result = judge(SHOP, edited(SHOP, PERSON[name]), culprit=BASKET)

    assert result.drafts
    assert result.refusals == ()
