"""`POST /slack/actions`: the buttons, menus and modals below our messages.

A press is acknowledged at once and done in a thread, because Slack waits for three seconds only; the person reads the
result as a message that nobody else sees. A modal is answered with the result, or with the error beside its field.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from receiver import slack_modals, slack_signature
from receiver.slack_payload import InvalidRequest, Press, Submission, parse
from workers.clients.slack_controls import MODAL_CONTROLS, Control, read_control
from workers.errors import NotAvailable, SlackBusy, SlackRefused
from workers.models import Action, ActionKind, ActionResult
from workers.runtime.local_clock import LocalClock

PATH = "/slack/actions"
MAX_BODY_BYTES = 256 * 1024  # a payload repeats the message with all of its blocks
FORM_TYPE = "application/x-www-form-urlencoded"
THREADS = 4  # for presses at the same time; each may wait for Redis and Slack
MAX_WAITING = 50  # presses that wait for a thread; more are refused, and Slack shows that to the person
ANSWER_SECONDS = 2.2  # for a modal; with the way to Slack it stays under its 3 s
NOT_DONE = "Nothing was done: {reason}. Try again in a minute."
BROKEN = "Nothing is known about the result: Trackwalker failed. Its log says why."

KINDS = {
    Control.ACKNOWLEDGE: ActionKind.ACKNOWLEDGE,
    Control.SNOOZE_ONE: ActionKind.SNOOZE,
    Control.SNOOZE_FOUR: ActionKind.SNOOZE,
    Control.SNOOZE_MORNING: ActionKind.SNOOZE,
    Control.NOT_A_PROBLEM: ActionKind.NOT_A_PROBLEM,
    Control.FIX: ActionKind.FIX,
    Control.CHECK: ActionKind.CHECK,
    Control.RETRY: ActionKind.RETRY,
    Control.UNDO: ActionKind.UNDO,
}

T = TypeVar("T")
log = logging.getLogger("trackwalker.slack_actions")


@dataclass(frozen=True)
class Collaborators:
    """The collaborators of the endpoint.

    Args:
        perform: `workers.actions.perform` on our Redis.
        reply: shows a text to the person who pressed, by the address of the press.
        open_view: opens a modal; None without a bot token.
        now: the time.
        clock: local times, for "until 9:00".
    """

    perform: Callable[[Action], ActionResult]
    reply: Callable[[str, str], None]
    open_view: Callable[[str, Mapping[str, Any]], None] | None
    now: Callable[[], datetime]
    clock: LocalClock = LocalClock()  # noqa: RUF009 (a frozen value)


class SlackActions:
    """The endpoint.

    Args:
        secrets: signing secrets; empty refuses every request.
    """

    def __init__(self, secrets: Sequence[str], collaborators: Collaborators) -> None:
        self.secrets, self.outside = tuple(secrets), collaborators
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="slack-actions")
        self._waiting = 0

    def route(self) -> Route:
        """The route of the endpoint."""
        return Route(PATH, self.handle, methods=["POST"])

    async def handle(self, request: Request) -> Response:
        """Verify, acknowledge and perform one interaction."""
        if (refusal := self._refuse_head(request)) is not None:
            return refusal
        try:
            body = await _read_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _error(413, f"body: is over {MAX_BODY_BYTES} bytes")
        if not slack_signature.is_signed(self.secrets, request.headers, body):
            log.warning("wrong signature of slack", extra={"endpoint": PATH})
            return _error(
                401, "wrong signature: SLACK_SIGNING_SECRET is not the signing secret of this Slack app"
            )
        try:
            interaction = parse(body)
        except InvalidRequest as error:
            return _error(422, f"body: {error}")
        if isinstance(interaction, Submission):
            return await self._submit(interaction)
        return self._begin(interaction or [])

    def _refuse_head(self, request: Request) -> Response | None:
        """The refusal of a request by its head alone: a stranger must not make us buffer anything."""
        if not self.secrets:
            return _error(401, "SLACK_SIGNING_SECRET is not set: buttons in Slack are switched off")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            return _error(415, f"content-type: must be {FORM_TYPE}")
        timestamp = slack_signature.timestamp_of(request.headers)
        if timestamp is None or slack_signature.SIGNATURE_HEADER not in request.headers:
            return _error(401, "X-Slack-Signature or X-Slack-Request-Timestamp is missing")
        if not slack_signature.is_recent(timestamp, self.outside.now().timestamp()):
            log.warning("slack request too old", extra={"endpoint": PATH})
            return _error(401, "X-Slack-Request-Timestamp is more than five minutes away from our clock")
        return None

    # -- buttons ----------------------------------------------------------------------------------

    def _begin(self, presses: Sequence[Press]) -> Response:
        """Acknowledge the presses; threads do the rest."""
        if self._waiting + len(presses) > MAX_WAITING:
            return _error(503, "too many presses at once")
        for press in presses:
            self._waiting += 1
            future = asyncio.get_running_loop().run_in_executor(self.threads, self._press, press)
            future.add_done_callback(self._end)
        return Response(status_code=200)

    def _end(self, _: object) -> None:
        self._waiting -= 1

    def _press(self, press: Press) -> None:
        """Do what the press asks for, and show the result to the person."""
        try:
            text = self._open_modal(press) if press.control in MODAL_CONTROLS else self._perform_all(press)
        except NotAvailable as error:
            text = NOT_DONE.format(reason=error)
        except Exception:  # a bug must not leave the person without an answer
            log.exception("slack action failed", extra={"control": press.control.value})
            text = BROKEN
        if text:
            self._reply(press.response_url, text)

    def _perform_all(self, press: Press) -> str:
        now = self.outside.now()
        until = slack_modals.snooze_end(press.control, now, self.outside.clock)
        texts = []
        for number, target in enumerate(press.targets):
            action = Action(
                kind=KINDS[press.control], target=target, person=press.person, at=now, until=until,
                request_id=f"{press.request_id}:{number}" if number else press.request_id,
            )  # fmt: skip
            texts.append(self._perform(action).text)
        return "\n".join(texts)

    def _perform(self, action: Action) -> ActionResult:
        result = self.outside.perform(action)
        facts = {
            "action": action.kind.value, "target": action.target, "person": action.person.name, "done": result.done
        }  # fmt: skip
        log.info("slack action performed", extra=facts)
        return result

    def _open_modal(self, press: Press) -> str:
        """ "" once the modal is open, else why it is not."""
        if self.outside.open_view is None:
            return "This needs SLACK_BOT_TOKEN: do it on the incident's page."
        try:
            view = slack_modals.modal(press.control, press.targets[0], press.response_url)
            self.outside.open_view(press.trigger_id, view)
        except (SlackBusy, SlackRefused) as error:
            log.warning("slack modal not opened", extra={"reason": str(error)})
            return f"Slack did not open the form: {error}. Press again, or do it on the incident's page."
        return ""

    def _reply(self, address: str, text: str) -> None:
        try:
            self.outside.reply(address, text)
        except (SlackBusy, SlackRefused) as error:
            # The message in the channel shows the result as well.
            log.warning("slack reply not sent", extra={"reason": str(error)})

    # -- modals -----------------------------------------------------------------------------------

    async def _submit(self, submission: Submission) -> Response:
        """Answer a submitted modal: close it, or show what is wrong beside the field."""
        action, errors = self._action_of(submission)
        if action is None:
            return (
                JSONResponse({"response_action": "errors", "errors": errors})
                if errors
                else Response(status_code=200)
            )
        field = next(iter(submission.values), slack_modals.END_BLOCK)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                result = await loop.run_in_executor(self.threads, self._perform, action)
        except (TimeoutError, NotAvailable):
            reason = NOT_DONE.format(reason="Redis does not answer")
            return JSONResponse({"response_action": "errors", "errors": {field: reason}})
        except Exception:
            log.exception("slack action failed", extra={"control": submission.callback_id})
            return JSONResponse({"response_action": "errors", "errors": {field: BROKEN}})
        if not result.done:
            return JSONResponse({"response_action": "errors", "errors": {field: result.text}})
        loop.run_in_executor(self.threads, self._reply, submission.response_url, result.text)
        return JSONResponse({"response_action": "clear"})

    def _action_of(self, submission: Submission) -> tuple[Action | None, dict[str, str]]:
        """The action that a modal asks for, or the errors of its fields; neither for a modal that is not ours."""
        control, now = read_control(submission.callback_id), self.outside.now()
        if control not in MODAL_CONTROLS or not submission.target:
            return None, {}
        errors: dict[str, str] = {}
        reason = submission.values.get(slack_modals.REASON_BLOCK, "").strip()
        choice = submission.values.get(slack_modals.END_BLOCK, "")
        if control is Control.SNOOZE_ASK:
            chosen = read_control(choice)
            until = slack_modals.snooze_end(chosen, now, self.outside.clock) if chosen else None
            is_valid = until is not None
        else:
            is_valid, until = slack_modals.chosen_end(choice, now)
            if not reason:
                errors[slack_modals.REASON_BLOCK] = "Say why, so that others understand it."
        if not is_valid:
            errors[slack_modals.END_BLOCK] = "Choose one."
        if errors:
            return None, errors
        kind = ActionKind.SNOOZE if control is Control.SNOOZE_ASK else ActionKind.NOT_A_PROBLEM
        action = Action(
            kind=kind, target=submission.target, person=submission.person, request_id=submission.request_id, at=now,
            reason=reason[: slack_modals.MAX_REASON], until=until,
        )  # fmt: skip
        return action, {}


async def _read_body(request: Request) -> bytes | None:
    """The whole body, None as soon as it exceeds the limit. Raises ClientDisconnect."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)
