"""Rows as tables and as charts."""

import statistics

from bench.results import Bar, Chart, Row, Table

MEGABYTE = 1_000_000


def seconds(value: float) -> str:
    """Three digits that matter: `1.23`, `0.123`, `0.0123`."""
    if value != value:
        return "–"
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def number(value: float) -> str:
    """A ratio or a count."""
    if value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def megabytes(value: float) -> str:
    """Bytes as megabytes of a million."""
    return "–" if value != value else f"{value / MEGABYTE:,.1f}"


def cost_table(title: str, rows: list[Row], bases: dict[str, tuple[str, str]], notes: list[str] | None = None) -> Table:
    """What every contender cost. `bases`: a heading, and whose which time the times are divided by."""
    columns = ["what", "seconds", "min–max", "without start-up", "CPU s", "private MB"]
    columns += ["MB by calls", "MB dirtied", "extra disk MB", *bases, "runs"]
    by_name = {row.name: row for row in rows}
    table = Table(title, columns, [], notes or [])
    problems = []
    for row in rows:
        name = f"**{row.name}**" if row.ours else row.name
        if row.problem or not row.samples:
            table.rows.append([name, *["–"] * (len(columns) - 2), "–"])
            problems.append(f"{row.name}: {row.problem}.")
            continue
        times = row.values("process_seconds")
        cells = [name, seconds(statistics.median(times)), f"{seconds(min(times))}–{seconds(max(times))}"]
        own = row.median("seconds")
        cells.append(seconds(own) if own != row.median("process_seconds") else "")
        cells.append(seconds(row.median("cpu_seconds")))
        cells += [
            megabytes(row.median(key))
            for key in ("peak_private_bytes", "written_by_calls", "write_bytes", "extra_disk_bytes")
        ]
        for base, key in bases.values():
            other = by_name[base].median(key) if base in by_name else float("nan")
            cells.append(number(row.median(key) / other))
        table.rows.append([*cells, str(len(times))])
    table.notes += problems
    return table


def time_chart(name: str, title: str, rows: list[Row], key: str = "process_seconds") -> Chart:
    """The medians as bars, the spread as whiskers."""
    bars = [
        Bar(row.name, row.median(key), min(row.values(key)), max(row.values(key)), row.ours)
        for row in rows
        if row.samples and not row.problem
    ]
    return Chart(name, title, "s", sorted(bars, key=lambda bar: bar.value))
