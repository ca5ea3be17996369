"""Evidence is decided on as it was logged, and nothing leaves that is a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.cli.diagnosis import diagnose_case, diagnose_line, write_brief
from workers.cli.diagnosis_format import parse_case

AT = "2026-11-20T11:48:00Z"
SECRET = "qPz81KdaB3kd92xT7w"
TOKEN = "sk_live_51HxQpzLk2eZvKYlo2C0aBcDeF"
SECRETS = (SECRET, TOKEN, "hunter2horse", "connect.sid=s%3A")
ENVIRON_TRACE = [
    "Traceback (most recent call last):",
    '  File "/app/bot.py", line 3, in <module>',
    '    SECRET_KEY = os.environ["SECRET_KEY"]',
    '  File "<frozen os>", line 679, in __getitem__',
    "KeyError: 'SECRET_KEY'",
]
DUMP = [
    "AxiosError: Request failed with status code 500",
    "    at settle (/app/node_modules/axios/lib/core/settle.js:19:12)",
    "    at async charge (/app/src/pay.js:9:5) {",
    f"  headers: {{ Authorization: 'Bearer {SECRET}',",
    f"    'set-cookie': [ 'connect.sid=s%3A{SECRET}; Path=/; HttpOnly' ] }},",
    f"  config: {{ auth: '{TOKEN}' }}",
    "}",
]


def case(logs: list[str], files: dict[str, str], **fields: Any) -> str:
    lines = [{"at": AT, "severity": "error", "message": message} for message in logs]
    return json.dumps(
        {"service": "api", "findings": ["crashed"], "logs": lines, "repository": {"files": files}} | fields
    )


def outputs(line: str) -> str:
    """Everything that leaves: the evidence of the journal, the verdict, the printed answer and the brief."""
    diagnosis = diagnose_case(parse_case(line))
    recorded = diagnosis.evidence.model_dump_json() + diagnosis.verdict.model_dump_json()
    return recorded + diagnosis.incident.model_dump_json() + diagnose_line(line) + write_brief(line)


def test_a_variable_named_like_a_secret_is_named_in_the_answer() -> None:
    answer = json.loads(
        diagnose_line(case(ENVIRON_TRACE, {"bot.py": "import os\n\n" + ENVIRON_TRACE[2].strip()}))
    )

    assert answer["category"] == "configuration" and "SECRET_KEY" in answer["action"]


@pytest.mark.parametrize(
    "line",
    [
        case(DUMP, {"src/pay.js": "\n" * 8 + f"charge('{TOKEN}')\n" + f"const apiKey = '{SECRET}'\n"}),
        case([f"Error: connect to postgres://app:hunter2horse@db.example.io/x failed, api_key={SECRET}"], {}),
        case([json.dumps({"level": "error", "msg": "failed", "password": SECRET, "err": f"token={TOKEN}"})], {}),
        case(ENVIRON_TRACE, {".env.example": f"SECRET_KEY={SECRET}\n", "bot.py": f'KEY = "{TOKEN}"\n\n1\n'}),
        case(
            [], {}, requests=[{"path": f"/login?token={SECRET}&key={TOKEN}", "status": 500}],
            suspect={"commit": "c" * 40, "deployed_at": AT, "message": f"set password={SECRET}", "files": []},
            build_logs=[{"message": f"ERROR: API_KEY={TOKEN} is wrong"}],
        ),
    ],
    ids=["headers", "connection string", "json", "example and code", "requests and commit"],
)  # fmt: skip
def test_no_secret_leaves(line: str) -> None:
    text = outputs(line)

    assert [secret for secret in SECRETS if secret in text] == []


def test_the_verdict_is_a_pure_function_of_what_is_recorded() -> None:
    from workers.investigation.diagnosis import diagnose
    from workers.models import Evidence, Incident

    for line in (case(ENVIRON_TRACE, {"bot.py": "x"}), case(DUMP, {"src/pay.js": "\n" * 9})):
        incident, evidence, verdict, _ = diagnose_case(parse_case(line))
        again = diagnose(
            Incident.model_validate_json(incident.model_dump_json()),
            Evidence.model_validate_json(evidence.model_dump_json()),
        )
        assert again == verdict
