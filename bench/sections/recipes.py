"""The recipes for files of any format."""

from bench.bench import Bench
from bench.contents import Contents, Edit, Literal, Reference
from bench.jobs import Job, Jobs, saved
from bench.logs import LINES, Log
from bench.results import Result
from bench.sections.lines import LINES_IN_A_GIBIBYTE

TITLE = "Recipes: logs, headers, images, strings"
HEADER = b"id,name,value\n"
MARK = b"\xef\xbb\xbf"
RECORD, KEPT = 2048, 1744
OLD, NEW = "worker 3: request", "worker three: request"
"""In one line of 133. docs/performance-edits.md has more matches."""


def run(bench: Bench, result: Result) -> None:
    """Job by job, as the page has them."""
    jobs = Jobs(bench, result)
    log = Log()
    text = bench.directory / "log"
    log.write(text, bench.size)
    (bench.directory / "header").write_bytes(HEADER)
    (bench.directory / "cut_records.py").write_text(saved("cut_records.py"))
    whole = bench.whole()

    lines = LINES_IN_A_GIBIBYTE * bench.size >> 30
    jobs.measure(
        Job(
            "drop the head of a log",
            text,
            whole,
            whole.after([Edit(0, log.offset(lines), b"")]),
            f"bytesplice remove $0 OPTIONS --lines 1..{lines}",
            f"tail -n +{lines + 1} $0 > rest && cp rest $0 && rm rest",
        )
    )
    headed = whole.after([Edit(0, 0, HEADER)])
    insert = "bytesplice insert $0 OPTIONS 0 --from $1/header"
    jobs.measure(Job("put a header in front", text, whole, headed, insert, "cat $1/header $0 > new && mv new $0"))
    jobs.measure(
        Job(
            "cut a megabyte off a disk image",
            bench.reference,
            whole,
            whole.after([Edit(0, 1 << 20, b"")]),
            "bytesplice remove $0 OPTIONS 0..1MiB --save boot.img; mv boot.img $1",
            "dd if=$0 of=new bs=1M skip=1 status=none && mv new $0",
        )
    )
    marked = Contents((Literal(MARK), Reference(0, bench.size)))
    jobs.measure(
        Job(
            "strip a byte order mark",
            text,
            marked,
            whole,
            "bytesplice remove $0 OPTIONS 0..3 --expect-hex efbbbf",
            r"sed -i '1s/^\xEF\xBB\xBF//' $0",
        )
    )
    jobs.measure(
        Job(
            "replace a string by a longer one",
            text,
            whole,
            _replaced(bench, log),
            f"bytesplice replace-all $0 OPTIONS '{OLD}' '{NEW}'",
            f"sed -i 's/{OLD}/{NEW}/g' $0",
        )
    )
    patched = [Edit(bench.size // 2, 4, b"new!")]
    old = bench.reference.open("rb")
    with old:
        old.seek(bench.size // 2)
        expected = old.read(4).hex()
    jobs.measure(
        Job(
            "patch four bytes",
            bench.reference,
            whole,
            whole.after(patched),
            f"bytesplice replace $0 OPTIONS {bench.size // 2}+4 --text 'new!' --expect-hex {expected}",
            f"printf 'new!' | dd of=$0 bs=1 seek={bench.size // 2} conv=notrunc status=none",
        )
    )
    kept = Contents(tuple(Reference(at, KEPT) for at in range(0, bench.size, RECORD)))
    jobs.measure(
        Job(
            "304 bytes of every 2048",
            bench.reference,
            whole,
            kept,
            f"python $1/cut_records.py $0 {RECORD} {KEPT}..{RECORD} | bytesplice apply $0 OPTIONS",
            rf"perl -i -pe 'BEGIN {{ $/ = \{RECORD} }} $_ = substr($_, 0, {KEPT})' $0",
        )
    )
    jobs.measure(
        Job(
            "insert a header, and undo it",
            text,
            whole,
            whole,
            f"{insert} --undo-script undo && bytesplice apply $0 OPTIONS undo && rm undo",
            "cp $0 $0.bak && cat $1/header $0 > new && mv new $0 && mv $0.bak $0",
        )
    )
    text.unlink()


def _replaced(bench: Bench, log: Log) -> Contents:
    """No match reaches over the end of a block of the log, since it ends a line."""
    block_length = log.offset(LINES)
    whole, rest = divmod(bench.size, block_length)
    with (bench.directory / "log").open("rb") as file:
        block = file.read(block_length)
    after = (text.replace(OLD.encode(), NEW.encode()) for text in (block, block[:rest]))
    block, last = (Literal(text) for text in after)
    return Contents((*[block] * whole, last))
