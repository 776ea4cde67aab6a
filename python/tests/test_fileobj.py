"""Room in the middle of open files: as mutagen makes it, and under mutagen itself."""

import gzip
import io
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import mutagen
import mutagen._util as theirs
import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.flac import FLAC
from mutagen.id3 import APIC, ID3, TIT2
from mutagen.mp4 import MP4

import bytesplice
from bytesplice import fileobj as ours

NAMES = ["insert_bytes", "delete_bytes", "resize_bytes", "move_bytes"]


def buffered(path: Path) -> IO[bytes]:
    return path.open("r+b")


def unbuffered(path: Path) -> IO[bytes]:
    return path.open("r+b", buffering=0)


def in_memory(path: Path) -> IO[bytes]:
    return io.BytesIO(path.read_bytes())


def temporary(path: Path) -> IO[bytes]:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115
    file.write(path.read_bytes())
    return file


def contents(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


NUMBER = st.integers(-2, 60)


@settings(max_examples=examples(400))
@given(
    st.sampled_from([buffered, unbuffered, in_memory, temporary]),
    st.sampled_from(NAMES),
    st.tuples(NUMBER, NUMBER, NUMBER),
    st.integers(1, 9),
    st.booleans(),
)
def test_the_same_as_theirs(
    tmp_path: Path,
    kind: Callable[[Path], IO[bytes]],
    name: str,
    numbers: tuple[int, int, int],
    block: int,
    safe: bool,
) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(range(50)))
    arguments: tuple[int, ...] = numbers if name in ("resize_bytes", "move_bytes") else numbers[:2]
    options: dict[str, Any] = {} if name == "resize_bytes" else {"BUFFER_SIZE": block}
    safe = safe and kind is not in_memory
    with kind(path) as file, io.BytesIO(path.read_bytes()) as model:
        # Something is read ahead, and something is not written yet.
        for one in (file, model):
            one.seek(10)
            one.write(b"***")
            one.seek(20)
            one.read(3)
        try:
            getattr(theirs, name)(model, *arguments, **options)
        except ValueError:
            with pytest.raises(ValueError, match=r"."):
                getattr(ours, name)(file, *arguments, **options, safe=safe)
            assert file.tell() == 23
            assert contents(file) == model.getvalue()
            return
        getattr(ours, name)(file, *arguments, **options, safe=safe)
        assert file.tell() == 23
        gap = gap_of(name, arguments)
        assert len(contents(file)) == len(model.getvalue())
        wanted = blanked(model.getvalue(), gap)
        assert blanked(contents(file), gap) == wanted
    if kind in (buffered, unbuffered):
        assert blanked(path.read_bytes(), gap) == wanted


def gap_of(name: str, arguments: tuple[int, ...]) -> tuple[int, int]:
    """Return the bytes that were inserted: what they hold is left open."""
    if name == "insert_bytes":
        size, offset = arguments
        return offset, offset + size
    if name == "resize_bytes":
        old, new, offset = arguments
        return offset + old, offset + max(old, new)
    return 0, 0


def blanked(data: bytes, gap: tuple[int, int]) -> bytes:
    return data[: gap[0]] + data[gap[1] :]


@pytest.mark.parametrize("safe", [False, True])
def test_large_files(tmp_path: Path, safe: bool) -> None:
    path = tmp_path / "data"
    original = bytes(range(256)) * 20_000 + b"tail"
    path.write_bytes(original)
    inode = path.stat().st_ino
    with path.open("r+b") as file:
        ours.insert_bytes(file, 3_000_001, 1000, safe=safe)
        ours.move_bytes(file, 10, 3_001_001, len(original) - 1000, safe=safe)
        assert file.read() == contents(file)
    moved = path.read_bytes()
    assert moved[10 : 10 + len(original) - 1000] == original[1000:]
    assert (len(moved), path.stat().st_ino) == (len(original) + 3_000_001, inode)
    assert list(tmp_path.iterdir()) == [path]


def test_only_plain_files_go_by_their_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(b"text"))
    before = path.read_bytes()
    with gzip.open(path, "rb") as file, pytest.raises((OSError, ValueError)):
        ours.delete_bytes(file, 1, 0)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    with path.open("rb") as read_only, pytest.raises(io.UnsupportedOperation):
        ours.insert_bytes(read_only, 1, 0)
    assert path.read_bytes() == before
    with pytest.raises(io.UnsupportedOperation, match="descriptor"):
        ours.insert_bytes(io.BytesIO(b"data"), 1, 0, safe=True)


