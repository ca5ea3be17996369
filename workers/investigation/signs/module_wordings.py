"""Sentences about what is not installed: modules, packages, system libraries and programs. Pure."""

from __future__ import annotations

from workers.investigation.signs.wordings import Wording
from workers.models import SignKind

MODULE = SignKind.MODULE_MISSING
LIBRARY = SignKind.LIBRARY_MISSING
COMMAND = SignKind.COMMAND_MISSING
Q = r"[\"'`‘’]"

MODULES: tuple[Wording, ...] = (
    # Python. `No module named 'x'; 'x' is not a package` names the same module.
    Wording(MODULE, rf"No module named {Q}?(?P<subject>[\w.]{{1,80}})"),
    Wording(MODULE, r"Can't load plugin: sqlalchemy\.dialects:(?P<subject>(?!postgres$)[\w.]{1,60})"),
    Wording(MODULE, r"Error loading (?P<subject>psycopg2|MySQLdb)"),
    Wording(MODULE, r"Form data requires \"(?P<subject>python-multipart)\" to be installed"),
    Wording(
        MODULE,
        r"Missing optional dependency '(?P<subject>[\w-]{1,60})'|'(?P<subject2>[\w-]{1,60})' package is required",
    ),
    Wording(MODULE, r"(?P<subject>[\w-]{1,60}) is not installed, run `?pip install"),
    Wording(MODULE, r"^Error: Could not import '(?P<subject>[\w.]{1,80})'\.$"),
    # Node.js, TypeScript, webpack, Vite and esbuild, Deno, Bun.
    Wording(MODULE, rf"Cannot find module {Q}(?P<subject>[^\s'\"`]{{1,160}}){Q}"),
    Wording(MODULE, rf"Cannot find package {Q}(?P<subject>[^\s'\"`]{{1,160}}){Q}"),
    Wording(
        MODULE,
        rf"Module not found:? (?:Error: )?(?:Can't|Cannot) resolve {Q}(?P<subject>[^\s'\"`]{{1,160}}){Q}",
    ),
    Wording(MODULE, rf"Could not resolve {Q}(?P<subject>[^\s'\"`$]{{1,160}}){Q}"),
    Wording(MODULE, rf"failed to resolve import {Q}(?P<subject>[^\s'\"`]{{1,160}}){Q}"),
    Wording(MODULE, rf"Could not load the {Q}(?P<subject>[\w@/-]{{1,80}}){Q} module"),
    Wording(MODULE, r"(?P<subject>@prisma/client) did not initialize yet"),
    Wording(
        MODULE, r"has not been found installed\. [^\n]{1,40}npm install (?P<subject>[\w@./-]{1,80}?)\"?\.?$"
    ),
    Wording(MODULE, r"[Pp]lease install ['\"`]?(?P<subject>[\w@/-]{1,80})['\"`]? (?:package|module)"),
    # Go, Rust, Java, Kotlin.
    Wording(MODULE, r"no required module provides package (?P<subject>[\w./-]{1,160})"),
    Wording(MODULE, r"package (?P<subject>[\w./-]{1,160}) is not in (?:std|GOROOT)"),
    Wording(
        MODULE,
        r"missing go\.sum entry for (?:module providing package |go\.mod file; to add it:\s{1,8}go mod download )?(?P<subject>[\w./-]{1,160})",
    ),
    Wording(
        MODULE,
        r"(?:unresolved import|can(?:'t|not) find crate for|use of (?:undeclared|unresolved) (?:crate|module)(?: or (?:unlinked )?(?:module|crate))?) `(?P<subject>[\w:]{1,80})`",
    ),
    Wording(MODULE, r"cannot find module providing package (?P<subject>[\w./-]{1,160})"),
    Wording(MODULE, r"no matching package named `(?P<subject>[\w-]{1,80})`"),
    Wording(MODULE, r"ClassNotFoundException: (?P<subject>[\w.$]{3,160})"),
    Wording(MODULE, r"NoClassDefFoundError: (?!Could not initialize)(?P<subject>[\w./$]{3,160})"),
    Wording(MODULE, r"\bpackage (?P<subject>[a-z]\w{1,40}(?:\.\w{1,60}){1,8}) does not exist"),
    # Ruby and Bundler.
    Wording(MODULE, r"cannot load such file -- (?P<subject>[\w./-]{1,120})"),
    Wording(
        MODULE,
        r"[Cc]ould not find (?:gem )?'?(?P<subject>[a-z][\w-]{0,60}?)(?:-\d[\w.]{0,20})?'?(?: \([^)\n]{1,40}\))? in (?:any of the|locally installed|rubygems)",
    ),
    Wording(MODULE, r"(?P<subject>[\w-]{1,60}) is not part of the bundle"),
    Wording(MODULE, r"Could not find gem '(?P<subject>[\w-]{1,60})[^'\n]{0,60}' in "),
    # PHP and Composer, .NET, Elixir.
    Wording(MODULE, r"(?:Class|Interface|Trait) [\"'](?P<subject>[\w\\]{2,120})[\"'] not found"),
    Wording(
        MODULE,
        r"Call to undefined function (?P<subject>(?:curl|mb|imagecreate|bc|gd|json|simplexml|pg|mysqli|intl|exif)_?\w{0,40})\(",
    ),
    Wording(MODULE, r"\bcould not find driver\b(?! for)", "pdo driver"),
    Wording(
        MODULE,
        r"(?:require|include)(?:_once)?\(\S{0,120}?(?P<subject>vendor/autoload\.php)\): [Ff]ailed to open stream",
    ),
    Wording(MODULE, r"Could not load file or assembly '(?P<subject>[\w.-]{2,120})"),
    Wording(
        MODULE, r"type or namespace name '(?P<subject>[\w.]{1,80})' (?:could not be found|does not exist)"
    ),
    Wording(MODULE, r"declaration file for module '(?P<subject>[^'\s]{1,120})'"),
    Wording(MODULE, r"\(module (?P<subject>[\w.]{2,80}) is not available\)"),
    Wording(MODULE, r"module (?P<subject>[\w.]{2,80}) is not loaded and could not be found"),
)
LIBRARIES: tuple[Wording, ...] = (
    # glibc's loader, in Python, Node.js addons, Ruby, Chromium and .NET; Pillow and WeasyPrint through ctypes and cffi.
    Wording(LIBRARY, r"(?P<subject>lib[\w.+-]{1,60}\.so[\w.]{0,12}): cannot open shared object file"),
    Wording(LIBRARY, rf"cannot load library {Q}(?P<subject>[\w.+-]{{2,60}}){Q}"),
    Wording(LIBRARY, r"Unable to load shared library '(?P<subject>[\w.+-]{2,60})'"),
    Wording(LIBRARY, r"Error loading shared library (?P<subject>[\w.+-]{2,60}): No such file"),
    Wording(LIBRARY, r"version `(?P<subject>GLIBC(?:XX)?_[\d.]{1,10})' not found"),
    Wording(LIBRARY, r"(?P<subject>pg_config) executable not found"),
    Wording(LIBRARY, r"could not locate the Query Engine for runtime", "openssl"),
    Wording(LIBRARY, r"Prisma engines do not seem to be compatible|libssl\.so", "openssl"),
    Wording(
        LIBRARY,
        r"Executable doesn't exist at \S{0,120}?(?P<subject>chromium|chrome|firefox|webkit|headless_shell)",
        exact_case=True,
    ),
    Wording(LIBRARY, r"Could not find (?P<subject>Chrome|Chromium)"),
    Wording(LIBRARY, r"Failed to launch the browser process", "chromium"),
    Wording(
        LIBRARY,
        r"(?P<subject>tesseract|ffmpeg|ffprobe) (?:is not installed|was not found|not found)|Cannot find (?P<subject2>ffmpeg)",
    ),
)
PROGRAMS: tuple[Wording, ...] = (
    # A program that the code starts: Node.js' child_process, Python's subprocess, wrappers that say what they need.
    Wording(LIBRARY, r"\bspawn (?P<subject>[\w./-]{1,60}) ENOENT"),
    Wording(
        LIBRARY, r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<subject>[a-z][\w-]{1,30})'$"
    ),
    Wording(LIBRARY, r"failed to find (?P<subject>libmagic)|Is (?P<subject2>poppler) installed and in PATH"),
)
COMMANDS: tuple[Wording, ...] = (
    Wording(
        COMMAND,
        r"\bexec: (?P<subject>[\w./@-]{1,80}): not found|Error: No such command '(?P<subject2>[\w:.-]{1,60})'",
    ),
    # Shells, Docker and runc, Go's os/exec, Procfile runners, npm.
    Wording(COMMAND, r"(?:^|: )(?:line \d{1,5}: )?(?P<subject>[\w./@-]{1,80}): command not found"),
    Wording(COMMAND, r"\b(?:ba|da|a|z)?sh: (?:(?:line )?\d{1,5}: )?(?P<subject>[\w./@-]{1,80}): not found"),
    Wording(COMMAND, r"exec: \"?(?P<subject>[\w./@ -]{1,80})\"?: executable file not found in \$PATH"),
    Wording(COMMAND, r"[Ee]xecutable `(?P<subject>[\w./@-]{1,80})` could not be found"),
    Wording(
        COMMAND,
        r"exec: \"(?P<subject>[\w./@-]{1,120})\": (?:stat [^\n]{1,120}: )?no such file or directory|exec (?P<subject2>[\w./@-]{1,120}): (?:no such file or directory|exec format error)",
    ),
    Wording(COMMAND, rf"[Mm]issing script: {Q}?(?P<subject>[\w:.-]{{1,60}})"),
    Wording(
        COMMAND,
        r"[Cc]ouldn't find a script named \"(?P<subject>[\w:.-]{1,60})\"|error Command \"(?P<subject2>[\w:.-]{1,60})\" not found",
    ),
    Wording(COMMAND, r"error: [Ss]cript not found \"(?P<subject>[\w:.-]{1,60})\""),
    Wording(
        COMMAND,
        r"No start command (?:could be|was) found|no default process a command is required",
        "start command",
    ),
    Wording(COMMAND, r"can't open file '(?P<subject>[\w./-]{1,120})': \[Errno 2\]"),
    Wording(COMMAND, r"Unable to access jarfile (?P<subject>[\w./*-]{1,120})"),
    Wording(
        COMMAND,
        r"Failed to find attribute '(?P<subject>\w{1,60})' in|Error loading ASGI app\. Attribute \"(?P<subject2>\w{1,60})\" not found",
    ),
    Wording(
        COMMAND, r"(?:exec: \"|: )(?P<subject>\./[\w./-]{1,80}|/[\w./-]{1,80}\.sh)\"?: [Pp]ermission denied"
    ),
)
