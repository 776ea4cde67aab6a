"""The peers, and bytesplice itself, as contenders."""

import json
import shlex
from pathlib import Path

from bench.contender import Contender
from bench.contents import Edit
from bench.tools import Tools

SCRIPT = Path(__file__).with_name("python_peers.py")
UNCHANGED = ("limit", "disk", "disk-twice", "drop")
"""The methods that leave the file as it is."""
TIE_FILE = """
use Tie::File;
my ($path, $offset, $removed, $inserted) = @ARGV;
tie my @lines, "Tie::File", $path or die "cannot tie: $!";
my $line = $lines[0];
substr($line, $offset, $removed) = $inserted;
$lines[0] = $line;
untie @lines;
"""


class Contenders:
    """Makes contenders for some edits. What they need beside the file lies in `directory`."""

    def __init__(self, tools: Tools, directory: Path, edits: list[Edit]) -> None:
        self._tools = tools
        self._edits = edits
        self._edit = edits[0]
        self._edits_file = directory / "edits.json"
        self._inserted_file = directory / "inserted"
        self._edits_file.write_text(json.dumps([(e.offset, e.removed, e.inserted.hex()) for e in edits]))
        self._inserted_file.write_bytes(self._edit.inserted)

    def ours(self, strategy: str, sync: bool = True, extra: tuple[str, ...] = ()) -> Contender:
        """The command line with this strategy."""
        name = f"bytesplice {strategy}" + ("" if sync else " --no-sync")
        options = ["--strategy", strategy, *([] if sync else ["--no-sync"]), *extra]
        if self._edit.inserted:
            what = [str(self._edit.offset), "--from", str(self._inserted_file)]
            verb = "insert"
        else:
            what = [f"{self._edit.offset}+{self._edit.removed}"]
            verb = "remove"
        binary = str(self._tools.binary)
        return Contender(
            name,
            lambda path: [binary, verb, str(path), *what, *options],
            ours=True,
            recovers=strategy != "direct",
        )

    def python(self, method: str, name: str, sync: bool = False, most_runs: int | None = None) -> Contender:
        """A method of `python_peers.py`."""
        fixed = [str(self._tools.python), "-I", str(SCRIPT), method]
        rest = [str(self._edits_file), *(["--sync"] if sync else [])]
        return Contender(
            name,
            lambda path: [*fixed, str(path), *rest],
            ours=method.startswith("bytesplice"),
            is_python=True,
            recovers=method in ("bytesplice-auto", "bytesplice-helpers-safe"),
            most_runs=most_runs,
            checked=method not in UNCHANGED,
        )

    def limit(self, sync: bool = False) -> Contender:
        """Reading and writing the same range once."""
        return self.python("limit", "limit: read and write the range once" + (" + fsync" if sync else ""), sync)

    def disk(self) -> list[Contender]:
        """What the disk alone takes to write the range, once and as often as a journal has it."""
        once = self.python("disk", "disk: the range once, past the cache + fsync", sync=True)
        return [once, self.python("disk-twice", "disk: the range twice, past the cache + fsync", sync=True)]

    def drop(self) -> Contender:
        """What the kernel takes to drop the cached range, as every shift or share of its extents must."""
        return self.python("drop", "limit: drop what is cached of the range")

    def copy(self, sync: bool = False) -> Contender:
        """A new file and a rename."""
        return self.python("copy", "copy + fsync + rename" if sync else "copy + rename", sync)

    def mutagen(self, sync: bool = False, most_runs: int | None = None) -> list[Contender]:
        """mutagen, if it is there."""
        if not self._tools.has("mutagen"):
            return []
        return [self.python("mutagen", "mutagen" + (" + fsync" if sync else ""), sync, most_runs)]

    def editors(self) -> list[Contender]:
        """The programs of the system that can do it, as far as they are there."""
        offset, removed, inserted = self._edit.offset, self._edit.removed, self._edit.inserted.decode("ascii")
        keys = b"\x06" * (2 * offset) + b"\x18\x09"  # ^F a nibble each, ^X^I insert mode
        keys += self._edit.inserted.hex().encode() + b"\x04" * removed + b"\x18\x13\x18\x03"  # ^D, ^X^S, ^X^C
        dots = r"\(" + "." * offset + r"\)" + "." * removed
        perl = rf'BEGIN {{ $/ = \1048576 }} substr($_, {offset}, {removed}) = "{inserted}" if $. == 1'
        bbe = f"i {offset - 1} {inserted}" if inserted else f"d {offset} {removed}"
        block = f"0:{offset + 4}"
        arguments = [str(offset), str(removed), inserted]
        all_of_them = {
            "sed": Contender("sed -i", lambda path: ["sed", "-i", rf"1s/^{dots}/\1{inserted}/", str(path)]),
            "perl": Contender("perl -i -pe, 1 MiB records", lambda path: ["perl", "-i", "-pe", perl, str(path)]),
            "tweak": Contender("tweak", lambda path: ["tweak", str(path)], keys=keys),
            "bbe": Contender(
                "bbe + mv",
                lambda path: [
                    "sh",
                    "-c",
                    f"bbe -b {block} -e {shlex.quote(bbe)} {path} -o {path}.new && mv {path}.new {path}",
                ],
                most_runs=1,
            ),
        }
        tie = Contender("perl Tie::File", lambda path: ["perl", "-e", TIE_FILE, str(path), *arguments], most_runs=1)
        there = [contender for name, contender in all_of_them.items() if self._tools.has(name)]
        return [*there, *([tie] if self._tools.has("perl") else [])]
