"""A small opencode: the HTTP routes that a run uses, and the loop of turns and tools, for 0.1 s of CPU time a run.

It runs as a program of its own (`install` writes one) and is as strict as the real opencode where the product could go
wrong: every route needs the password, a session needs its directory, a prompt needs a configured agent and model. It
calls the configured model over HTTP, repeats requests to a busy model, and offers `read`, `edit` and `write` inside
the directory only. It saves finished messages in its home, and resumes an interrupted prompt that is sent with the
same ids.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
FIRST_RETRY_SECONDS = 2.0  # before the first repetition; doubles with each further one, as in the real opencode
MAX_RETRY_SECONDS = 30.0
FATAL_CODES = range(400, 500)
BUSY_CODES = (408, 409, 425, 429)


def install(place: Path) -> Path:
    """This file as an executable program at `place`."""
    interpreter = Path(sys.executable).resolve()  # one that the wall shows
    place.write_text(f"#!{interpreter} -IS\n{Path(__file__).read_text()}")
    place.chmod(0o755)
    return place


@dataclass
class Session:
    directory: Path
    file: Path
    messages: list[Json] = field(default_factory=list)
    status: Json | None = None
    aborted: bool = False

    def save(self) -> None:
        """What is finished outlives the server."""
        finished = [one for one in self.messages if one["info"]["role"] == "user" or _finished(one)]
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps({"directory": str(self.directory), "messages": finished}))
        fresh.replace(self.file)

    def answered(self, prompt: str) -> bool:
        """Whether the prompt has its last answer already."""
        answers = [one for one in self.messages if one["info"].get("parentID") == prompt and _finished(one)]
        return bool(answers) and answers[-1]["info"].get("finish") == "stop"


def _kept(file: Path) -> Session:
    known = json.loads(file.read_text())
    return Session(Path(known["directory"]), file, known["messages"])


def _finished(message: Json) -> bool:
    return "completed" in message["info"]["time"]


class ModelFailure(Exception):
    """The model says no, for good; or not now."""

    def __init__(self, code: int, said: str, after: float | None = None) -> None:
        super().__init__(said)
        self.code, self.after = code, after


class Opencode:
    """One server with its configuration and its sessions."""

    def __init__(self, config: Json, home: Path) -> None:
        self.config, self.home = config, home
        self.sessions = {file.stem: _kept(file) for file in home.glob("ses_*.json")}

    # -- the routes -------------------------------------------------------------------------------

    def answer(self, method: str, path: str, directory: str, body: Any) -> tuple[int, Any]:
        """Status and body; None is no body."""
        parts = path.strip("/").split("/")
        if (method, path) == ("GET", "/global/health"):
            return 200, {"healthy": True, "version": "stand-in"}
        if (method, path) == ("GET", "/session/status"):
            return 200, {name: one.status for name, one in self.sessions.items() if one.status}
        if (method, path) == ("POST", "/session"):
            return self._open(directory, body)
        session = self.sessions.get(parts[1]) if len(parts) == 3 and parts[0] == "session" else None
        if session is None:
            return 404, {"name": "NotFoundError", "data": {"message": path}}
        if (method, parts[2]) == ("GET", "message"):
            return 200, session.messages
        if (method, parts[2]) == ("POST", "abort"):
            session.aborted = True
            return 200, True
        if (method, parts[2]) == ("POST", "prompt_async"):
            return self._prompt(session, body)
        return 404, {"name": "NotFoundError", "data": {"message": path}}

    def _open(self, directory: str, body: Any) -> tuple[int, Any]:
        if (
            not directory
            or not Path(directory).is_dir()
            or not isinstance(body, dict)
            or not body.get("title")
        ):
            return 400, {"name": "BadRequest", "data": {"message": "directory and title", "kind": "Payload"}}
        name = f"ses_{secrets.token_hex(6)}"
        self.sessions[name] = Session(Path(directory), self.home / f"{name}.json")
        self.sessions[name].save()
        return 200, {"id": name, "directory": directory, "title": body["title"]}

    def _prompt(self, session: Session, body: Any) -> tuple[int, Any]:
        model = body.get("model") or {}
        agent = self.config["agent"].get(body.get("agent"))
        texts = [one["text"] for one in body.get("parts", []) if one.get("type") == "text"]
        entry = self.config["provider"].get(model.get("providerID"), {})
        if (
            agent is None
            or agent.get("disable")
            or model.get("modelID") not in entry.get("models", {})
            or not texts
        ):
            return 400, {"name": "BadRequest", "data": {"message": "agent, model, parts", "kind": "Payload"}}
        asked = str(body.get("messageID") or f"msg_{secrets.token_hex(6)}")
        if not asked.startswith("msg_"):
            return 400, {"name": "BadRequest", "data": {"message": "messageID", "kind": "Payload"}}
        if all(one["info"]["id"] != asked for one in session.messages):
            info = {"id": asked, "role": "user", "time": {"created": _now()}}
            session.messages.append({"info": info, "parts": [{"type": "text", "text": "\n".join(texts)}]})
            session.save()
        if session.answered(asked):
            return 204, None
        session.status = {"type": "busy"}
        threading.Thread(
            target=self._work, args=(session, entry, model["modelID"], agent), daemon=True
        ).start()
        return 204, None

    # -- the loop ---------------------------------------------------------------------------------

    def _work(self, session: Session, entry: Json, model: str, agent: Json) -> None:
        talk = AgentLoop(session, entry, model, agent)
        try:
            while not session.aborted and talk.turn():
                pass
        finally:
            session.status = None


class AgentLoop:
    """Turn after turn with the model, until it has no more tools to call."""

    def __init__(self, session: Session, entry: Json, model: str, agent: Json) -> None:
        self.session, self.entry, self.model = session, entry, model
        self.tools = ["read", "glob", "grep"]
        if "edit" in agent["permission"]:
            self.tools += ["edit", "write"]
        self.system = f"{agent['prompt']}\nWorking directory: {session.directory}"
        self.retries = 0

    def turn(self) -> bool:
        """Whether there is another one."""
        prompts = [one["info"]["id"] for one in self.session.messages if one["info"]["role"] == "user"]
        info = {
            "id": f"msg_{secrets.token_hex(6)}", "role": "assistant", "parentID": prompts[-1],
            "time": {"created": _now()},
        }  # fmt: skip
        message: Json = {"info": info, "parts": [{"type": "step-start"}]}
        history = [{"role": "system", "content": self.system}, *_history(self.session.messages)]
        self.session.messages.append(message)
        said: Json | None = None
        while said is None:
            try:
                said = self._ask(history)
            except ModelFailure as failed:
                if failed.code in FATAL_CODES and failed.code not in BUSY_CODES:
                    data = {"message": str(failed), "statusCode": failed.code, "isRetryable": False}
                    message["info"]["error"] = {"name": "APIError", "data": data}
                    message["info"]["time"]["completed"] = _now()
                    return False
                self._wait(failed)
                if self.session.aborted:
                    return False
        self.session.status = {"type": "busy"}
        return self._take(message, said)

    def _wait(self, failed: ModelFailure) -> None:
        self.retries += 1
        wait = failed.after or min(30.0, FIRST_RETRY_SECONDS * 2 ** (self.retries - 1))
        retry = {"type": "retry", "attempt": self.retries, "message": str(failed)}
        self.session.status = retry | {"next": _now() + int(wait * 1000)}
        time.sleep(wait)

    def _take(self, message: Json, said: Json) -> bool:
        if said["text"]:
            message["parts"].append({"type": "text", "text": said["text"]})
        for call in said["calls"].values():
            message["parts"].append(
                {"type": "tool", "tool": call["name"], "callID": call["id"], "state": self._do(call)}
            )
        usage, cost = said["usage"], self.entry["models"][self.model].get("cost", {})
        taken, given = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        paid = (taken * cost.get("input", 0) + given * cost.get("output", 0)) / 1e6
        tokens = {"input": taken, "output": given, "reasoning": 0, "cache": {"read": 0, "write": 0}}
        message["parts"].append({"type": "step-finish", "cost": paid, "tokens": tokens})
        message["info"]["finish"] = said["finish"]
        message["info"]["time"]["completed"] = _now()
        self.session.save()
        # As the real one does: a stream that broke off is no end, the next turn begins at once.
        return bool(said["finish"] != "stop")

    def _ask(self, history: list[Json]) -> Json:
        options = self.entry["options"]
        place = urlsplit(options["baseURL"])
        tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in self.tools]
        body = {
            "model": self.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": history,
            "tools": tools,
        }
        connection = http.client.HTTPConnection(
            str(place.hostname), place.port, timeout=options["headerTimeout"] / 1000
        )
        headers = {"Authorization": f"Bearer {options['apiKey']}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"{place.path}/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            if answer.status != 200:
                after = answer.headers.get("retry-after")
                raise ModelFailure(
                    answer.status, f"{answer.status} {answer.read()[:200]!r}", float(after) if after else None
                )
            return _read_stream(answer)
        except (OSError, http.client.HTTPException) as error:
            raise ModelFailure(0, type(error).__name__) from error
        finally:
            connection.close()

    # -- the tools --------------------------------------------------------------------------------

    def _do(self, call: Json) -> Json:
        asked = json.loads(call["arguments"] or "{}")
        try:
            return {"status": "completed", "input": asked, "output": self._run(call["name"], asked)}
        except (OSError, ValueError, KeyError) as error:
            return {"status": "error", "input": asked, "error": f"{type(error).__name__}: {error}"}

    def _run(self, name: str, asked: Json) -> str:
        if name not in self.tools:
            raise ValueError(f"there is no tool {name}")
        path = Path(asked["filePath"]).resolve()
        if not path.is_relative_to(self.session.directory.resolve()):
            raise ValueError("outside the directory")
        if name == "read":
            lines = path.read_text().splitlines()
            return "\n".join(f"{number:05d}| {line}" for number, line in enumerate(lines, 1))
        if name == "edit":
            text = path.read_text()
            if text.count(asked["oldString"]) != 1:
                raise ValueError("oldString not found, or not once")
            path.write_text(text.replace(asked["oldString"], asked["newString"]))
            return "Edit applied successfully."
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(asked["content"])
        return "Wrote file successfully."


def _history(messages: list[Json]) -> list[Json]:
    """The messages as an OpenAI-compatible model wants them."""
    found: list[Json] = []
    for message in messages:
        text = "".join(part["text"] for part in message["parts"] if part["type"] == "text")
        if message["info"]["role"] == "user":
            found.append({"role": "user", "content": text})
            continue
        done = [part for part in message["parts"] if part["type"] == "tool"]
        calls = [
            {"id": one["callID"], "type": "function",
             "function": {"name": one["tool"], "arguments": json.dumps(one["state"]["input"])}}
            for one in done
        ]  # fmt: skip
        found.append({"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {}))
        for one in done:
            state = one["state"]
            said = state.get("output", state.get("error", ""))
            found.append({"role": "tool", "tool_call_id": one["callID"], "content": said})
    return found


def _read_stream(answer: http.client.HTTPResponse) -> Json:
    said: Json = {"text": "", "calls": {}, "finish": "unknown", "usage": {}}
    for raw in answer:
        line = raw.strip().removeprefix(b"data: ")
        if not line or line == b"[DONE]":
            continue
        chunk = json.loads(line)
        said["usage"] = chunk.get("usage") or said["usage"]
        for choice in chunk["choices"]:
            said["finish"] = choice.get("finish_reason") or said["finish"]
            said["text"] += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls") or []:
                known = said["calls"].setdefault(
                    call["index"], {"id": call["id"], "name": "", "arguments": ""}
                )
                known["name"] += call["function"].get("name") or ""
                known["arguments"] += call["function"].get("arguments") or ""
    return said


def _now() -> int:
    return int(time.time() * 1000)


def serve(port: int, password: str, config: Json, home: Path) -> None:
    """Until it is killed, as the real one is."""
    opencode = Opencode(config, home)
    wanted = "Basic " + base64.b64encode(f"opencode:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("authorization") != wanted:
                self._send(401, None)
                return
            directory = self.headers.get("x-opencode-directory", "")
            self._send(*opencode.answer(self.command, self.path, directory, json.loads(raw) if raw else {}))

        do_POST = do_GET

        def _send(self, status: int, body: Any) -> None:
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            if status != 204:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            return None

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(
        int(sys.argv[sys.argv.index("--port") + 1]),
        os.environ["OPENCODE_SERVER_PASSWORD"],
        json.loads(os.environ["OPENCODE_CONFIG_CONTENT"]),
        Path(os.environ["XDG_DATA_HOME"]),
    )
