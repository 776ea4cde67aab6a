"""A real server for objects (SeaweedFS), requests of our own to it, and a proxy before it."""

import atexit
import contextlib
import functools
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

PROGRAM = Path(__file__).parents[2] / "target" / "object-stores" / "bin" / "weed"
WHY_NOT = f"there is no {PROGRAM}: ./test python installs it"
BUCKET = "bucket"
KEY, SECRET = "key", "secret"


class Server:
    """SeaweedFS on the loopback, with a folder and ports of its own, stopped by its process."""

    def __init__(self) -> None:
        """Start it, and wait until it can store."""
        for _ in range(5):
            self._folder = tempfile.TemporaryDirectory()
            self.port = free_port()
            self._start(Path(self._folder.name))
            if self._becomes_ready():
                return
            # Others may have taken a port meanwhile.
            told = self._log.read_text(errors="replace")
            self.stop()
        raise RuntimeError(f"the server does not answer: {told}")

    def _start(self, folder: Path) -> None:
        identity = {
            "name": "test",
            "actions": ["Admin"],
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        }
        (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
        (folder / "data").mkdir()
        ports = [f"-s3.port={self.port}", f"-s3.port.grpc={free_port()}"]
        for name in ("master", "volume", "filer"):
            ports += [f"-{name}.port={free_port()}", f"-{name}.port.grpc={free_port()}"]
        options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-s3.config=identities.json"]
        options += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        options += ["-dir=data", "-volume.max=20", "-master.volumeSizeLimitMB=256"]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "server", *ports, *options],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """End it, and forget all objects."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, port: int | None = None) -> dict[str, str]:
        """Variables that lead to it, and to nothing else that this machine may have."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            # SeaweedFS honours If-Match, which nobody can tell by this address.
            "BYTESPLICE_STORE": "compatible",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_CONFIG_FILE": "/nonexistent",
        } | dict.fromkeys(
            ["AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"], ""
        )

    def put(self, key: str, contents: bytes, **headers: str) -> None:
        """Make an object, or another one in its place."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.request("PUT", key, body=contents, headers=names)

    def get(self, key: str) -> bytes:
        """Return what an object holds."""
        return self.request("GET", key)[1]

    def head(self, key: str) -> Mapping[str, str]:
        """Return its headers."""
        return self.request("HEAD", key)[0]

    def remove(self, key: str) -> None:
        """Remove it."""
        self.request("DELETE", key)

    def begin_upload(self, key: str) -> str:
        """Begin an upload as another program would, and leave it."""
        answer = ElementTree.fromstring(self.request("POST", key, {"uploads": ""})[1])
        upload = answer.findtext("{*}UploadId")
        assert upload
        self.request("PUT", key, {"partNumber": "1", "uploadId": upload}, b"a part")
        return upload

    def uploads(self, key: str) -> list[str]:
        """Return the uploads of an object under way."""
        found = self.request("GET", "", {"uploads": "", "prefix": key})[1]
        uploads = ElementTree.fromstring(found).findall("{*}Upload")
        return [one.findtext("{*}UploadId", "") for one in uploads if one.findtext("{*}Key") == key]

    def request(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        """Make a signed request, and return the headers and the body of the answer."""
        path = urllib.parse.quote(f"/{BUCKET}/{key}" if key else f"/{BUCKET}")
        pairs = urllib.parse.urlencode(sorted((query or {}).items()), quote_via=urllib.parse.quote)
        signed = self._signed(method, path, pairs, headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, f"{path}?{pairs}" if pairs else path, body, signed)
            answer = connection.getresponse()
            found = answer.read()
            if answer.status >= 300:
                raise OSError(f"{method} {path}?{pairs}: {answer.status} {found!r}")
            return {name.lower(): value for name, value in answer.getheaders()}, found

    def _signed(
        self, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> dict[str, str]:
        """Add a signature to headers, by version 4 of AWS."""
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        own = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": now}
        headers = {"host": f"127.0.0.1:{self.port}"} | own | dict(headers)
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        asked = "\n".join([method, path, query, lines, names, "UNSIGNED-PAYLOAD"])
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        digest = hashlib.sha256(asked.encode()).hexdigest()
        key = f"AWS4{SECRET}".encode()
        for step in scope.split("/"):
            key = hmac.digest(key, step.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
        return headers | {"authorization": f"AWS4-HMAC-SHA256 {credential}"}

    def _becomes_ready(self) -> bool:
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                # It may be there already.
                with contextlib.suppress(OSError):
                    self.request("PUT", "")
                # It may listen before it can store.
                self.put("ready", b"ready")
                return True
            time.sleep(0.1)
        return False


class Proxy:
    """Passes requests on, as slowly as is wanted, until one is not to be answered."""

    def __init__(self, server: Server) -> None:
        """Listen, before this server."""
        self._server = server
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        # Requests that begin so wait for it.
        self.held = re.compile(rb"")
        self.passes = threading.Event()
        self.passes.set()
        # How many came, whether they were passed on or not.
        self.requests = 0
        # Seconds that each request waits besides.
        self.delay = 0.0
        # How a request begins that is carried out, and after which nothing is answered any more.
        self.last: re.Pattern[bytes] | None = None
        # Whether that one is answered itself.
        self.answers_last = False
        self._dead = False
        self._sockets = [self._socket]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Cut all connections, and wait for all threads: a later test may fork."""
        self.delay = 0
        self.passes.set()
        for thread in self._threads:
            while thread.is_alive():
                # Wakes it, which closing alone does not.
                for one in self._sockets:
                    with contextlib.suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                thread.join(0.1)
        for one in self._sockets:
            one.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._server.port))
                self._sockets += [client, server]
                self._start(self._serve, client, server)
                self._start(self._answer, server, client)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := client.recv(1 << 16):
                if re.match(rb"(GET|HEAD|PUT|POST|DELETE) /", chunk):
                    self.requests += 1
                    if self.held.match(chunk):
                        self.passes.wait()
                    time.sleep(self.delay)
                    if self._dead:
                        client.shutdown(socket.SHUT_RDWR)
                        break
                    self._dead = self.last is not None and self.last.match(chunk) is not None
                server.sendall(chunk)
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(1 << 16):
                if self._dead and not self.answers_last:
                    break
                client.sendall(chunk)
            client.shutdown(socket.SHUT_RDWR)


@functools.cache
def running() -> Server:
    """Return the one server of this process, which ends with it."""
    server = Server()
    atexit.register(server.stop)
    return server


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def is_wanted() -> bool:
    """Whether tests that need the server fail where it is not there."""
    return bool(os.environ.get("BYTESPLICE_NEEDS_OBJECT_STORE"))
