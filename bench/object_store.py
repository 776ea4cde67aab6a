"""SeaweedFS on the loopback, with a directory and ports of its own."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

from bench.process import kill, start

SECONDS_TO_START = 60.0
ADDRESS = "s3://bucket/object"
KEY, SECRET = "key", "secret"


class ObjectStore:
    """A server that runs within a `with` block; its directory is not removed."""

    def __init__(self, weed: Path, directory: Path) -> None:
        self._weed = weed
        self._directory = directory
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead clients to it."""
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self._port}",
            "AWS_REGION": "us-east-1",
            "BYTESPLICE_STORE": "compatible",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def __enter__(self) -> "ObjectStore":
        data = self._directory / "data"
        data.mkdir(parents=True)
        identities = self._directory / "identities.json"
        credentials = [{"accessKey": KEY, "secretKey": SECRET}]
        identity = {"name": "bench", "actions": ["Admin"], "credentials": credentials}
        identities.write_text(json.dumps({"identities": [identity]}))
        command = [str(self._weed), "server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        for name in ("master", "volume", "filer"):
            command += [f"-{name}.port={_free_port()}", f"-{name}.port.grpc={_free_port()}"]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.port={self._port}", f"-s3.port.grpc={_free_port()}"]
        command += ["-volume.max=100", "-master.volumeSizeLimitMB=1024"]
        command += [f"-s3.config={identities}", f"-dir={data}"]
        log = os.open(self._directory / "log", os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            self._process = start(command, self._directory, stdout=log, stderr=log)
        finally:
            os.close(log)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            kill(self._process)
            self._process.wait()

    def wait(self, python: Path, script: Path) -> None:
        """Makes the bucket, as soon as that works, by a job of the script."""
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            command = [str(python), "-I", str(script), "bucket"]
            environment = os.environ | self.environment
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"SeaweedFS does not answer: {done.stderr.strip()}")
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
