"""Records as libraries of Node, Bun, Deno, PHP and Ruby print them, line by line. Names and texts are invented."""

from __future__ import annotations

from tests.support.log_formats.record_format import RecordFormat, Wanted

FORMATS = (
    RecordFormat(
        "laravel",
        "info",
        """\
[2026-11-20 11:48:02] production.ERROR: Attempt to read property "price" on null {"userId":7,"exception":"[object] (ErrorException(code: 0): Attempt to read property \\"price\\" on null at /var/www/html/app/Services/Pricing.php:42)
[stacktrace]
#0 /var/www/html/app/Services/Pricing.php(42): Illuminate\\Foundation\\Bootstrap\\HandleExceptions->handleError()
#1 /var/www/html/app/Http/Controllers/OrderController.php(21): App\\Services\\Pricing->total()
#2 {main}

[previous exception] [object] (PDOException(code: 2002): SQLSTATE[HY000] [2002] Connection refused at /var/www/html/vendor/x.php:70)
[stacktrace]
#0 /var/www/html/vendor/x.php(70): PDO->__construct()
#1 {main}
"} 
[2026-11-20 11:48:03] production.INFO: ok  
""",
        (
            Wanted("error", "PDOException", ""),
            Wanted("info", "", "ok"),
        ),
    ),
    RecordFormat(
        "php-fpm",
        "error",
        """\
NOTICE: PHP message: PHP Fatal error:  Uncaught TypeError: total(): Argument #1 must be of type array, null given, called in /app/index.php on line 3 and defined in /app/src/Pricing.php:4
Stack trace:
#0 /app/index.php(3): total()
#1 {main}
  thrown in /app/src/Pricing.php on line 4
""",
        (Wanted("error", "TypeError", "Argument #1", lines=5),),
    ),
    RecordFormat(
        "symfony",
        "error",
        """\
[2026-11-20T11:48:02.114518+00:00] request.CRITICAL: Uncaught PHP Exception Doctrine\\DBAL\\Exception\\ConnectionException: "An exception occurred in the driver: Connection refused" at ExceptionConverter.php line 78 {"exception":"[object] (Doctrine\\\\DBAL\\\\Exception\\\\ConnectionException(code: 7): An exception"}
""",
        (Wanted("error", "Doctrine\\DBAL\\Exception\\ConnectionException", "Connection refused"),),
    ),
    RecordFormat(
        "sidekiq",
        "info",
        """\
2026-11-20T11:48:02.114Z pid=1 tid=abc class=ChargeJob jid=8f3a INFO: start
2026-11-20T11:48:02.214Z pid=1 tid=abc class=ChargeJob jid=8f3a elapsed=0.1 INFO: fail
2026-11-20T11:48:02.215Z pid=1 tid=abc WARN: {"context":"Job raised exception","job":{"retry":true}}
2026-11-20T11:48:02.215Z pid=1 tid=abc WARN: NoMethodError: undefined method 'price' for nil
2026-11-20T11:48:02.215Z pid=1 tid=abc WARN: /app/app/jobs/charge_job.rb:5:in 'ChargeJob#perform'
/usr/local/bundle/gems/sidekiq-7.0/lib/sidekiq/processor.rb:202:in 'x'
2026-11-20T11:48:03.000Z pid=1 tid=abc INFO: ok
""",
        (
            Wanted("info", "", "start"),
            Wanted("info", "", "fail"),
            Wanted("warning", "", ""),
            Wanted("warning", "NoMethodError", "undefined method", lines=3),
            Wanted("info", "", "ok"),
        ),
    ),
    RecordFormat(
        "rails",
        "info",
        """\
I, [2026-11-20T11:48:02.114518 #1]  INFO -- : [6f9619ff-8b86-4d01-b42d-00cf4fc964ff] Completed 500 Internal Server Error in 12ms (ActiveRecord: 0.0ms)
F, [2026-11-20T11:48:02.214600 #1] FATAL -- : [6f9619ff-8b86-4d01-b42d-00cf4fc964ff]   
[6f9619ff-8b86-4d01-b42d-00cf4fc964ff] ActionView::Template::Error (undefined method 'price' for nil):
[6f9619ff-8b86-4d01-b42d-00cf4fc964ff]     1: <h1>
[6f9619ff-8b86-4d01-b42d-00cf4fc964ff]     2: <%= @item.price %>
[6f9619ff-8b86-4d01-b42d-00cf4fc964ff]   
[6f9619ff-8b86-4d01-b42d-00cf4fc964ff] app/views/orders/show.html.erb:2
[6f9619ff-8b86-4d01-b42d-00cf4fc964ff] app/controllers/orders_controller.rb:21:in 'OrdersController#show'
I, [2026-11-20T11:48:03.114518 #1]  INFO -- : [6f9619ff-8b86-4d01-b42d-00cf4fc964ff] Started GET "/"
""",
        (
            Wanted("info", "", ""),
            Wanted("error", "ActionView::Template::Error", "undefined method", lines=7),
            Wanted("info", "", ""),
        ),
    ),
    RecordFormat(
        "next",
        "error",
        """\
 ⨯ TypeError: Cannot read properties of undefined (reading 'price')
    at total (/app/.next/server/app/orders/page.js:1:1234)
    at async Page (/app/.next/server/app/orders/page.js:1:2345) {
  digest: '1234567890'
}
 ⨯ unhandledRejection: Error: connect ECONNREFUSED 10.0.0.1:5432
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1606:16) {
  errno: -111,
  code: 'ECONNREFUSED'
}
""",
        (
            Wanted("error", "TypeError", "reading", lines=5),
            Wanted("error", "Error", "ECONNREFUSED", lines=5),
        ),
    ),
    RecordFormat(
        "deno",
        "error",
        """\
error: Uncaught (in promise) TypeError: Cannot read properties of undefined (reading 'price')
  return item.price;
              ^
    at total (file:///app/main.ts:2:15)
    at file:///app/main.ts:5:1
""",
        (Wanted("error", "TypeError", "reading", lines=5),),
    ),
    RecordFormat(
        "bun",
        "error",
        """\
1 | function total(items) {
2 |   return items.price.x;
             ^
TypeError: undefined is not an object (evaluating 'items.price.x')
      at total (/app/src/pricing.ts:2:10)
      at /app/src/index.ts:5:1

Bun v1.1.0 (Linux x64)
""",
        (Wanted("error", "TypeError", "undefined is not an object", lines=8),),
    ),
    RecordFormat(
        "nest",
        "error",
        """\
[Nest] 1  - 11/20/2026, 11:48:02 AM   ERROR [ExceptionsHandler] Cannot read properties of undefined (reading 'price')
TypeError: Cannot read properties of undefined (reading 'price')
    at PricingService.total (/app/dist/pricing.service.js:25:17)
[Nest] 1  - 11/20/2026, 11:48:03 AM     LOG [NestApplication] ok
""",
        (
            Wanted("error", "TypeError", "reading", lines=3),
            Wanted("info", "", "ok"),
        ),
    ),
    RecordFormat(
        "npm",
        "error",
        """\
npm error code ELIFECYCLE
npm error errno 1
npm warn deprecated x
npm notice
npm notice New major version
""",
        (
            Wanted("error", "", ""),
            Wanted("error", "", ""),
            Wanted("warning", "", ""),
            Wanted("info", "", ""),
            Wanted("info", "", ""),
        ),
    ),
    RecordFormat(
        "prisma init",
        "error",
        """\
prisma:error 
Invalid `prisma.order.findMany()` invocation in
/app/src/orders.ts:12:34

  9 const x = 1
→ 12   await prisma.order.findMany(
Can't reach database server at `db:5432`

Please make sure your database server is running at `db:5432`.
PrismaClientInitializationError: 
Invalid `prisma.order.findMany()` invocation in
/app/src/orders.ts:12:34

  9 const x = 1
→ 12   await prisma.order.findMany(
Can't reach database server at `db:5432`

Please make sure your database server is running at `db:5432`.
    at $n.handleRequestError (/app/node_modules/@prisma/client/runtime/library.js:121:7615)
    at async main (/app/src/orders.ts:12:18) {
  errorCode: 'P1001'
}
""",
        (Wanted("error", "PrismaClientInitializationError", "Can't reach database server"),),
    ),
    RecordFormat(
        "module not found",
        "error",
        """\
node:internal/modules/esm/resolve:275
    throw new ERR_MODULE_NOT_FOUND(
          ^

Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/app/dist/db' imported from /app/dist/index.js
Did you mean to import "/app/dist/db.js"?
    at finalizeResolution (node:internal/modules/esm/resolve:275:11) {
  code: 'ERR_MODULE_NOT_FOUND',
  url: 'file:///app/dist/db'
}

Node.js v22.11.0
""",
        (Wanted("error", "Error", "Cannot find module", lines=12),),
    ),
    RecordFormat(
        "puma",
        "error",
        """\
2026-11-20 12:43:08 -0400: Read error: #<NoMethodError: undefined method `each' for nil>
/usr/local/bundle/gems/rack-2.0.7/lib/rack/body_proxy.rb:36:in `each'
/app/config.ru:3:in `each'
I, [2026-11-20T12:47:22.672272 #27487]  INFO -- : User
""",
        (
            Wanted("error", "NoMethodError", "undefined method", lines=3),
            Wanted("info", "", "User"),
        ),
    ),
    RecordFormat(
        "bun build",
        "error",
        """\
1466 |   }).join("");
1467 |   let error = new Error(text);
                     ^
error: Build failed with 1 error:
Views/index.tsx:17:19: ERROR: Expected ")" but found "a"
      at failureErrorWithLog (/app/node_modules/esbuild/lib/main.js:1467:15)
""",
        (Wanted("error", "", "Build failed", lines=6),),
    ),
    RecordFormat(
        "heap short",
        "error",
        """\
<--- JS stacktrace --->

FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
 1: 0xac22d8 node::Abort() [node]
 2: 0x9ad387  [node]
""",
        (Wanted("error", "", "FATAL ERROR", lines=5),),
    ),
    RecordFormat(
        "bun panic",
        "error",
        """\
panic(main thread): index out of bounds: index 1, len 1
oh no: Bun has crashed. This indicates a bug
""",
        (
            Wanted("error", "panic", "index out of bounds"),
            Wanted("error", "", "Bun has crashed"),
        ),
    ),
)
