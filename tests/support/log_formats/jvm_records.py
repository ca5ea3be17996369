"""Records as libraries of Java and .NET print them, line by line. Names and texts are invented."""

from __future__ import annotations

from tests.support.log_formats.record_format import RecordFormat, Wanted

FORMATS = (
    RecordFormat(
        "spring failure",
        "info",
        """\
2026-11-20T11:48:02.114Z  INFO 1 --- [shop] [main] c.a.s.ShopApplication : Starting ShopApplication
2026-11-20T11:48:02.114Z ERROR 1 --- [shop] [main] o.s.b.d.LoggingFailureAnalysisReporter   : 

***************************
APPLICATION FAILED TO START
***************************

Description:

Failed to configure a DataSource: 'url' attribute is not specified and no embedded datasource could be configured.

Reason: Failed to determine a suitable driver class


Action:

Consider the following:
	If you want an embedded database (H2, HSQL or Derby), please put it on the classpath.

2026-11-20T11:48:03.114Z  INFO 1 --- [shop] [main] c.a.s.ShopApplication : done
""",
        (
            Wanted("info", "", ""),
            Wanted("error", "", "Failed to configure a DataSource"),
            Wanted("info", "", "done"),
        ),
    ),
    RecordFormat(
        "java chained",
        "info",
        """\
2026-11-20 11:48:02,114 ERROR [com.acme.Shop] (executor-thread-1) HTTP Request to /x failed, error id: 1: java.lang.IllegalStateException: bad
	at com.acme.shop.Order.create(Order.java:31)
	at com.acme.shop.Order_ClientProxy.create(Unknown Source)
	Suppressed: java.io.IOException: closing
		at com.acme.A.close(A.java:3)
		... 2 more
Caused by: java.lang.NullPointerException: Cannot invoke "x"
	at com.acme.shop.Pricing.total(Pricing.java:12)
	... 23 more
2026-11-20 11:48:02,115 INFO  [com.acme.Shop] (main) ok
""",
        (
            Wanted("error", "java.lang.NullPointerException", "Cannot invoke", lines=9),
            Wanted("info", "", "ok"),
        ),
    ),
    RecordFormat(
        "java main",
        "error",
        """\
Exception in thread "main" java.lang.ExceptionInInitializerError
	at com.acme.Main.main(Main.java:3)
Caused by: java.lang.IllegalArgumentException: Could not resolve placeholder 'JWT_SECRET' in value "${JWT_SECRET}"
	at com.acme.Config.load(Config.java:9)
	... 1 more
""",
        (Wanted("error", "java.lang.IllegalArgumentException", "JWT_SECRET"),),
    ),
    RecordFormat(
        "jul",
        "error",
        """\
Nov 20, 2026 11:48:02 AM com.acme.Shop charge
SEVERE: charge declined
java.lang.RuntimeException: bank says no
	at com.acme.Shop.charge(Shop.java:12)
Nov 20, 2026 11:48:03 AM com.acme.Shop start
INFO: started
""",
        (
            Wanted("error", "java.lang.RuntimeException", "bank says no", lines=4),
            Wanted("info", "", "started", lines=2),
        ),
    ),
    RecordFormat(
        "dotnet",
        "info",
        """\
info: Microsoft.Hosting.Lifetime[14]
      Now listening on: http://[::]:8080
fail: Microsoft.AspNetCore.Server.Kestrel[13]
      Connection id "0HN", Request id "0HN:1": An unhandled exception was thrown by the application.
      System.InvalidOperationException: outer
       ---> System.Collections.Generic.KeyNotFoundException: The given key 'gift' was not present in the dictionary.
         at Shop.Pricing.Total(Order order) in /src/Shop/Pricing.cs:line 12
         --- End of inner exception stack trace ---
         at Shop.Orders.Create() in /src/Shop/Orders.cs:line 31
      --- End of stack trace from previous location ---
         at Microsoft.AspNetCore.X.Invoke(HttpContext c)
warn: Shop[0]
      slow
""",
        (
            Wanted("info", "", "Now listening", lines=2),
            Wanted("error", "System.Collections.Generic.KeyNotFoundException", "gift", lines=9),
            Wanted("warning", "", "slow", lines=2),
        ),
    ),
    RecordFormat(
        "dotnet crash",
        "error",
        """\
Unhandled exception. System.ArgumentNullException: Value cannot be null. (Parameter 'connectionString')
   at Npgsql.X.Y(String s)
   at Program.<Main>$(String[] args) in /src/Program.cs:line 9
""",
        (Wanted("error", "System.ArgumentNullException", "Value cannot be null"),),
    ),
    RecordFormat(
        "serilog",
        "info",
        """\
[11:48:02 INF] start
[11:48:02 ERR] HTTP GET /orders responded 500 in 12.3 ms
System.NullReferenceException: Object reference not set to an instance of an object.
   at Shop.Pricing.Total(Order order) in /src/Shop/Pricing.cs:line 12
[11:48:03 INF] end
""",
        (
            Wanted("info", "", "start"),
            Wanted("error", "System.NullReferenceException", "", lines=3),
            Wanted("info", "", "end"),
        ),
    ),
    RecordFormat(
        "npgsql",
        "info",
        """\
2026-11-20T15:34:56.6311749 info: Microsoft.Hosting.Lifetime[14]
      Now listening on: https://localhost:50173/
crit: Microsoft.AspNetCore.Hosting.Diagnostics[6]
      Application startup exception
      Npgsql.NpgsqlException (0x80004005): Failed to connect to [::1]:5432
       ---> System.Net.Internals.SocketExceptionFactory+ExtendedSocketException (99): Cannot assign requested address [::1]:5432
         at System.Net.Sockets.Socket.DoConnect(EndPoint endPointSnapshot, SocketAddress socketAddress)
         at Npgsql.NpgsqlConnection.<Open>g__OpenAsync|45_0(Boolean async, CancellationToken cancellationToken)
""",
        (
            Wanted("info", "", "Now listening"),
            Wanted(
                "error",
                "System.Net.Internals.SocketExceptionFactory+ExtendedSocketException",
                "Cannot assign",
                lines=6,
            ),
        ),
    ),
)
