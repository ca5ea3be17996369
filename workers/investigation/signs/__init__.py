"""Signs: what the text of a log record shows about its cause, before it is redacted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workers.investigation.signs.called_products import product_of
from workers.investigation.signs.ceiling_signs import ceiling_signs
from workers.investigation.signs.connection_signs import connection_signs
from workers.investigation.signs.input_wordings import input_signs
from workers.investigation.signs.module_wordings import COMMANDS, LIBRARIES, MODULES, PROGRAMS
from workers.investigation.signs.platform_wordings import ACCOMPANYING, PLATFORM
from workers.investigation.signs.pool_wordings import pool_signs
from workers.investigation.signs.programming_signs import programming_signs
from workers.investigation.signs.record_text import RecordText, split_record
from workers.investigation.signs.response_signs import credential_signs, response_signs
from workers.investigation.signs.setting_signs import setting_signs
from workers.investigation.signs.sign_ranking import CALL_KINDS, ranked
from workers.investigation.signs.wordings import read_table
from workers.models import Sign, SignKind


def read_signs(text: str, code: Sequence[str] = ()) -> tuple[Sign, ...]:
    """The signs in one log record, the strongest first.

    Args:
        text: the whole record as it was logged, not redacted.
        code: the lines of own code that the innermost frame of its trace names, with the lines around it.
    """
    record = split_record(text, code)
    signs = ranked(_all_signs(record))
    if not any(item.kind in CALL_KINDS for item in signs):
        return signs
    # The message is believed before the frames: a client may be in the trace of another one's failure.
    product = product_of(record.message) or product_of(record.whole)
    return tuple(_with_product(item, product) for item in signs)


def _all_signs(record: RecordText) -> Iterator[Sign]:
    if not record.message.strip():
        yield Sign(kind=SignKind.ACCOMPANIES)  # frames alone belong to the error of another record
    yield from setting_signs(record)
    for table in (MODULES, LIBRARIES, PROGRAMS, COMMANDS):
        yield from read_table(table, record.message, record.lowered)
    for reader in (
        pool_signs,
        ceiling_signs,
        credential_signs,
        connection_signs,
        response_signs,
        programming_signs,
        input_signs,
    ):
        yield from reader(record)
    for table in (PLATFORM, ACCOMPANYING):
        yield from read_table(table, record.message, record.lowered)


def _with_product(item: Sign, product: str) -> Sign:
    if item.kind not in CALL_KINDS:
        return item
    return item.model_copy(update={"product": product_of(item.subject) or product})
