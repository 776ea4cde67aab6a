"""Objects by boto3, as a script of its own: `objects_boto3.py bucket`, or `whole EDITS FILE`.

The settings are those of the environment. EDITS has a line an edit, ascending: offset, number of removed bytes,
inserted bytes as text; each in the offsets that the one before left. `whole` fetches the object into FILE, writes the
edited contents beside it, and sends them; it prints the seconds and the traffic.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET, KEY = "bucket", "object"
STEP = 1 << 20


def main() -> None:
    """One job."""
    # By default it sends CRC-32s of a kind that SeaweedFS refuses in parts.
    config = Config(request_checksum_calculation="when_required", s3={"addressing_style": "path"})
    store = boto3.client("s3", config=config)
    if sys.argv[1] == "bucket":
        try:
            store.create_bucket(Bucket=BUCKET)
        except ClientError as error:
            if "BucketAlready" not in str(error):
                raise
        # A server may listen before it can store.
        store.put_object(Bucket=BUCKET, Key="ready", Body=b"ready")
        return
    _whole(store, Path(sys.argv[2]), Path(sys.argv[3]))


def _whole(store: BaseClient, edits: Path, file: Path) -> None:
    counts = {"requests": 0, "bytes_up": 0, "bytes_down": 0}

    def sent(**_: object) -> None:
        counts["requests"] += 1

    def count(name: str) -> Callable[[int], None]:
        def add(size: int) -> None:
            counts[name] += size

        return add

    store.meta.events.register("before-send.s3", sent)
    begin = time.perf_counter()
    store.download_file(BUCKET, KEY, str(file), Callback=count("bytes_down"))
    edited = file.with_suffix(".edited")
    _edit(edits, file, edited)
    store.upload_file(str(edited), BUCKET, KEY, Callback=count("bytes_up"))
    print(json.dumps({"seconds": time.perf_counter() - begin, **counts}))


def _edit(edits: Path, source: Path, target: Path) -> None:
    """Copies the file, and the edits between, in one pass."""
    with source.open("rb") as old, target.open("wb") as new:
        for line in edits.read_text().splitlines():
            offset, removed, inserted = line.split(" ", 2)
            left = int(offset) - new.tell()
            while left > 0:
                left -= new.write(old.read(min(left, STEP)))
            old.seek(int(removed), 1)
            new.write(inserted.encode())
        shutil.copyfileobj(old, new, STEP)


if __name__ == "__main__":
    main()
