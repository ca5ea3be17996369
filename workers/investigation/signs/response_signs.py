"""Reads answers of called hosts that are errors: rejected credentials, 5xx, rate limits. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.credential_wordings import CREDENTIALS, REJECTED
from workers.investigation.signs.host_names import HOST, PORT, URL, endpoint
from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.wordings import (
    compiled,
    has_any,
    line_around,
    matches,
    may_match,
    read_table,
    sign,
)
from workers.models import Sign, SignKind

# Words without a product: the host stands elsewhere on the line, or nowhere.
ANY_REJECTION = (
    r"\b(?:[Ii]nvalid|[Ee]xpired|[Ii]ncorrect|[Rr]evoked|[Bb]ad) (?:api|API|Api)[ _-]?[Kk]ey\b",
    r"\b40[13] Client Error|Unauthorized for url|Client error '40[13] ",
    r"HTTP/1\.1 401 Unauthorized\b",
    r"Request failed with status code 401|Response code 401|server responded with status 401",
    r"\b401 Unauthorized(?: from|:)",
    r"\binvalid_api_key\b",
    r"HttpClientErrorException\$(?:Unauthorized|Forbidden)|does not indicate success: 401",
)
# 501 is left out: it is an error of the caller.
STATUS = r"(?P<status>50[0234]|52[0-79]|429)"
# requests, httpx, axios, got, Faraday, RestTemplate, .NET, Guzzle, Go services, nginx, providers' SDKs.
STATUS_FORMS = (
    rf"\b{STATUS} (?:Server|Client) Error",
    rf"(?:Server|Client) error '{STATUS} ",
    rf"(?:failed|responded|rejected|returned|answered|error) with (?:a |an )?(?:HTTP )?status(?: code)? {STATUS}\b",
    rf"Response code {STATUS} \(",
    rf"server responded with status {STATUS}\b",
    rf"does not indicate success: {STATUS}\b",
    rf"resulted in a [`']?{STATUS} ",
    rf"\b(?i:answered|returned|responded|replied|gave|got|received)(?: with)?(?: an?)?(?: HTTP)?(?: status)?(?: code)?:? {STATUS}\b",
    rf"\b(?:upstream|unexpected|bad|error|response) (?:response )?(?:HTTP )?status(?: code)?[:= ]{{1,2}}{STATUS}\b",
    rf"(?<!HTTP/1\.1\" )(?<!HTTP/1\.0\" )\b{STATUS}:? (?:Bad Gateway|Service (?:Temporarily )?Unavailable|Gateway Time-?out|Too Many Requests)",
    rf"\bstatus(?:Code|_code)?[\"']?[:=] ?{STATUS}\b",
    rf"Error code: {STATUS} - ",
    rf"\bError {STATUS}: ",
    rf"error occurred \({STATUS}\) when calling",
    rf"\b(?:[Rr]equest|[Cc]all)\b[^\n]{{0,60}} failed: {STATUS}\b",
    r"ThrottlingException|TooManyRequestsException|ProvisionedThroughputExceeded",
    r"RateLimitError\b|insufficient_quota|You exceeded your current quota",
    r"overloaded_error",
)
TOO_MANY_REQUESTS = 429.0  # status of a rate limit whose text names no status
CLIENT_WORDS = ("error", "exception", "upstream", "failed", "unavailable from")
CLIENT_ERROR = re.compile(r"\b\w*(?:Error|Exception)\b")
MAX_LINE_CHARS = 1_000  # of a line that are searched for words beside a status
OWN_ANSWER = re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /|\"path\": ?\"/")
"""A request to the service itself, by its path."""
# The service's own answer in a record of pino-http and Fastify, beside the error that it answers with.
OWN_REPLY = re.compile(r"\"res\":\s?\{[^{}]{0,300}\}?|\bres\.statusCode=\d{3}\b")
# Positions that hold the host that answered.
ANSWERED_BY = (
    rf"\b(?:for url|from|to|of|by|at|GET|POST|PUT|PATCH|DELETE|calling|request)[: (\[]{{1,3}}['\"`<]{{0,2}}{URL}",
    rf"\b(?:url|baseURL|uri)[\"']?: ?[\"']{URL}",
    rf"{URL}[^\s]{{0,200}}:? (?:answered|returned|responded|replied|gave|failed|unexpected|status)",
    rf"\bhostname[\"']?: ?[\"']{HOST}[\"'](?:,\s{{0,8}}[\"']?port[\"']?: ?{PORT})?",
    r"\b(?P<host>[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,5}\.[a-z]{2,12})(?::(?P<port>\d{1,5}))? (?:answered|returned|responded|replied|gave)",
    rf"upstream: \"{URL}",
    r"\b(?:upstream|service) (?P<host>[a-z][a-z0-9-]{1,40}) (?:answered|returned|responded|replied|gave)",
)
PROVIDERS = (("openai", "api.openai.com"), ("anthropic", "api.anthropic.com"), ("stripe", "api.stripe.com"))


def credential_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of rejected passwords and keys, with the product or the host."""
    yield from read_table(CREDENTIALS, record.message, record.lowered)
    for pattern in ANY_REJECTION:
        if may_match(pattern, record.lowered) and compiled(pattern, True).search(record.message):
            yield sign(REJECTED, _answering_host(record))


def response_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of error answers, with the host and the status."""
    message = OWN_REPLY.sub("", record.message)
    for pattern in STATUS_FORMS:
        match = compiled(pattern, True).search(message) if may_match(pattern, record.lowered) else None
        if match:
            status = float(match.groupdict().get("status") or TOO_MANY_REQUESTS)
            host = _answering_host(record)
            if host or _is_reported_by_client(match, record.lowered):
                yield sign(SignKind.ERROR_RESPONSE, host, {"status": status})
                return


def _is_reported_by_client(match: re.Match[str], lowered: str) -> bool:
    """True if a client reports the answer; without a host, the line of an access log has the same words."""
    begin, end = line_around(match)
    line = match.string[begin:end][:MAX_LINE_CHARS]
    return CLIENT_ERROR.search(line) is not None or (
        has_any(lowered, CLIENT_WORDS) and not OWN_ANSWER.search(line)
    )


def _answering_host(record: RecordText) -> str:
    """The host that answered, without a port that says nothing new."""
    for pattern in ANSWERED_BY:
        for match in (
            matches(pattern, record.message, exact_case=True) if may_match(pattern, record.lowered) else ()
        ):
            name = endpoint(match["host"], match.groupdict().get("port"))
            if name:
                return name
    return next((host for word, host in PROVIDERS if word in record.lowered), "")
