# ruff: noqa: E501, W291  # lines as the tools print them
"""The first line of a build log that says what is wrong is found, with its place, in the words of each tool."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.logs import log_lines, write_tree
from workers.investigation.code.build_problems import first_build_problem
from workers.investigation.logs.log_records import build_log_records

CASES: list[tuple[str, dict[str, int | str], str, str, str]] = [
    ('next', {'src/app/orders/page.tsx': 30}, """\
> next build
   Linting and checking validity of types ...
Failed to compile.

./src/app/orders/page.tsx:12:5
Type error: Property 'price' does not exist on type 'Item'.

  10 |   const items = await load();
> 12 |     one.price
     |         ^
Next.js build worker exited with code: 1 and signal: null
ERROR: failed to build: failed to solve: process "/bin/bash -ol pipefail -c npm run build" did not complete successfully: exit code: 1""", "Property 'price'", 'src/app/orders/page.tsx:12'),
    ('tsc', {'src/x.ts': 60, 'package.json': '{}'}, """\
#12 3.1 > shop@1.0.0 build
#12 3.1 > tsc -p .
#12 5.3 src/x.ts(42,17): error TS2339: Property 'price' does not exist on type 'Item'.
#12 5.4 npm error Lifecycle script `build` failed with error:
#12 5.4 npm error code 2
#12 ERROR: process "/bin/sh -c npm run build" did not complete successfully: exit code: 2
------
 > [build 6/6] RUN npm run build:
------
Dockerfile:12
ERROR: failed to build: failed to solve: exit code: 2""", 'TS2339', 'src/x.ts:42'),
    ('tsc pretty', {'src/x.ts': 60}, """\
src/x.ts:4:5 - error TS2322: Type 'string' is not assignable to type 'number'.

4 const a: number = 'x';
Found 1 error in src/x.ts:4""", 'TS2322', 'src/x.ts:4'),
    ('npm ci', {'package.json': '{}', 'package-lock.json': '{}'}, """\
npm error code EUSAGE
npm error
npm error `npm ci` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync. Please update your lock file with `npm install` before continuing.
npm error
npm error Missing: zod@3.23.8 from lock file
npm error A complete log of this run can be found in: /root/.npm/_logs/x.log
ERROR: failed to solve: process "/bin/sh -c npm ci" did not complete successfully: exit code: 1""", 'in sync', 'package-lock.json:0'),
    ('pip', {'requirements.txt': 'flask==3.0.0\nnopkg==9.9.9\n'}, """\
Collecting flask==3.0.0
ERROR: Could not find a version that satisfies the requirement nopkg==9.9.9 (from versions: none)
ERROR: No matching distribution found for nopkg==9.9.9
ERROR: failed to solve: process""", 'Could not find a version', 'requirements.txt:2'),
    ('go', {'main.go': 20}, """\
# shop
./main.go:12:2: undefined: total
ERROR: failed to solve""", 'undefined: total', 'main.go:12'),
    ('maven', {'src/main/java/com/acme/X.java': 20}, """\
