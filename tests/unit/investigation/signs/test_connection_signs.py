"""Failed connections are read with the called host, in the words of each language and client."""

from __future__ import annotations

import pytest

from workers.investigation.signs import read_signs
from workers.models import SignKind

REFUSED = SignKind.CONNECTION_REFUSED
UNKNOWN = SignKind.UNKNOWN_HOST
SILENT = SignKind.NO_RESPONSE
CLOSED = SignKind.CONNECTION_CLOSED
UNREACHABLE = SignKind.UNREACHABLE
TLS = SignKind.TLS_FAILED
WRONG = SignKind.WRONG_ADDRESS
STARTING = SignKind.NOT_READY

READINGS: dict[str, tuple[SignKind, str]] = {
    # PostgreSQL: libpq since 14 and before, psycopg 2 and 3, asyncpg, node-postgres, postgres.js, Prisma, Go, JDBC
    'psycopg.OperationalError: connection failed: connection to server at "10.250.0.7", port 5432 failed: Connection refused\n'
    "\tIs the server running on that host and accepting TCP/IP connections?": (REFUSED, "10.250.0.7:5432"),
    'psycopg2.OperationalError: connection to server at "postgres.railway.internal" (fd12:845d:df9f:0:1000:f:441f:4f56), port '
    "5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?": (
        REFUSED,
        "postgres.railway.internal:5432",
    ),
    "psycopg2.OperationalError: could not connect to server: Connection refused\n\tIs the server running on host "
    '"db.shop.io" (203.0.113.4) and accepting\n\tTCP/IP connections on port 5432?': (
        REFUSED,
        "db.shop.io:5432",
    ),
    'psycopg2.OperationalError: connection to server at "postgres.railway.internal" (fd12::4f56), port 5432 failed: timeout expired': (
        SILENT,
        "postgres.railway.internal:5432",
    ),
    'psycopg2.OperationalError: connection to server at "db.abcd.supabase.co" (2a05:d014:1c06::1), port 5432 failed: Network is '
    "unreachable": (UNREACHABLE, "db.abcd.supabase.co:5432"),
    'psycopg2.OperationalError: could not translate host name "postgres.railway.internal" to address: Name or service not known': (
        UNKNOWN,
        "postgres.railway.internal",
    ),
    "psycopg.OperationalError: failed to resolve host 'postgres.railway.internal': [Errno -2] Name or service not known": (
        UNKNOWN,
        "postgres.railway.internal",
    ),
    "psycopg2.OperationalError: server closed the connection unexpectedly\n\tThis probably means the server terminated "
    "abnormally\n\tbefore or while processing the request.": (CLOSED, ""),
    "psycopg2.errors.AdminShutdown: terminating connection due to administrator command\nSSL connection has been closed unexpectedly": (
        CLOSED,
        "",
    ),
    'psycopg2.OperationalError: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: No such file or '
    "directory\n\tIs the server running locally and accepting connections on that socket?": (
        WRONG,
        "/var/run/postgresql/.s.PGSQL.5432",
    ),
    'connection to server at "localhost" (::1), port 5432 failed: Connection refused\n\tIs the server running on that host and '
    'accepting TCP/IP connections?\nconnection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused': (
        WRONG,
        "localhost:5432",
    ),
    "OSError: Multiple exceptions: [Errno 111] Connect call failed ('10.0.0.1', 5432), [Errno 111] Connect call failed ('fd12::1', 5432, 0, 0)": (
        REFUSED,
        "10.0.0.1:5432",
    ),
    "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 5432)": (WRONG, "127.0.0.1:5432"),
    "asyncpg.exceptions.ConnectionDoesNotExistError: connection was closed in the middle of operation": (
        CLOSED,
        "",
    ),
    "Error: connect ECONNREFUSED 10.146.2.7:5432\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1606:16) {\n"
    "  errno: -111,\n  code: 'ECONNREFUSED',\n  syscall: 'connect',\n  address: '10.146.2.7',\n  port: 5432\n}": (
        REFUSED,
        "10.146.2.7:5432",
    ),
    "Error: Connection terminated unexpectedly\n    at Connection.<anonymous> (/app/node_modules/pg/lib/client.js:136:73)": (
        CLOSED,
        "",
    ),
    "Error: Connection terminated due to connection timeout\n  [cause]: Error: Connection terminated unexpectedly": (
        SILENT,
        "",
    ),
    "Error: write CONNECT_TIMEOUT postgres.railway.internal:5432\n    at connectTimedOut (/app/node_modules/postgres/cjs/src/connection.js:262:20)": (
        SILENT,
        "postgres.railway.internal:5432",
    ),
    "Error: write CONNECTION_CLOSED postgres.railway.internal:5432": (
        CLOSED,
        "postgres.railway.internal:5432",
    ),
    "PrismaClientInitializationError: \nInvalid `prisma.user.findMany()` invocation:\n\n\nCan't reach database server at "
    "`postgres.railway.internal:5432`\n\nPlease make sure your database server is running at `postgres.railway.internal:5432`.": (
        UNREACHABLE,
        "postgres.railway.internal:5432",
    ),
    "Error: P1001: Can't reach database server at `monorail.proxy.rlwy.net`:`21034`": (
        UNREACHABLE,
        "monorail.proxy.rlwy.net:21034",
    ),
    "PrismaClientKnownRequestError: Server has closed the connection.\n  code: 'P1017'": (CLOSED, ""),
    "2026/11/20 11:48:02 failed to connect to `user=u database=d`: hostname resolving error: lookup postgres.railway.internal "
    "on [fd12::10]:53: no such host": (UNKNOWN, "postgres.railway.internal"),
    "2026/11/20 11:48:02 dial tcp 10.146.2.7:5432: connect: connection refused": (REFUSED, "10.146.2.7:5432"),
    "dial tcp [fd12:845d::1]:5432: i/o timeout": (SILENT, "[fd12:845d::1]:5432"),
    "dial tcp: lookup postgres.railway.internal: i/o timeout": (SILENT, "postgres.railway.internal"),
    "org.postgresql.util.PSQLException: Connection to postgres.railway.internal:5432 refused. Check that the hostname and port "
    "are correct and that the postmaster is accepting TCP/IP connections.": (
        REFUSED,
        "postgres.railway.internal:5432",
    ),
    "Caused by: org.postgresql.util.PSQLException: The connection attempt failed.\nCaused by: java.net.UnknownHostException: "
    "postgres.railway.internal": (UNKNOWN, "postgres.railway.internal"),
    "org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend.": (CLOSED, ""),
    "Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.146.2.7:5432\n ---> System.Net.Sockets.SocketException (111): "
    "Connection refused": (REFUSED, "10.146.2.7:5432"),
    "Npgsql.NpgsqlException (0x80004005): Exception while reading from stream\n ---> System.TimeoutException: Timeout during reading attempt": (
        CLOSED,
        "",
    ),
    'PG::ConnectionBad: connection to server at "10.146.2.7", port 5432 failed: Connection refused': (
        REFUSED,
        "10.146.2.7:5432",
    ),
    "ActiveRecord::StatementInvalid: PG::ConnectionBad: PQconsumeInput() server closed the connection unexpectedly": (
        CLOSED,
        "",
    ),
    "** (DBConnection.ConnectionError) tcp connect (postgres.railway.internal:5432): connection refused - :econnrefused": (
        REFUSED,
        "postgres.railway.internal:5432",
    ),
    "[error] Postgrex.Protocol (#PID<0.412.0>) failed to connect: ** (DBConnection.ConnectionError) tcp connect "
    "(postgres.railway.internal:5432): non-existing domain - :nxdomain": (
        UNKNOWN,
        "postgres.railway.internal:5432",
    ),
    'SQLSTATE[08006] [7] connection to server at "10.146.2.7", port 5432 failed: Connection refused (Connection: pgsql, SQL: select 1)': (
        REFUSED,
        "10.146.2.7:5432",
    ),
    "FATAL:  the database system is starting up": (STARTING, ""),
    # MySQL
    "pymysql.err.OperationalError: (2003, \"Can't connect to MySQL server on 'mysql.railway.internal' ([Errno 111] Connection refused)\")": (
        REFUSED,
        "mysql.railway.internal",
    ),
    "pymysql.err.OperationalError: (2003, \"Can't connect to MySQL server on 'mysql.railway.internal' (timed out)\")": (
        UNREACHABLE,
        "mysql.railway.internal",
    ),
    "MySQLdb.OperationalError: (2005, \"Unknown MySQL server host 'mysql.railway.internal' (-2)\")": (
        UNKNOWN,
        "mysql.railway.internal",
    ),
    "pymysql.err.OperationalError: (2013, 'Lost connection to MySQL server during query')": (CLOSED, ""),
    "MySQLdb.OperationalError: (2006, 'Server has gone away')": (CLOSED, ""),
    "Error: connect ETIMEDOUT\n    at PoolConnection._handleTimeoutError (/app/node_modules/mysql2/lib/base/connection.js:205:17)": (
        SILENT,
        "",
    ),
    "Error: Connection lost: The server closed the connection.\n  fatal: true,\n  code: 'PROTOCOL_CONNECTION_LOST'": (
        CLOSED,
        "",
    ),
    "SQLSTATE[HY000] [2002] Connection refused (Connection: mysql, SQL: select * from `orders`)": (
        REFUSED,
        "",
    ),
    "SQLSTATE[HY000] [2002] Connection refused (Connection: mysql, Host: mysql.railway.internal, Port: 3306, Database: shop, SQL: select 1)": (
        REFUSED,
        "mysql.railway.internal",
    ),
    "SQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo for mysql.railway.internal failed: Name or service not known": (
        UNKNOWN,
        "mysql.railway.internal",
    ),
    "SQLSTATE[HY000] [2002] No such file or directory (Connection: mysql, SQL: select 1)": (WRONG, ""),
    "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure\n\nThe last packet sent successfully to the "
    "server was 0 milliseconds ago.\nCaused by: java.net.ConnectException: Connection refused": (REFUSED, ""),
    "Mysql2::Error::ConnectionError: Can't connect to MySQL server on 'mysql.railway.internal:3306' (111)": (
        UNREACHABLE,
        "mysql.railway.internal:3306",
    ),
    # Redis
    "redis.exceptions.ConnectionError: Error 111 connecting to redis.railway.internal:6379. Connection refused.": (
        REFUSED,
        "redis.railway.internal:6379",
    ),
    "redis.exceptions.ConnectionError: Error -2 connecting to redis.railway.internal:6379. Name or service not known.": (
        UNKNOWN,
        "redis.railway.internal:6379",
    ),
    "redis.exceptions.ConnectionError: Error -3 connecting to redis.railway.internal:6379. Temporary failure in name resolution.": (
        UNKNOWN,
        "redis.railway.internal:6379",
    ),
    "redis.exceptions.TimeoutError: Timeout reading from redis.railway.internal:6379": (
        SILENT,
        "redis.railway.internal:6379",
    ),
    "redis.exceptions.BusyLoadingError: LOADING Redis is loading the dataset in memory": (STARTING, ""),
    "redis.exceptions.ConnectionError: Connection closed by server.": (CLOSED, ""),
    "[ioredis] Unhandled error event: Error: getaddrinfo ENOTFOUND redis.railway.internal\n    at GetAddrInfoReqWrap.onlookupall "
    "[as oncomplete] (node:dns:120:26)": (UNKNOWN, "redis.railway.internal"),
    "Error: getaddrinfo EAI_AGAIN redis.railway.internal": (UNKNOWN, "redis.railway.internal"),
    'MaxRetriesPerRequestError: Reached the max retries per request limit (which is 20). Refer to "maxRetriesPerRequest" option for details.': (
        UNREACHABLE,
        "",
    ),
    "SocketClosedUnexpectedlyError: Socket closed unexpectedly\n    at Socket.<anonymous> (/app/node_modules/@redis/client/dist/lib/client/socket.js:194:118)": (
        CLOSED,
        "",
    ),
    "io.lettuce.core.RedisConnectionException: Unable to connect to redis.railway.internal/<unresolved>:6379": (
        UNREACHABLE,
        "redis.railway.internal:6379",
    ),
    "redis.clients.jedis.exceptions.JedisConnectionException: Failed to connect to redis.railway.internal:6379": (
        UNREACHABLE,
        "redis.railway.internal:6379",
    ),
    "Redis::CannotConnectError: Error connecting to Redis on redis.railway.internal:6379 (Errno::ECONNREFUSED)": (
        REFUSED,
        "redis.railway.internal:6379",
    ),
    "RedisClient::CannotConnectError: Connection refused - connect(2) for 10.146.2.9:6379 (redis://redis.railway.internal:6379)": (
        REFUSED,
        "redis.railway.internal:6379",
    ),
    "Predis\\Connection\\ConnectionException: Connection refused [tcp://10.146.2.9:6379]": (
        REFUSED,
        "10.146.2.9:6379",
    ),
    "StackExchange.Redis.RedisConnectionException: It was not possible to connect to the redis server(s). UnableToConnect on "
    "redis.railway.internal:6379/Interactive": (UNREACHABLE, "redis.railway.internal:6379"),
    "dial tcp 10.146.2.9:6379: connect: connection refused": (REFUSED, "10.146.2.9:6379"),
    # MongoDB, brokers, mail
    "MongooseServerSelectionError: connect ECONNREFUSED 127.0.0.1:27017\n    at _handleConnectionErrors (/app/node_modules/mongoose/lib/connection.js:1180:11)": (
        WRONG,
        "127.0.0.1:27017",
    ),
    "MongoServerSelectionError: getaddrinfo ENOTFOUND mongo.railway.internal": (
        UNKNOWN,
        "mongo.railway.internal",
    ),
    "MongooseError: Operation `orders.findOne()` buffering timed out after 10000ms": (SILENT, ""),
    "MongoServerSelectionError: Server selection timed out after 30000 ms": (SILENT, ""),
    "pymongo.errors.ServerSelectionTimeoutError: mongo.railway.internal:27017: [Errno 111] Connection refused (configured timeouts: "
    "socketTimeoutMS: 20000.0ms, connectTimeoutMS: 20000.0ms), Timeout: 30s, Topology Description: <TopologyDescription id: 6b0a>": (
        REFUSED,
        "mongo.railway.internal:27017",
    ),
    "com.mongodb.MongoTimeoutException: Timed out after 30000 ms while waiting for a server that matches WritableServerSelector. "
    "Caused by: java.net.UnknownHostException: mongo.railway.internal": (UNKNOWN, "mongo.railway.internal"),
    "pika.exceptions.AMQPConnectionError": (UNREACHABLE, ""),
    "Error: connect ECONNREFUSED fd12:845d:df9f::9:5672\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)": (
        REFUSED,
        "[fd12:845d:df9f::9]:5672",
    ),
    "RabbitMQ.Client.Exceptions.BrokerUnreachableException: None of the specified endpoints were reachable": (
        UNREACHABLE,
        "",
    ),
    "[Producer clientId=producer-1] Connection to node -1 (kafka.railway.internal/10.146.2.3:9092) could not be established. Node may "
    "not be available.": (UNREACHABLE, "kafka.railway.internal:9092"),
    '{"level":"ERROR","logger":"kafkajs","message":"[Connection] Connection error: connect ECONNREFUSED 10.146.2.3:9092",'
    '"broker":"kafka.railway.internal:9092"}': (REFUSED, "kafka.railway.internal:9092"),
    "kafka.errors.NoBrokersAvailable: NoBrokersAvailable": (UNREACHABLE, ""),
    "%3|1700|FAIL|rdkafka#producer-1| [thrd:kafka:9092/bootstrap]: kafka.railway.internal:9092/bootstrap: Failed to resolve "
    "'kafka.railway.internal:9092': Name or service not known": (UNKNOWN, "kafka.railway.internal:9092"),
    "socket.gaierror: [Errno -2] Name or service not known": (UNKNOWN, ""),
    "Error: connect ETIMEDOUT 142.250.102.109:587\n  code: 'ESOCKET',\n  command: 'CONN'": (
        SILENT,
        "142.250.102.109:587",
    ),
    # HTTP clients of Python
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.payments.io', port=443): Max retries exceeded with url: /v1/x "
    "(Caused by NewConnectionError('<urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno "
    "111] Connection refused'))": (REFUSED, "api.payments.io:443"),
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.payments.io', port=443): Max retries exceeded with url: /v1/x "
    "(Caused by NameResolutionError(\"HTTPSConnection(host='api.payments.io', port=443): Failed to resolve 'api.payments.io' ([Errno -2] "
    'Name or service not known)"))': (UNKNOWN, "api.payments.io"),
    "requests.exceptions.ConnectTimeout: HTTPSConnectionPool(host='api.payments.io', port=443): Max retries exceeded with url: /v1/x (Caused "
    "by ConnectTimeoutError(<urllib3.connection.HTTPSConnection object at 0x7f>, 'Connection to api.payments.io timed out. (connect "
    "timeout=5)'))": (SILENT, "api.payments.io"),
    "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='api.payments.io', port=443): Read timed out. (read timeout=10)": (
        SILENT,
        "api.payments.io:443",
    ),
    "requests.exceptions.SSLError: HTTPSConnectionPool(host='api.payments.io', port=443): Max retries exceeded with url: /v1 (Caused by "
    "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired')))": (
        TLS,
        "api.payments.io:443",
    ),
    "requests.exceptions.ConnectionError: ('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))": (
        CLOSED,
        "",
    ),
    "httpx.ConnectTimeout: timed out while calling https://api.payments.io/v1/charges": (
        SILENT,
        "api.payments.io",
    ),
    "httpx.ConnectError: All connection attempts failed": (UNREACHABLE, ""),
    "httpx.ReadTimeout: The read operation timed out": (SILENT, ""),
    "httpx.RemoteProtocolError: Server disconnected without sending a response.": (CLOSED, ""),
    "aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host api.payments.io:443 ssl:default [Connect call failed "
    "('203.0.113.9', 443)]": (REFUSED, "api.payments.io:443"),
    "aiohttp.client_exceptions.ClientConnectorDNSError: Cannot connect to host api.payments.io:443 ssl:default [Name or service not known]": (
        UNKNOWN,
        "api.payments.io:443",
    ),
    "aiohttp.client_exceptions.ServerDisconnectedError: Server disconnected": (CLOSED, ""),
    'botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL: "https://s3.eu-west-1.amazonaws.com/"': (
        UNREACHABLE,
        "s3.eu-west-1.amazonaws.com",
    ),
    'botocore.exceptions.ReadTimeoutError: Read timeout on endpoint URL: "https://sqs.eu-west-1.amazonaws.com/"': (
        SILENT,
        "sqs.eu-west-1.amazonaws.com",
    ),
    "urllib.error.URLError: <urlopen error [Errno 111] Connection refused>": (REFUSED, ""),
    "openai.APITimeoutError: Request timed out.": (SILENT, "api.openai.com"),
    # HTTP clients of Node.js
    "TypeError: fetch failed\n    at node:internal/deps/undici/undici:14976:13 {\n  [cause]: Error: getaddrinfo ENOTFOUND api.payments.io\n"
    "      at GetAddrInfoReqWrap.onlookupall [as oncomplete] (node:dns:120:26) {\n    errno: -3008,\n    code: 'ENOTFOUND',\n    syscall: "
    "'getaddrinfo',\n    hostname: 'api.payments.io'\n  }\n}": (UNKNOWN, "api.payments.io"),
    "TypeError: fetch failed\n    at node:internal/deps/undici/undici:14976:13 {\n  [cause]: ConnectTimeoutError: Connect Timeout Error "
    "(attempted address: api.payments.io:443, timeout: 10000ms)\n    code: 'UND_ERR_CONNECT_TIMEOUT'\n}": (
        SILENT,
        "api.payments.io:443",
    ),
    "TypeError: fetch failed {\n  [cause]: SocketError: other side closed\n    code: 'UND_ERR_SOCKET',\n    socket: {\n      localAddress: "
    "'10.0.0.5',\n      localPort: 41234,\n      remoteAddress: '203.0.113.9',\n      remotePort: 443\n    }\n}": (
        CLOSED,
        "203.0.113.9:443",
    ),
    "FetchError: request to https://api.payments.io/v1/charges failed, reason: connect ECONNREFUSED 203.0.113.9:443": (
        REFUSED,
        "api.payments.io",
    ),
    "AxiosError: timeout of 5000ms exceeded\n  code: 'ECONNABORTED',\n  config: {\n    url: 'https://api.payments.io/v1/charges',\n    method: 'post'\n  }": (
        SILENT,
        "api.payments.io",
    ),
    "AxiosError: getaddrinfo EAI_AGAIN api.payments.io": (UNKNOWN, "api.payments.io"),
    "AggregateError [ECONNREFUSED]: \n    at internalConnectMultiple (node:net:1139:18) {\n  code: 'ECONNREFUSED',\n  [errors]: [\n    Error: "
    "connect ECONNREFUSED ::1:6379\n      at createConnectionError (node:net:1675:14),\n    Error: connect ECONNREFUSED 127.0.0.1:6379\n  ]\n}": (
        WRONG,
        "[::1]:6379",
    ),
    "RequestError: connect ECONNREFUSED 203.0.113.9:443": (REFUSED, "203.0.113.9:443"),
    "TimeoutError: Timeout awaiting 'request' for 5000ms": (SILENT, ""),
    "DOMException [TimeoutError]: The operation was aborted due to timeout": (SILENT, ""),
    "Error: socket hang up\n    at Socket.socketOnEnd (node:_http_client:524:23) {\n  code: 'ECONNRESET'\n}": (
        CLOSED,
        "",
    ),
    "Error: unable to verify the first certificate\n  code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'": (TLS, ""),
    "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames: Host: api.payments.io. is not in the cert's "
    "altnames: DNS:*.herokuapp.com": (TLS, "api.payments.io"),
    'ConnectionRefused: Unable to connect. Is the computer able to access the url?\n  path: "https://api.payments.io/v1",\n errno: 0': (
        REFUSED,
        "api.payments.io",
    ),
    "error: Uncaught (in promise) TypeError: error sending request for url (https://api.payments.io/v1): client error (Connect): tcp connect "
    "error: Connection refused (os error 111)": (REFUSED, "api.payments.io"),
    # Go, Java, Ruby, PHP, .NET, Rust, Elixir
    'Post "https://api.payments.io/v1/charges": dial tcp 203.0.113.9:443: connect: connection refused': (
        REFUSED,
        "api.payments.io",
    ),
    'Get "https://api.payments.io/v1": dial tcp: lookup api.payments.io on 10.0.0.1:53: no such host': (
        UNKNOWN,
        "api.payments.io",
    ),
    'Get "https://api.payments.io/v1": context deadline exceeded (Client.Timeout exceeded while awaiting headers)': (
        SILENT,
        "api.payments.io",
    ),
    'Post "https://api.payments.io/v1": net/http: TLS handshake timeout': (SILENT, "api.payments.io"),
    'Post "https://api.payments.io/v1": EOF': (CLOSED, "api.payments.io"),
    'Get "https://api.payments.io/v1": tls: failed to verify certificate: x509: certificate has expired or is not yet valid': (
        TLS,
        "api.payments.io",
    ),
    "rpc error: code = DeadlineExceeded desc = context deadline exceeded": (SILENT, ""),
    'org.springframework.web.client.ResourceAccessException: I/O error on GET request for "http://pricing.railway.internal:8080/price": '
    "Connection refused": (REFUSED, "pricing.railway.internal:8080"),
    "org.springframework.web.reactive.function.client.WebClientRequestException: Connection refused: pricing.railway.internal/10.146.2.4:8080": (
        REFUSED,
        "pricing.railway.internal:8080",
    ),
    "java.net.SocketTimeoutException: Read timed out": (SILENT, ""),
    "java.net.UnknownHostException: api.payments.io: Name or service not known": (UNKNOWN, "api.payments.io"),
    "java.net.http.HttpConnectTimeoutException: HTTP connect timed out": (SILENT, ""),
    "javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid certification path to requested target": (
        TLS,
        "",
    ),
    "feign.RetryableException: Connection refused executing GET http://pricing.railway.internal:8080/price": (
        REFUSED,
        "pricing.railway.internal:8080",
    ),
    'Faraday::ConnectionFailed: Failed to open TCP connection to api.payments.io:443 (Connection refused - connect(2) for "api.payments.io" port 443)': (
        REFUSED,
        "api.payments.io:443",
    ),
    "SocketError: Failed to open TCP connection to api.payments.io:443 (getaddrinfo: Name or service not known)": (
        UNKNOWN,
        "api.payments.io:443",
    ),
    "Net::OpenTimeout: execution expired": (SILENT, ""),
    "Errno::ECONNRESET: Connection reset by peer": (CLOSED, ""),
    "OpenSSL::SSL::SSLError: SSL_connect returned=1 errno=0 state=error: certificate verify failed (certificate has expired)": (
        TLS,
        "",
    ),
    "cURL error 7: Failed to connect to api.payments.io port 443 after 12 ms: Couldn't connect to server (see "
    "https://curl.haxx.se/libcurl/c/libcurl-errors.html) for https://api.payments.io/v1": (
        UNREACHABLE,
        "api.payments.io:443",
    ),
    "GuzzleHttp\\Exception\\ConnectException: cURL error 6: Could not resolve host: api.payments.io (see https://curl.haxx.se/libcurl/c/"
    "libcurl-errors.html)": (UNKNOWN, "api.payments.io"),
    "cURL error 28: Operation timed out after 5001 milliseconds with 0 bytes received (see https://curl.haxx.se/libcurl/c/libcurl-errors.html) "
    "for https://api.payments.io/v1": (SILENT, "api.payments.io"),
    "System.Net.Http.HttpRequestException: Connection refused (api.payments.io:443)\n ---> System.Net.Sockets.SocketException (111): Connection refused": (
        REFUSED,
        "api.payments.io:443",
    ),
    "System.Net.Http.HttpRequestException: Name or service not known (api.payments.io:443)": (
        UNKNOWN,
        "api.payments.io:443",
    ),
    "System.Threading.Tasks.TaskCanceledException: The request was canceled due to the configured HttpClient.Timeout of 100 seconds elapsing.": (
        SILENT,
        "",
    ),
    "System.Net.Http.HttpIOException: The response ended prematurely. (ResponseEnded)": (CLOSED, ""),
    "System.Net.Http.HttpRequestException: The SSL connection could not be established, see inner exception.": (
        TLS,
        "",
    ),
    "Error: error sending request for url (https://api.payments.io/v1)\n\nCaused by:\n    dns error: failed to lookup address information: "
    "Name or service not known": (UNKNOWN, "api.payments.io"),
    'called `Result::unwrap()` on an `Err` value: Io(Os { code: 111, kind: ConnectionRefused, message: "Connection refused" })': (
        REFUSED,
        "",
    ),
    "** (Mint.TransportError) connection refused": (REFUSED, ""),
    "[error] {:error, %Mint.TransportError{reason: :nxdomain}}": (UNKNOWN, ""),
    "[error] {:error, %Req.TransportError{reason: :timeout}}": (SILENT, ""),
    "2026/11/20 11:48:02 [error] 31#31: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 100.64.0.2, "
    'server: , request: "GET / HTTP/1.1", upstream: "http://10.146.2.4:3000/", host: "shop.example.io"': (
        REFUSED,
        "10.146.2.4:3000",
    ),
    "upstream timed out (110: Operation timed out) while reading response header from upstream, client: 100.64.0.2, upstream: "
    '"http://api.railway.internal:3000/x", host: "www.shop.io"': (SILENT, "api.railway.internal:3000"),
    "ERROR payments: POST https://api.payments.io/v1/charges failed: connection reset by peer": (
        CLOSED,
        "api.payments.io",
    ),
    "could not reach api.payments.io: connection timed out": (SILENT, "api.payments.io"),
}
PRODUCTS = {
    "pika.exceptions.AMQPConnectionError": "rabbitmq",
    "redis.exceptions.ConnectionError: Connection closed by server.": "redis",
    "Error: connect ECONNREFUSED 10.0.0.9:6379": "redis",
    "psycopg2.OperationalError: server closed the connection unexpectedly": "postgres",
    "Error: Connection terminated unexpectedly\n    at Connection.<anonymous> (/app/node_modules/pg/lib/client.js:136:73)": "postgres",
    "kombu.exceptions.OperationalError: [Errno 111] Connection refused\n  redis://": "redis",
    "httpx.ConnectError: All connection attempts failed": "http",
    "java.net.ConnectException: Connection refused": "",
}


