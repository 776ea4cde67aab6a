"""The file that is measured: written anew before every run, outside the timed part."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from bench.contents import MEBIBYTE, Contents

SETTLE_SECONDS = 0.1


@dataclass(frozen=True)
class Preparation:
    """How the file is written, and whether the page cache holds it when the clock starts."""

    write_size: int = MEBIBYTE
    cold: bool = False

    def __str__(self) -> str:
        unit = f"{self.write_size // MEBIBYTE} MiB" if self.write_size >= MEBIBYTE else f"{self.write_size >> 10} KiB"
        return f"written in {unit} writes, {'cold' if self.cold else 'warm'} cache"


@dataclass(frozen=True)
class Place:
    """A directory that holds nothing but the measured file and what its editors leave beside it."""

    directory: Path

    @property
    def file(self) -> Path:
        """The measured file."""
        return self.directory / "measured"

    def prepare(self, contents: Contents, reference: Path, preparation: Preparation) -> None:
        """Removes everything, writes the file, and lets the disk come to rest."""
        self.clear()
        self.directory.mkdir()
        contents.write(self.file, reference, preparation.write_size)
        os.sync()
        descriptor = os.open(self.file, os.O_RDONLY)
        try:
            if preparation.cold:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                _read_data(descriptor)
        finally:
            os.close(descriptor)
        time.sleep(SETTLE_SECONDS)

    def clear(self) -> None:
        """Removes the directory."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def left_beside(self) -> list[str]:
        """Names of the files that somebody left beside the measured one."""
        return sorted(path.name for path in self.directory.iterdir() if path != self.file)

    def disk_used(self) -> int:
        """Bytes used on the file system of this directory."""
        numbers = os.statvfs(self.directory)
        return (numbers.f_blocks - numbers.f_bfree) * numbers.f_frsize


def _read_data(descriptor: int) -> None:
    """Reads all that is no hole, once."""
    buffer = bytearray(MEBIBYTE)
    end = os.fstat(descriptor).st_size
    offset = 0
    while offset < end:
        try:
            offset = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole up to the end
            return
        offset += os.preadv(descriptor, [buffer], offset)
