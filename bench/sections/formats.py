"""The recipes for files of one format."""

import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.bench import Bench
from bench.contents import MEBIBYTE, Contents, Edit, Reference
from bench.jobs import Job, Jobs, saved, shell
from bench.results import Result

TITLE = "Recipes: ID3 tags, ELF, safetensors, MP4, CD sectors"
SCRIPTS = ("pad_section.py", "set_license.py", "trim_free.py", "cut_records.py")
SECTOR, DATA, HEAD = 2352, 2048, 16
TAG = "mid3v2 --song 'A title' --artist Somebody $0"


def run(bench: Bench, result: Result) -> None:
    """Job by job, each on a file that its program made."""
    jobs = Jobs(bench, result)
    for name in SCRIPTS:
        (bench.directory / name).write_text(saved(name))
    for needed, make in NEEDED.items():
        if not bench.tools.has(needed):
            result.paragraphs.append(f"**{needed} is absent.**")
            continue
        job = make(bench)
        jobs.measure(job)
        if job.reference != bench.reference:
            job.reference.unlink()


def _song(bench: Bench) -> Job:
    """The tag has the padding that mutagen gives a file of this length."""
    tagged, tag = bench.directory / "song", bench.directory / "tag"
    bench.whole().write(tagged, bench.reference, MEBIBYTE)
    _run(bench, TAG, tagged)
    with tagged.open("rb") as file:
        tag.write_bytes(file.read(tagged.stat().st_size - bench.size))
    tagged.unlink()
    after = bench.whole().after([Edit(0, 0, tag.read_bytes())])
    ours = "bytesplice insert $0 OPTIONS 0 --from $1/tag"
    return Job("insert an ID3 tag", bench.reference, bench.whole(), after, ours, TAG)


def _program(bench: Bench) -> Job:
    program = bench.directory / "program"
    _run(bench, "echo 'int main(void) { return 7; }' | cc -x c - -o $0", program)
    _run(bench, f"objcopy --add-section .payload={bench.reference} $0", program)
    _run(bench, "objcopy -O binary --only-section=.comment --set-section-flags .comment=alloc $0 $1/comment", program)
    _run(bench, "head -c 4096 /dev/zero >> $1/comment", program)
    return _by_script(
        bench,
        "pad a section of an ELF file",
        program,
        "python $1/pad_section.py $0 .comment 4096",
        "objcopy --update-section .comment=$1/comment $0 new",
    )


def _model(bench: Bench) -> Job:
    model = bench.directory / "model"
    make = "import numpy, safetensors.numpy as s; s.save_file({'a': numpy.arange(%d, dtype='f4')}, '%s')"
    _run(bench, f'python -c "{make % (bench.size // 4, model)}"', model)
    rewrite = "import sys, safetensors.numpy as s; s.save_file(s.load_file(sys.argv[1]), 'new', {'license': 'MIT'})"
    return _by_script(
        bench,
        "edit a safetensors header",
        model,
        "python $1/set_license.py $0",
        f'python -c "{rewrite}" $0',
        as_option=True,
    )


def _video(bench: Bench) -> Job:
    """Sound only, which is made at the speed of the disk."""
    video = bench.directory / "video.mp4"
    sound = f"-f s16le -ar 48000 -ac 2 -i {bench.reference}"
    _run(bench, f"ffmpeg -v error {sound} -c copy -moov_size {16 << 20} $0", video)
    return _by_script(
        bench,
        "trim the free atoms of an MP4 file",
        video,
        "python $1/trim_free.py $0",
        "ffmpeg -v error -i $0 -map 0 -c copy -movflags +faststart new.mp4",
    )


def _track(bench: Bench) -> Job:
    """Raw sectors of mode 1, whose checksums are zeros: nobody looks at them."""
    track = bench.directory / "track.bin"
    with bench.reference.open("rb") as data, track.open("wb") as file:
        for _ in range(bench.size // SECTOR):
            file.write(b"\0" + b"\xff" * 10 + b"\0\0\0\0\x01" + data.read(DATA) + bytes(SECTOR - HEAD - DATA))
    (bench.directory / "track.cue").write_text(
        'FILE "track.bin" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n'
    )
    length = track.stat().st_size
    return Job(
        "an ISO image of raw CD sectors",
        track,
        Contents((Reference(0, length),)),
        Contents(tuple(Reference(at + HEAD, DATA) for at in range(0, length, SECTOR))),
        f"python $1/cut_records.py $0 {SECTOR} 0..{HEAD} {HEAD + DATA}..{SECTOR} | bytesplice apply $0 OPTIONS",
        "bchunk $0 $1/track.cue new > /dev/null",
        today_checked=False,
    )


def _by_script(bench: Bench, name: str, file: Path, script: str, today: str, as_option: bool = False) -> Job:
    """The contents after are those of the edits that the script of the page prints."""
    before = Contents((Reference(0, file.stat().st_size),))
    # From the end on, so that the offsets stay those of the file before.
    edits = reversed(list(_edits(_run(bench, script, file))))
    ours = f'bytesplice apply $0 OPTIONS -e "$({script})"' if as_option else f"{script} | bytesplice apply $0 OPTIONS"
    return Job(name, file, before, before.after(edits), ours, today, today_checked=False)


def _edits(lines: str) -> Iterator[Edit]:
    for line in lines.splitlines():
        edit = json.loads(line)
        if "bytesplice" in edit:
            continue
        byte, count = edit.get("fill", (0, 0))
        data = bytes.fromhex(edit.get("hex", "")) + struct.pack("B", byte) * count
        start, end = edit.get("remove") or edit.get("replace") or [edit["insert"]] * 2
        yield Edit(start, end - start, data)


def _run(bench: Bench, line: str, path: Path) -> str:
    done = subprocess.run(shell(bench, line, path), capture_output=True, text=True, check=True, cwd=bench.directory)
    return done.stdout


NEEDED = {"mutagen": _song, "objcopy": _program, "safetensors": _model, "imageio-ffmpeg": _video, "bchunk": _track}
"""Programs, and the jobs that they are for."""
