"""Chains of exceptions are read in each language: the deepest cause first, its innermost frame first."""

from __future__ import annotations

import textwrap

import pytest

from tests.support.logs import NODE_STACK, PYTHON_TRACEBACK
from workers.investigation.code.stack_frames import frames

CHAINS = {
    "python cause": ("""\
        Traceback (most recent call last):
          File "/app/inner.py", line 1, in a
            b
        KeyError: 1

        The above exception was the direct cause of the following exception:

        Traceback (most recent call last):
          File "/app/outer.py", line 2, in b
            raise ValueError from error
        ValueError: 2
        """, "inner.py:1 outer.py:2"),
    "python handler fails": ("""\
        Traceback (most recent call last):
          File "/app/first.py", line 1, in a
            b
        KeyError: 1

        During handling of the above exception, another exception occurred:

        Traceback (most recent call last):
          File "/app/first.py", line 3, in a
            report(error.text)
          File "/app/report.py", line 2, in report
            x
        AttributeError: 2
        """, "report.py:2 first.py:3 first.py:1"),
    "python handler raises deliberately": ("""\
        Traceback (most recent call last):
          File "/app/orders.py", line 1, in place
            total()
          File "/app/pricing.py", line 9, in total
            b
        KeyError: 1

        During handling of the above exception, another exception occurred:

        Traceback (most recent call last):
          File "/app/orders.py", line 3, in place
            raise OrderFailed("no total")
        OrderFailed: no total
        """, "pricing.py:9 orders.py:1 orders.py:3"),
    "python exception group": ("""\
          + Exception Group Traceback (most recent call last):
          |   File "/app/main.py", line 13, in add_header
          |     response = await call_next(request)
          | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
          +-+---------------- 1 ----------------
            | Traceback (most recent call last):
            |   File "/app/orders.py", line 3, in place
            |     return total(items)
            |   File "/app/pricing.py", line 5, in total
            |     return 1
            | KeyError: 1
            +---------------- 2 ----------------
            | Traceback (most recent call last):
            |   File "/app/stock.py", line 7, in reserve
            |     x
            | ValueError: 2
            +------------------------------------
        """, "pricing.py:5 orders.py:3 stock.py:7 main.py:13"),
    "python faulthandler": ("""\
        Fatal Python error: Segmentation fault

        Current thread 0x00007f (most recent call first):
          File "/app/pricing.py", line 5 in total
          File "/app/orders.py", line 3 in place
        """, "pricing.py:5 orders.py:3"),
    "java": ("""\
        java.lang.IllegalStateException: Failed
        \tat com.acme.Outer.run(Outer.java:10)
        Caused by: java.lang.RuntimeException: mid
        \tat com.acme.Mid.run(Mid.java:7)
        \t... 1 more
        \tSuppressed: java.io.IOException: closing
        \t\tat com.acme.Closing.close(Closing.java:1)
        Caused by: java.lang.NullPointerException: deep
        \tat com.acme.Deep.lambda$total$0(Deep.java:3)
        \t... 2 more
        """, "Deep.java:3 Mid.java:7 Outer.java:10 Closing.java:1"),
    "node": ("""\
        Error: outer
            at place (/app/orders.js:5:9) {
          [cause]: Error: inner
              at total (/app/pricing.js:2:9)
        }
        """, "pricing.js:2 orders.js:5"),
    "node driver error": ("""\
        QueryFailedError: column "gift" does not exist
            at save (/app/orders.js:5:9) {
          driverError: error: column "gift" does not exist
              at parse (/app/parser.js:2:9)
        }
        """, "parser.js:2 orders.js:5"),
    "node uncaught": ("""\
        /app/config.js:3
        const x = ;
                  ^

        SyntaxError: Unexpected token ';'
            at wrapSafe (node:internal/modules/cjs/loader:1378:20)
        """, "config.js:3 loader:1378"),
    "dotnet": ("""\
        System.InvalidOperationException: outer
         ---> System.NullReferenceException: Object
           at Shop.Pricing.<Total>d__3.MoveNext() in /src/Pricing.cs:line 5
           --- End of inner exception stack trace ---
           at Shop.Orders.Place() in /src/Orders.cs:line 9
        """, "Pricing.cs:5 Orders.cs:9"),
    "php": ("""\
        PHP Fatal error:  Uncaught RuntimeException: inner in /app/a.php:3
        Stack trace:
        #0 /app/b.php(5): a()
        #1 {main}

        Next LogicException: outer in /app/c.php:7
        Stack trace:
        #0 /app/d.php(1): b()
        #1 {main}
          thrown in /app/c.php on line 7
        """, "a.php:3 b.php:5 c.php:7 d.php:1"),
    "laravel": ("""\
        [2026-11-20 11:48:02] production.ERROR: outer {"exception":"[object] (Failed(code: 0): outer at /app/c.php:7)
        [stacktrace]
        #0 /app/d.php(1): b()
        #1 {main}

        [previous exception] [object] (TypeError(code: 0): inner at /app/a.php:3)
        [stacktrace]
        #0 /app/b.php(5): a()
        #1 {main}
        "}
        """, "a.php:3 b.php:5 c.php:7 d.php:1"),
    "ruby": ("""\
        /app/orders.rb:9:in 'Orders#place': outer (RuntimeError)
        \tfrom /app/main.rb:3:in '<main>'
        /app/pricing.rb:5:in 'Pricing#total': inner (KeyError)
        \tfrom /app/orders.rb:7:in 'Orders#place'
        """, "pricing.rb:5 orders.rb:7 orders.rb:9 main.rb:3"),
    "rust": ("""\
        thread 'main' panicked at src/pricing.rs:42:27:
        called `Option::unwrap()` on a `None` value
        stack backtrace:
           0: rust_begin_unwind
                     at /rustc/abc/library/std/src/panicking.rs:645:5
           4: shop::main
                     at ./src/main.rs:3:5
        """, "pricing.rs:42 panicking.rs:645 main.rs:3"),
    "go recovered by a middleware": ("""\
        panic recovered: boom
        goroutine 7 [running]:
        main.recoverer.func1.1()
        \t/app/middleware.go:14 +0x5e
        panic({0x1, 0x2})
        \t/usr/local/go/src/runtime/panic.go:785 +0x132
        main.total({0x1, 0x2})
        \t/app/pricing.go:12 +0x12
        created by net/http.(*Server).Serve in goroutine 1
        \t/app/main.go:99 +0x485

        goroutine 1 [IO wait]:
        main.main()
        \t/app/other.go:1 +0x12
        """, "pricing.go:12 main.go:99 middleware.go:14 panic.go:785"),
    "elixir": ("""\
        ** (KeyError) key :price not found
            (shop 0.1.0) lib/shop/pricing.ex:42: Shop.Pricing.total/1
            (elixir 1.15.7) lib/enum.ex:4: Enum.map/2
            (shop 0.1.0) lib/shop/orders.ex:7: Shop.Orders.place/1
        """, "pricing.ex:42 enum.ex:4 orders.ex:7"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_the_deepest_cause_comes_first(name: str) -> None:
    text, expected = CHAINS[name]

    read = frames(textwrap.dedent(text))

    assert " ".join(f"{frame.path.rsplit('/', 1)[-1]}:{frame.line}" for frame in read) == expected


def test_frames_are_ordered_from_the_innermost() -> None:
    assert [frame.line for frame in frames(PYTHON_TRACEBACK)] == [5, 12, 73]
    assert [frame.function for frame in frames(NODE_STACK)][:2] == ["total", None]


@pytest.mark.parametrize(
    ("line", "function"),
    [
        ("    at Object.total (/app/a.js:1:1)", "total"),
        ("    at new Pricing (/app/a.js:1:1)", "Pricing"),
        ("    at Router.handle [as run] (/app/a.js:1:1)", "handle"),
        ("   at Shop.Pricing.<Total>d__3.MoveNext() in /src/A.cs:line 1", "Total"),
        ("\tat com.acme.Pricing.lambda$total$0(A.java:1)", "total"),
        ("/app/a.rb:1:in 'block (2 levels) in Pricing#total'", "total"),
        ("    (shop 0.1.0) lib/a.ex:1: anonymous fn/1 in Shop.Pricing.total/1", "total"),
        ('  File "/app/a.py", line 1, in <module>', None),
        ("main.(*Service).Total.func1(0x1)\n\t/app/a.go:1 +0x1", "Total"),
        ("   4: shop::pricing::total::h0123456789abcdef\n             at ./src/a.rs:1:1", "total"),
        ("PHP Fatal error:  x in /app/a.php:1\n#0 /app/b.php(2): App\\Pricing->total()", "total"),
    ],
)
def test_functions_have_the_name_that_stands_in_the_code(line: str, function: str | None) -> None:
    assert frames(line)[0].function == function


def test_recursion_is_listed_once() -> None:
    text = (
        "RangeError: Maximum call stack\n"
        + "    at walk (/app/a.js:3:5)\n" * 5_000
        + "    at b (/app/b.js:1:1)"
    )

    assert [frame.path for frame in frames(text)] == ["/app/a.js", "/app/b.js"]
