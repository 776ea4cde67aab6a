"""The blocks of docs/python.md, on files that the real libraries make and read."""

import csv
import re
import sys
import types
import wave
import zipfile
from pathlib import Path
from typing import Any

import mutagen
import mutagen.id3
import mutagen.mp4
import pytest
from conftest import CONTENTS
from object_store import Server
from test_fileobj import mp3, mp4

import bytesplice

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()


def blocks(heading: str) -> list[str]:
    """Return the blocks of Python under a heading."""
    section = re.split(r"^#+ ", PAGE, flags=re.MULTILINE)
    (found,) = [text for text in section if text.startswith(f"{heading}\n")]
    return re.findall(r"^```python\n(.*?)^```$", found, flags=re.MULTILINE | re.DOTALL)


def run(heading: str, number: int = 0, **names: Any) -> None:
    exec(compile(blocks(heading)[number], f"docs/python.md: {heading}", "exec"), names)


def test_edit_and_commit(data: Path) -> None:
    run("Edit and commit", path=data)
    assert data.read_bytes() == b"0000AAAA22text of any length55556666777788889999" + bytes(1 << 20)


def test_search_and_replace(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data.write_bytes(b"name=green 10-20 red")
    run("Search and replace", path=data)
    assert capsys.readouterr().out == "9 14 1\n21 24 0\n"
    assert data.read_bytes() == b"name=new green 20-10 red"


def test_objects(objects: Server, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [b"line %d\n" % number for number in range(3000)]
    objects.put("log", b"".join(lines))
    run("Objects in S3-compatible stores")
    assert objects.get("log") == b"a header\n" + b"".join(lines[1000:])
    assert "'puts': 1" in capsys.readouterr().out
    page = (Path(__file__).parents[1] / "README.md").read_text()
    (block,) = re.findall(r"^```python\n(where = .*?)^```$", page, re.M | re.S)
    objects.put("key", CONTENTS)
    exec(block.replace("https://s3.example.com", objects.endpoint), {"bytesplice": bytesplice})
    assert objects.get("key") == b"a header\n" + CONTENTS
    assert capsys.readouterr().out == "49 bytes are to be sent\n"


def test_progress(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("Progress and Ctrl-C", path=data)
    assert capsys.readouterr().out.endswith("100%\n")
    calls: list[int] = []

    class Bar:
        """As much of tqdm as the recipe takes."""

        def __init__(self, **_options: object) -> None:
            pass

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_exception: object) -> None:
            pass

        def reset(self, total: int) -> None:
            calls.append(total)

        def update(self, done: int) -> None:
            calls.append(done)

    fake = types.ModuleType("tqdm")
    fake.tqdm = Bar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm", fake)
    run("Progress and Ctrl-C", 1, path=data)
    assert calls[-1] == calls[-2] > 0
    assert data.read_bytes() == b"header\nheader\n" + CONTENTS


def test_tags(tmp_path: Path) -> None:
    song, track = tmp_path / "a.mp3", tmp_path / "a.m4a"
    song.write_bytes(mp3())
    track.write_bytes(mp4())
    modules = [m for name, m in sys.modules.items() if name.startswith("mutagen")]
    saved = [(module, dict(vars(module))) for module in modules]
    try:
        run("Tag audio with mutagen", song=song, track=track)
    finally:
        for module, names in saved:
            vars(module).update(names)
    assert str(mutagen.id3.ID3(song)["TIT2"]) == "A title"
    assert mutagen.mp4.MP4(track)["\xa9nam"] == ["A title"]
    assert song.read_bytes().endswith(mp3())


def test_safetensors(tmp_path: Path) -> None:
    np, safetensors = pytest.importorskip("numpy"), pytest.importorskip("safetensors.numpy")
    path = tmp_path / "model.safetensors"
    tensors = {"a": np.arange(100_000, dtype=np.float32), "b": np.eye(7, dtype=np.float64)}
    safetensors.save_file(tensors, path, metadata={"format": "np"})
    run("Edit the header of a safetensors file", path=path)
    loaded = safetensors.load_file(path)
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor)
    assert b'"license":"MIT"' in path.read_bytes()[:500]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([n, f"name {n}", n * n] for n in range(20_000))
    run("Prepend a header to a CSV file", path=path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20_000
    assert rows[7] == {"id": "7", "name": "name 7", "value": "49"}


def test_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [b"line %d\n" % n for n in range(5000)]
    path.write_bytes(b"".join(lines))
    inode = path.stat().st_ino
    for _ in range(2):
        run("Drop the head of a log", path=path)
        assert path.read_bytes() == b"".join(lines[-1000:])
    assert path.stat().st_ino == inode


def test_numpy(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    path = tmp_path / "array.npy"
    first = np.arange(3000, dtype=np.float32).reshape(1000, 3)
    rows = np.arange(60_000, dtype=np.int64).reshape(20_000, 3)
    np.save(path, first)
    run("Append to a numpy array inside a file", path=path, rows=rows)
    np.testing.assert_array_equal(np.load(path), np.concatenate([first, rows.astype("f4")]))
    with pytest.raises(ValueError, match="cannot be added"):
        run("Append to a numpy array inside a file", path=path, rows=np.zeros((1, 4)))


def test_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("name", b"contents" * 1000)
    for _ in range(2):
        run("Give a ZIP file a comment", path=path)
        with zipfile.ZipFile(path) as archive:
            assert archive.comment == b"built on Monday"
            assert archive.testzip() is None


def test_wav(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    samples = bytes(range(256)) * 1000
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(44100)
        sound.writeframes(samples)
    run("Insert a chunk into a WAV file", path=path)
    with wave.open(str(path), "rb") as sound:
        assert sound.readframes(1 << 20) == samples
    contents = path.read_bytes()
    assert contents.index(b"INAM") < contents.index(b"data")
    assert len(contents) == 8 + int.from_bytes(contents[4:8], "little")


def test_every_block_is_run() -> None:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"(?s)```.*?```", "", PAGE), flags=re.MULTILINE)
    with_code = [heading for heading in headings if blocks(heading)]
    source = Path(__file__).read_text()
    assert with_code
    assert [heading for heading in with_code if f'run("{heading}"' not in source] == []
