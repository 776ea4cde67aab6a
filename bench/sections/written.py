"""What a journaled commit writes, by the kernel's account, against the formula."""

from bench.bench import Bench
from bench.contents import Edit
from bench.results import Result, Row, Table, Target
from bench.tables import megabytes

TITLE = "Bytes written by a journaled commit"
BLOCK = 4096
CHUNK = 16 << 20
"""`Geometry::chunk` of crates/bytesplice/src/commit/plan.rs."""
SHIFTS = {
    "insert 4 bytes at offset 10": Edit(10, 0, b"abcd"),
    "remove 4 bytes at offset 10": Edit(10, 4, b""),
    "insert 1 MiB + 1 byte at offset 10": Edit(10, 0, b"x" * ((1 << 20) + 1)),
    "insert 8 MiB + 1 byte at offset 10": Edit(10, 0, b"x" * ((8 << 20) + 1)),
}
WITHIN = 2.0
MINIMUM = 512 << 20


def run(bench: Bench, result: Result) -> None:
    """One run each: these are counts."""
    size = bench.size
    result.paragraphs.append(
        "The formula: T(2 − d/c) + 2(c − d) + twice the new bytes, with T the bytes that change place in whole "
        f"blocks, d how far they move, c = {CHUNK >> 20} MiB the chunk. *by calls* is `wchar`, *dirtied* "
        "`write_bytes` of `/proc/PID/io`; the page cache accounts a large folio again for every step that touches "
        "it, and the journal's metadata counts there, too."
    )
    table = Table(
        f"{size >> 20} MiB on {bench.place_kind}, MB",
        ["what", "formula", "plan", "by calls", "dirtied", "calls − formula", "dirtied − formula"],
        [],
    )
    for name, edit in SHIFTS.items():
        contender = bench.contenders([edit]).ours("journaled")
        bench.place.prepare(bench.whole(), bench.reference, bench.task([edit]).preparation)
        plan = bench.plan(contender, bench.place)
        row = bench.measure(result, name, [contender], bench.place, bench.task([edit]), 1)[0]
        table.rows.append(_cells(name, row, formula(size, edit), _planned(plan)))
        off = 100 * abs(row.median("written_by_calls") / formula(size, edit) - 1)
        if size >= MINIMUM:
            result.targets.append(Target(f"{name}: calls off the formula", WITHIN, off, "%"))
    if size < MINIMUM:
        table.notes.append("Too small a file for the target: the second term of the formula weighs too much.")
    result.tables.append(table)


def formula(size: int, edit: Edit) -> float:
    """The bytes that should be written."""
    new = len(edit.inserted)
    end = size + new - edit.removed
    moved = -(-end // BLOCK) * BLOCK - edit.offset // BLOCK * BLOCK - new // BLOCK * BLOCK
    shift = abs(new - edit.removed)
    return moved * (2 - shift / CHUNK) + 2 * (CHUNK - shift) + 2 * new


def _planned(plan: dict[str, object]) -> float:
    return float(str(plan.get("bytes_to_write", "nan"))) + float(str(plan.get("bytes_to_journal", "nan")))


def _cells(name: str, row: Row, expected: float, planned: float) -> list[str]:
    calls, dirtied = row.median("written_by_calls"), row.median("write_bytes")
    numbers = [megabytes(value) for value in (expected, planned, calls, dirtied)]
    return [name, *numbers, *(f"{100 * (value / expected - 1):+.1f} %" for value in (calls, dirtied))]
