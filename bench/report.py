"""The documents, their plots, and the same tables on the terminal."""

import re
from pathlib import Path

from bench.plots import svg
from bench.results import Result, Table, Target
from bench.tables import number

INTRODUCTION = """\
# Performance

Made by `{command}`; do not edit. Times are those of whole processes, from start to end, ours as well as the others'
(*without start-up*: the same without what the interpreter needs to start, or the editor until it takes keys). Medians
of interleaved runs on a file that was written anew for each. Every result, ours and the others', was compared byte by
byte with an oracle.

- *private MB*: the peak of anonymous memory, sampled every 5 ms; mapped pages of the file do not count.
- *MB by calls*: `wchar`, what write calls were given; *MB dirtied*: `write_bytes` of `/proc/PID/io`, pages made dirty,
  by stores into maps, too.
- *extra disk*: the most that was used on the file system beyond what was used before, sampled every 20 ms; what
  anybody else writes there meanwhile counts, too. XFS allocates ahead for a file that grows; btrfs accounts only now
  and then.
- MB are 1,000,000 bytes, MiB 1,048,576.
"""


def write(results: list[Result], path: Path) -> None:
    """Writes the document and its plots, which go into a directory named like it."""
    plots = path.with_suffix("")
    plots.mkdir(parents=True, exist_ok=True)
    for old in plots.glob("*.svg"):
        old.unlink()
    commands = sorted({result.command for result in results})
    parts = [
        INTRODUCTION.format(command=commands[0] if commands else "bench/run"),
        *_environment(results),
        *_summary(results),
    ]
    for result in results:
        parts.append(f"## {result.title}\n")
        parts += [f"{paragraph}\n" for paragraph in result.paragraphs]
        for chart in result.charts:
            (plots / f"{chart.name}.svg").write_text(svg(chart))
            parts.append(f"![{chart.title}]({plots.name}/{chart.name}.svg)\n")
        parts += [table_text(table) for table in result.tables]
        if result.targets:
            parts.append(table_text(_target_table(result.targets)))
        if result.failures:
            parts.append("**Failed:**\n\n" + "\n".join(f"- {failure}" for failure in result.failures) + "\n")
        if result.peer_failures:
            lines = [f"- {failure}" for failure in result.peer_failures]
            parts.append("Failed, of the others:\n\n" + "\n".join(lines) + "\n")
    path.write_text("\n".join(parts))


def show(result: Result) -> None:
    """Prints the tables of a section."""
    print(f"\n=== {result.title}\n")
    for table in result.tables:
        print(table_text(table))
    if result.targets:
        print(table_text(_target_table(result.targets)), flush=True)


def table_text(table: Table) -> str:
    """A table that reads well as Markdown and as it is."""
    cells = [table.columns, *table.rows]
    cells = [[re.sub(r"\s+", " ", cell.replace("|", "\\|")) for cell in row] for row in cells]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.columns))]
    left = {0} if len(table.columns) > 2 else {0, 1}

    def line(row: list[str]) -> str:
        fitted = [
            cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(fitted)} |"

    rule = [("-" * width) if index in left else "-" * (width - 1) + ":" for index, width in enumerate(widths)]
    lines = [f"**{table.title}**", "", line(cells[0]), line(rule), *map(line, cells[1:]), ""]
    lines += [f"{note}\n" for note in table.notes]
    return "\n".join(lines)


def _environment(results: list[Result]) -> list[str]:
    """The machine; more than once if the sections were measured in more than one."""
    parts = ["## Environment\n"]
    seen: list[tuple[dict[str, str], str, list[str]]] = []
    for result in results:
        same = next(
            (
                names
                for environment, command, names in seen
                if (environment, command) == (result.environment, result.command)
            ),
            None,
        )
        if same is None:
            seen.append((result.environment, result.command, [result.name]))
        else:
            same.append(result.name)
    for environment, command, names in seen:
        if len(seen) > 1:
            parts.append(f"Sections {', '.join(names)}, by `{command}`:\n")
        parts.append("\n".join(f"- {key}: {value}" for key, value in environment.items()) + "\n")
    return parts


def _summary(results: list[Result]) -> list[str]:
    targets = [target for result in results for target in result.targets]
    reached = sum(target.reached is True for target in targets)
    parts = ["## Targets\n", f"{reached} of {len(targets)} reached.\n", table_text(_target_table(targets))]
    return parts if targets else []


def _target_table(targets: list[Target]) -> Table:
    words = {True: "reached", False: "NOT reached", None: "not measured"}
    rows = []
    for target in targets:
        sign = "≥" if target.at_least else "≤"
        rows.append(
            [
                target.text,
                f"{sign} {target.limit:g} {target.unit}",
                number(target.value),
                words[target.reached],
            ]
        )
    return Table("Targets", ["target", "set", "measured", ""], rows)
