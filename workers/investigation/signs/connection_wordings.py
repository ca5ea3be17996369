"""Sentences about failed connections, in the words of each language and client. Pure.

A sentence tells how the connection failed, and often the host (groups `host` and `port`).
"""

from __future__ import annotations

from workers.investigation.signs.host_names import HOST, NAME, PORT
from workers.investigation.signs.wordings import Wording
from workers.models import SignKind

UNKNOWN, TLS, REFUSED = SignKind.UNKNOWN_HOST, SignKind.TLS_FAILED, SignKind.CONNECTION_REFUSED
UNREACHABLE, SILENT, CLOSED = SignKind.UNREACHABLE, SignKind.NO_RESPONSE, SignKind.CONNECTION_CLOSED
STARTING = SignKind.NOT_READY


PHRASES: tuple[Wording, ...] = (
    # Name resolution. Node.js: `getaddrinfo ENOTFOUND host`; glibc's words in Python, PHP, .NET, Rust; Go; Java; Erlang.
    Wording(UNKNOWN, rf"(?:getaddrinfo |query\w{{1,4}} )(?:ENOTFOUND|EAI_AGAIN) {HOST}(?::{PORT})?"),
    Wording(UNKNOWN, rf"could not translate host name \"{HOST}\""),
    Wording(UNKNOWN, rf"[Ff]ailed to resolve (?:host )?['\"]?(?!host\b){HOST}(?::{PORT})?['\"]?"),
    Wording(
        UNKNOWN,
        rf"lookup {HOST}(?: on [^\s]{{1,60}})?: (?:no such host|server misbehaving|Temporary failure)",
    ),
    Wording(UNKNOWN, rf"UnknownHostException:? {HOST}(?:: (?:Name|Temporary|nodename))?"),
    Wording(
        UNKNOWN, rf"(?:[Uu]nknown (?:MySQL server )?host:?|[Cc]ould not resolve host:?) ['\"]?{HOST}['\"]?"
    ),
    Wording(UNKNOWN, rf"getaddrinfo for {HOST} failed"),
    Wording(UNKNOWN, r"\((?:getaddrinfo|Hostname not known|nodename)[^\n]{0,60}\)"),
    Wording(UNKNOWN, rf"[Hh]ostname not known(?:: {HOST})?|nodename nor servname provided"),
    Wording(UNKNOWN, rf"tcp connect \({HOST}:{PORT}\): non-existing domain"),
    Wording(UNKNOWN, rf"[Nn]ame or service not known(?: \({HOST}:{PORT}\))?"),
    Wording(
        UNKNOWN,
        r"[Tt]emporary failure in name resolution|[Nn]ame resolution failed|NameResolutionError|[Nn]ame does not resolve",
    ),
    Wording(UNKNOWN, r"[Nn]o address associated with hostname"),
    Wording(UNKNOWN, r"\bnxdomain\b|\bNXDOMAIN\b"),
    Wording(UNKNOWN, r"\b(?:ENOTFOUND|EAI_AGAIN)\b"),
    Wording(UNKNOWN, r"dns error|DNS lookup failed"),
    # TLS: OpenSSL in Python, Ruby and PHP; Node.js's codes; Go's x509; Java's PKIX; .NET.
    Wording(TLS, rf"Hostname/IP does not match certificate's altnames: (?:Host: )?(?:IP: )?{HOST}"),
    Wording(TLS, r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"),
    Wording(
        TLS,
        r"SELF_SIGNED_CERT|[Ss]elf[- ]signed certificate|CERT_HAS_EXPIRED|UNABLE_TO_(?:VERIFY|GET)|unable to (?:verify the first|get local issuer) certificate|certificate has expired",
    ),
    Wording(
        TLS,
        r"x509: [a-z]|\btls: (?:handshake failure|failed to verify|first record does not look like|bad certificate|unrecognized name)|remote error: tls:",
    ),
    Wording(TLS, r"PKIX path building failed|SSLHandshakeException"),
    Wording(
        TLS,
        r"SSL connection could not be established|SSL_connect returned=\d|wrong version number|WRONG_VERSION_NUMBER|tlsv1 alert|handshake failure",
    ),
    Wording(TLS, r"server does not support SSL|no pg_hba\.conf entry[^\n]{0,120}(?:SSL off|no encryption)"),
    # Refused.
    Wording(REFUSED, rf"ECONNREFUSED (?P<host>[\w.:\[\]-]{{1,100}}):{PORT}\b"),
    Wording(
        REFUSED, rf"server at \"{HOST}\"(?: \([^)\n]{{1,60}}\))?, port {PORT} failed: Connection refused"
    ),
    Wording(
        REFUSED,
        rf"connect to server: Connection refused\s{{1,4}}Is the server running on (?:that )?host \"{HOST}\"[^\n]{{0,80}}\s{{1,4}}TCP/IP connections on port {PORT}",
    ),
    Wording(REFUSED, rf"dial tcp (?:\S{{1,80}}->)?{HOST}:{PORT}: connect: connection refused"),
    Wording(REFUSED, rf"Error (?:111|61) connecting to {HOST}:{PORT}"),
    Wording(REFUSED, rf"Connect call failed \('{HOST}', {PORT}"),
    Wording(REFUSED, rf"Connection to {HOST}:{PORT} refused"),
    Wording(REFUSED, rf"Connection refused(?:: no further information)?: (?:{NAME})?/?{HOST}:{PORT}"),
    Wording(REFUSED, rf"[Cc]onnection refused - connect\(2\) for \"{HOST}\" port {PORT}"),
    Wording(REFUSED, rf"[Cc]onnection refused - connect\(2\) for (?P<host>[\w.:-]{{1,80}}):{PORT}"),
    Wording(REFUSED, rf"[Cc]onnection refused[ \t]{{0,2}}[(\[](?:tcp://|tls://)?{HOST}:{PORT}[)\]]"),
    Wording(REFUSED, rf"actively refused it\.? \(?{HOST}:{PORT}\)?"),
    Wording(REFUSED, rf"tcp connect \({HOST}:{PORT}\): connection refused"),
    Wording(
        REFUSED,
        r"ConnectionRefused(?:Error)?\b|[Cc]onnection refused|\b:?econnrefused\b|ECONNREFUSED|CONNECTION_REFUSED|actively refused it",
    ),
    # No route, or the client does not say why it got no connection.
    Wording(
        UNREACHABLE, rf"Can't reach database server at [`'\"]{{0,2}}{HOST}[`'\"]{{0,2}}:[`'\"]{{0,2}}{PORT}"
    ),
    Wording(UNREACHABLE, rf"(?:ENETUNREACH|EHOSTUNREACH) (?P<host>[\w.:\[\]-]{{1,100}}):{PORT}\b"),
    Wording(
        UNREACHABLE,
        rf"server at \"{HOST}\"(?: \([^)\n]{{1,60}}\))?, port {PORT} failed: Network is unreachable",
    ),
    Wording(
        UNREACHABLE,
        rf"dial tcp (?:\S{{1,80}}->)?{HOST}:{PORT}: connect: (?:network is unreachable|no route to host)",
    ),
    Wording(UNREACHABLE, rf"Can't connect to (?:MySQL )?server on '{HOST}(?::{PORT})?'"),
    Wording(
        UNREACHABLE,
        rf"Unable to connect to (?:tcp://|ssl://|tls://)?{HOST}(?:/<unresolved>|/[\d.]{{7,15}})?:{PORT}",
    ),
    Wording(
        UNREACHABLE,
        rf"Failed to connect to (?P<host>(?!server|the\b|remote|database|redis\b|host\b)[\w.:\[\]-]{{1,100}}?)(?::| port ){PORT}",
    ),
    Wording(
        UNREACHABLE,
        rf"Connection to node -?\d{{1,10}} \({HOST}(?:/[^:\s]{{1,60}})?:{PORT}\) could not be established",
    ),
    Wording(UNREACHABLE, rf"UnableToConnect on {HOST}:{PORT}"),
    Wording(UNREACHABLE, r"Communications link failure"),
    Wording(UNREACHABLE, r"not possible to connect to the redis server"),
    Wording(UNREACHABLE, r"None of the specified endpoints were reachable"),
    Wording(UNREACHABLE, r"[Nn]etwork is unreachable|[Nn]o route to host|\bE(?:NET|HOST)UNREACH\b"),
    Wording(UNREACHABLE, r"All connection attempts failed"),
    Wording(UNREACHABLE, r"Could not connect to the endpoint URL"),
    Wording(UNREACHABLE, r"Failed to establish a new connection|Cannot connect to host"),
    Wording(UNREACHABLE, r"Unable to connect\. Is the computer able to access the url"),
    Wording(UNREACHABLE, r"The connection attempt failed"),
    Wording(UNREACHABLE, r"brokers are down|NoBrokersAvailable|No resolvable bootstrap urls"),
    # The database or the store starts; it answers soon.
    Wording(
        STARTING,
        r"the database system is (?:starting up|shutting down|in recovery mode|not yet accepting connections)",
    ),
    Wording(STARTING, r"LOADING Redis is loading the dataset in memory"),
    # Silence.
    Wording(SILENT, rf"ETIMEDOUT (?P<host>[\w.:\[\]-]{{1,100}}):{PORT}\b"),
    Wording(SILENT, rf"CONNECT_TIMEOUT {HOST}:{PORT}"),
    Wording(
        SILENT,
        rf"server at \"{HOST}\"(?: \([^)\n]{{1,60}}\))?, port {PORT} failed: (?:timeout expired|Connection timed out|Operation timed out)",
    ),
    Wording(
        SILENT,
        rf"dial tcp (?:\S{{1,80}}->)?{HOST}:{PORT}: (?:i/o timeout|connect: (?:operation|connection) timed out)",
    ),
    Wording(SILENT, rf"read tcp \S{{1,80}}->{HOST}:{PORT}: (?:i/o timeout|read: connection timed out)"),
    Wording(SILENT, rf"attempted address(?:es)?: {HOST}:{PORT}"),
    Wording(SILENT, rf"Connection to {HOST} timed out"),
    Wording(SILENT, r"Server selection timed out after|No servers found yet|No suitable servers found"),
    Wording(
        SILENT,
        r"\b(?:Connect|Connection|Read|Write|Request|Headers|Body|Socket|Open|APIConnection|API|Gateway|Client|Net::\w{1,12}|SocketTimeout|Http|ReadTimeout)_?Time(?:d)?[Oo]ut(?:Error|Exception)?\b|\bUND_ERR_\w{0,20}TIMEOUT|Faraday::TimeoutError|HTTP::TimeoutError|Timeout::Error|SocketTimeoutException|HttpTimeoutException",
    ),
    Wording(SILENT, r"\bE(?:TIMEDOUT|SOCKETTIMEDOUT)\b|timeout of \d{1,7}ms exceeded"),
    Wording(SILENT, r"timeout of \d{1,7}ms exceeded"),
    Wording(
        SILENT,
        r"\bi/o timeout\b|context deadline exceeded|Client\.Timeout|DeadlineExceeded|DEADLINE_EXCEEDED",
    ),
    Wording(
        SILENT,
        r"\b(?:[Cc]onnection|[Cc]onnect|[Rr]ead|[Rr]equest|[Oo]peration|[Ss]ocket|[Hh]andshake|[Cc]all|request to [^\s]{1,120})(?: (?:has|was|is))? timed[ -]out\b|^timed out\b|Error: timed out\b|Timeout: timed out|timed out (?:while|after|waiting|calling|reading|connecting)\b(?! (?:for (?:a )?(?:lock|job|worker|connection from)))",
    ),
    Wording(SILENT, r"Timeout awaiting '\w{1,20}' for \d{1,7}ms"),
    Wording(
        SILENT,
        r"network timeout at:|[Cc]onnect timeout on endpoint|[Rr]ead timeout on endpoint|Connect Timeout Error|Headers Timeout Error",
    ),
    Wording(SILENT, r"HttpClient\.Timeout of [\d.]{1,10} seconds elapsing"),
    Wording(SILENT, r"cURL error 28|Operation timed out after \d"),
    Wording(SILENT, r"reason: :timeout\b|\(Mint\.TransportError\) timeout|TransportError\{reason: :timeout"),
    # Closed by the other side.
    Wording(CLOSED, rf"CONNECTION_(?:CLOSED|ENDED|DESTROYED) {HOST}:{PORT}"),
    Wording(
        CLOSED,
        r"server closed the connection unexpectedly|terminating connection due to administrator command",
    ),
    Wording(CLOSED, r"Connection terminated unexpectedly"),
    Wording(
        CLOSED,
        r"Server has closed the connection|The server closed the connection|server has gone away|Lost connection to (?:MySQL )?server",
    ),
    Wording(
        CLOSED,
        r"\b[Cc]onnection reset(?: by peer)?\b|\bread ECONNRESET\b|\bECONNRESET\b|ConnectionResetError",
    ),
    Wording(
        CLOSED,
        r"socket hang up|other side closed|[Ss]ocket closed unexpectedly|Connection closed by server|\bunexpected EOF\b|SSL connection has been closed unexpectedly",
    ),
    Wording(
        CLOSED,
        r"Remote end closed connection|RemoteDisconnected|Server disconnected(?: without sending a response)?|response ended prematurely",
    ),
    Wording(CLOSED, r"\": EOF$|: EOF$"),
    Wording(CLOSED, r"I/O error occurred while sending to the backend|This connection has been closed"),
    Wording(CLOSED, r"connection was closed in the middle of operation"),
    Wording(CLOSED, r"Exception while reading from stream|Unable to read data from the transport connection"),
    Wording(CLOSED, r"Empty reply from server|cURL error 5[26]"),
)
