"""A picture of one run: acknowledgements per second over time, with the marks of what happened."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Final

from tanist_interop import history, protocol

WIDTH: Final = 900
HEIGHT: Final = 240
MARGIN: Final = 40
BUCKET_NS: Final = 100_000_000
MAX_BUCKETS: Final = 6_000
"""Ten minutes; what comes later is not drawn."""


def counts(records: history.Records) -> tuple[int, dict[str, list[int]]]:
    """First moment in ns, and per sender its acknowledgements in each tenth of a second."""
    points: dict[str, Counter[int]] = {}
    start = records[0].t
    for record, ok in history.messages(records, protocol.Ok):
        bucket = (record.t - start) // BUCKET_NS
        if 0 <= bucket < MAX_BUCKETS:
            points.setdefault(record.source, Counter())[bucket] += len(protocol.expand(ok.sns))
    last = max((max(counter) for counter in points.values()), default=0)
    return start, {name: [c[i] for i in range(last + 1)] for name, c in sorted(points.items())}


def marks(records: history.Records) -> list[tuple[int, str]]:
    """Moments worth a line: faults and promotions."""
    out = []
    for record in records:
        if record.type == "fault":
            name = record.event["name"] if record.event["phase"] == "begin" else "back"
            out.append((record.t, f"{name} {record.event['node']}"))
        elif record.type == "mark" and record.event["name"] in ("promoted", "rejoined"):
            out.append((record.t, f"{record.event['name']} {record.event.get('node', '')}"))
    return out


def draw(records: history.Records) -> str:
    """The SVG; a light line per mark, a curve per sender."""
    start, series = counts(records)
    first = min((next((i for i, n in enumerate(s) if n), 0) for s in series.values()), default=0)
    last = max((len(s) for s in series.values()), default=1)
    peak = max((max(s) for s in series.values()), default=1) or 1
    scale_x = (WIDTH - 2 * MARGIN) / max(1, last - first)
    scale_y = (HEIGHT - 2 * MARGIN) / peak
    floor = HEIGHT - MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{MARGIN} {MARGIN}V{floor}H{WIDTH - MARGIN}" stroke="#888" fill="none"/>',
        f'<text x="4" y="{MARGIN - 8}">{peak * 10:,} acknowledged/s</text>',
        f'<text x="{WIDTH - MARGIN}" y="{floor + 14}">{(last - first) / 10:.0f} s</text>',
    ]
    for row, (t, label) in enumerate(marks(records)):
        x = MARGIN + ((t - start) / BUCKET_NS - first) * scale_x
        out.append(f'<path d="M{x:.1f} {MARGIN}V{floor}" stroke="#c33" stroke-dasharray="3"/>')
        y = MARGIN + 12 * (row % 4)
        out.append(f'<text x="{x + 3:.1f}" y="{y}" fill="#c33">{escape(label)}</text>')
    colours = ("#1668a8", "#2a8a3e", "#8a4fb3", "#b36b00")
    for i, (name, values) in enumerate(series.items()):
        points = " ".join(
            f"{MARGIN + j * scale_x:.1f},{floor - n * scale_y:.1f}"
            for j, n in enumerate(values[first:])
        )
        colour = colours[i % len(colours)]
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        x = MARGIN + 200 * i
        out.append(f'<text x="{x}" y="{HEIGHT - 8}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])
