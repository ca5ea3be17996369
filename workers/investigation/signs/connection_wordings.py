"""Sentences about connections that were not made, in the words of each language and client. Pure.

A sentence tells how the connection failed, and often the host (groups `host` and `port`).
"""

from __future__ import annotations

from workers.investigation.signs.host_names import ADDRESS, HOST, NAME, PORT, URL
from workers.investigation.signs.wordings import Wording
from workers.models import SignKind

UNKNOWN = SignKind.UNKNOWN_HOST
TLS = SignKind.TLS_FAILED
REFUSED = SignKind.CONNECTION_REFUSED
UNREACHABLE = SignKind.UNREACHABLE
STARTING = SignKind.NOT_READY
WRONG = SignKind.WRONG_ADDRESS

BARE = r"(?:\bcode[\"']?: ?[\"']|(?<![\"'\w.]))"
"""Before the code of an error: a list of codes in quotes, such as a client's retry options, is no error."""
LIBPQ = rf"server at \"{HOST}\"(?: \([^)\n]{{1,60}}\))?, port {PORT} failed: "
GO_DIAL = rf"dial tcp (?:\S{{1,80}}->)?{HOST}:{PORT}: "

UNKNOWN_HOSTS: tuple[Wording, ...] = (
    # Node.js dns; glibc's gai_strerror in Python, PHP, .NET and Rust; Go's resolver; java.net; Erlang's inet.
    Wording(UNKNOWN, rf"(?:getaddrinfo |query\w{{1,4}} )ENOTFOUND {HOST}(?::{PORT})?"),
    Wording(UNKNOWN, rf"getaddrinfo (?P<n_temporary>EAI_AGAIN) {HOST}(?::{PORT})?"),
    Wording(UNKNOWN, rf"could not translate host name \"{HOST}\" to address: (?P<n_temporary>Temporary)"),
    Wording(UNKNOWN, rf"could not translate host name \"{HOST}\""),
    Wording(UNKNOWN, rf"[Ff]ailed to resolve (?:host )?['\"]?(?!host\b){HOST}(?::{PORT})?['\"]?"),
    Wording(
        UNKNOWN,
        rf"lookup {HOST}(?: on [^\s]{{1,60}})?: (?P<n_temporary>server misbehaving|Temporary failure)",
    ),
    Wording(UNKNOWN, rf"lookup {HOST}(?: on [^\s]{{1,60}})?: no such host"),
    Wording(UNKNOWN, rf"UnknownHostException:? {HOST}: (?P<n_temporary>Temporary)"),
    Wording(UNKNOWN, rf"UnknownHostException:? {HOST}"),
    Wording(
        UNKNOWN, rf"(?:[Uu]nknown (?:MySQL server )?host:?|[Cc]ould not resolve host:?) ['\"]?{HOST}['\"]?"
    ),
    Wording(UNKNOWN, rf"getaddrinfo for {HOST} failed"),
    Wording(
        UNKNOWN, rf"[Ff]ailed to open TCP connection to {HOST}:{PORT} \((?:getaddrinfo|Hostname not known)"
    ),
    Wording(UNKNOWN, r"\((?:getaddrinfo|Hostname not known|nodename)[^\n]{0,60}\)"),
    Wording(UNKNOWN, rf"[Hh]ostname not known(?:: {HOST})?|nodename nor servname provided"),
    Wording(UNKNOWN, rf"tcp connect \({HOST}:{PORT}\): non-existing domain"),
    Wording(UNKNOWN, rf"Error -[23] connecting to {HOST}:{PORT}"),
    Wording(UNKNOWN, rf"[Nn]ame or service not known(?: \({HOST}:{PORT}\))?"),
    Wording(UNKNOWN, rf"(?P<n_temporary>[Rr]esource temporarily unavailable) \({HOST}:{PORT}\)"),
    Wording(UNKNOWN, r"(?P<n_temporary>[Tt]emporary failure in name resolution|[Tt]ry again \(\w)"),
    Wording(
        UNKNOWN, r"[Nn]ame resolution failed|NameResolutionError|[Nn]ame does not resolve|DNS lookup failed"
    ),
    Wording(UNKNOWN, r"[Nn]o address associated with hostname|\bnxdomain\b|\bNXDOMAIN\b|dns error: "),
    Wording(UNKNOWN, rf"{BARE}ENOTFOUND\b"),
    Wording(UNKNOWN, rf"{BARE}(?P<n_temporary>EAI_AGAIN)\b"),
    Wording(UNKNOWN, r"UnresolvedAddressException"),
)
TLS_FAILURES: tuple[Wording, ...] = (
    # OpenSSL in Python, Ruby and PHP; Node.js's codes; Go's crypto/x509; Java's PKIX; .NET; node-postgres; PostgreSQL.
    Wording(TLS, rf"Hostname/IP does not match certificate's altnames: (?:Host: )?(?:IP: )?{HOST}"),
    Wording(
        TLS, r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|unable to verify the first certificate"
    ),
    Wording(
        TLS,
        rf"[Ss]elf[- ]signed certificate|{BARE}(?:SELF_SIGNED_CERT|CERT_HAS_EXPIRED|UNABLE_TO_(?:VERIFY|GET))",
    ),
    Wording(
        TLS,
        rf"\bcertificate (?:for|of) {HOST} (?:is|was|has) (?:not trusted|untrusted|not valid|invalid|expired|revoked)",
    ),
    Wording(TLS, r"unable to get local issuer certificate|certificate has expired|CertificateHasExpired"),
    Wording(TLS, r"x509: [a-z]|remote error: tls:"),
    Wording(
        TLS,
        r"\btls: (?:handshake failure|failed to verify|first record does not look like|bad certificate|unrecognized name)",
    ),
    Wording(TLS, r"PKIX path building failed|SSLHandshakeException"),
    Wording(
        TLS, r"SSL connection could not be established|SSL_connect returned=\d|tlsv1 alert|handshake failure"
    ),
    Wording(TLS, r"(?:SSL|ssl)[^\n]{0,80}(?:wrong version number|WRONG_VERSION_NUMBER)"),
    Wording(
        TLS,
        r"server does not support SSL|SSL is not enabled on the server|no pg_hba\.conf entry[^\n]{0,120}(?:SSL off|no encryption)",
    ),
)
REFUSALS: tuple[Wording, ...] = (
    Wording(REFUSED, rf"[Cc]onnection refused \[(?P<host>{ADDRESS})\]:{PORT}"),
    Wording(REFUSED, rf"connection to {HOST}:{PORT} failed - connect ECONNREFUSED"),
    # Node.js net.
    Wording(REFUSED, rf"ECONNREFUSED (?P<host>{ADDRESS}):{PORT}\b"),
    # libpq, its version before 14 with a second line, and Go.
    Wording(REFUSED, rf"{LIBPQ}Connection refused"),
    Wording(
        REFUSED,
        rf"connect to server: Connection refused\s{{1,4}}Is the server running on (?:that )?host \"{HOST}\"[^\n]{{0,80}}\s{{1,4}}TCP/IP connections on port {PORT}",
    ),
    Wording(REFUSED, rf"{GO_DIAL}connect: connection refused"),
    # redis-py, asyncio, pymongo, pgjdbc, Netty and the JDK, Ruby's TCPSocket, Predis and phpredis, .NET, DBConnection.
    Wording(REFUSED, rf"Error (?:111|61) connecting to {HOST}:{PORT}"),
    Wording(REFUSED, rf"Connect call failed \('{HOST}', {PORT}"),
    Wording(REFUSED, rf"(?P<host>{ADDRESS}):{PORT}: \[Errno 111\] Connection refused"),
    Wording(REFUSED, rf"Connection to {HOST}:{PORT} refused"),
    Wording(REFUSED, rf"Connection refused(?:: no further information)?: {HOST}/(?:{ADDRESS}):{PORT}"),
    Wording(REFUSED, rf"Connection refused(?:: no further information)?: (?:{NAME})?/?{HOST}:{PORT}"),
    Wording(REFUSED, rf"[Cc]onnection refused - connect\(2\) for \"{HOST}\" port {PORT}"),
    Wording(REFUSED, rf"[Cc]onnection refused - connect\(2\) for (?P<host>{ADDRESS}):{PORT}"),
    Wording(REFUSED, rf"[Cc]onnection refused[ \t]{{0,2}}[(\[](?:tcp://|tls://)?{HOST}:{PORT}[)\]]"),
    Wording(REFUSED, rf"Error connecting to Redis on {HOST}:{PORT} \(Errno::ECONNREFUSED\)"),
    Wording(REFUSED, rf"actively refused it\.? \(?{HOST}:{PORT}\)?"),
    Wording(REFUSED, rf"tcp connect \({HOST}:{PORT}\): connection refused"),
    Wording(REFUSED, rf"connect to ipv[46]#{HOST}:{PORT} failed: Connection refused"),
    Wording(REFUSED, rf"Host: {HOST}, Port: {PORT}[^\n]{{0,200}}Connection refused"),
    Wording(
        REFUSED, r"ConnectionRefused(?:Error)?\b|[Cc]onnection refused|:econnrefused\b|actively refused it"
    ),
    Wording(REFUSED, rf"{BARE}(?:ERR_)?(?:ECONNREFUSED|CONNECTION_REFUSED)\b"),
)
NO_CONNECTIONS: tuple[Wording, ...] = (
    # A Unix socket in a container without the server: no host is set, and the client takes its default.
    Wording(WRONG, r"server on socket \"(?P<host>/[\w./-]{2,100})\" failed"),
    Wording(WRONG, r"connections on Unix domain socket \"(?P<host>/[\w./-]{2,100})\""),
    Wording(WRONG, r"local (?:MySQL )?server through socket '(?P<host>/[\w./-]{2,100})'"),
    Wording(WRONG, r"SQLSTATE\[HY000\] \[2002\] (?P<host>No such file or directory)"),
    # Prisma P1001, Node.js net, libpq, Go.
    Wording(
        UNREACHABLE, rf"Can't reach database server at [`'\"]{{0,2}}{HOST}[`'\"]{{0,2}}:[`'\"]{{0,2}}{PORT}"
    ),
    Wording(UNREACHABLE, rf"(?:ENETUNREACH|EHOSTUNREACH) (?P<host>{ADDRESS}):{PORT}\b"),
    Wording(UNREACHABLE, rf"{LIBPQ}(?:Network is unreachable|No route to host)"),
    Wording(UNREACHABLE, rf"{GO_DIAL}connect: (?:network is unreachable|no route to host)"),
    # MySQL clients, Lettuce, OkHttp and Npgsql, cURL, Kafka, StackExchange.Redis, RabbitMQ, ioredis.
    Wording(UNREACHABLE, rf"Can't connect to (?:MySQL )?server on '{HOST}(?::{PORT})?'"),
    Wording(
        UNREACHABLE,
        rf"Unable to connect to (?:tcp://|ssl://|tls://)?{HOST}(?:/<unresolved>|/[\d.]{{7,15}})?:{PORT}",
    ),
    Wording(
        UNREACHABLE,
        rf"Failed to connect to (?!server|the\b|remote|database|redis\b(?!\.)|host\b)(?P<host>{ADDRESS})(?::| port ){PORT}",
    ),
    Wording(
        UNREACHABLE,
        rf"Connection to node -?\d{{1,10}} \({HOST}(?:/[^:\s]{{1,60}})?:{PORT}\) could not be established",
    ),
    Wording(UNREACHABLE, rf"UnableToConnect on {HOST}:{PORT}"),
    Wording(UNREACHABLE, r"Communications link failure|not possible to connect to the redis server"),
    Wording(
        UNREACHABLE, r"None of the specified endpoints were reachable|[Bb]rokers are down|NoBrokersAvailable"
    ),
    Wording(
        UNREACHABLE,
        r"No resolvable bootstrap urls|Broker may not be available|Failed to connect to seed broker",
    ),
    Wording(
        UNREACHABLE,
        rf"\b(?:could not|couldn't|cannot|can't|unable to|failed to) (?:connect to|reach|contact) {URL}",
    ),
    Wording(UNREACHABLE, rf"[Nn]etwork is unreachable|[Nn]o route to host|{BARE}E(?:NET|HOST)UNREACH\b"),
    Wording(UNREACHABLE, r"All connection attempts failed|Could not connect to the endpoint URL"),
    Wording(UNREACHABLE, r"Failed to establish a new connection|Cannot connect to host|AMQPConnectionError"),
    Wording(UNREACHABLE, r"Unable to connect\. Is the computer able to access the url"),
    Wording(UNREACHABLE, r"The connection attempt failed|Reached the max retries per request limit"),
    Wording(
        UNREACHABLE,
        r"PG::ConnectionBad|Redis::CannotConnectError|Mysql2::Error::ConnectionError|Faraday::ConnectionFailed",
    ),
    # The store starts, and answers soon: PostgreSQL's 57P03, Redis and Valkey.
    Wording(
        STARTING,
        r"database system is (?:starting up|shutting down|in recovery mode|not yet accepting connections)",
    ),
    Wording(STARTING, r"LOADING (?:Redis|Valkey) is loading the dataset in memory"),
    Wording(UNREACHABLE, r"any servers in your MongoDB Atlas cluster|Unable to acquire JDBC Connection"),
    Wording(
        UNREACHABLE,
        r"network-related or instance-specific error occurred|APIConnectionError: Connection error",
    ),
    Wording(UNREACHABLE, r"not present in metadata after \d{1,8} ms"),
    Wording(UNREACHABLE, rf"Failed to connect to {HOST}/(?:{ADDRESS}):{PORT}"),
)
