"""A recording as SVG: every look of a line once, shown and hidden by CSS; without animation, the last screen."""

import re
from html import escape

from terminal import COLUMNS, ROWS, Look, Recording, Run

LETTER, LINE, LEFT, TOP = 8.4, 18, 16, 40
STYLE = """
svg {
  --back: #ffffff; --bar: #eaeef2; --edge: #d0d7de; --plain: #24292f; --cyan: #0969da; --green: #1a7f37;
  --gray: #6e7781; --red: #cf222e; --yellow: #9a6700; --magenta: #8250df
}
@media (prefers-color-scheme: dark) { svg {
  --back: #0d1117; --bar: #161b22; --edge: #30363d; --plain: #e6edf3; --cyan: #79c0ff; --green: #7ee787;
  --gray: #8b949e; --red: #ff7b72; --yellow: #d29922; --magenta: #d2a8ff
} }
text {
  font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
  fill: var(--plain); white-space: pre
}
.cyan, .blue { fill: var(--cyan) } .green { fill: var(--green) } .gray { fill: var(--gray) } .red { fill: var(--red) }
.yellow { fill: var(--yellow) } .magenta { fill: var(--magenta) } rect.plain { fill: var(--plain) }
.bold { font-weight: 600 } .gone { visibility: hidden }
"""
NAMES = {"default": "plain", "brightblack": "gray", "brown": "yellow"}


def drawing(recording: Recording) -> str:
    """The whole file."""
    length = recording.now
    width, height = COLUMNS * LETTER + 2 * LEFT, ROWS * LINE + TOP + 12
    keyframes: dict[str, str] = {}
    scrolls = "".join(
        f"{_percent(at, length)}{{transform:translateY({-line * LINE}px)}}" for at, line in recording.scrolls
    )
    last = f"translateY({-recording.scrolls[-1][1] * LINE}px)"
    lines = [element for look in recording.looks for element in _look(look, length, keyframes)]
    rules = "".join(
        f"@keyframes {name}{{{frames}}}.{name}{{animation-name:{name}}}" for frames, name in keyframes.items()
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}"'
            f' height="{height}" role="img" aria-label="A session of the command line">',
            f"<style>{STYLE}.scroll{{transform:{last}}}",
            "@media (prefers-reduced-motion: no-preference) {",
            f".scroll,g[class^=k]{{animation:{length:.1f}s step-end infinite}}",
            f"@keyframes scroll{{{scrolls}}}.scroll{{animation-name:scroll}}{rules}}}</style>",
            f'<rect x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1}" rx="8"'
            ' style="fill:var(--back);stroke:var(--edge)"/>',
            f'<path d="M1 28V8a7 7 0 0 1 7-7H{width - 8:.0f}a7 7 0 0 1 7 7V28z" style="fill:var(--bar)"/>',
            *(f'<circle cx="{18 + 18 * n}" cy="14.5" r="5" style="fill:var(--edge)"/>' for n in range(3)),
            f'<svg x="{LEFT}" y="{TOP}" width="{COLUMNS * LETTER:.0f}" height="{ROWS * LINE}"><g class="scroll">',
            *lines,
            "</g></svg></svg>",
            "",
        ]
    )


def _look(look: Look, length: float, keyframes: dict[str, str]) -> list[str]:
    if not look.runs:
        return []
    frames = "0%{visibility:hidden}" if look.begin > 0 else ""
    frames += f"{_percent(look.begin, length)}{{visibility:visible}}"
    if look.end is not None:
        frames += f"{_percent(look.end, length)}{{visibility:hidden}}"
    name = keyframes.setdefault(frames, f"k{len(keyframes)}")
    gone = " gone" if look.end is not None else ""
    inside = "".join(element for run in look.runs for element in _run(run, look.line))
    return [f'<g class="{name}{gone}">{inside}</g>']


def _run(run: Run, line: int) -> list[str]:
    """Blocks are drawn as a bar: fonts leave gaps between them."""
    color = NAMES.get(run.color, run.color)
    elements = []
    for part in re.finditer(r"█+|[^█]+", run.text):
        text = part[0].rstrip()
        start = run.column + part.start() + len(text) - len(text.lstrip())
        text = text.lstrip()
        x, size = start * LETTER, len(text) * LETTER
        classes = " ".join([*([color] if color != "plain" else []), *(["bold"] if run.bold else [])])
        attribute = f' class="{classes}"' if classes else ""
        if text.startswith("█"):
            elements.append(f'<rect class="{color}" x="{x:.5g}" y="{line * LINE + 2}" width="{size:.5g}" height="13"/>')
        elif text:
            place = f'x="{x:.5g}" y="{line * LINE + 14}" textLength="{size:.5g}"'
            elements.append(f"<text{attribute} {place}>{escape(text, quote=False)}</text>")
    return elements


def _percent(seconds: float, length: float) -> str:
    return f"{100 * seconds / length:.2f}%".replace("0.00%", "0%") if seconds else "0%"
