"""Plain names of functions, from the names that the runtimes of each language print. Pure."""

from __future__ import annotations

import re

MAX_NAME_CHARS = 400  # longer names are generated
PLAIN = re.compile(r"[A-Za-z_$][\w$]{0,120}[?!]?$")
ANONYMOUS = frozenset(
    {"<anonymous>", "<module>", "<main>", "<lambda>", "<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>",
     "anonymous", "{closure}", "{main}", "eval", "require", "include", "include_once", "require_once",
     "Module._compile", "invokeSuspend", "func", "top (required)"}
)  # fmt: skip
"""Names that stand for the code of a file, a lambda or the runtime."""
# Order matters: each expression unwraps the form of one compiler.
UNWRAPPED = (
    # .NET: `<Total>d__3.MoveNext`, `<Total>b__0`, `<<Main>$>g__Total|0_1`.
    re.compile(r"g__(\w{1,120})\|\d"),
    re.compile(r"<(\w{1,120})>[a-z]__\w{0,40}"),
    # JVM: `lambda$total$0`, `$anonfun$total$1`.
    re.compile(r"(?:lambda|anonfun|adapted)\$(\w{1,120})\$\d"),
    # Ruby and Elixir: `block (2 levels) in Pricing#total`, `anonymous fn/1 in Shop.Pricing.total/1`.
    re.compile(r"(?:block|rescue|ensure|anonymous fn)\b.{0,40}? in (\S{1,200})$"),
)
RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")
GO_CLOSURE = re.compile(r"(?:\.func\d{1,4}|\.gowrap\d{1,4}|\.\d{1,4}|-fm)+$")
GO_ARGUMENTS = re.compile(r"\((?:\.\.\.|[{_]|0x|\)|\d).{0,1000}$")
GENERICS = re.compile(r"\[[^\]]{0,200}\]$|::<[^>]{0,200}>$|`\d$")


def function_name(printed: str | None) -> str | None:
    """The name as it stands in the code: without class, package, arguments and the compiler's decoration."""
    name = (printed or "").strip()[:MAX_NAME_CHARS]
    if name in ANONYMOUS:
        return None
    name = name.removeprefix("created by ").removeprefix("async ").removeprefix("new ").split(" [as ")[0]
    for regex in UNWRAPPED:
        if match := regex.search(name):
            name = match[1]
    name = (
        RUST_HASH.sub("", GO_ARGUMENTS.sub("", name)).replace("::{{closure}}", "").split(" in goroutine")[0]
    )
    name = GENERICS.sub("", GO_CLOSURE.sub("", name))
    last = re.split(r"[.#\\]|::|->", re.sub(r"/\d{1,3}$", "", name))[-1]
    return last if last not in ANONYMOUS and PLAIN.match(last) else None
