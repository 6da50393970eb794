"""The real YAML language server, spoken to as an editor does: JSON-RPC over its standard input and output."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from pathlib import Path

SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},
        "customTags": [],
    }
}
CURSOR = "¦"
WAIT = 60


class LanguageServer:
    """A running server; `seconds` holds how long each kind of answer took."""

    def __init__(self, node: str, script: Path, folder: Path) -> None:
        self._process = subprocess.Popen(
            [node, str(script), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._answers: queue.Queue[dict] = queue.Queue()
        self._published: dict[str, list] = {}
        self._number = 0
        self._folder = folder
        self.seconds: dict[str, list[float]] = {}
        threading.Thread(target=self._listen, daemon=True).start()
        self._request(
            "initialize",
            {
                "processId": None,
                "rootUri": folder.as_uri(),
                "capabilities": {
                    "textDocument": {
                        "completion": {"completionItem": {"documentationFormat": ["markdown"], "snippetSupport": True}},
                        "hover": {"contentFormat": ["markdown"]},
                        "publishDiagnostics": {},
                    },
                    "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}},
                },
            },
        )
        self._send({"method": "initialized", "params": {}})
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": SETTINGS}})

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def diagnostics(self, text: str) -> list[dict]:
        """What is underlined in the text."""
        uri = self._open(text)
        return self._timed("diagnostics", lambda: self._until_published(uri))

    def complete(self, text: str) -> list[dict]:
        """What is offered at the cursor."""
        found = self._at_cursor("completion", text)
        return found["items"] if isinstance(found, dict) else found or []

    def hover(self, text: str) -> str:
        """What is shown at the cursor."""
        found = self._at_cursor("hover", text)
        return found["contents"]["value"] if found else ""

    def _at_cursor(self, what: str, text: str) -> dict | list | None:
        before = text[: text.index(CURSOR)]
        uri = self._open(text.replace(CURSOR, "", 1))
        self._until_published(uri)
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        params = {"textDocument": {"uri": uri}, "position": position}
        return self._timed(what, lambda: self._request(f"textDocument/{what}", params))

    def _open(self, text: str) -> str:
        self._number += 1
        uri = (self._folder / f"spec-{self._number}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def _until_published(self, uri: str) -> list[dict]:
        while uri not in self._published:
            self._take()
        return self._published[uri]

    def _timed(self, what: str, answer):
        start = time.perf_counter()
        found = answer()
        self.seconds.setdefault(what, []).append(time.perf_counter() - start)
        return found

    def _request(self, method: str, params: dict):
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._take()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]

    def _take(self) -> dict:
        """The next message; what the server asks for is answered."""
        message = self._answers.get(timeout=WAIT)
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            self._published[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif method == "workspace/configuration":
            asked = [item.get("section", "") for item in message["params"]["items"]]
            self._send({"id": message["id"], "result": [SETTINGS.get(section) for section in asked]})
        elif method and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message

    def _send(self, message: dict) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _listen(self) -> None:
        stream = self._process.stdout
        while line := stream.readline():
            length = int(line.split(b":")[1]) if line.lower().startswith(b"content-length") else 0
            while line.strip():
                line = stream.readline()
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            self._answers.put(json.loads(stream.read(length)))
