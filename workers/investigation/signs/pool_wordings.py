"""Sentences about exhausted connection pools and connection limits, with the option that sizes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.wordings import Wording, read_table, sign
from workers.models import Sign, SignKind

POOL = SignKind.POOL_EXHAUSTED

POOLS: tuple[Wording, ...] = (
    # node-postgres `pg-pool`; the same words serve a slow server, but the pool waits for a free client.
    Wording(POOL, r"timeout exceeded when trying to connect", "max"),
    # Prisma P2024.
    Wording(
        POOL,
        r"Timed out fetching a new connection from the (?:connection )?pool(?:[^\n]{0,160}?connection limit: (?P<n_current>\d{1,5}))?",
        "connection_limit",
    ),
    # Knex (tarn), Sequelize, TypeORM (mysql2), Mongo, generic-pool.
    Wording(POOL, r"Timeout acquiring a connection\. The pool is probably full", "pool.max"),
    Wording(POOL, r"ConnectionAcquireTimeoutError", "pool.max"),
    Wording(POOL, r"ResourceRequest timed out", "pool.max"),
    Wording(POOL, r"Queue limit reached|No connections available", "connectionLimit", exact_case=True),
    Wording(POOL, r"Timed out while checking out a connection from connection pool", "maxPoolSize"),
    Wording(POOL, r"WaitQueueTimeoutError|WaitQueueTimeout", "maxPoolSize"),
    # SQLAlchemy; the sizes are pool_size and max_overflow.
    Wording(
        POOL,
        r"QueuePool limit of size (?P<n_current>\d{1,5}) overflow (?P<n_overflow>-?\d{1,5}) reached",
        "pool_size",
    ),
    # psycopg_pool, asyncpg, aiomysql, redis-py.
    Wording(POOL, r"psycopg_pool\.PoolTimeout|couldn't get a connection after [\d.]{1,8} sec", "max_size"),
    Wording(
        POOL,
        r"redis[\w.]{0,40}(?:ConnectionError|MaxConnectionsError): (?:Too many connections|No connection available)",
        "max_connections",
    ),
    Wording(POOL, r"\bhttp(?:x|core)\.PoolTimeout", "max_connections"),
    Wording(POOL, r"PoolError: connection pool exhausted", "maxconn"),
    # HikariCP, Apache DBCP 2, Tomcat JDBC, Apache HttpClient, Lettuce and Jedis.
    Wording(
        POOL,
        r"Connection is not available, request timed out after \d{1,9}ms(?: \(total=(?P<n_current>\d{1,5}))?",
        "spring.datasource.hikari.maximum-pool-size",
    ),
    Wording(POOL, r"Cannot get a connection, pool error", "maxTotal"),
    Wording(POOL, r"PoolExhaustedException[^\n]{0,160}?(?:size:(?P<n_current>\d{1,5}))?", "maxActive"),
    Wording(POOL, r"Timeout waiting for connection from pool", "maxConnTotal"),
    Wording(POOL, r"Could not get a resource from the pool", "maxTotal"),
    # ActiveRecord, connection_pool (Sidekiq, Redis).
    Wording(POOL, r"Connection acquisition timed out after", "spring.r2dbc.pool.max-size"),
    Wording(
        POOL,
        r"could not obtain a connection from the pool within|ActiveRecord::ConnectionTimeoutError",
        "pool (RAILS_MAX_THREADS)",
    ),
    Wording(
        POOL,
        r"ConnectionPool::TimeoutError[^\n]{0,80}|Waited [\d.]{1,8} sec, (?P<n_used>\d{1,4})/(?P<n_current>\d{1,4}) available",
        "size",
    ),
    # DBConnection (Ecto).
    Wording(
        POOL, r"connection not available and request was dropped from queue after", "pool_size (POOL_SIZE)"
    ),
    # Npgsql, SqlClient, MySqlConnector.
    Wording(
        POOL,
        r"The connection pool has been exhausted, either raise [^\n]{0,40}\(currently (?P<n_current>\d{1,5})",
        "Maximum Pool Size",
    ),
    Wording(POOL, r"prior to obtaining a connection from the pool", "Max Pool Size"),
    Wording(POOL, r"all pooled connections are in use", "Maximum Pool Size"),
    # sqlx, deadpool, bb8, r2d2, Go's puddle.
    Wording(POOL, r"pool timed out while waiting for an open connection|\bPoolTimedOut\b", "max_connections"),
    Wording(
        POOL,
        r"Timeout occurred while waiting for a slot to become available|timed out waiting for connection|Timed out in bb8",
        "max_size",
    ),
    Wording(POOL, r"redis: connection pool timeout", "PoolSize"),
    # Worker processes of PHP-FPM and Apache: `server reached pm.max_children setting (5), consider raising it`.
    Wording(POOL, r"reached (?:pm\.)?max_children setting \((?P<n_current>\d{1,5})\)", "pm.max_children"),
    Wording(POOL, r"server reached MaxRequestWorkers setting", "MaxRequestWorkers"),
    # The server's own limit, which its name follows: PostgreSQL, PgBouncer, MySQL, Redis, MongoDB.
    Wording(
        POOL,
        r"too many clients already|remaining connection slots are reserved|too many connections for (?:role|database)",
        "max_connections of PostgreSQL",
    ),
    Wording(
        POOL,
        r"(?:1040|08004|ER_CON_COUNT_ERROR|ER_TOO_MANY_USER_CONNECTIONS|MySQL)[^\n]{0,40}Too many connections|User [^\n]{1,80} has exceeded the 'max_user_connections'",
        "max_connections of MySQL",
    ),
    Wording(POOL, r"max number of clients reached", "maxclients of Redis"),
    Wording(
        POOL,
        r"no more connections allowed \(max_client_conn\)|[Mm]ax client connections reached|query_wait_timeout|MaxClientsInSessionMode",
        "pool_size of PgBouncer",
    ),
    # Whatever words a client has for it: a pool of connections that is full, exhausted, or waited for too long.
    Wording(
        POOL,
        r"\b(?:[Cc]onnection|[Cc]lient|[Ss]ession|[Dd]ata ?[Ss]ource|[Dd]atabase|DB|[Rr]edis|SQL|[Hh]ttp|HTTP|\w{1,30}(?:Cp|CP))[ -]?[Pp]ool\w{0,10}\b[^\n]{0,60}?"
        r"\b(?:exhausted|is full|(?:max(?:imum)?|limit|size)(?: size)? (?:was |has been |is )?(?:reached|exceeded)|timed? ?out|no (?:free|available|idle)"
        r"|has no|ran out|overflow|too many|depleted|drained|at capacity)",
    ),
    Wording(
        POOL,
        r"\b(?:exhausted|ran out of|no (?:free|available|idle|more)|all|too many|waiting for (?:a|an)(?: free| idle| available)?|acquir(?:e|ing) (?:a )?)"
        r" ?(?:\w{1,20} ){0,2}connections?\b[^\n]{0,60}\bpool\b(?! (?:started|created|initiali[sz]ed|with))",
    ),
    Wording(
        POOL,
        r"\b(?:\w{0,40}Pool(?:Exhausted|Timeout|TimedOut|Full|Limit|Acquire)\w{0,20}|\w{0,30}AcquireTimeout\w{0,20})\b",
    ),
)
# Libraries that are pools and nothing else: a time-out that they raise themselves is one of waiting for their resource.
POOL_FRAME = re.compile(r"^ {4}at [^\n]{0,200}/node_modules/(?:tarn|generic-pool)/", re.M)


def pool_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of exhausted pools, by the words of the record or the library whose frames its trace begins with."""
    yield from read_table(POOLS, record.message, record.lowered)
    frame = POOL_FRAME.search(record.whole) if "timeout" in record.lowered else None
    if frame and "\n    at " not in record.whole[: frame.start()]:
        yield sign(POOL, "pool.max")
