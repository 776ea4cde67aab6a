"""Loop-mounted file systems for the time of a run."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from bench.contents import MEBIBYTE

MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-K"],
    "btrfs": ["mkfs.btrfs", "-q", "-f", "-K"],
}


class FileSystems:
    """Images in a directory, mounted on demand and unmounted on leaving.

    An image is written full before it is formatted, so that no measurement pays for allocating its blocks below; the
    loop devices go past the page cache of the file system that holds the images.
    """

    def __init__(self, directory: Path, image_bytes: int) -> None:
        self._directory = directory
        self._image_bytes = image_bytes
        self._mounted: dict[str, Path] = {}

    def __enter__(self) -> "FileSystems":
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._mounted.values():
            done = subprocess.run(["umount", str(path)], check=False, capture_output=True)
            if done.returncode != 0:
                subprocess.run(["umount", "--lazy", str(path)], check=False, capture_output=True)

    def mount(self, kind: str) -> Path:
        """The root of a file system of this kind. Raises `MountError` if there can be none."""
        if kind in self._mounted:
            return self._mounted[kind]
        if os.geteuid() != 0:
            raise MountError("needs root")
        if not shutil.which(MAKE[kind][0]):
            raise MountError(f"there is no {MAKE[kind][0]}")
        image = self._directory / f"{kind}.image"
        path = self._directory / kind
        path.mkdir()
        try:
            _fill(image, self._image_bytes)
            _run([*MAKE[kind], str(image)])
            device = _run(["losetup", "--find", "--show", "--direct-io=on", str(image)]).strip()
            try:
                _run(["mount", device, str(path)])
                self._mounted[kind] = path
            finally:
                # Mounted, the device goes with the mount; not mounted, at once.
                _run(["losetup", "--detach", device])
        except subprocess.CalledProcessError as error:
            raise MountError(f"{' '.join(error.cmd)}: {error.stderr.strip()}") from error
        return path


class MountError(Exception):
    """Why there is no such file system here."""


def kind_of(path: Path) -> str:
    """The kind of the file system that holds `path`, as the mount table has it."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return _run(["findmnt", "-n", "-o", "FSTYPE", "-T", str(path)]).strip()
    return "unknown"


def _fill(image: Path, length: int) -> None:
    zeros = bytes(MEBIBYTE)
    with image.open("xb") as file:
        for _ in range(0, length, MEBIBYTE):
            file.write(zeros)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
