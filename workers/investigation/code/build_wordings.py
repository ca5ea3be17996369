"""How package managers, compilers and bundlers say what is wrong with a build, and what they print besides. Pure.

Sources: npm 10, yarn, pnpm 9, bun; tsc, Next.js, Vite, esbuild, webpack; pip, Poetry, uv, Pipenv; go, cargo, Maven,
Gradle, kotlinc; Bundler, Composer, .NET SDK, Mix; BuildKit, Nixpacks, Railpack.
"""

from __future__ import annotations

import re

MAX_LINE_CHARS = 1_000  # of a line of a build log that is looked at

# Prefixes of BuildKit, npm and Maven, and colours that were printed as text.
PREFIX = re.compile(
    r"^(?:#\d{1,4} (?:\d{1,6}\.\d{1,4} )?|\d{1,5}\.\d{2,4} |(?:npm|yarn) (?:error|ERR!) |\[err(?:or)?\] "
    r"|(?:ERROR: )?failed to build: |(?:ERROR: )?failed to solve: (?!process|executor|exit))+"
)

# Lines that follow from the problem, or announce that it is printed next.
NOISE = re.compile(
    r"exit(?:ed)? (?:with )?(?:code|status)|exit code|failed to solve|did not complete successfully"
    r"|ERROR: failed to build"
    r"|^ERROR: (?:process|executor failed)|^Build [Ff]ailed|ELIFECYCLE|Lifecycle script|^command (?:failed"
    r"|sh)|^path /|^workspace "
    r"|complete log of this run|^errno |^code (?:E?[A-Z0-9_]+|\d+)$|^Failed to compile"
    r"|Build error occurred|webpack errors$|^error during build:?$|Turbopack build failed"
    r"|^\[ERROR\] (?:COMPILATION ERROR|-> \[Help|To see the full|Re-run Maven|For more information"
    r"|After correcting|Failed to execute goal|\[Help|$)"
    r"|^FAILURE: Build failed|^\* (?:What went wrong|Try|Where|Exception is):|^BUILD FAILED"
    r"|^Execution failed for task|could not compile `|aborting due to"
    r"|subprocess-exited-with-error|did not run successfully|^note: This (?:error|is)"
    r"|^error: (?:metadata-generation-failed|legacy-install-failure)"
    r"|^Encountered error while|^(?:error )?Command failed|^(?:rails|rake) aborted!|^Tasks: TOP|^Traceback"
    r"|pip (?:version|install --upgrade)"
    r"|^make(?:\[\d\])?: \*\*\*|^Error: Nixpacks|^Error: Docker build failed|^-{3,}|^={3,}"
    r"|^> \[|^={2} Compilation error|^ERROR: Service '"
    r"|^npm (?:warn|notice)|^warning\b|^WARN(?:ING)?\b|^\(node:|DeprecationWarning|[0-9]+ vulnerabilit"
    r"|^Found \d+ errors?"
    r"|(?:0|no) errors?\b|error-free|errors?[/.](?:js|ts|py|d)|ignore[sd]? error|install(?:ing"
    r"|ed)\b.{0,80}error|^(?:\+|added|Collecting|Downloading|Get:|Fetched|Compiling|Building|Adding"
    r"|Copying|COPY|RUN|Using cached|Selecting|Preparing|Unpacking|Setting up)\b"
    r"|Next\.js build worker exited|^\* exec|A task failed|Some builds failed|Failed to build$"
    r"|ERR_PNPM_RECURSIVE|run v\d|^error Command",
    re.I,
)  # fmt: skip
# Lines that name the problem. The first of them in the log is the one.
PROBLEM = re.compile(
    r"error TS\d{4}|^Type error: |^(?:\w{0,40}\.)?\w{0,60}(?:Error|Exception)(?: \[[\w ]{1,40}\])?: "
    r"|^\*\* \(\w{1,60}Error\)|^error\[E\d{4}\]"
    r"|Module not found: |Can't resolve '|Could not resolve|Cannot find (?:module|package|symbol|name"
    r"|type)|is not exported by|Unresolved reference"
    r"|No matching (?:distribution|version) found|Could not find a version|conflicting dependencies"
    r"|Invalid requirement|Could not open requirements"
    r"|No solution found|lock ?file.{0,100}(?:date|update|compatible|modified|changes|frozen|sync)"
    r"|OUTDATED_LOCKFILE|changed significantly|Pipfile\.lock \(|frozen-lockfile`|are in sync"
    r"|^Missing: .{1,200} from lock file|ERESOLVE|ETARGET|404 Not Found|Missing script"
    r"|Unsupported engine|Couldn't find (?:package|any versions)|no required module provides"
    r"|missing go\.sum|is not in std|requires go >?=? ?\d|\.go:\d{1,6}:\d{1,6}: "
    r"|failed to select a version|no matching package named|Could not find gem|Your bundle only supports"
    r"|Your Ruby version is|version solving failed"
    r"|error (?:CS|FS|BC|NU|MSB|NETSDK)\d{4}|\bjava:\d{1,6}: error: |\.(?:java|kt):\[\d|^e: (?:file|/)"
    r"|Could not (?:resolve|find) (?:all )?(?:dependencies|artifact|[\w.-]{1,100}:)"
    r"|failed to compute cache key|failed to calculate checksum|dockerfile parse error|unknown instruction"
    r"|COPY failed|: not found$|command not found|executable file not found"
    r"|pull access denied|manifest (?:for|unknown)|failed to resolve source metadata"
    r"|unable to generate a build plan|could not determine how to build|No start command"
    r"|error creating build plan|undefined variable|heap out of memory|No space left|is required"
    r"|must be set|permission denied|fatal error: |\bfatal: |syntax error|Unexpected token"
    r"|Parsing (?:ecmascript|css) source code failed|Expected .{1,60}(?:but )?(?:got|found)"
    r"|is not assignable|is defined but never used|pg_config|Unable to locate package"
    r"|Failed to (?:resolve|load|fetch|parse|collect page data|read|find)|failed to load config"
    r"|unable to (?:find|resolve|locate|access|read)|(?:^|\s)✘|×|✖",
    re.I,
)  # fmt: skip
# Any other line that sounds like a failure; used if no line names the problem.
SOUNDS_WRONG = re.compile(
    r"\b(?:error|fatal|failed|failure|cannot|could not|can't|unable|undefined|invalid|missing|denied)\b"
    r"|not found",
    re.I,
)
# A line that holds a position only: the message is on the next line. Next.js, ESLint.
POSITION_ONLY = re.compile(r"^(?:\./)?[^\s:(]{1,300}\.[a-z]{1,7}(?::\d{1,6}(?::\d{1,6})?)?:?$")

