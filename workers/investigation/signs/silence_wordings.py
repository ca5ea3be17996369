"""Sentences about connections that gave no answer or broke, in the words of each language and client. Pure."""

from __future__ import annotations

from workers.investigation.signs.connection_wordings import BARE, GO_DIAL, LIBPQ
from workers.investigation.signs.host_names import ADDRESS, HOST, PORT
from workers.investigation.signs.wordings import Wording
from workers.models import SignKind

SILENT = SignKind.NO_RESPONSE
CLOSED = SignKind.CONNECTION_CLOSED

SILENCES: tuple[Wording, ...] = (
    # Node.js net, postgres.js, libpq, Go, undici, urllib3.
    Wording(SILENT, rf"ETIMEDOUT (?P<host>{ADDRESS}):{PORT}\b"),
    Wording(SILENT, rf"CONNECT_TIMEOUT {HOST}:{PORT}"),
    Wording(SILENT, rf"{LIBPQ}(?:timeout expired|Connection timed out|Operation timed out)"),
    Wording(SILENT, rf"{GO_DIAL}(?:i/o timeout|connect: (?:operation|connection) timed out)"),
    Wording(SILENT, rf"read tcp \S{{1,80}}->{HOST}:{PORT}: (?:i/o timeout|read: connection timed out)"),
    Wording(SILENT, rf"attempted address(?:es)?: {HOST}:{PORT}"),
    Wording(SILENT, rf"Connection to {HOST} timed out"),
    Wording(SILENT, rf"Timeout (?:connecting to server|reading from|writing to) {HOST}:{PORT}"),
    Wording(SILENT, rf"(?P<host>{ADDRESS}):{PORT}: (?:timed out|\[Errno 110\])"),
    # MongoDB drivers, mongoose.
    Wording(SILENT, rf"query\w{{1,4}} ETIMEOUT {HOST}"),
    Wording(SILENT, rf"connection \d{{1,9}} to (?P<host>{ADDRESS}):{PORT} timed out"),
    Wording(
        SILENT,
        r"Server selection timed out after|No servers found yet|No suitable servers found|buffering timed out after",
    ),
    # Classes of exceptions that name the phase: httpx, requests, openai, undici, OkHttp, Net::HTTP, Faraday, java.net.
    Wording(
        SILENT,
        r"(?<![\"'\w])(?:Connect|Connection|Read|Write|Request|Headers|Body|Socket|Open|API|APIConnection|Gateway|ServerSelection|Http)_?Time(?:d)?[Oo]ut(?:Error|Exception)?\b",
    ),
    Wording(
        SILENT,
        r"Net::(?:Open|Read|Write)Timeout|(?:Faraday|HTTP)::TimeoutError|\bTimeout::Error|DOMException \[TimeoutError\]",
    ),
    Wording(
        SILENT,
        rf"{BARE}(?:ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_\w{{1,12}}_TIMEOUT)\b|timeout of \d{{1,7}}ms exceeded",
    ),
    Wording(
        SILENT,
        r"\bi/o timeout\b|context deadline exceeded|Client\.Timeout exceeded|DEADLINE_EXCEEDED|Deadline Exceeded",
    ),
    Wording(
        SILENT,
        r"\b(?:[Cc]onnection|[Cc]onnect|[Rr]ead|[Rr]equest|[Oo]peration|[Ss]ocket|[Hh]andshake|[Cc]all)(?: (?:has|was|is))? timed[ -]out\b",
    ),
    Wording(SILENT, r"[Rr]equest to [^\s]{1,120} timed out|[Rr]equest timed out: "),
    Wording(SILENT, r"(?:^|Error: |Timeout: |Timeout: The read operation )timed out$"),
    Wording(
        SILENT,
        r"timed out (?:while |when )?(?:calling|reading|connecting|fetching|requesting|contacting|waiting for (?:a )?(?:response|reply|answer))",
    ),
    Wording(
        SILENT,
        r"Timeout awaiting '\w{1,20}' for \d{1,7}ms|network timeout at:|[Cc]onnect timeout on endpoint|[Rr]ead timeout on endpoint",
    ),
    Wording(
        SILENT,
        r"Connect Timeout Error|Headers Timeout Error|Body Timeout Error|TLS handshake timeout|Connection terminated due to connection timeout",
    ),
    Wording(
        SILENT,
        r"HttpClient\.Timeout of [\d.]{1,10} seconds elapsing|cURL error 28|Operation timed out after \d",
    ),
    Wording(
        SILENT,
        r"reason: :timeout\b|\((?:Mint|Req|Finch)\.TransportError\) timeout|The operation was aborted due to timeout",
    ),
    # Redis clients, Netty, Excon, libpq, reqwest, DBConnection, SqlClient.
    Wording(
        SILENT,
        r"Timeout connecting to server|\bCommand timed out\b|RedisCommandTimeoutException|Timeout performing \w{2,20} ",
    ),
    Wording(
        SILENT,
        r"handler\.timeout\.ReadTimeoutException|connect timeout reached|^PG::\w{1,20}: timeout expired|source: TimedOut",
    ),
    Wording(
        SILENT,
        r"\b(?:tcp|ssl) (?:recv|send)(?: \(\w{1,20}\))?: timeout|Waited [\d.]{1,8} seconds$|\(os error 110\)",
    ),
    Wording(
        SILENT,
        r"\b[Nn]o (?:response|reply|answer)\b(?: from \S{1,80})? (?:within|after|in|for) \d|\bstatus=timeout\b|\btimeout after \d{1,7} ?m?s",
    ),
    Wording(SILENT, r"net::ERR_(?:CONNECTION_)?TIMED_OUT|upstream timed out \(110"),
)
CLOSURES: tuple[Wording, ...] = (
    # postgres.js, PostgreSQL and its clients, MySQL and its clients, Prisma P1017.
    Wording(CLOSED, rf"CONNECTION_(?:CLOSED|ENDED|DESTROYED) {HOST}:{PORT}"),
    Wording(
        CLOSED,
        r"server closed the connection unexpectedly|terminating connection due to administrator command",
    ),
    Wording(
        CLOSED, r"Connection terminated unexpectedly|[Cc]onnection was closed in the middle of operation"
    ),
    Wording(
        CLOSED, r"Server has closed the connection|The server closed the connection|[Ss]erver has gone away"
    ),
    Wording(
        CLOSED,
        r"Lost connection to (?:MySQL )?server|This connection has been closed|SSL connection has been closed",
    ),
    Wording(CLOSED, rf"connection \d{{1,9}} to (?P<host>{ADDRESS}):{PORT} closed"),
    Wording(CLOSED, rf"connection pool for (?P<host>{ADDRESS}):{PORT} was cleared"),
    Wording(
        CLOSED,
        r"[Cc]onnection already closed|InterfaceError: connection is closed|PG::UnableToSend: no connection to the server",
    ),
    Wording(
        CLOSED,
        rf"(?:read|write) tcp \S{{1,80}}->{HOST}:{PORT}: (?:write: broken pipe|(?:read|write): connection reset)",
    ),
    Wording(
        CLOSED,
        r"driver: bad connection|closing bad idle connection|\b(?:tcp|ssl) (?:recv|send)(?: \(\w{1,20}\))?: closed",
    ),
    Wording(CLOSED, r"I/O error occurred while sending to the backend|Exception while reading from stream"),
    # Sockets and HTTP clients of each language.
    Wording(CLOSED, rf"\b[Cc]onnection reset(?: by peer)?\b|{BARE}ECONNRESET\b|ConnectionResetError"),
    Wording(
        CLOSED, r"socket hang up|other side closed|[Ss]ocket closed unexpectedly|Connection closed by server"
    ),
    Wording(CLOSED, r"\bunexpected EOF\b|\": EOF$|Connection is closed\.$|EOFError: end of file reached"),
    Wording(
        CLOSED,
        r"Remote end closed connection|RemoteDisconnected|Server disconnected|response ended prematurely",
    ),
    Wording(
        CLOSED, r"Unable to read data from the transport connection|Empty reply from server|cURL error 5[26]"
    ),
    Wording(CLOSED, r"PrematureCloseException|Connection prematurely closed"),
    Wording(CLOSED, r"upstream prematurely closed connection|\(Mint\.TransportError\) socket closed"),
)
"""A client of the service that goes away (`EPIPE`, `aborted`, `ClientDisconnect`) is none of these."""
