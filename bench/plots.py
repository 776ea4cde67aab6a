"""Horizontal bars as SVG: readable on light and on dark, without any library."""

from html import escape

from bench.results import Bar, Chart

BARS = 420
LETTER = 7.3
NUMBERS = 75
TOP = 44
ROW = 24
BAR = 14
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #57606a }
.title { font-weight: 600; font-size: 15px; fill: #24292f }
.own { font-weight: 600; fill: #0f766e }
.bar { fill: #8c9aa8 } .bar.ours { fill: #14b8a6 }
.spread { stroke: #57606a; stroke-width: 1.5 } .axis { stroke: #8c959f; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #9da7b3 } .title { fill: #e6edf3 } .own { fill: #2dd4bf }
  .bar { fill: #6e7b89 } .spread { stroke: #c9d1d9 }
}
"""


def svg(chart: Chart) -> str:
    """The chart as a file."""
    height = TOP + ROW * len(chart.bars) + 12
    longest = max((bar.high for bar in chart.bars), default=1.0) or 1.0
    labels = 24 + round(LETTER * max((len(bar.label) for bar in chart.bars), default=0))
    width, scale = labels + BARS + NUMBERS, BARS / longest
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{escape(chart.title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="24">{escape(chart.title)}</text>',
        f'<line class="axis" x1="{labels}" y1="{TOP - 6}" x2="{labels}" y2="{height - 8}"/>',
    ]
    for index, bar in enumerate(chart.bars):
        lines += _bar(bar, labels, TOP + ROW * index, scale, chart.unit)
    return "\n".join([*lines, "</svg>", ""])


def _bar(bar: Bar, left: int, top: float, scale: float, unit: str) -> list[str]:
    middle = top + BAR / 2
    kinds = ("bar ours", "own") if bar.ours else ("bar", "other")
    low, high = left + bar.low * scale, left + bar.high * scale
    base = f"{middle + 4.5:.1f}"
    width = f"{max(bar.value * scale, 1):.1f}"
    lines = [
        f'<text class="{kinds[1]}" x="{left - 8}" y="{base}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="{kinds[0]}" x="{left}" y="{top}" width="{width}" height="{BAR}" rx="2"/>',
    ]
    if bar.high > bar.low:
        lines.append(f'<line class="spread" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>')
    value = f"{bar.value:.3g}" if bar.value < 1000 else f"{bar.value:,.0f}"
    lines.append(f'<text class="{kinds[1]}" x="{high + 7:.1f}" y="{base}">{value} {unit}</text>')
    return lines