[INFO] Compiling 12 source files
[ERROR] COMPILATION ERROR : 
[ERROR] /app/src/main/java/com/acme/X.java:[12,5] cannot find symbol
[ERROR]   symbol:   variable price
[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.11.0:compile (default-compile) on project shop: Compilation failure""", 'cannot find symbol', 'src/main/java/com/acme/X.java:12'),
    ('gradle', {'src/main/kotlin/X.kt': 20}, """\
> Task :compileKotlin FAILED
e: file:///app/src/main/kotlin/X.kt:12:5 Unresolved reference: price

FAILURE: Build failed with an exception.

* What went wrong:
Execution failed for task ':compileKotlin'.""", 'Unresolved reference', 'src/main/kotlin/X.kt:12'),
    ('rust', {'src/main.rs': 20}, """\
   Compiling shop v0.1.0 (/app)
error[E0425]: cannot find value `price` in this scope
  --> src/main.rs:3:5
   |
3  |     price
error: could not compile `shop` (bin "shop") due to 1 previous error""", 'E0425', 'src/main.rs:3'),
    ('dotnet', {'Shop/X.cs': 20}, """\
/src/Shop/X.cs(12,5): error CS1002: ; expected [/src/Shop/Shop.csproj]

Build FAILED.""", 'CS1002', 'Shop/X.cs:12'),
    ('elixir', {'lib/x.ex': 20}, """\
== Compilation error in file lib/x.ex ==
** (CompileError) lib/x.ex:12: undefined function total/1
    (elixir 1.15.7) lib/kernel.ex""", 'undefined function', 'lib/x.ex:12'),
    ('elixir2', {'lib/x.ex': 20}, """\
    error: undefined variable "price"
    │
 12 │     price
    │     ^^^^^
    │
    └─ lib/x.ex:12:5: Shop.X.total/1

== Compilation error in file lib/x.ex ==
** (CompileError) lib/x.ex: cannot compile module Shop.X""", 'undefined variable', 'lib/x.ex:12'),
    ('vite', {'src/App.tsx': "import a from 'b'\nimport x from './missing'\n"}, """\
vite v5.0.0 building for production...
transforming...
✓ 12 modules transformed.
x Build failed in 300ms
error during build:
Could not resolve "./missing" from "src/App.tsx"
file: /app/src/App.tsx
    at getRollupError (file:///app/node_modules/rollup/dist/es/shared/parseAst.js:396:41)""", 'Could not resolve', 'src/App.tsx:2'),
    ('vite2', {'src/App.tsx': "import a from 'b'\nimport x from 'left-pad'\n"}, """\
error during build:
[vite]: Rollup failed to resolve import "left-pad" from "/app/src/App.tsx".
This is most likely unintended because it can break your application at runtime.""", 'left-pad', 'src/App.tsx:2'),
    ('esbuild', {'src/a.ts': 9}, """\
✘ [ERROR] Could not resolve "./b"

    src/a.ts:3:16:
      3 │ import { b } from "./b"
        ╵                 ~~~~~

1 error""", 'Could not resolve', 'src/a.ts:3'),
    ('webpack', {'src/a.js': 9}, """\
ERROR in ./src/a.js 3:0-20
Module not found: Error: Can't resolve './b' in '/app/src'
webpack 5.90.0 compiled with 1 error in 300 ms""", "Can't resolve", ''),
    ('next mod', {'src/app/page.tsx': "import a from '@/b'\n"}, """\
Failed to compile.

./src/app/page.tsx
Module not found: Can't resolve '@/b'

https://nextjs.org/docs/messages/module-not-found

> Build failed because of webpack errors""", "Can't resolve", 'src/app/page.tsx:1'),
    ('next turbo', {'src/app/page.tsx': "import a from '@/b'\nimport a from '@/b'\nimport a from '@/b'\nimport a from '@/b'\n"}, """\
Error: Turbopack build failed with 1 errors:
./src/app/page.tsx:1:1
Module not found: Can't resolve '@/b'
> 1 | import a from '@/b'""", "Can't resolve", 'src/app/page.tsx:1'),
    ('swc', {'src/app/page.tsx': 40}, """\
Failed to compile.

./src/app/page.tsx
Error:   x Unexpected token `div`. Expected jsx identifier
    ,-[/app/src/app/page.tsx:10:1]
 10 |   return (
 11 |     <div>""", 'Unexpected token', 'src/app/page.tsx:10'),
    ('eslint', {'src/app/page.tsx': 40}, """\
Failed to compile.

./src/app/page.tsx
12:5  Error: 'x' is defined but never used.  @typescript-eslint/no-unused-vars

info  - Need to disable some ESLint rules?""", 'never used', 'src/app/page.tsx:12'),
    ('prerender', {'src/app/orders/page.tsx': 40}, """\
Generating static pages (3/7)
Error occurred prerendering page "/orders". Read more: https://nextjs.org/docs/messages/prerender-error
TypeError: Cannot read properties of undefined (reading 'map')
    at o (/app/.next/server/app/orders/page.js:1:2345)
Export encountered an error on /orders/page: /orders, exiting the build.""", 'Cannot read', 'src/app/orders/page.tsx:0'),
    ('docker copy', {'Dockerfile': 20}, """\
ERROR: failed to build: failed to solve: failed to compute cache key: failed to calculate checksum of ref abc::def: "/requirement.txt": not found""", 'requirement.txt', 'Dockerfile:0'),
    ('docker parse', {'Dockerfile': 20}, """\
ERROR: failed to solve: dockerfile parse error on line 3: unknown instruction: RUNN""", 'unknown instruction', 'Dockerfile:3'),
    ('docker notfound', {'Dockerfile': 20, 'package.json': '{}'}, """\
> shop@1.0.0 build
> tsc
sh: 1: tsc: not found
npm error code 127
Dockerfile:9
ERROR: failed to solve: process "/bin/sh -c npm run build" did not complete successfully: exit code: 127""", 'tsc: not found', 'Dockerfile:9'),
    ('railpack', {'a.txt': ''}, """\
↳ Detected Node
✖ Railpack could not determine how to build the app.
The following languages are supported:""", 'could not determine', ''),
    ('nixpacks', {'a.txt': ''}, """\
Nixpacks was unable to generate a build plan for this app.
Please check the documentation for supported languages: https://nixpacks.com
The contents of the app directory are:
Dockerfil
turbo.json""", 'unable to generate', ''),
    ('python syntax', {'app/models.py': 20}, """\
  File "/app/app/models.py", line 12
    def x(:
          ^
SyntaxError: invalid syntax""", 'SyntaxError', 'app/models.py:12'),
    ('collectstatic', {'shop/settings.py': 20}, """\
Traceback (most recent call last):
  File "/app/manage.py", line 22, in <module>
    main()
  File "/app/shop/settings.py", line 12, in <module>
    SECRET_KEY = os.environ["SECRET_KEY"]
KeyError: 'SECRET_KEY'
ERROR: failed to solve: exit code: 1""", 'SECRET_KEY', 'shop/settings.py:12'),
    ('poetry', {'poetry.lock': '', 'pyproject.toml': ''}, """\
Installing dependencies from lock file

pyproject.toml changed significantly since poetry.lock was last generated. Run `poetry lock` to fix the lock file.""", 'changed significantly', 'poetry.lock:0'),
    ('uv', {'pyproject.toml': '[project]\n'}, """\
  × No solution found when resolving dependencies:
  ╰─▶ Because nopkg was not found in the package registry and your project depends on nopkg, we can conclude that your project's requirements are unsatisfiable.""", 'No solution', 'pyproject.toml:0'),
    ('pnpm', {'pnpm-lock.yaml': '', 'package.json': ''}, """\
 ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date with <ROOT>/package.json""", 'OUTDATED_LOCKFILE', 'pnpm-lock.yaml:0'),
    ('eresolve', {'package.json': '{\n "dependencies": {\n  "react": "19"}}'}, """\
npm error code ERESOLVE
npm error ERESOLVE could not resolve
npm error
npm error While resolving: react-dom@18.2.0
npm error Found: react@19.0.0""", 'ERESOLVE', 'package.json:0'),
    ('missing script', {'package.json': '{}'}, """\
npm error Missing script: "build"
npm error
npm error To see a list of scripts, run:
npm error   npm run""", 'Missing script', 'package.json:0'),
    ('gem', {'Gemfile': "source 'x'\ngem 'pg'\ngem 'nope'\n"}, """\
Could not find gem 'nope' in rubygems repository https://rubygems.org/ or installed locally.""", 'Could not find gem', 'Gemfile:3'),
    ('bundler ruby', {'Gemfile': "ruby '3.3.0'\n"}, """\
Your Ruby version is 3.2.2, but your Gemfile specified 3.3.0""", 'Your Ruby version', 'Gemfile:0'),
    ('composer', {'composer.json': '{}'}, """\
Your lock file does not contain a compatible set of packages. Please run composer update.

  Problem 1
    - Root composer.json requires php ^8.4 but your php version (8.2.1) does not satisfy that requirement.""", 'lock file', 'composer.json:0'),
    ('go sum', {'go.mod': 'module shop\n'}, """\
main.go:5:2: missing go.sum entry for module providing package github.com/x/y; to add:
	go get shop""", 'missing go.sum', 'go.mod:0'),
    ('prisma', {'prisma/schema.prisma': 20}, """\
Error: Prisma schema validation - (get-config wasm)
Error code: P1012
error: Environment variable not found: DATABASE_URL.
  -->  prisma/schema.prisma:8
   | 
 7 |   provider = "postgresql"
""", 'Prisma schema', 'prisma/schema.prisma:8'),
    ('svelte', {'src/routes/+page.svelte': 20}, """\
error during build:
src/routes/+page.svelte (12:5): "total" is not exported by "src/lib/x.ts", imported by "src/routes/+page.svelte".
file: /app/src/routes/+page.svelte:12:5""", 'not exported', 'src/routes/+page.svelte:12'),
    ('nest', {'src/orders/orders.service.ts': 50}, """\
> nest build

src/orders/orders.service.ts:42:17 - error TS2551: Property 'pric' does not exist on type 'Item'. Did you mean 'price'?

42     return item.pric;
Found 1 error(s).""", 'TS2551', 'src/orders/orders.service.ts:42'),
    ("prefixed", {"src/x.ts": 60},
     "#12 5.3 npm error src/x.ts(42,17): error TS2339: x", "TS2339", "src/x.ts:42"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "files", "text", "headline", "place"), CASES, ids=[case[0] for case in CASES]
)
def test_the_first_line_that_says_what_is_wrong_is_found(
    tmp_path: Path, name: str, files: dict[str, int | str], text: str, headline: str, place: str
) -> None:
    contents = {
        path: "\n" * content if isinstance(content, int) else content for path, content in files.items()
    }
    tree = write_tree(tmp_path, contents)
    lines = log_lines(*text.split("\n"), level="info", gap=0.001)

    problem = first_build_problem(build_log_records(lines), tree)

    assert problem is not None
    assert headline in problem.record.headline
    assert problem.record.level == "error"
    assert (f"{problem.place.file}:{problem.place.line}" if problem.place else "") == place


def test_a_build_that_succeeds_has_no_problem(tmp_path: Path) -> None:
    lines = log_lines("Collecting flask", "Installed 12 packages", "0 errors", "Done in 3s", level="info")

    assert first_build_problem(build_log_records(lines), write_tree(tmp_path, {"a.py": ""})) is None


@pytest.mark.parametrize(
    "piece", ["a/", "[a]/", "Error: ", "x.ts(", 'could not resolve "', "a.", ".ts", ": ", "./"]
)
def test_hostile_lines_cost_little_time(tmp_path: Path, piece: str) -> None:
    tree = write_tree(tmp_path, {"a.py": ""})
    records = build_log_records(log_lines("error " + piece * (200_000 // len(piece))))
    started = time.process_time()

    first_build_problem(records, tree)

    assert time.process_time() - started < 10  # seconds of CPU time; a pattern that backtracks takes minutes
