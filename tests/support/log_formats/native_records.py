"""Records as libraries of Go, Rust, Elixir, databases and process managers print them, line by line. Names and texts are invented."""

from __future__ import annotations

from tests.support.log_formats.record_format import RecordFormat, Wanted

FORMATS = (
    RecordFormat(
        "rust backtrace",
        "error",
        """\
thread 'main' (1) panicked at src/main.rs:4:10:
called `Result::unwrap()` on an `Err` value: Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }
stack backtrace:
   0: rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:645:5
   1: core::panicking::panic_fmt
             at /rustc/abc/library/core/src/panicking.rs:72:14
   2: shop::main
             at ./src/main.rs:4:10
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
""",
        (Wanted("error", "panic", "Connection refused", lines=10),),
    ),
    RecordFormat(
        "anyhow",
        "error",
        """\
Error: failed to load config

Caused by:
    0: DATABASE_URL must be set
    1: environment variable not found
""",
        (Wanted("error", "Error", "failed to load config"),),
    ),
    RecordFormat(
        "phoenix",
        "info",
        """\
11:48:02.114 request_id=F4x [info] GET /orders
11:48:02.120 request_id=F4x [error] #PID<0.512.0> running ShopWeb.Endpoint (connection #PID<0.511.0>, stream id 1) terminated
Server: localhost:4000 (http)
Request: GET /orders
** (exit) an exception was raised:
    ** (KeyError) key :price not found in: %{}
        (shop 0.1.0) lib/shop/pricing.ex:12: Shop.Pricing.total/1
        (phoenix 1.7.0) lib/phoenix/router.ex:430: Phoenix.Router.__call__/5
11:48:02.121 request_id=F4x [info] Sent 500 in 5ms
""",
        (
            Wanted("info", "", "GET /orders"),
            Wanted("error", "KeyError", "price not found", lines=7),
            Wanted("info", "", "Sent 500"),
        ),
    ),
    RecordFormat(
        "genserver",
        "info",
        """\
11:48:02.114 [error] GenServer Shop.Worker terminating
** (DBConnection.ConnectionError) connection not available and request was dropped from queue after 1000ms
    (db_connection 2.6.0) lib/db_connection.ex:1: DBConnection.run/2
    (shop 0.1.0) lib/shop/worker.ex:12: Shop.Worker.handle_info/2
Last message: :tick
State: %{a: 1}
11:48:02.115 [info] ok
""",
        (
            Wanted("error", "DBConnection.ConnectionError", "connection not available", lines=6),
            Wanted("info", "", "ok"),
        ),
    ),
    RecordFormat(
        "chi",
        "error",
        """\
 panic: runtime error: index out of range [5] with length 0

 -> main.total
 ->   /app/pricing.go:12

    main.handler
      /app/main.go:20
    net/http.HandlerFunc.ServeHTTP
      /usr/local/go/src/net/http/server.go:2220
""",
        (Wanted("error", "panic", "index out of range"),),
    ),
    RecordFormat(
        "gin",
        "error",
        """\
2026/11/20 11:48:02 [Recovery] 2026/11/20 - 11:48:02 panic recovered:
GET /orders HTTP/1.1
Host: localhost:8080
Accept: */*

runtime error: index out of range [5] with length 0
/usr/local/go/src/runtime/panic.go:114 (0x43a2b4)
	goPanicIndex: panic(boundsError{})
/app/pricing.go:12 (0x6f0e80)
	total: return x[5]
/app/main.go:20 (0x6f0f00)
	handler: total(nil)

[GIN] 2026/11/20 - 11:48:02 | 500 |      1.2ms |  127.0.0.1 | GET      "/orders"
""",
        (
            Wanted("error", "panic", "index out of range"),
            Wanted("error", "", "500"),
        ),
    ),
    RecordFormat(
        "postgres",
        "error",
        """\
2026-11-20 11:48:02.114 UTC [57] ERROR:  column "gift" does not exist at character 8
2026-11-20 11:48:02.114 UTC [57] STATEMENT:  SELECT gift FROM orders
2026-11-20 11:48:03.114 UTC [57] LOG:  checkpoint complete
""",
        (
            Wanted("error", "", 'column "gift"', lines=2),
            Wanted("info", "", "checkpoint"),
        ),
    ),
    RecordFormat(
        "axum tracing",
        "info",
        """\
2026-11-20T11:48:02.114518Z ERROR shop::orders: charge failed err=error sending request for url (https://api.payments.io/)

Caused by:
    0: client error (Connect)
    1: tcp connect error: Connection refused (os error 111)
2026-11-20T11:48:02.114518Z  INFO shop: ok
""",
        (
            Wanted("error", "", "charge failed", lines=5),
            Wanted("info", "", "ok"),
        ),
    ),
    RecordFormat(
        "multi replica plain",
        "error",
        """\
Starting migrations
payment 17 failed: timeout
payment 18 failed: timeout
cache miss
""",
        (
            Wanted("stderr", "", ""),
            Wanted("error", "", ""),
            Wanted("error", "", ""),
            Wanted("stderr", "", ""),
        ),
    ),
    RecordFormat(
        "foreman",
        "info",
        """\
10:55:33 web.1    | started with pid 58528
10:55:35 worker.1 | 2026-11-20 10:55:35 ERROR charge failed
10:55:35 web.1    | INFO:     Application startup complete.
10:55:35 worker.1 | Traceback (most recent call last):
10:55:35 web.1    | INFO:     10.0.0.1 - "GET / HTTP/1.1" 200
10:55:35 worker.1 |   File "/app/a.py", line 3, in f
10:55:35 worker.1 | KeyError: 'gift'
""",
        (
            Wanted("info", "", "started"),
            Wanted("error", "KeyError", "'gift'", lines=4),
            Wanted("info", "", ""),
            Wanted("info", "", ""),
        ),
    ),
    RecordFormat(
        "compose",
        "info",
        """\
shop-1  | > shop@0.1.0 start
shop-1  | TypeError: x is undefined
shop-1  |     at total (/app/a.js:1:2)
db-1    | 2026-11-20 11:48:02.114 UTC [57] LOG:  checkpoint
""",
        (
            Wanted("info", "", ""),
            Wanted("error", "TypeError", "", lines=2),
            Wanted("info", "", "checkpoint"),
        ),
    ),
    RecordFormat(
        "bandit",
        "info",
        """\
10:17:54.753 erl_level=error domain=otp file=gen_server.erl function=error_info/8 line=1402 mfa=:gen_server.error_info/8 module=gen_server pid=<0.3426.0> remote_ip=127.0.0.1 request_id=F1-R [error] GenServer #PID<0.3426.0> terminating
** (Phoenix.Router.NoRouteError) no route found for GET / (ShopWeb.Router)
    (shop 0.1.0) deps/phoenix/lib/phoenix/router.ex:487: ShopWeb.Router.call/2
10:17:54.754 [info] ok
""",
        (
            Wanted("error", "Phoenix.Router.NoRouteError", "no route", lines=3),
            Wanted("info", "", "ok"),
        ),
    ),
    RecordFormat(
        "actix",
        "error",
        """\
thread 'arbiter:ed63170e:actix-net-worker-3' panicked at 'Failed to create pool.: InternalServerError', src/libcore/result.rs:997:5
thread 'arbiter:4c9e2b97:actix-net-worker-4' panicked at 'Failed to create pool.: InternalServerError', src/libcore/result.rs:997:5
[2026-07-02][07:27:00][actix_net::server::server][ERROR] Worker has ended 13, restarting
""",
        (
            Wanted("error", "panic", "Failed to create pool"),
            Wanted("error", "panic", ""),
            Wanted("error", "", "Worker has ended"),
        ),
    ),
)
