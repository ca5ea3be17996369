"""Rejected credentials, pools, ceilings, missing modules, the platform's lines and programming errors are read."""

from __future__ import annotations

import pytest

from workers.investigation.signs import read_signs
from workers.models import SignKind

REJECTED = SignKind.CREDENTIALS_REJECTED
ANSWERED = SignKind.ERROR_RESPONSE
POOL = SignKind.POOL_EXHAUSTED
CEILING = SignKind.RUNTIME_CEILING
MEMORY = SignKind.OUT_OF_MEMORY
DISK = SignKind.DISK_FULL
MODULE = SignKind.MODULE_MISSING
LIBRARY = SignKind.LIBRARY_MISSING
COMMAND = SignKind.COMMAND_MISSING
PROGRAM = SignKind.PROGRAMMING_ERROR
INPUT = SignKind.INPUT_REJECTED
V8 = "NODE_OPTIONS=--max-old-space-size"

CALLS: dict[str, tuple[SignKind, str]] = {
    'psycopg2.OperationalError: connection to server at "postgres.railway.internal" (fd12::1), port 5432 failed: FATAL:  password authentication failed for user "postgres"': (
        REJECTED,
        "postgres",
    ),
    "PrismaClientInitializationError: Authentication failed against database server at `postgres.railway.internal`, the provided database credentials for `postgres` are not valid.": (
        REJECTED,
        "postgres",
    ),
    'error: password authentication failed for user "shop"\n    at Parser.parseErrorMessage (/app/node_modules/pg-protocol/dist/parser.js:285:98)': (
        REJECTED,
        "postgres",
    ),
    'PSQLException: FATAL: role "shop" does not exist': (REJECTED, "postgres"),
    "pymysql.err.OperationalError: (1045, \"Access denied for user 'root'@'10.0.0.4' (using password: YES)\")": (
        REJECTED,
        "mysql",
    ),
    "SQLSTATE[HY000] [1045] Access denied for user 'root'@'10.0.0.4' (using password: NO)": (
        REJECTED,
        "mysql",
    ),
    "MongoServerError: Authentication failed.\n  code: 18,\n  codeName: 'AuthenticationFailed'": (
        REJECTED,
        "mongodb",
    ),
    "MongoServerError: bad auth : authentication failed": (REJECTED, "mongodb"),
    "pymongo.errors.OperationFailure: Authentication failed., full error: {'ok': 0.0, 'code': 18}": (
        REJECTED,
        "mongodb",
    ),
    "ReplyError: WRONGPASS invalid username-password pair or user is disabled.": (REJECTED, "redis"),
    "redis.exceptions.AuthenticationError: Authentication required.": (REJECTED, "redis"),
    "ReplyError: NOAUTH Authentication required.": (REJECTED, "redis"),
    "redis.exceptions.AuthenticationError: HELLO must be called with the client already authenticated, otherwise the "
    "HELLO AUTH <user> <pass> option can be used": (REJECTED, "redis"),
    'Error: Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused"': (
        REJECTED,
        "rabbitmq",
    ),
    "org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed": (REJECTED, "kafka"),
    "smtplib.SMTPAuthenticationError: (535, b'5.7.8 Username and Password not accepted.')": (
        REJECTED,
        "smtp",
    ),
    "Error: Invalid login: 535-5.7.8 Username and Password not accepted.\n  code: 'EAUTH'": (
        REJECTED,
        "smtp",
    ),
    "openai.AuthenticationError: Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-proj-****. You can find your API key at https://platform.openai.com/account/api-keys.'}}": (
        REJECTED,
        "api.openai.com",
    ),
    'anthropic.AuthenticationError: Error code: 401 - {"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}': (
        REJECTED,
        "api.anthropic.com",
    ),
    "StripeAuthenticationError: Invalid API Key provided: sk_live_****": (REJECTED, "api.stripe.com"),
    "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the PutObject operation": (
        REJECTED,
        "amazonaws.com",
    ),
    "discord.errors.LoginFailure: Improper token has been passed.": (REJECTED, "discord.com"),
    "telegram.error.InvalidToken: Unauthorized": (REJECTED, "api.telegram.org"),
    "slack_sdk.errors.SlackApiError: The server responded with: {'ok': False, 'error': 'invalid_auth'}": (
        REJECTED,
        "slack.com",
    ),
    "twilio.base.exceptions.TwilioRestException: HTTP 401 error: Unable to create record: Authenticate": (
        REJECTED,
        "api.twilio.com",
    ),
    "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://api.payments.io/v1/charges": (
        REJECTED,
        "api.payments.io",
    ),
    "httpx.HTTPStatusError: Client error '401 Unauthorized' for url 'https://api.payments.io/v1/charges'": (
        REJECTED,
        "api.payments.io",
    ),
    "AxiosError: Request failed with status code 401\n  config: {\n    url: 'https://api.payments.io/v1',\n  }": (
        REJECTED,
        "api.payments.io",
    ),
    "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: https://api.payments.io/v1/charges": (
        ANSWERED,
        "api.payments.io",
    ),
    "httpx.HTTPStatusError: Server error '502 Bad Gateway' for url 'https://api.payments.io/v1/charges'": (
        ANSWERED,
        "api.payments.io",
    ),
    "AxiosError: Request failed with status code 503\n  config: {\n    url: 'https://api.payments.io/v1',\n  }": (
        ANSWERED,
        "api.payments.io",
    ),
    "HTTPError: Response code 502 (Bad Gateway)": (ANSWERED, ""),
    "HTTPError: Request failed with status code 503 Service Unavailable: GET https://api.payments.io/v1": (
        ANSWERED,
        "api.payments.io",
    ),
    "Faraday::ServerError: the server responded with status 503 for POST https://api.payments.io/v1": (
        ANSWERED,
        "api.payments.io",
    ),
    "System.Net.Http.HttpRequestException: Response status code does not indicate success: 503 (Service Unavailable).": (
        ANSWERED,
        "",
    ),
    "Server error: `POST https://api.payments.io/v1` resulted in a `503 Service Unavailable` response": (
        ANSWERED,
        "api.payments.io",
    ),
    'org.springframework.web.client.HttpServerErrorException$ServiceUnavailable: 503 Service Unavailable: "no healthy upstream"': (
        ANSWERED,
        "",
    ),
    "openai.RateLimitError: Error code: 429 - {'error': {'message': 'You exceeded your current quota', 'code': 'insufficient_quota'}}": (
        ANSWERED,
        "api.openai.com",
    ),
    "payments: api.payments.io answered 503": (ANSWERED, "api.payments.io"),
    "payments: unexpected status 502 from https://api.payments.io/v1": (ANSWERED, "api.payments.io"),
    "googleapi: Error 503: The service is currently unavailable": (ANSWERED, ""),
}
POOLS: dict[str, str] = {
    "Error: timeout exceeded when trying to connect\n    at /app/node_modules/pg-pool/index.js:45:11": "max",
    "PrismaClientKnownRequestError: \nInvalid `prisma.order.findMany()` invocation:\n\n\nTimed out fetching a new connection from the connection pool. More info: http://pris.ly/d/connection-pool (Current connection pool timeout: 10, connection limit: 5)": "connection_limit",
    "KnexTimeoutError: Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?": "pool.max",
    "SequelizeConnectionAcquireTimeoutError [ConnectionAcquireTimeoutError]: Operation timeout": "pool.max",
    "TimeoutError: ResourceRequest timed out": "pool.max",
    "MongoWaitQueueTimeoutError: Timed out while checking out a connection from connection pool": "maxPoolSize",
    "Error: Queue limit reached.\n    at /app/node_modules/mysql2/lib/base/pool.js:57:11": "connectionLimit",
    "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00 (Background on this error at: https://sqlalche.me/e/20/3o7r)": "pool_size",
    "psycopg_pool.PoolTimeout: couldn't get a connection after 30.00 sec": "max_size",
    "redis.exceptions.ConnectionError: Too many connections": "max_connections",
    "redis.exceptions.MaxConnectionsError: Too many connections": "max_connections",
    "httpx.PoolTimeout": "max_connections",
    "psycopg2.pool.PoolError: connection pool exhausted": "maxconn",
    "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms (total=10, active=10, idle=0, waiting=12)": "spring.datasource.hikari.maximum-pool-size",
    "java.sql.SQLException: Cannot get a connection, pool error Timeout waiting for idle object": "maxTotal",
    "org.apache.http.conn.ConnectionPoolTimeoutException: Timeout waiting for connection from pool": "maxConnTotal",
    "redis.clients.jedis.exceptions.JedisException: Could not get a resource from the pool": "maxTotal",
    "ActiveRecord::ConnectionTimeoutError: could not obtain a connection from the pool within 5.000 seconds (waited 5.004 seconds); all pooled connections were in use": "pool (RAILS_MAX_THREADS)",
    "ConnectionPool::TimeoutError: Waited 1 sec, 0/5 available": "size",
    "** (DBConnection.ConnectionError) connection not available and request was dropped from queue after 2999ms. This means requests are coming in and your connection pool cannot serve them fast enough.": "pool_size (POOL_SIZE)",
    "Npgsql.NpgsqlException: The connection pool has been exhausted, either raise 'Max Pool Size' (currently 100) or 'Timeout' (currently 15 seconds) in your connection string.": "Maximum Pool Size",
    "System.InvalidOperationException: Timeout expired. The timeout period elapsed prior to obtaining a connection from the pool. This may have occurred because all pooled connections were in use and max pool size was reached.": "Max Pool Size",
    "Error: pool timed out while waiting for an open connection": "max_connections",
    "redis: connection pool timeout": "PoolSize",
    "FATAL: sorry, too many clients already": "max_connections of PostgreSQL",
    'psycopg2.OperationalError: connection to server at "10.0.0.4", port 5432 failed: FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute': "max_connections of PostgreSQL",
    'pq: too many connections for role "shop"': "max_connections of PostgreSQL",
    "MySQLdb.OperationalError: (1040, 'Too many connections')": "max_connections of MySQL",
    "ReplyError: ERR max number of clients reached": "maxclients of Redis",
    "FATAL: MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size": "pool_size of PgBouncer",
    "ERROR:  query_wait_timeout": "pool_size of PgBouncer",
}
CEILINGS: dict[str, tuple[SignKind, str]] = {
    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory": (CEILING, V8),
    "FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory": (
        CEILING,
        V8,
    ),
    "FATAL ERROR: CALL_AND_RETRY_LAST Allocation failed - JavaScript heap out of memory": (CEILING, V8),
    "Error [ERR_WORKER_OUT_OF_MEMORY]: Worker terminated due to reaching memory limit: JS heap out of memory": (
        CEILING,
        V8,
    ),
    "java.lang.OutOfMemoryError: Java heap space": (CEILING, "-Xmx"),
    'Exception in thread "main" java.lang.OutOfMemoryError: GC overhead limit exceeded': (CEILING, "-Xmx"),
    "java.lang.OutOfMemoryError: Metaspace": (CEILING, "-XX:MaxMetaspaceSize"),
    "java.lang.OutOfMemoryError: Cannot reserve 16777216 bytes of direct buffer memory (allocated: 1, limit: 2)": (
        CEILING,
        "-XX:MaxDirectMemorySize",
    ),
    "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached": (
        CEILING,
        "threads",
    ),
    "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes) in /app/src/Report.php on line 42": (
        CEILING,
        "memory_limit",
    ),
    "Error: EMFILE: too many open files, open '/app/x'": (CEILING, "nofile"),
    "OSError: [Errno 24] Too many open files: '/tmp/x'": (CEILING, "nofile"),
    "accept tcp [::]:8080: accept4: too many open files; retrying in 1s": (CEILING, "nofile"),
    "RuntimeError: can't start new thread": (CEILING, "nproc"),
    "ReplyError: OOM command not allowed when used memory > 'maxmemory'.": (CEILING, "maxmemory"),
    "fatal error: runtime: out of memory": (MEMORY, ""),
    "runtime: goroutine stack exceeds 1000000000-byte limit": (CEILING, "recursion"),
    "Traceback (most recent call last):\n  File \"/app/x.py\", line 1, in <module>\n    b'x' * 10**15\nMemoryError": (
        MEMORY,
        "",
    ),
    "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array": (MEMORY, ""),
    "System.OutOfMemoryException: Exception of type 'System.OutOfMemoryException' was thrown.": (MEMORY, ""),
    "memory allocation of 1073741824 bytes failed": (MEMORY, ""),
    "terminate called after throwing an instance of 'std::bad_alloc'": (MEMORY, ""),
    "OSError: [Errno 12] Cannot allocate memory": (MEMORY, ""),
    "Out of memory: Killed process 17 (node) total-vm:4194304kB": (MEMORY, ""),
    "/app/start.sh: line 3:    17 Killed                  python worker.py": (MEMORY, ""),
    "Killed": (MEMORY, ""),
    "container exited with code 137": (MEMORY, ""),
    "billiard.exceptions.WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: 0.": (
        MEMORY,
        "",
    ),
    "[FATAL] failed to allocate memory": (MEMORY, ""),
    "Error: ENOSPC: no space left on device, write": (DISK, ""),
    "Error: ENOSPC: no space left on device, open '/data/uploads/x.png'": (DISK, "/data/uploads/x.png"),
    "OSError: [Errno 28] No space left on device: '/data/x'": (DISK, ""),
    'ERROR:  could not extend file "base/16384/16400": No space left on device': (DISK, "base/16384/16400"),
    "sqlite3.OperationalError: database or disk is full": (DISK, ""),
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.": (
        DISK,
        "",
    ),
    'psycopg2.errors.DiskFull: could not write to file "pg_tempblk": No space left on device': (
        DISK,
        "pg_tempblk",
    ),
}
MODULES: dict[str, tuple[SignKind, str]] = {
    "ModuleNotFoundError: No module named 'stripe'": (MODULE, "stripe"),
    "ModuleNotFoundError: No module named 'google.cloud'": (MODULE, "google.cloud"),
    "ModuleNotFoundError: No module named 'shop.wsgi'; 'shop' is not a package": (MODULE, "shop.wsgi"),
    "/opt/venv/bin/python: No module named gunicorn": (MODULE, "gunicorn"),
    "Error loading psycopg2 or psycopg module\nImportError: no pq wrapper available.": (MODULE, "psycopg2"),
    'RuntimeError: Form data requires "python-multipart" to be installed.': (MODULE, "python-multipart"),
    "sqlalchemy.exc.NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:snowflake": (
        MODULE,
        "snowflake",
    ),
    "Error: Cannot find module 'express'\nRequire stack:\n- /app/src/index.js": (MODULE, "express"),
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'stripe' imported from /app/src/pay.js": (
        MODULE,
        "stripe",
    ),
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/app/src/utils' imported from /app/src/index.js\nDid you mean to import \"./utils.js\"?": (
        MODULE,
        "/app/src/utils",
    ),
    "Module not found: Can't resolve '@/lib/Price'": (MODULE, "@/lib/Price"),
    "Module not found: Error: Can't resolve 'lodash' in '/app/src'": (MODULE, "lodash"),
    'error during build:\n[vite]: Rollup failed to resolve import "axios" from "/app/src/main.ts".': (
        MODULE,
        "axios",
    ),
    '✘ [ERROR] Could not resolve "dayjs"': (MODULE, "dayjs"),
    "src/pay.ts(3,20): error TS2307: Cannot find module 'stripe' or its corresponding type declarations.": (
        MODULE,
        "stripe",
    ),
    'error: Cannot find package "hono" from "/app/src/index.ts"': (MODULE, "hono"),
    '@prisma/client did not initialize yet. Please run "prisma generate" and try to import it again.': (
        MODULE,
        "@prisma/client",
    ),
    'DriverPackageNotInstalledError: Postgres package has not been found installed. Please run "npm install pg".': (
        MODULE,
        "pg",
    ),
    "Error: Please install pg package manually": (MODULE, "pg"),
    'Error: Could not load the "sharp" module using the linux-x64 runtime': (MODULE, "sharp"),
    "main.go:5:2: no required module provides package github.com/gin-gonic/gin; to add it:\n\tgo get github.com/gin-gonic/gin": (
        MODULE,
        "github.com/gin-gonic/gin",
    ),
    "main.go:4:2: package shop/internal/pricng is not in std (/usr/local/go/src/shop/internal/pricng)": (
        MODULE,
        "shop/internal/pricng",
    ),
    "missing go.sum entry for module providing package github.com/lib/pq": (MODULE, "github.com/lib/pq"),
    "error[E0432]: unresolved import `serde_json`": (MODULE, "serde_json"),
    "error: no matching package named `tokioo` found": (MODULE, "tokioo"),
    "java.lang.ClassNotFoundException: org.postgresql.Driver": (MODULE, "org.postgresql.Driver"),
    "java.lang.NoClassDefFoundError: javax/xml/bind/JAXBException": (MODULE, "javax/xml/bind/JAXBException"),
    "[ERROR] /app/src/main/java/Shop.java:[3,22] error: package com.stripe does not exist": (
        MODULE,
        "com.stripe",
    ),
    "<internal:/usr/local/lib/ruby/3.3.0/rubygems/core_ext/kernel_require.rb>:136:in `require': cannot load such file -- sidekiq (LoadError)": (
        MODULE,
        "sidekiq",
    ),
    "Bundler::GemNotFound: Could not find stripe-10.1.0 in locally installed gems": (MODULE, "stripe"),
    "puma is not part of the bundle. Add it to your Gemfile. (Gem::LoadError)": (MODULE, "puma"),
    'PHP Fatal error:  Uncaught Error: Class "Stripe\\StripeClient" not found in /app/src/Pay.php:9': (
        MODULE,
        "Stripe\\StripeClient",
    ),
    "PHP Fatal error:  Uncaught Error: Call to undefined function mb_strlen() in /app/x.php:3": (
        MODULE,
        "mb_strlen",
    ),
    "PDOException: could not find driver": (MODULE, "pdo driver"),
    "PHP Warning:  require(/app/vendor/autoload.php): Failed to open stream: No such file or directory in /app/index.php": (
        MODULE,
        "vendor/autoload.php",
    ),
    "System.IO.FileNotFoundException: Could not load file or assembly 'Stripe.net, Version=43.0.0.0, Culture=neutral'. The system cannot find the file specified.": (
        MODULE,
        "Stripe.net",
    ),
    "** (UndefinedFunctionError) function Stripe.Charge.create/1 is undefined (module Stripe.Charge is not available)": (
        MODULE,
        "Stripe.Charge",
    ),
    "ImportError: libGL.so.1: cannot open shared object file: No such file or directory": (
        LIBRARY,
        "libGL.so.1",
    ),
    "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /app/server)": (
        LIBRARY,
        "GLIBC_2.38",
    ),
    "OSError: cannot load library 'libpango-1.0-0': libpango-1.0-0: cannot open shared object": (
        LIBRARY,
        "libpango-1.0-0",
    ),
    "System.DllNotFoundException: Unable to load shared library 'libgdiplus' or one of its dependencies.": (
        LIBRARY,
        "libgdiplus",
    ),
    "Error loading shared library libssl.so.1.1: No such file or directory (needed by /app/node_modules/.prisma/client/libquery_engine.so.node)": (
        LIBRARY,
        "libssl.so.1.1",
    ),
    "Error: pg_config executable not found.": (LIBRARY, "pg_config"),
    "browserType.launch: Executable doesn't exist at /root/.cache/ms-playwright/chromium-1097/chrome-linux/chrome": (
        LIBRARY,
        "chromium",
    ),
    "Error: Could not find Chrome (ver. 121.0.6167.85).": (LIBRARY, "Chrome"),
    "/bin/bash: line 1: gunicorn: command not found": (COMMAND, "gunicorn"),
    "sh: 1: next: not found": (COMMAND, "next"),
    'exec: "uvicorn": executable file not found in $PATH': (COMMAND, "uvicorn"),
    "The executable `node` could not be found.": (COMMAND, "node"),
    'npm error Missing script: "start"': (COMMAND, "start"),
    'error Command "start" not found.': (COMMAND, "start"),
    'error: Script not found "start"': (COMMAND, "start"),
    "python: can't open file '/app/mian.py': [Errno 2] No such file or directory": (COMMAND, "/app/mian.py"),
    "Error: Unable to access jarfile target/shop.jar": (COMMAND, "target/shop.jar"),
    'ERROR:    Error loading ASGI app. Attribute "app" not found in module "main".': (COMMAND, "app"),
    "Failed to find attribute 'app' in 'shop'.": (COMMAND, "app"),
    "exec /app/server: exec format error": (COMMAND, "/app/server"),
    "✖ Railpack could not determine how to build the app.\nNo start command was found": (
        COMMAND,
        "start command",
    ),
    "/bin/sh: ./start.sh: Permission denied": (COMMAND, "./start.sh"),
}
PLATFORM: dict[str, tuple[SignKind, str]] = {
    "Stopping Container": (SignKind.TERMINATED, "SIGTERM"),
    "2026-11-20 11:48:02.114 UTC [1] LOG:  received fast shutdown request": (SignKind.TERMINATED, "SIGTERM"),
    "[2026-11-20 11:48:00 +0000] [1] [INFO] Handling signal: term": (SignKind.TERMINATED, "term"),
    "npm error signal SIGTERM": (SignKind.TERMINATED, "SIGTERM"),
    "Received SIGTERM, shutting down gracefully": (SignKind.TERMINATED, "SIGTERM"),
    "1:signal-handler (1732103282) Received SIGTERM scheduling shutdown...": (SignKind.TERMINATED, "SIGTERM"),
    "Railway rate limit of 500 logs/sec reached for replica, update your application to reduce the logging rate. Messages dropped: 1342": (
        SignKind.LINES_DROPPED,
        "",
    ),
    "====================\nStarting Healthcheck\n====================\nPath: /health\nRetry window: 5m0s\n\nAttempt #1 failed with service unavailable.": (
        SignKind.HEALTH_CHECK_FAILED,
        "/health",
    ),
    "1/1 replicas never became healthy!\nHealthcheck failed!": (SignKind.HEALTH_CHECK_FAILED, ""),
    "LOG:  archive command failed with exit code 1": (SignKind.ARCHIVING_BEHIND, ""),
    "P00  ERROR: [082]: unable to push WAL file '000000010000000000000042' to the archive asynchronously after 60 second(s)": (
        SignKind.ARCHIVING_BEHIND,
        "",
    ),
    'FATAL:  could not write to file "pg_wal/xlogtemp.31": No space left on device': (
        SignKind.ARCHIVING_BEHIND,
        "",
    ),
    "Error: listen EADDRINUSE: address already in use :::3000": (SignKind.PORT_IN_USE, "3000"),
    "[ERROR] Connection in use: ('0.0.0.0', 8080)": (SignKind.PORT_IN_USE, "8080"),
    "ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in use": (
        SignKind.PORT_IN_USE,
        "8000",
    ),
    "listen tcp :8080: bind: address already in use": (SignKind.PORT_IN_USE, "8080"),
    "Web server failed to start. Port 8080 was already in use.": (SignKind.PORT_IN_USE, "8080"),
    'Address already in use - bind(2) for "0.0.0.0" port 3000 (Errno::EADDRINUSE)': (
        SignKind.PORT_IN_USE,
        "3000",
    ),
    "System.IO.IOException: Failed to bind to address http://127.0.0.1:5000: address already in use.": (
        SignKind.PORT_IN_USE,
        "5000",
    ),
    "[2026-11-20 11:48:00 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:17)": (
        SignKind.WORKER_TIMEOUT,
        "gunicorn",
    ),
    "[2026-11-20 11:48:01 +0000] [1] [ERROR] Worker (pid:17) was sent SIGKILL! Perhaps out of memory?": (
        SignKind.WORKER_TIMEOUT,
        "gunicorn",
    ),
    "Fri Nov 20 11:48:01 2026 - *** HARAKIRI ON WORKER 1 (pid: 17, try: 1) ***": (
        SignKind.WORKER_TIMEOUT,
        "uwsgi",
    ),
    "[1] ! Terminating timed out worker (Worker 0 failed to check in within 60 seconds): 17": (
        SignKind.WORKER_TIMEOUT,
        "puma",
    ),
    "PHP Fatal error:  Maximum execution time of 30 seconds exceeded in /app/x.php on line 3": (
        SignKind.WORKER_TIMEOUT,
        "php max_execution_time",
    ),
    "Task shop.tasks.report[6f9] raised: TimeLimitExceeded(300,)": (SignKind.WORKER_TIMEOUT, "celery"),
    "Rack::Timeout::RequestTimeoutException: Request ran for longer than 15000ms": (
        SignKind.WORKER_TIMEOUT,
        "rack-timeout",
    ),
    "npm error code ELIFECYCLE": (SignKind.ACCOMPANIES, ""),
    "npm ERR! A complete log of this run can be found in: /root/.npm/_logs/x.log": (SignKind.ACCOMPANIES, ""),
    "Aborted (core dumped)": (SignKind.ACCOMPANIES, ""),
    "error Command failed with exit code 1.": (SignKind.ACCOMPANIES, ""),
    "process exited with code 1": (SignKind.ACCOMPANIES, ""),
    "[2026-11-20 11:48:00 +0000] [17] [INFO] Worker exiting (pid: 17)": (SignKind.ACCOMPANIES, ""),
    'ERROR: failed to build: failed to solve: process "/bin/bash -ol pipefail -c npm run build" did not complete successfully: exit code: 1': (
        SignKind.ACCOMPANIES,
        "",
    ),
    "The above error occurred in the <Order> component:": (SignKind.ACCOMPANIES, ""),
    " 1: 0x557067693af3 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]": (
        SignKind.ACCOMPANIES,
        "",
    ),
    "ERROR:    Application startup failed. Exiting.": (SignKind.ACCOMPANIES, ""),
    'error: script "start" exited with code 1': (SignKind.ACCOMPANIES, ""),
    "[nodemon] app crashed - waiting for file changes before starting...": (SignKind.ACCOMPANIES, ""),
    "exit status 2": (SignKind.ACCOMPANIES, ""),
}
PROGRAMMING: dict[str, str] = {
    "KeyError: 'gift'": "KeyError",
    "TypeError: unsupported operand type(s) for +: 'int' and 'str'": "TypeError",
    "AttributeError: 'NoneType' object has no attribute 'price'": "AttributeError",
    "zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found'\n\nThe above exception was the direct cause of the following exception:\n\nKeyError: 'x'": "KeyError",
    "jinja2.exceptions.UndefinedError: 'order' is undefined": "UndefinedError",
    "fastapi.exceptions.ResponseValidationError: 1 validation errors:": "ResponseValidationError",
    "sqlalchemy.exc.MissingGreenlet: greenlet_spawn has not been called": "MissingGreenlet",
    "RecursionError: maximum recursion depth exceeded": "RecursionError",
    "TypeError: Cannot read properties of undefined (reading 'price')": "TypeError",
    "Uncaught ReferenceError: order is not defined": "ReferenceError",
    "RangeError: Maximum call stack size exceeded": "RangeError",
    "error: items.reduce is not a function": "TypeError",
    "PrismaClientValidationError: \nInvalid `prisma.order.create()` invocation:": "PrismaClientValidationError",
    "2026/11/20 11:48:02 http: panic serving 10.250.0.4:41234: runtime error: invalid memory address or nil pointer dereference": "nil pointer dereference",
    "panic: runtime error: index out of range [3] with length 3": "index out of range",
    "panic: assignment to entry in nil map": "assignment to entry in nil map",
    "panic: interface conversion: interface {} is string, not int": "interface conversion",
    "fatal error: concurrent map writes": "concurrency error",
    "thread 'main' panicked at src/pricing.rs:42:27:\ncalled `Option::unwrap()` on a `None` value": "unwrap",
    "thread 'main' panicked at src/a.rs:4:5:\nindex out of bounds: the len is 3 but the index is 3": "panic",
    'java.lang.NullPointerException: Cannot invoke "com.acme.Price.amount()" because "price" is null': "NullPointerException",
    "java.lang.IllegalStateException: Failed\nCaused by: java.lang.ArrayIndexOutOfBoundsException: Index 3 out of bounds for length 3": "ArrayIndexOutOfBoundsException",
    "NoMethodError (undefined method `price' for nil:NilClass):": "NoMethodError",
    "/app/lib/pricing.rb:5:in 'total': undefined method 'price' for nil (NoMethodError)": "NoMethodError",
    "E, [2026-11-20T11:46:00 #2] ERROR -- : undefined method 'x' for nil": "NoMethodError",
    "ActionView::Template::Error (undefined local variable or method `ordr'):": "ActionView::Template::Error",
    'PHP Warning:  Undefined array key "gift" in /app/src/Pricing.php on line 9': "Undefined",
    "PHP Fatal error:  Uncaught Error: Call to a member function price() on null in /app/src/Pricing.php:9": "Error",
    "PHP Fatal error:  Uncaught TypeError: total(): Argument #1 must be of type array, null given": "TypeError",
    "System.NullReferenceException: Object reference not set to an instance of an object.": "NullReferenceException",
    "** (KeyError) key :price not found in: %{name: 1}": "KeyError",
    "** (FunctionClauseError) no function clause matching in Shop.Pricing.total/1": "FunctionClauseError",
    "** (MatchError) no match of right hand side value: nil": "MatchError",
    'error: column "gift" of relation "orders" does not exist': "UndefinedColumn",
    'psycopg2.errors.UndefinedTable: relation "orders" does not exist': "UndefinedTable",
    "sqlite3.OperationalError: no such table: orders": "UndefinedTable",
    "Unknown column 'gift' in 'field list'": "UndefinedColumn",
    'ERROR: syntax error at or near "FORM"': "SyntaxError",
    'null value in column "price" of relation "orders" violates not-null constraint': "IntegrityError",
    'invalid input syntax for type integer: "abc"': "DataError",
    "TypeError: Object of type Decimal is not JSON serializable": "TypeError",
    "json: cannot unmarshal string into Go struct field Order.price of type int": "unmarshal error",
    "Segmentation fault (core dumped)": "SIGSEGV",
}
INPUTS: dict[str, str] = {
    "fastapi.exceptions.RequestValidationError: [{'type': 'missing', 'loc': ('body', 'price'), 'msg': 'Field required', 'input': {}}]": "price",
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for OrderIn\nprice\n  Input should be a valid integer [type=int_parsing, input_value='x', input_type=str]": "price",
    "FastifyError: body must have required property 'price'": "price",
    "WARN Bad Request: /orders {'price': [ErrorDetail(string='This field is required.', code='required')]}": "price",
    "ActionController::ParameterMissing: param is missing or the value is empty: order": "order",
    "Field error in object 'orderDto' on field 'price': rejected value [null]": "price",
    "Key: 'Order.Price' Error:Field validation for 'Price' failed on the 'required' tag": "Price",
    "Illuminate\\Validation\\ValidationException: The price field is required.": "price",
}


