"""Railway's opaque JSON scalars: deployment metadata, service limits, event payloads.

The schema promises no shape for them, so every reader returns an empty value for data that it does not recognise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

BYTES_PER_GB = 1e9
"""Railway's memory limits are decimal: a limit of 8 GB arrives as 8000000000 bytes."""


def parse_json(value: object) -> Mapping[str, Any]:
    """An opaque scalar as a mapping, from an object or from JSON text; empty for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def child(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under the key; empty if there is none."""
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def text_field(value: Mapping[str, Any], key: str) -> str | None:
    """The non-empty string under the key, else None."""
    inner = value.get(key)
    return inner if isinstance(inner, str) and inner else None


def text_list(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The non-empty strings of the list under the key; empty if there is none."""
    inner = value.get(key)
    return tuple(item for item in inner if isinstance(item, str) and item) if isinstance(inner, list) else ()


def replica_count(meta: Mapping[str, Any]) -> int | None:
    """Replicas of a deployment, from its metadata; None if the metadata names none."""
    deploy = child(child(meta, "serviceManifest"), "deploy")
    regions: Iterable[object] = child(deploy, "multiRegionConfig").values()
    # The instance's own numReplicas is the legacy field of one region: 1 for a service in several regions.
    counts = [_positive(region.get("numReplicas")) for region in regions if isinstance(region, dict)]
    total = int(sum(count for count in counts if count)) or int(_positive(deploy.get("numReplicas")) or 0)
    return total or None


def parse_limits(value: object) -> tuple[float | None, float | None]:
    """vCPU and GB of a `ServiceInstanceLimit`; None for a limit that is not set.

    The scalar is documented nowhere; observed: `{"containers": {"cpu", "memoryBytes", "pidLimit"}}`.
    """
    limits = parse_json(value)
    inner = child(limits, "containers") or limits
    cpu, memory = _positive(inner.get("cpu")), _positive(inner.get("memoryBytes"))
    return cpu, memory / BYTES_PER_GB if memory else None


def repository_name(address: str | None) -> str | None:
    """`owner/name` of a repository, from that form or from a clone address."""
    if not address:
        return None
    parts = address.removesuffix(".git").rstrip("/").replace(":", "/").split("/")
    return "/".join(parts[-2:])


def _positive(value: object) -> float | None:
    valid = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return float(value) if valid else None  # type: ignore[arg-type]  # narrowed by `valid`
