"""A small opencode: the HTTP routes that a run uses, and the loop of turns and tools, for 0.1 s of CPU time a run.

It runs as a program of its own (`install` writes one, which is why this is a single file without imports of ours), and
is as strict as the real opencode where the product could go wrong: every route needs the password, a session needs its
directory, a prompt needs a configured agent and model. It calls the configured model over HTTP, repeats requests to a
busy model, and offers `read`, `edit` and `write` inside the directory only. It saves finished messages in its home,
and resumes an interrupted prompt that is sent with the same ids.
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
Response = tuple[int, Any]
"""Status and body of an HTTP answer; the body None is an empty one."""

FIRST_RETRY_SECONDS = (
    2.0  # before the first repetition, as in the real opencode; twice as long before each further one
)
MAX_RETRY_SECONDS = 30.0
FATAL_CODES = range(400, 500)  # the request is not repeated, BUSY_CODES excepted
BUSY_CODES = (408, 409, 425, 429)


def install(path: Path) -> Path:
    """Write this file as an executable program."""
    interpreter = Path(sys.executable).resolve()  # the sandbox shows the file, but maybe not a link to it
    path.write_text(f"#!{interpreter} -IS\n{Path(__file__).read_text()}")
    path.chmod(0o755)
    return path


# ---- sessions --------------------------------------------------------------------------------


@dataclass
class Session:
    """The messages of one conversation, kept in a file of all conversations."""

    name: str
    directory: Path
    file: Path
    messages: list[Json] = field(default_factory=list)
    status: Json | None = None
    aborted: bool = False

    def save(self) -> None:
        """Write the finished messages, so that they outlive the server."""
        finished = [message for message in self.messages if _is_prompt(message) or _is_finished(message)]
        saved = {**_read(self.file), self.name: {"directory": str(self.directory), "messages": finished}}
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(saved))
        new.replace(self.file)

    def is_answered(self, prompt: str) -> bool:
        """True if the prompt has its final answer."""
        turns = [message for message in self.messages if message["info"].get("parentID") == prompt]
        finished = [message for message in turns if _is_finished(message)]
        return bool(finished) and finished[-1]["info"].get("finish") == "stop"


def _read(file: Path) -> Json:
    """The saved sessions by their names."""
    sessions: Json = json.loads(file.read_text()) if file.exists() else {}
    return sessions


def _is_prompt(message: Json) -> bool:
    return bool(message["info"]["role"] == "user")


def _is_finished(message: Json) -> bool:
    return "completed" in message["info"]["time"]


# ---- routes ----------------------------------------------------------------------------------


class Opencode:
    """One server with its configuration and its sessions."""

    def __init__(self, config: Json, home: Path) -> None:
        # The real opencode's database has this path; the product keeps no other file for the next server.
        self.config, self.file = config, home / "opencode" / "opencode.db"
        self.file.parent.mkdir(exist_ok=True)
        self.sessions = {
            name: Session(name, Path(saved["directory"]), self.file, saved["messages"])
            for name, saved in _read(self.file).items()
        }

    def answer(self, method: str, path: str, directory: str, body: Any) -> Response:
        """Handle one request."""
        parts = path.strip("/").split("/")
        if (method, path) == ("GET", "/global/health"):
            return 200, {"healthy": True, "version": "1.18.0"}
        if (method, path) == ("GET", "/session/status"):
            return 200, {name: session.status for name, session in self.sessions.items() if session.status}
        if (method, path) == ("POST", "/session"):
            return self._create(directory, body)
        session = self.sessions.get(parts[1]) if len(parts) in (2, 3) and parts[0] == "session" else None
        if session is None:
            return 404, {"name": "NotFoundError", "data": {"message": path}}
        if len(parts) == 2:
            return 200, {"id": session.name, "directory": str(session.directory)}
        if (method, parts[2]) == ("GET", "message"):
            return 200, session.messages
        if (method, parts[2]) == ("POST", "abort"):
            session.aborted = True
            return 200, True
        if (method, parts[2]) == ("POST", "prompt_async"):
            return self._prompt(session, body)
        return 404, {"name": "NotFoundError", "data": {"message": path}}

    def _create(self, directory: str, body: Any) -> Response:
        if (
            not directory
            or not Path(directory).is_dir()
            or not isinstance(body, dict)
            or not body.get("title")
        ):
            return _bad_request("directory and title")
        name = f"ses_{secrets.token_hex(6)}"
        self.sessions[name] = Session(name, Path(directory), self.file)
        self.sessions[name].save()
        return 200, {"id": name, "directory": directory, "title": body["title"]}

    def _prompt(self, session: Session, body: Any) -> Response:
        model = body.get("model") or {}
        agent = self.config["agent"].get(body.get("agent"))
        texts = [part["text"] for part in body.get("parts", []) if part.get("type") == "text"]
        provider = self.config["provider"].get(model.get("providerID"), {})
        is_configured = agent is not None and not agent.get("disable")
        if not is_configured or model.get("modelID") not in provider.get("models", {}) or not texts:
            return _bad_request("agent, model, parts")
        prompt = str(body.get("messageID") or f"msg_{secrets.token_hex(6)}")
        if not prompt.startswith("msg_"):
            return _bad_request("messageID")
        if all(message["info"]["id"] != prompt for message in session.messages):
            info = {"id": prompt, "role": "user", "time": {"created": _now()}}
            session.messages.append({"info": info, "parts": [{"type": "text", "text": "\n".join(texts)}]})
            session.save()
        if session.is_answered(prompt):
            return 204, None
        session.status = {"type": "busy"}
        loop = AgentLoop(session, provider, model["modelID"], agent)
        threading.Thread(target=loop.run, daemon=True).start()
        return 204, None


def _bad_request(message: str) -> Response:
    return 400, {"name": "BadRequest", "data": {"message": message, "kind": "Payload"}}


# ---- the loop of turns and tools -------------------------------------------------------------


class ModelFailure(Exception):
    """A failed request to the model. `code` is 0 without an answer; `after` is the Retry-After in seconds."""

    def __init__(self, code: int, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.code, self.after = code, after

    @property
    def is_fatal(self) -> bool:
        return self.code in FATAL_CODES and self.code not in BUSY_CODES


class AgentLoop:
    """Turns of the model in one session, until it calls no more tools."""

    def __init__(self, session: Session, provider: Json, model: str, agent: Json) -> None:
        self.session, self.provider, self.model = session, provider, model
        self.tools = ["read", "glob", "grep"]
        if "edit" in agent["permission"]:
            self.tools += ["edit", "write"]
        self.system = f"{agent['prompt']}\nWorking directory: {session.directory}"
        self.retries = 0

    def run(self) -> None:
        """Take turns until the last one."""
        try:
            while not self.session.aborted and self._turn():
                pass
        finally:
            self.session.status = None

    def _turn(self) -> bool:
        """Take one turn; True if another one follows."""
        prompts = [message["info"]["id"] for message in self.session.messages if _is_prompt(message)]
        info = {
            "id": f"msg_{secrets.token_hex(6)}", "role": "assistant", "parentID": prompts[-1],
            "time": {"created": _now()},
        }  # fmt: skip
        message: Json = {"info": info, "parts": [{"type": "step-start"}]}
        history = [{"role": "system", "content": self.system}, *_history(self.session.messages)]
        self.session.messages.append(message)
        answer: Json | None = None
        while answer is None:
            try:
                answer = self._complete(history)
            except ModelFailure as failure:
                if failure.is_fatal:
                    _fail(message, failure)
                    return False
                self._wait(failure)
                if self.session.aborted:
                    return False
        self.session.status = {"type": "busy"}
        return self._finish(message, answer)

    def _wait(self, failure: ModelFailure) -> None:
        self.retries += 1
        wait = failure.after or min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (self.retries - 1))
        retry = {"type": "retry", "attempt": self.retries, "message": str(failure)}
        self.session.status = retry | {"next": _now() + int(wait * 1000)}
        time.sleep(wait)

    def _finish(self, message: Json, answer: Json) -> bool:
        """Run the tools that the model called and record the turn; True if another one follows."""
        if answer["text"]:
            message["parts"].append({"type": "text", "text": answer["text"]})
        for call in answer["calls"].values():
            state = self._call_tool(call)
            message["parts"].append(
                {"type": "tool", "tool": call["name"], "callID": call["id"], "state": state}
            )
        usage, price = answer["usage"], self.provider["models"][self.model].get("cost", {})
        tokens_in, tokens_out = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        cost = (tokens_in * price.get("input", 0) + tokens_out * price.get("output", 0)) / 1e6
        tokens = {"input": tokens_in, "output": tokens_out, "reasoning": 0, "cache": {"read": 0, "write": 0}}
        message["parts"].append({"type": "step-finish", "cost": cost, "tokens": tokens})
        message["info"]["finish"] = answer["finish"]
        message["info"]["time"]["completed"] = _now()
        self.session.save()
        # As in the real opencode, a stream that broke off does not end the loop: the next turn starts at once.
        return bool(answer["finish"] != "stop")

    def _complete(self, history: list[Json]) -> Json:
        """One request to the model."""
        options = self.provider["options"]
        url = urlsplit(options["baseURL"])
        tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in self.tools]
        body = {
            "model": self.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": history,
            "tools": tools,
        }
        timeout = options["headerTimeout"] / 1000
        connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=timeout)
        headers = {"Authorization": f"Bearer {options['apiKey']}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"{url.path}/chat/completions", json.dumps(body), headers)
            response = connection.getresponse()
            if response.status != 200:
                after = response.headers.get("retry-after")
                message = f"{response.status} {response.read()[:200]!r}"
                raise ModelFailure(response.status, message, float(after) if after else None)
            return _read_stream(response)
        except (OSError, http.client.HTTPException) as error:
            raise ModelFailure(0, type(error).__name__) from error
        finally:
            connection.close()

    def _call_tool(self, call: Json) -> Json:
        arguments = json.loads(call["arguments"] or "{}")
        try:
            output = self._run_tool(call["name"], arguments)
        except (OSError, ValueError, KeyError) as error:
            return {"status": "error", "input": arguments, "error": f"{type(error).__name__}: {error}"}
        return {"status": "completed", "input": arguments, "output": output}

    def _run_tool(self, name: str, arguments: Json) -> str:
        if name not in self.tools:
            raise ValueError(f"there is no tool {name}")
        path = Path(arguments["filePath"]).resolve()
        if not path.is_relative_to(self.session.directory.resolve()):
            raise ValueError("outside the directory")
        if name == "read":
            lines = path.read_text().splitlines()
            return "\n".join(f"{number:05d}| {line}" for number, line in enumerate(lines, 1))
        if name == "edit":
            text = path.read_text()
            if text.count(arguments["oldString"]) != 1:
                raise ValueError("oldString not found, or not once")
            path.write_text(text.replace(arguments["oldString"], arguments["newString"]))
            return "Edit applied successfully."
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(arguments["content"])
        return "Wrote file successfully."


def _fail(message: Json, failure: ModelFailure) -> None:
    data = {"message": str(failure), "statusCode": failure.code, "isRetryable": False}
    message["info"]["error"] = {"name": "APIError", "data": data}
    message["info"]["time"]["completed"] = _now()


# ---- the model's wire format -----------------------------------------------------------------


def _history(messages: list[Json]) -> list[Json]:
    """The messages in the format of an OpenAI-compatible model."""
    history: list[Json] = []
    for message in messages:
        text = "".join(part["text"] for part in message["parts"] if part["type"] == "text")
        if _is_prompt(message):
            history.append({"role": "user", "content": text})
            continue
        tools = [part for part in message["parts"] if part["type"] == "tool"]
        calls = [
            {"id": part["callID"], "type": "function",
             "function": {"name": part["tool"], "arguments": json.dumps(part["state"]["input"])}}
            for part in tools
        ]  # fmt: skip
        history.append({"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {}))
        for part in tools:
            content = part["state"].get("output", part["state"].get("error", ""))
            history.append({"role": "tool", "tool_call_id": part["callID"], "content": content})
    return history


def _read_stream(response: http.client.HTTPResponse) -> Json:
    """The text, tool calls, finish reason and usage of a streamed answer."""
    answer: Json = {"text": "", "calls": {}, "finish": "unknown", "usage": {}}
    for raw in response:
        line = raw.strip().removeprefix(b"data: ")
        if not line or line == b"[DONE]":
            continue
        chunk = json.loads(line)
        answer["usage"] = chunk.get("usage") or answer["usage"]
        for choice in chunk["choices"]:
            answer["finish"] = choice.get("finish_reason") or answer["finish"]
            answer["text"] += choice["delta"].get("content") or ""
            for delta in choice["delta"].get("tool_calls") or []:
                new = {"id": delta["id"], "name": "", "arguments": ""}
                call = answer["calls"].setdefault(delta["index"], new)
                call["name"] += delta["function"].get("name") or ""
                call["arguments"] += delta["function"].get("arguments") or ""
    return answer


def _now() -> int:
    return int(time.time() * 1000)


# ---- the program -----------------------------------------------------------------------------


def serve(port: int, password: str, config: Json, home: Path) -> None:
    """Serve until the process is killed, as the real opencode does."""
    opencode = Opencode(config, home)
    authorization = "Basic " + base64.b64encode(f"opencode:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("authorization") != authorization:
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