@pytest.mark.parametrize("text", CALLS)
def test_an_error_answer_is_read_with_its_host_or_product(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == CALLS[text], signs


@pytest.mark.parametrize("text", POOLS)
def test_an_exhausted_pool_is_read_with_the_option_that_sizes_it(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == (POOL, POOLS[text]), signs
    assert SignKind.NO_RESPONSE not in {sign.kind for sign in signs}


@pytest.mark.parametrize("text", CEILINGS)
def test_a_ceiling_is_read_with_its_option(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == CEILINGS[text], signs


@pytest.mark.parametrize("text", MODULES)
def test_what_is_not_installed_is_read_with_its_name(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == MODULES[text], signs


@pytest.mark.parametrize("text", PLATFORM)
def test_a_line_of_the_platform_or_a_server_is_read(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == PLATFORM[text], signs


@pytest.mark.parametrize("text", PROGRAMMING)
def test_a_programming_error_is_read_with_its_class(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == (PROGRAM, PROGRAMMING[text]), signs


@pytest.mark.parametrize("text", INPUTS)
def test_a_refused_request_is_read_with_its_field(text: str) -> None:
    assert (INPUT, INPUTS[text]) in [(sign.kind, sign.subject) for sign in read_signs(text)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[1:0x55] 114083 ms: Mark-Compact 2045.1 (2079.9) -> 2044.6 (2081.1) MB, 16.98 / 0.00 ms  allocation failure", {"limit_mb": 2079.9}),
        ("Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)", {"limit_mb": 128.0}),
        ("QueuePool limit of size 5 overflow 10 reached", {"current": 5.0, "overflow": 10.0}),
        ("HikariPool-1 - Connection is not available, request timed out after 30000ms (total=10, active=10)", {"current": 10.0}),
        ("Timed out fetching a new connection from the connection pool. (Current connection pool timeout: 10, connection limit: 5)", {"current": 5.0}),
        ("either raise 'Max Pool Size' (currently 100): The connection pool has been exhausted, either raise 'Max Pool Size' (currently 100)", {"current": 100.0}),
        ("Railway rate limit of 500 logs/sec reached for replica. Messages dropped: 1342", {"limit": 500.0, "lines": 1342.0}),
        ("503 Server Error: Service Unavailable for url: https://api.payments.io/v1", {"status": 503.0}),
    ],
)  # fmt: skip
def test_the_numbers_of_a_sentence_are_part_of_its_sign(text: str, numbers: dict[str, float]) -> None:
    assert read_signs(text)[0].numbers == numbers


def test_a_handled_exception_is_not_the_programming_error_of_the_one_that_follows() -> None:
    text = "KeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nhttpx.ReadTimeout: timed out"

    assert [sign.kind for sign in read_signs(text)] == [SignKind.NO_RESPONSE]


def test_the_own_answer_beside_an_error_is_no_answer_of_another_host() -> None:
    record = (
        '{"level":50,"pid":10,"hostname":"9f2d6c1b7e40","res":{"statusCode":500},"err":{"type":"TypeError","message":'
        '"Cannot read properties of undefined (reading \'name\')","stack":"TypeError: Cannot read properties of undefined"}}'
    )

    assert [sign.kind for sign in read_signs(record)] == [SignKind.PROGRAMMING_ERROR]
