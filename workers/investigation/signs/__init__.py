"""Signs: what the text of a log record shows about its cause, before it is redacted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workers.investigation.signs.ceiling_signs import ceiling_signs
from workers.investigation.signs.connection_signs import connection_signs
from workers.investigation.signs.module_wordings import COMMANDS, LIBRARIES, MODULES
from workers.investigation.signs.platform_wordings import ACCOMPANYING, PLATFORM
from workers.investigation.signs.pool_wordings import POOLS
from workers.investigation.signs.programming_signs import programming_signs
from workers.investigation.signs.record_text import RecordText, split_record
from workers.investigation.signs.response_signs import credential_signs, response_signs
from workers.investigation.signs.setting_signs import setting_signs
from workers.investigation.signs.sign_ranking import ranked
from workers.investigation.signs.wordings import read_table
from workers.models import Sign


def read_signs(text: str, code: Sequence[str] = ()) -> tuple[Sign, ...]:
    """The signs in one log record, the strongest first.

    Args:
        text: the whole record as it was logged, not redacted.
        code: the lines of own code that the innermost frame of its trace names, with the lines around it.
    """
    record = split_record(text, code)
    return ranked(_all_signs(record, record.lowered))


def _all_signs(record: RecordText, lowered: str) -> Iterator[Sign]:
    yield from setting_signs(record, lowered)
    for table in (MODULES, LIBRARIES, COMMANDS, POOLS):
        yield from read_table(table, record.message, lowered)
    yield from ceiling_signs(record, lowered)
    yield from credential_signs(record, lowered)
    yield from connection_signs(record, lowered)
    yield from response_signs(record, lowered)
    yield from programming_signs(record, lowered)
    for table in (PLATFORM, ACCOMPANYING):
        yield from read_table(table, record.message, lowered)