def test_safely_means_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    with path.open("r+b") as file, bytesplice.open(path):
        with pytest.raises(bytesplice.LockedError):
            ours.insert_bytes(file, 4, 2, safe=True)
        assert file.tell() == 0
    assert path.read_bytes() == b"0123456789"


# Files as mutagen finds them.


def atom(name: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I4s", 8 + len(data), name) + data


def mp4() -> bytes:
    kind = atom(b"ftyp", b"M4A \0\0\0\0M4A mp42")

    def movie(chunk: int) -> bytes:
        entry = b"\0" * 6 + b"\0\1" + b"\0" * 8 + struct.pack(">HHIHH", 2, 16, 0, 44100, 0)
        table = atom(
            b"stbl",
            atom(b"stsd", struct.pack(">II", 0, 1), atom(b"samr", entry, atom(b"damr", b"\0" * 9))),
            atom(b"stco", struct.pack(">III", 0, 1, chunk)),
        )
        media = atom(
            b"mdia",
            atom(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 44100, 44100 * 9, 0)),
            atom(b"hdlr", struct.pack(">II4s", 0, 0, b"soun"), b"\0" * 13),
            atom(b"minf", table),
        )
        return atom(b"moov", atom(b"mvhd", b"\0" * 100), atom(b"trak", media))

    chunk = len(kind) + len(movie(0)) + 8
    return kind + movie(chunk) + atom(b"mdat", AUDIO)


AUDIO = bytes(range(256)) * 4000


def mp3() -> bytes:
    # MPEG 1 layer 3, 128 kbit/s, 44.1 kHz: frames of 417 bytes.
    return (b"\xff\xfb\x90\x00" + b"\x55" * 413) * 2000


def flac() -> bytes:
    rate = 44100 << 44 | 1 << 41 | 15 << 36 | 44100
    info = struct.pack(">HH", 4096, 4096) + b"\0" * 6 + struct.pack(">Q", rate) + b"\0" * 16
    padding = struct.pack(">I", 0x81000000 | 64) + b"\0" * 64
    return b"fLaC" + struct.pack(">I", len(info)) + info + padding + b"\xff\xf8" + AUDIO


def edit_mp3(path: Path) -> None:
    tags = ID3()
    tags.add(TIT2(encoding=3, text=["a title"]))
    tags.save(path)
    tags = ID3(path)
    tags.add(APIC(encoding=3, mime="image/png", type=3, desc="", data=b"picture" * 9000))
    tags.save(path)
    tags.delall("APIC")
    tags.save(path, padding=lambda _info: 7)
    tags.save(path, v1=2)


def edit_mp4(path: Path) -> None:
    file = MP4(path)
    file["\xa9nam"] = ["a title"]
    file.save()
    file["\xa9lyr"] = ["words " * 20_000]
    file.save()
    del file["\xa9lyr"]
    file.save(padding=lambda _info: 0)


def edit_flac(path: Path) -> None:
    file = FLAC(path)
    file["title"] = ["a title " * 5000]
    file.save()
    del file["title"]
    file.save(padding=lambda _info: 3)


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize(
    ("made", "edit"),
    [(mp3, edit_mp3), (mp4, edit_mp4), (flac, edit_flac)],
    ids=["mp3", "mp4", "flac"],
)
def test_tags(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: Callable[[], bytes],
    edit: Callable[[Path], None],
    safe: bool,
) -> None:
    plain, patched = tmp_path / "plain", tmp_path / "patched"
    for path in (plain, patched):
        path.write_bytes(made())
    edit(plain)
    calls: list[str] = []
    for name in NAMES:

        def helper(*arguments: Any, name: str = name, **options: Any) -> None:
            calls.append(name)
            getattr(ours, name)(*arguments, **options, safe=safe)

        for module in [m for n, m in sys.modules.items() if n.startswith("mutagen")]:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, helper)
    edit(patched)
    assert len(calls) >= 2
    assert patched.read_bytes() == plain.read_bytes()
    assert plain.read_bytes() != made()
    assert mutagen.File(patched) is not None
