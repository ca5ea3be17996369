"""Sentences of the platform and of servers around the code: stops, dropped lines, health checks, ports; and lines that
only accompany another failure. Pure."""

from __future__ import annotations

from workers.investigation.signs.wordings import Wording
from workers.models import SignKind

TERMINATED = SignKind.TERMINATED
DROPPED = SignKind.LINES_DROPPED
UNHEALTHY = SignKind.HEALTH_CHECK_FAILED
ARCHIVING = SignKind.ARCHIVING_BEHIND
PORT = SignKind.PORT_IN_USE
SLOW = SignKind.WORKER_TIMEOUT

PLATFORM: tuple[Wording, ...] = (
    # Railway's own lines in deployment and build logs.
    Wording(TERMINATED, r"^Stopping Container$", "SIGTERM"),
    Wording(
        DROPPED,
        r"Railway rate limit of (?P<n_limit>\d{1,6}) logs/sec reached[^\n]{0,80}?Messages dropped: (?P<n_lines>\d{1,9})",
    ),
    Wording(DROPPED, r"Messages dropped: (?P<n_lines>\d{1,9})"),
    Wording(
        UNHEALTHY,
        r"Path: (?P<subject>/[\w./-]{0,100})\n|Healthcheck failed!|\d{1,3}/\d{1,3} replicas never became healthy|\bhealth ?check failed\b|Healthcheck failure",
    ),
    Wording(UNHEALTHY, r"Attempt #\d{1,3} failed with service unavailable"),
    # Signals, as PostgreSQL, npm, Node.js, gunicorn, uvicorn, Spring, Redis and dumb-init name them.
    Wording(TERMINATED, r"received (?:fast|smart|immediate) shutdown request", "SIGTERM"),
    Wording(
        TERMINATED,
        r"(?:[Rr]eceived|signal|Handling signal:|Caught|Got)(?: signal)?:? ?(?P<subject>SIGTERM|SIGINT|SIGQUIT|SIGHUP|term|TERM)\b",
        exact_case=True,
    ),
    Wording(TERMINATED, r"\b(?P<subject>SIGTERM)\b"),
    Wording(TERMINATED, r"User requested shutdown\.\.\.", "SIGTERM"),
    Wording(TERMINATED, r"\bsignal 15\b|signal: terminated|Terminated by signal 15", "SIGTERM"),
    # PostgreSQL's write-ahead log with pgBackRest or wal-g on Railway's image.
    Wording(
        ARCHIVING,
        r"archive command failed with exit code|archive-push[^\n]{0,80}(?:error|ERROR|unable|timeout)|archiving write-ahead log file \"[^\"\n]{1,40}\" failed too many times",
    ),
    Wording(ARCHIVING, r"unable to push WAL file|WAL file '\w{1,40}' to the archive"),
    Wording(ARCHIVING, r"(?:pg_wal/xlogtemp\.\d{1,9}|pg_wal/[\w.]{1,40})\"?: No space left on device"),
    # Ports.
    Wording(
        PORT,
        r"EADDRINUSE:? (?:address already in use|permission denied)? ?(?:[\w.:\[\]*]{0,60}:)?(?P<subject>\d{2,5})\b",
    ),
    Wording(
        PORT,
        r"(?:listen tcp [\w.:\[\]]{0,60}?:|bind\(\) to [\w.:\[\]]{1,60}?:|[Pp]ort |\('[\w.:]{1,40}', )(?P<subject>\d{2,5})[^\n]{0,60}[Aa]ddress already in use",
    ),
    Wording(PORT, r"Address already in use - bind\(2\) for \"[\w.:]{1,60}\" port (?P<subject>\d{2,5})"),
    Wording(PORT, r"[Ff]ailed to bind to address https?://[\w.\[\]:]{1,60}?:(?P<subject>\d{2,5})\b"),
    Wording(PORT, r"(?:[Pp]ort |:)(?P<subject>\d{2,5}) (?:is|was) already in use"),
    Wording(
        PORT,
        r"[Aa]ddress already in use|(?<![\"'\w])EADDRINUSE\b|Connection in use: \('[\w.:]{1,40}', (?P<subject>\d{2,5})\)|:eaddrinuse",
    ),
    # A server that ended a worker for one slow request: gunicorn, uWSGI, Puma, unicorn, Passenger, nginx in front of PHP-FPM.
    Wording(SLOW, r"\bWORKER TIMEOUT\b", "gunicorn"),
    Wording(SLOW, r"was sent SIGKILL! Perhaps out of memory\?", "gunicorn"),
    Wording(SLOW, r"HARAKIRI", "uwsgi"),
    Wording(SLOW, r"Terminating timed out worker", "puma"),
    Wording(SLOW, r"worker=\d{1,4} PID:\d{1,9} timeout \(", "unicorn"),
    Wording(SLOW, r"execution timed out \([\d.]{1,10} sec\), terminating", "php-fpm"),
    Wording(SLOW, r"Maximum execution time of \d{1,6}\+?\d{0,3} seconds? exceeded", "php max_execution_time"),
    Wording(
        SLOW, r"(?:Soft|Hard) time limit \([\d.]{1,10}s?\) exceeded|\b(?:Soft)?TimeLimitExceeded\b", "celery"
    ),
    Wording(SLOW, r"Rack::Timeout::RequestTimeout(?:Exception|Error)", "rack-timeout"),
)
# Lines that follow from another failure: runners of processes, package managers, builders, crash handlers.
ACCOMPANYING: tuple[Wording, ...] = (
    Wording(
        SignKind.ACCOMPANIES,
        r"^\s{0,4}npm (?:ERR!|error|WARN|warn|notice)(?: (?:code|errno|path|command|syscall|signal|Lifecycle|lifecycle|A complete log|workspace|location|Exit|Failed at|This is probably)|\s|$)",
    ),
    Wording(
        SignKind.ACCOMPANIES,
        r"(?:Aborted|Segmentation fault|Illegal instruction|Trace/breakpoint trap)[^\n]{0,40}\(core dumped\)",
    ),
    Wording(
        SignKind.ACCOMPANIES,
        r"(?:error )?Command failed with exit (?:code|status) \d{1,3}|exited with (?:exit )?(?:code|status):? \d{1,3}|\bexit code: \d{1,3}|exit status \d{1,3}$|ELIFECYCLE",
    ),
    Wording(SignKind.ACCOMPANIES, r"failed to (?:build|solve)|did not complete successfully"),
    Wording(
        SignKind.ACCOMPANIES,
        r"Worker exiting|Worker failed to boot|Shutting down: Master|Reason: Worker failed to boot",
    ),
    Wording(SignKind.ACCOMPANIES, r"[Tt]he above error occurred|Consider adding an error boundary"),
    Wording(SignKind.ACCOMPANIES, r"Application startup failed\. Exiting|APPLICATION FAILED TO START"),
    Wording(SignKind.ACCOMPANIES, r"-{4,6} Native stack trace -{4,6}|<--- JS stacktrace --->"),
    Wording(SignKind.ACCOMPANIES, r"^\s?\d{1,3}: 0x[0-9a-f]{4,16} "),
    Wording(SignKind.ACCOMPANIES, r"app crashed - waiting for file changes"),
    Wording(
        SignKind.ACCOMPANIES,
        r"error: script \"[\w:.-]{1,60}\" (?:exited|was terminated)|make: \*\*\* |error Command failed",
    ),
    Wording(SignKind.ACCOMPANIES, r"An unhandled exception has occurred while executing the request\.$"),
    Wording(SignKind.ACCOMPANIES, r"Exception in ASGI application\s*$|\"?Internal Server Error\"?: /"),
    Wording(SignKind.ACCOMPANIES, r"Back-off restarting|Restarting container"),
)
