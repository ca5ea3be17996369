"""The verdict, the agent's plan, and its usage."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from workers.models.base import Model
from workers.models.clean_text import VisiblePath


class Category(StrEnum):
    """The kind of cause, which decides who can end the incident."""

    CODE = "code"
    DEPLOYMENT = "deployment"
    RESOURCE_LIMIT = "resource limit"
    CONFIGURATION = "configuration"
    UPSTREAM = "upstream"
    PLATFORM = "platform"
    TRAFFIC = "traffic"
    TRANSIENT = "transient"
    INCONCLUSIVE = "inconclusive"


class VerdictReason(StrEnum):
    """The conclusion of one diagnosis rule. The category, the advice and the texts of a verdict follow from it."""

    NO_FACTS = "no_facts"
    NO_RULE_APPLIES = "no_rule_applies"
    PLATFORM_INCIDENT = "platform_incident"
    WAY_IN_LOST = "way_in_lost"
    STOPPED_BY_PLATFORM = "stopped_by_platform"
    EDGE_FAILED = "edge_failed"
    PRIVATE_NETWORK_DOWN = "private_network_down"
    OUTBOUND_NETWORK_DOWN = "outbound_network_down"
    SERVICE_REMOVED = "service_removed"
    NO_DEPLOYMENT_LEFT = "no_deployment_left"
    NO_LOGS_OF_FAILED_DEPLOYMENT = "no_logs_of_failed_deployment"
    HEALTH_CHECK_FAILED = "health_check_failed"
    BUILD_OR_START_FAILED = "build_or_start_failed"
    MODULE_NOT_INSTALLED = "module_not_installed"
    OWN_MODULE_MISSING = "own_module_missing"
    LIBRARY_MISSING = "library_missing"
    COMMAND_MISSING = "command_missing"
    START_COMMAND_MISSING = "start_command_missing"
    START_COMMAND_WRONG = "start_command_wrong"
    APPROVAL_PENDING = "approval_pending"
    CHECKS_PENDING = "checks_pending"
    BUILD_QUEUED = "build_queued"
    DEPLOYMENT_NOT_STARTED = "deployment_not_started"
    DEPLOYMENT_HANGS = "deployment_hangs"
    DEPLOYMENT_SKIPPED = "deployment_skipped"
    VARIABLE_MISSING = "variable_missing"
    VARIABLE_INVALID = "variable_invalid"
    ADDRESS_WRONG = "address_wrong"
    CREDENTIALS_REJECTED = "credentials_rejected"
    TLS_SETTINGS_WRONG = "tls_settings_wrong"
    PORT_IN_USE = "port_in_use"
    NOT_LISTENING = "not_listening"
    POOL_EXHAUSTED = "pool_exhausted"
    POOL_LEAK_SINCE_COMMIT = "pool_leak_since_commit"
    RUNTIME_CEILING = "runtime_ceiling"
    ARCHIVING_BEHIND = "archiving_behind"
    SIBLING_UNKNOWN = "sibling_unknown"
    SIBLING_DOWN = "sibling_down"
    SIBLING_RECOVERED = "sibling_recovered"
    SIBLING_NOT_NAMED = "sibling_not_named"
    SIBLING_ADDRESS_STALE = "sibling_address_stale"
    STARTED_BEFORE_SIBLING = "started_before_sibling"
    UPSTREAM_DOWN = "upstream_down"
    UPSTREAM_NOT_NAMED = "upstream_not_named"
    HOST_UNKNOWN = "host_unknown"
    DOMAIN_REMOVED = "domain_removed"
    TRAFFIC_GONE = "traffic_gone"
    TRAFFIC_FELL = "traffic_fell"
    WORKER_IDLE = "worker_idle"
    ERROR_IN_CODE = "error_in_code"
    CALLERS_LOCKED_OUT = "callers_locked_out"
    INPUT_REJECTED = "input_rejected"
    REFUSES_SINCE_COMMIT = "refuses_since_commit"
    LEAK_SINCE_COMMIT = "leak_since_commit"
    SLOW_SINCE_COMMIT = "slow_since_commit"
    BUSY_SINCE_COMMIT = "busy_since_commit"
    LEAK_ON_ROUTE = "leak_on_route"
    SLOW_ROUTE = "slow_route"
    BUSY_ROUTE = "busy_route"
    WORKER_TIMEOUT = "worker_timeout"
    MORE_TRAFFIC = "more_traffic"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    VOLUME_FULL = "volume_full"
    DISK_FULL = "disk_full"
    CRON_MISSED = "cron_missed"
    CRON_OVERLAP = "cron_overlap"
    CRON_SLOWER = "cron_slower"
    EGRESS_THROUGH_PUBLIC_PROXY = "egress_through_public_proxy"
    EGRESS_GREW = "egress_grew"
    PROCESS_ENDED = "process_ended"
    RECOVERED = "recovered"


class Verdict(Model):
    """The category of the cause, with the facts for and against. The texts are for people only."""

    category: Category
    reason: VerdictReason
    summary: str
    supports: tuple[str, ...] = ()
    """Ids of facts."""
    contradicts: tuple[str, ...] = ()
    """Ids of facts that point to another category."""
    action: str = ""
    """Advice to people, for verdicts that no patch resolves."""
    next_checks: tuple[str, ...] = ()
    confidence: float = 0.5
    """0.0 to 1.0: a judgement about the rule, not a measured probability."""

    @property
    def calls_for_a_fix(self) -> bool:
        """True if a patch to the repository may end the incident.

        A deployment that hangs or was skipped is of category `deployment`, but nothing in its code is known to be
        wrong.
        """
        fixable = self.category in (Category.CODE, Category.DEPLOYMENT)
        return fixable and self.reason not in (
            VerdictReason.DEPLOYMENT_HANGS,
            VerdictReason.DEPLOYMENT_SKIPPED,
        )


class PlanCause(Model):
    """The cause that the reader found in the code."""

    summary: str = Field(min_length=1, max_length=600)
    """One sentence."""
    file: VisiblePath | None = None
    """Path from the root of the repository. A plan of the category `code` always has file and line."""
    line: int | None = Field(default=None, ge=1)


class Reproduction(Model):
    """How the fault can be reproduced."""

    kind: Literal["test", "script", "load", "none"]
    """`test` and `script` are a new file; `load` needs real requests; `none` cannot be reproduced here."""
    path: VisiblePath | None = None
    """The new file of a `test` or `script`, from the root of the repository."""
    why: str = ""


class Plan(Model):
    """The reader's validated answer: the change that is needed, and how to reproduce the fault."""

    verdict: Category
    cause: PlanCause
    evidence: tuple[str, ...] = ()
    """Ids of the facts that support the verdict."""
    reproduction: Reproduction
    change: tuple[str, ...] = ()
    """The steps of the change, one sentence each."""
    risk: str = ""
    undo: str = ""
    ruled_out: tuple[str, ...] = ()
    """Other causes that the reader excluded."""
    unknown: tuple[str, ...] = ()
    """Facts that are missing for a better answer."""
    next_checks: tuple[str, ...] = ()
    """Checks for a person, where the plan leads to no fix."""
    confidence: float = Field(default=0.5, ge=0, le=1)


class Usage(Model):
    """The resources that a run of the agent used."""

    cost_usd: float = 0.0
    """US dollars by TRACKWALKER_MODEL_PRICE, OPENCODE_CONFIG or the list prices; 0 for a model without a price."""
    tokens: int = 0
    """Input, cached, output and reasoning tokens together."""
    calls: int = 0
    """Calls of the model."""
    seconds: float = 0.0
    """Duration of the run."""
