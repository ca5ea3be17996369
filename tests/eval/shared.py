"""Windows that others generated or recorded, in a folder beside the repository, if it is present."""

from __future__ import annotations

import importlib.util
import os
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from tests.eval.canvas import FIRST_END
from tests.eval.detector import Line

HTTP_FIELDS = {"req": "requests", "s2": "2xx", "s4": "4xx", "s5": "5xx", "p95": "p95"}
EVENT_KINDS = {"deploy": "deployed", "crash": "crashed", "oom": "oom"}
HISTORY_FIELDS = {
    "cpu": "cpu_mean", "mem": "memory_mean", "mem_lo": "memory_low", "disk": "disk", "req": "requests", "s5": "5xx",
    "ok": "ok", "p95": "p95_median", "p95_hi": "p95_high", "cpu_run": "cpu_high_minutes", "reset": "restarted",
}  # fmt: skip
DEFAULT_FOLDER = Path(__file__).parents[2].parent / "shared" / "detection"


def data_folder() -> Path:
    """The folder in TRACKWALKER_DETECTION, or ../shared/detection; it may be absent."""
    return Path(os.environ.get("TRACKWALKER_DETECTION") or DEFAULT_FOLDER)


def data_path(*names: str) -> Path | None:
    """A file or folder in the data folder; None if it is absent."""
    inner = data_folder().joinpath(*names)
    return inner if inner.exists() else None


def petshop_folders() -> list[Path]:
    """The folders of PetShop's traffic patterns, with train, test and noissue."""
    patterns = data_path("data", "petshop", "dataset")
    return sorted(path.parent for path in patterns.glob("*/noissue")) if patterns else []


def nezha_folders() -> list[Path]:
    """The folders of Nezha's Online Boutique, one per day."""
    days = data_path("data", "nezha-onlineboutique")
    return sorted(day for day in days.iterdir() if day.is_dir()) if days else []


def scenarios() -> ModuleType | None:
    """The other generator (`make`, `make_project`, `CLASSES`, `DAY_MIX`); None if it is absent."""
    return _load("scenarios")


def threshold_rules() -> ModuleType | None:
    """The other implementation of the fixed thresholds (`flagged`); None if it is absent."""
    return _load("threshold_rules")


@lru_cache
def _load(name: str) -> ModuleType | None:
    path = data_path(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"shared_{name}", path) if path else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_public_format(window: Line, service: str | None = None) -> Line:
    """A window of the other generator in the public format; it ends at a fixed time."""
    minutes, http = window["minutes"], window["http"]
    return {
        "service": service or window["service"],
        "end": FIRST_END.isoformat(),
        "step_seconds": window["step"],
        "cpu": window["cpu"],
        "cpu_limit": window["cpu_limit"],
        "memory": window["mem"],
        "memory_limit": window["mem_limit"],
        "replicas": 1,
        "disk": window["disk"],
        "disk_limit": window["disk_limit"],
        "http": http
        and {"step_seconds": window["http_step"], **{new: http[old] for old, new in HTTP_FIELDS.items()}},
        "events": [
            {"kind": EVENT_KINDS[kind], "at": (FIRST_END - timedelta(minutes=minutes - at)).isoformat()}
            for kind, at in window["events"]
        ],
        "past": [
            {HISTORY_FIELDS[name]: value for name, value in summary.items() if value is not None}
            for summary in window["history"]
        ],
    }


def project_in_public_format(project: Line, *, calls: bool = True) -> Line:
    """A project of the other generator, with or without its call graph."""
    line: Line = {
        "services": [in_public_format(window, name) for name, window in project["services"].items()]
    }
    if calls:
        line["calls"] = [
            [caller, callee] for caller, callees in project["calls"].items() for callee in callees
        ]
    return line
