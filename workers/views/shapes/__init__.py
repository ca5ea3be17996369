"""The models of all views. `model_dump(mode="json")` of them is what `/incidents/<id>.json` and the MCP server answer.

The shape is stable: fields are added, never renamed, and a reader must ignore fields that it does not know. Times are
UTC, amounts carry their unit in the name, and a value that is unknown is null.
"""

from __future__ import annotations

from workers.views.shapes.evidence_shapes import (
    Chart,
    ChartMark,
    ConsideredCategory,
    DiffView,
    FactView,
    PlanView,
    RecordLink,
    RowKind,
    RunView,
    TimelineRow,
    VerdictView,
    VerificationView,
)
from workers.views.shapes.incident_shapes import (
    Cost,
    EarlierRow,
    FoldedRow,
    FollowUpView,
    IncidentView,
    PostView,
    RollbackView,
    SuspectView,
)
from workers.views.shapes.listing_shapes import HistoryPage, JournalPage, JournalRow, RecordView
from workers.views.shapes.overview_shapes import (
    Health,
    Overview,
    RequestBudget,
    ServiceRow,
    Spending,
    SweepRow,
    WaitingNotification,
)
from workers.views.shapes.row_shapes import IncidentRow, IncidentState, PullLink

__all__ = [
    "Chart",
    "ChartMark",
    "ConsideredCategory",
    "Cost",
    "DiffView",
    "EarlierRow",
    "FactView",
    "FoldedRow",
    "FollowUpView",
    "Health",
    "HistoryPage",
    "IncidentRow",
    "IncidentState",
    "IncidentView",
    "JournalPage",
    "JournalRow",
    "Overview",
    "PlanView",
    "PostView",
    "PullLink",
    "RecordLink",
    "RecordView",
    "RequestBudget",
    "RollbackView",
    "RowKind",
    "RunView",
    "ServiceRow",
    "Spending",
    "SuspectView",
    "SweepRow",
    "TimelineRow",
    "VerdictView",
    "VerificationView",
    "WaitingNotification",
]