# Manifests by the words of a problem, the first that exists.
MANIFESTS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"package-lock\.json|npm ci\b|from lock file|npm-shrinkwrap", re.I),
     ("package-lock.json", "package.json")),
    (re.compile(r"pnpm-lock|ERR_PNPM", re.I), ("pnpm-lock.yaml", "package.json")),
    (re.compile(r"yarn\.lock|yarn install|frozen-lockfile.{0,80}yarn|YN0028", re.I), ("yarn.lock", "package.json")),
    (re.compile(r"bun\.lock|lockfile is frozen", re.I), ("bun.lock", "bun.lockb", "package.json")),
    (re.compile(r"poetry\.lock", re.I), ("poetry.lock", "pyproject.toml")),
    (re.compile(r"uv\.lock|No solution found", re.I), ("uv.lock", "pyproject.toml", "requirements.txt")),
    (re.compile(r"Pipfile", re.I), ("Pipfile.lock", "Pipfile")),
    (re.compile(r"distribution found|Could not find a version|conflicting dependencies|satisfies the requirement"
                r"|Invalid requirement|requirements? file|pg_config", re.I),
     ("requirements.txt", "pyproject.toml", "setup.py", "Pipfile")),
    (re.compile(r"ERESOLVE|ETARGET|No matching version|Missing script|registry\.npmjs|Unsupported engine"
                r"|Couldn't find (?:package|any)", re.I),
     ("package.json",)),
    (re.compile(r"go\.sum|go\.mod|required module|requires go", re.I), ("go.mod",)),
    (re.compile(r"no matching package named|failed to select a version|Cargo\.(?:toml|lock)", re.I), ("Cargo.toml",)),
    (re.compile(r"Could not find gem|Your bundle|Gemfile|Ruby version", re.I), ("Gemfile.lock", "Gemfile")),
    (re.compile(r"run composer|composer\.(?:json|lock)|lock file does not contain a compatible", re.I),
     ("composer.json",)),
    (re.compile(r"Could not (?:resolve|find).{0,40}(?:dependenc|artifact)", re.I),
     ("pom.xml", "build.gradle", "build.gradle.kts")),
    (re.compile(r"version solving failed", re.I), ("pubspec.yaml", "pyproject.toml")),
    (re.compile(r"cache key|checksum|dockerfile|COPY failed|pull access|manifest|source metadata|unknown instruction",
                re.I),
     ("Dockerfile",)),
)  # fmt: skip