@pytest.mark.parametrize("text", READINGS)
def test_a_failed_connection_is_read_with_its_host(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == READINGS[text], signs


@pytest.mark.parametrize("text", PRODUCTS)
def test_the_client_shows_the_product_that_was_called(text: str) -> None:
    assert read_signs(text)[0].product == PRODUCTS[text]


@pytest.mark.parametrize(
    "text",
    [
        "PrismaClientKnownRequestError: Timed out fetching a new connection from the connection pool. More info: http://pris.ly/d/connection-pool (Current connection pool timeout: 10, connection limit: 5)",
        "Error: getaddrinfo ENOTFOUND db\n    at GetAddrInfoReqWrap.onlookupall [as oncomplete] (node:dns:120:26)",
        "httpx.ConnectError: All connection attempts failed\nFor more information check: https://httpx.guide.io/exceptions",
        "Connection refused. See https://support.acme.io/network to learn more",
        "TypeError: fetch failed. Learn more: https://nextjs.org/docs/messages/fetch",
        'INFO: 100.64.0.2 "GET /orders HTTP/1.1" 500, Host: shop.acme.io\nsocket.gaierror: [Errno -2] Name or service not known',
        '{"req":{"url":"/orders","headers":{"host":"shop.acme.io"}},"err":{"message":"connect ECONNREFUSED 10.0.0.4:5432"}}',
    ],
)
def test_a_link_or_an_own_domain_is_never_the_called_host(text: str) -> None:
    innocent = ("pris.ly", "onlookupall", "httpx.guide.io", "acme.io", "nextjs.org")

    assert not [sign for sign in read_signs(text) if any(host in sign.subject for host in innocent)]


def test_the_only_host_of_the_failing_code_is_the_called_one() -> None:
    code = ['    response = httpx.post("https://api.payments.io/v1/charges", json=order)']

    assert read_signs("httpx.ConnectTimeout: timed out", code)[0].subject == "api.payments.io"


def test_a_failing_name_service_is_told_from_a_name_that_does_not_exist() -> None:
    failing = read_signs("Error: getaddrinfo EAI_AGAIN redis.railway.internal")[0]
    unknown = read_signs("Error: getaddrinfo ENOTFOUND redis.railway.internal")[0]

    assert (failing.numbers, unknown.numbers) == ({"temporary": 1.0}, {})


@pytest.mark.parametrize("name", ["undefined", "null", "base"])
def test_a_placeholder_instead_of_a_host_is_a_wrong_address(name: str) -> None:
    assert read_signs(f"Error: getaddrinfo ENOTFOUND {name}")[0].kind is WRONG
