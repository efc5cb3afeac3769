"""A meter in front of an object store: it notes every request, passes it on, or holds it back.

It runs as a process of its own (`python meter.py PORT`), because some engines keep Python's lock
while they wait for the store. It is told what to do, and answers, in lines of JSON; it ends with
its parent.
"""

from __future__ import annotations

import copy
import http.client
import json
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.services import S3

# They concern one connection only, and each side of the meter has its own.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}


@dataclass
class Request:
    """One request and its answer; `sent` and `received` are bytes of the bodies."""

    method: str
    path: str
    status: int
    sent: int
    received: int
    span: str = ""

    @property
    def kind(self) -> str:
        """What the request is for, in the words of S3's documentation."""
        name, _, query = self.path.partition("?")
        if self.method == "GET":
            return "LIST" if "list-type=" in query or name.strip("/").count("/") == 0 else "GET"
        return {"POST": "PUT"}.get(self.method, self.method)


class Meter:
    """Notes all that goes through it. `meter.s3` is the same store, reached through the meter."""

    def __init__(self, s3: S3) -> None:
        command = [sys.executable, __file__, str(s3.port["s3"])]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.s3 = copy.copy(s3)
        self.s3.port = {**s3.port, "s3": self._ask("port")}

    def _ask(self, *command: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def read(self) -> list[Request]:
        """The requests since the last reading, in the order of their answers."""
        return [Request(**one) for one in self._ask("read")]

    def hold(self, part: str) -> None:
        """Hold back the next write of an object whose name has `part` in it, until `release`."""
        self._ask("hold", part)

    def wait(self, writer: subprocess.Popen[str]) -> None:
        """Wait until that write has come.

        Raises:
            LabError: if the writer has ended without it.
        """
        while not self._ask("wait"):
            if writer.poll() is not None:
                said = writer.communicate()[1] or ""
                raise LabError(f"the writer ended before it was held: {said.strip()[-500:]}")

    def release(self) -> None:
        """Let the write that is held back go on."""
        self._ask("release")

    def stop(self) -> None:
        """End the meter. The store goes on."""
        self._process.kill()
        self._process.wait()


class _Pass(BaseHTTPRequestHandler):
    """Passes the requests of one connection of a client on, over one connection to the store."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.store = http.client.HTTPConnection("127.0.0.1", self.server.store)

    def finish(self) -> None:
        self.store.close()
        super().finish()

    def log_message(self, *words: object) -> None:
        """Nothing: the meter's output is for its parent."""

    def handle_expect_100(self) -> bool:
        told = super().handle_expect_100()
        self.wfile.flush()
        return told

    def pass_on(self) -> None:
        body, chunked = self._body()
        self.server.maybe_hold(self.command, self.path)
        self.store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.store.putheader(name, value)
        if chunked:
            self.store.putheader("Transfer-Encoding", "chunked")
        elif body or self.command in ("PUT", "POST"):
            self.store.putheader("Content-Length", str(len(body)))
        self.store.endheaders([body] if chunked else body, encode_chunked=chunked)
        self._answer(body)

    def _body(self) -> tuple[bytes, bool]:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0))), False
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts), True

    def _answer(self, body: bytes) -> None:
        answer = self.store.getresponse()
        content = answer.read()
        self.server.note(
            Request(
                self.command, unquote(self.path), answer.status, len(body), len(content),
                self.headers.get("Range", ""),
            )
        )  # fmt: skip
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        # To HEAD the answer is the length of a body that does not come.
        length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store: int) -> None:
        super().__init__(("127.0.0.1", 0), _Pass)
        self.store = store
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.part = ""
        self.held, self.go = threading.Event(), threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed leaves a broken connection; that is what the lesson does."""

    def note(self, request: Request) -> None:
        with self.lock:
            self.requests.append(request)

    def maybe_hold(self, method: str, path: str) -> None:
        with self.lock:
            if method not in ("PUT", "POST") or not self.part or self.part not in unquote(path):
                return
            self.part = ""
        self.held.set()
        self.go.wait()

    def obey(self, command: str, *values: Any) -> Any:
        if command == "port":
            return self.server_address[1]
        if command == "read":
            with self.lock:
                read, self.requests = self.requests, []
            return [asdict(request) for request in read]
        if command == "hold":
            (self.part,) = values
            self.held.clear()
            self.go.clear()
        if command == "wait":
            return self.held.wait(0.2)
        if command == "release":
            self.go.set()
        return None


if __name__ == "__main__":
    server = _Server(int(sys.argv[1]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for line in sys.stdin:
        print(json.dumps(server.obey(*json.loads(line))), flush=True)
