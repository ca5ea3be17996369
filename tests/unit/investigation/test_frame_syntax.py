"""One line of a stack trace is read in the form in which each language prints it."""

from __future__ import annotations

import time

import pytest

from workers.investigation.code.frame_syntax import Frame, frame_of, is_frame_line

FRAMES = [
    ('  File "/app/shop/pricing.py", line 5, in total', Frame("/app/shop/pricing.py", 5, "total")),
    ('> File "/app/shop/orders.py", line 31, in place', Frame("/app/shop/orders.py", 31, "place")),
    ('  |   File "/app/main.py", line 3, in <module>', Frame("/app/main.py", 3, "<module>")),
    ('  File "/app/main.py", line 3 in run', Frame("/app/main.py", 3, "run")),
    ("│ /app/shop/pricing.py:5 in total               │", Frame("/app/shop/pricing.py", 5, "total")),
    ("    at total (/app/src/a.js:10:21)", Frame("/app/src/a.js", 10, "total", 21)),
    ("    at async list (/app/src/a.js:22:18) {", Frame("/app/src/a.js", 22, "list", 18)),
    ("    at async /app/src/b.js:9:5 {", Frame("/app/src/b.js", 9, None, 5)),
    ("    at file:///app/dist/index.js:51:20", Frame("file:///app/dist/index.js", 51, None, 20)),
    ("    at n (webpack-internal:///(rsc)/./src/app/page.tsx:2:5)",
     Frame("webpack-internal:///(rsc)/./src/app/page.tsx", 2, "n", 5)),
    ("    at /app/.next/server/app/(shop)/orders/page.js:1:2345",
     Frame("/app/.next/server/app/(shop)/orders/page.js", 1, None, 2345)),
    ("total@https://shop.example/app.js:10:21", Frame("https://shop.example/app.js", 10, "total", 21)),
    ("\t/app/orders/service.go:42 +0x1d", Frame("/app/orders/service.go", 42)),
    (" ->   /app/pricing.go:12", Frame("/app/pricing.go", 12)),
    ("/app/main.go:15 (0x8d1234)", Frame("/app/main.go", 15)),
    ("\tat com.acme.shop.Pricing.total(Pricing.java:42) ~[!/:0.0.1]", Frame("com/acme/shop/Pricing.java", 42, "total")),
    ("\tat app//com.acme.Main$Companion.main(Main.kt:5)", Frame("com/acme/Main.kt", 5, "main")),
    ("[6f9619ff-8b86] app/services/pricing.rb:12:in `total'", Frame("app/services/pricing.rb", 12, "total")),
    ("\tfrom /app/x.rb:3:in 'Pricing#total'", Frame("/app/x.rb", 3, "Pricing#total")),
    ("#0 /app/src/Pricing.php(4): price()", Frame("/app/src/Pricing.php", 4, "price")),
    ("   at Shop.Pricing.Total(Order order) in /src/Shop/Pricing.cs:line 42",
     Frame("/src/Shop/Pricing.cs", 42, "Shop.Pricing.Total")),
    ("             at ./src/pricing.rs:42:27", Frame("./src/pricing.rs", 42, None, 27)),
    ("        (shop 0.1.0) lib/shop/x.ex:42: Shop.X.f/1", Frame("(shop)/lib/shop/x.ex", 42, "Shop.X.f/1")),
    ("    lib/shop/x.ex:42: Shop.X.f/1", Frame("lib/shop/x.ex", 42, "Shop.X.f/1")),
]  # fmt: skip
WITHOUT_FILE = [
    "    at new Promise (<anonymous>)",
    "    at async Promise.all (index 0)",
    "goroutine 118 [running]:",
    "net/http.(*conn).serve.func1()",
    "panic({0x6f0e80?, 0xa3c1f0?})",
    "github.com/acme/shop/orders.(*Service).Total(0x0, {0xc0001a2000, 0x3, 0x4})",
    "created by net/http.(*Server).Serve in goroutine 1",
    "\tat com.acme.Foo.bar(Native Method)",
    "\t... 12 common frames omitted",
    "#2 [internal function]: handle()",
    "#3 {main}",
    "   at System.Linq.Enumerable.Sum[TSource](IEnumerable`1 source)",
    "--- End of stack trace from previous location ---",
    "   3: shop::pricing::total",
    "    ^^^^^^^",
    "  [Previous line repeated 970 more times]",
]
NO_FRAMES = [
    "at least 3 orders failed",
    "    at the end of the day",
    "2026-11-20 11:48:02 INFO at work: 12:5",
    "Traceback (most recent call last):",
    "thread 'main' panicked at src/pricing.rs:42:27:",
    "    return sum(items)",
    '10.0.0.1 - - [20/Nov/2026] "GET /a HTTP/1.1" 200',
    "KeyError: 'gift'",
    "Caused by: java.io.IOException: closed",
    "user@example.com:12:3",
    "compute(...) done",
    "",
]


@pytest.mark.parametrize(("line", "frame"), FRAMES)
def test_a_frame_names_its_path_line_and_function(line: str, frame: Frame) -> None:
    assert frame_of(line) == frame
    assert is_frame_line(line)


@pytest.mark.parametrize("line", WITHOUT_FILE)
def test_a_line_of_a_trace_without_a_file_is_a_frame_line(line: str) -> None:
    assert frame_of(line) is None
    assert is_frame_line(line)


@pytest.mark.parametrize("line", NO_FRAMES)
def test_messages_code_and_the_beginnings_of_traces_are_no_frames(line: str) -> None:
    assert frame_of(line) is None
    assert not is_frame_line(line)


@pytest.mark.parametrize(
    "piece",
    ["at ", "a.", " (", ":1", "#1 ", "a/", ".go:", ":in ", " in x.cs:line ", ") in ", "@/", "x:", "1: ", " "],
)  # fmt: skip
def test_hostile_lines_cost_little_time(piece: str) -> None:
    started = time.process_time()

    for beginning in ("at ", "\t", "#1 ", "a@/", 'File "', "1: "):
        is_frame_line(beginning + piece * (1_490 // len(piece)))
        is_frame_line(beginning + piece * (200_000 // len(piece)))

    assert time.process_time() - started < 10  # seconds of CPU time; a pattern that backtracks takes minutes
