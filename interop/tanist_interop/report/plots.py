"""The plots of a report, as SVG for the inside of an HTML page.

Matplotlib draws them, with stand-ins for colours (``colours``); afterwards these become variables
of the page, texts stay texts, and names that only Matplotlib needs go. Dots of acknowledged
messages are a picture inside the SVG: there may be a hundred thousand of them.
"""

from __future__ import annotations

import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from tanist_interop.report import colours
from tanist_interop.report.story import OUTCOMES, Story

WIDTH_IN: Final = 12.5
LEFT_IN: Final = 0.9
NAMES_IN: Final = 1.4
"""Left of a plot, for the words of its axis; for names of clients."""

ABOVE_IN: Final = 0.3
BELOW_IN: Final = 0.5
FONT_PT: Final = 9
DOTS_PER_INCH: Final = 160

WORDS_MAX: Final = 8
"""More faults than this have no words in a plot, only their bars."""

FEW: Final = 500
"""Fewer dots than this are larger, and no picture."""

MARKS: Final = {"ok": ".", "info": "^", "fail": "x"}
"""Outcomes differ in their form too."""

STYLES: Final = ("-", "--", "-.", ":")
"""Lines differ in their form too, once the colours begin again."""

SVG: Final = "http://www.w3.org/2000/svg"


def throughput(story: Story) -> str:
    """Messages per second of each client program: acknowledged to it, and given to it."""
    with _figure(4.6, rows=2) as (figure, axes):
        names = sorted({*story.acknowledged, *story.received})
        for number, name in enumerate(names):
            style = STYLES[number // colours.LINES % len(STYLES)]
            for ax, counters in zip(axes, (story.acknowledged, story.received), strict=True):
                if name in counters:
                    ax.plot(
                        *story.rates(counters[name]), label=name, linestyle=style, linewidth=1.3,
                        color=_ink(colours.line(number)),
                    )  # fmt: skip
        for ax, words in zip(axes, ("acknowledged /s", "received /s"), strict=True):
            ax.set_ylabel(words)
            ax.set_ylim(bottom=0)
            _faults(ax, story, words=ax is axes[0])
        figure.align_ylabels(axes)
        _legend(axes[0])
        _time_axis(axes[1], story)
        return _svg(figure, "throughput", "Messages per second of each client program")


def latency(story: Story) -> str:
    """How long each message was without an outcome, by the moment of its announcement."""
    with _figure(3.6) as (figure, (ax,)):
        cells = story.latencies
        shown = dict(zip(OUTCOMES, (colours.DOTS, _ink("unsure"), _ink("bad")), strict=True))
        for outcome, colour in shown.items():
            seconds, ms = cells.points(outcome)
            if not seconds:
                continue
            fine, size = outcome == "ok", 3.0 if len(seconds) > FEW else 6.0
            ax.plot(
                seconds, ms, MARKS[outcome], color=colour, markersize=size if fine else 5.0,
                markeredgewidth=0 if fine else 1.2, linestyle="none",
                label=f"{outcome} ({cells.messages[outcome]:,})", rasterized=len(seconds) > FEW,
            )  # fmt: skip
        ax.set_yscale("log")
        ax.set_ylabel("until the outcome")
        ax.set_ylim(*_decades(ax.get_ylim()))
        ax.yaxis.set_major_formatter(FuncFormatter(_duration))
        ax.yaxis.set_minor_formatter(NullFormatter())
        _faults(ax, story, words=True)
        _legend(ax, dots=True)
        _time_axis(ax, story)
        return _svg(figure, "latency", "Confirmation latency of each message, and its outcome")


def unseen(story: Story) -> str:
    """How many messages were acknowledged and not received by anybody, over time."""
    with _figure(2.6) as (figure, (ax,)):
        seconds, most = story.gaps()
        ax.fill_between(seconds, most, step="mid", color=_ink("line-0"), alpha=0.25, linewidth=0)
        ax.step(seconds, most, where="mid", color=_ink("line-0"), linewidth=1.2)
        ax.set_ylabel("not seen yet")
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        _faults(ax, story, words=True)
        _time_axis(ax, story)
        return _svg(figure, "unseen", "Messages acknowledged and not received by anybody yet")


def lanes(story: Story) -> str:
    """What each broker was, over time."""
    names = list(story.lanes)
    with _figure(0.9 + 0.35 * len(names)) as (figure, (ax,)):
        seen: dict[str, str] = {}
        for row, turns in enumerate(story.lanes.values()):
            ends = [t for t, _ in turns[1:]] + [max(story.end, turns[-1][0])]
            for (t, state), until in zip(turns, ends, strict=True):
                colour = _ink(colours.state(state))
                label = "" if state in seen else state
                seen[state] = colour
                ax.broken_barh(
                    [(t / 1e9, (until - t) / 1e9)],
                    (row - 0.38, 0.76),
                    facecolors=colour,
                    label=label,
                )
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        _faults(ax, story, words=False, bars=False)
        _legend(ax)
        _time_axis(ax, story)
        return _svg(figure, "lanes", "What each broker was")


def phases(
    bars: dict[str, list[tuple[str, float, float]]], seconds_max: float, name: str = "phases"
) -> str:
    """Failover time per client program: bars of named phases (name, from, to in seconds), and a
    diamond where the phase ``detected`` ends. ``name`` tells it from others on its page."""
    with _figure(1.0 + 0.32 * len(bars), left_in=NAMES_IN) as (figure, (ax,)):
        order = list(dict.fromkeys(phase for found in bars.values() for phase, _, _ in found))
        named = [phase for phase in order if phase != "detected"]
        for row, found in enumerate(bars.values()):
            for phase, begin, end in found:
                if phase == "detected":
                    ax.plot([end], [row], "D", color=_ink("ink"), markersize=4.5, zorder=3,
                            label=_once(ax, "detected"))  # fmt: skip
                    continue
                colour = _ink(colours.line(named.index(phase)))
                ax.broken_barh([(begin, end - begin)], (row - 0.36, 0.72), facecolors=colour,
                               label=_once(ax, phase))  # fmt: skip
        ax.set_yticks(range(len(bars)), list(bars))
        ax.set_ylim(len(bars) - 0.4, -0.6)
        ax.set_xlim(0, seconds_max * 1.03 or 1)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("seconds from the fault")
        _legend(ax)
        return _svg(figure, name, "Failover time of each client program, taken apart")


def _once(ax: Axes, label: str) -> str:
    """The label, unless the plot has it already."""
    return "" if label in ax.get_legend_handles_labels()[1] else label


def _ink(name: str) -> str:
    return colours.stand_in(name)


@contextmanager
def _figure(
    height_in: float, rows: int = 1, left_in: float = LEFT_IN
) -> Iterator[tuple[Figure, list[Axes]]]:
    """An empty figure of so many plots above each other, in the colours of the page. Plots of one
    width begin at the same place, so that their moments stand below each other."""
    settings: dict[Any, Any] = {  # names that Matplotlib's types list one by one
        "axes.edgecolor": _ink("rule"), "axes.labelcolor": _ink("ink"), "axes.grid": True,
        "axes.facecolor": "none", "axes.spines.right": False, "axes.spines.top": False,
        "font.family": "sans-serif", "font.size": FONT_PT, "grid.color": _ink("rule"),
        "grid.linewidth": 0.6, "text.color": _ink("ink"), "xtick.color": _ink("faint"),
        "xtick.labelcolor": _ink("ink"), "ytick.color": _ink("faint"),
        "ytick.labelcolor": _ink("ink"), "svg.fonttype": "none", "axes.axisbelow": True,
        "legend.labelcolor": _ink("ink"),
    }  # fmt: skip
    with mpl.rc_context(settings):
        figure = Figure(figsize=(WIDTH_IN, height_in))
        figure.subplots_adjust(
            left=left_in / WIDTH_IN, right=1 - 0.15 / WIDTH_IN,
            bottom=BELOW_IN / height_in, top=1 - ABOVE_IN / height_in, hspace=0.12,
        )  # fmt: skip
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False)
        yield figure, [row[0] for row in axes]


def _faults(ax: Axes, story: Story, words: bool, bars: bool = True) -> None:
    """A bar from the beginning to the end of each fault, a line at its beginning. Where states are
    drawn (no ``bars``) many lines would hide them."""
    colour, many = _ink("fault"), len(story.faults) > WORDS_MAX
    for fault in story.faults if bars or not many else []:
        begin, end = fault.begin / 1e9, fault.end / 1e9
        if bars and fault.end and not many:
            ax.axvspan(begin, end, facecolor=colour, alpha=0.13, linewidth=0)
        ax.axvline(begin, color=colour, linewidth=0.5 if many else 1.1, alpha=0.3 if many else 1)
        if words and not many:
            ax.annotate(
                fault.words, (begin, 1), xycoords=("data", "axes fraction"), xytext=(3, -2),
                textcoords="offset points", va="top", color=colour,
            )  # fmt: skip
    for t, text in [] if many or not words else story.marks:
        late = t > 0.9 * story.end
        ax.axvline(t / 1e9, color=_ink("faint"), linewidth=0.8, linestyle=":")
        ax.annotate(
            text, (t / 1e9, 1), xycoords=("data", "axes fraction"), color=_ink("faint"), va="top",
            xytext=(-3 if late else 3, -14), textcoords="offset points",
            ha="right" if late else "left",
        )  # fmt: skip


def _legend(ax: Axes, dots: bool = False) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if labels:
        ax.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(labels),
            frameon=False, borderaxespad=0.2, handlelength=1.6, columnspacing=1.6,
            markerscale=2 if dots else 1,
        )  # fmt: skip


def _time_axis(ax: Axes, story: Story) -> None:
    ax.set_xlim(0, max(story.end, 1) / 1e9)
    ax.set_xlabel("seconds since the run began")


def _decades(limits: tuple[float, float]) -> tuple[float, float]:
    """Whole powers of ten around these limits of an axis."""
    low, high = (math.log10(max(limit, 1e-6)) for limit in limits)
    return 10.0 ** math.floor(low), 10.0 ** max(math.ceil(high), math.floor(low) + 1)


def _duration(ms: float, _: object) -> str:
    """A tick of an axis of milliseconds."""
    if ms < 1:
        return f"{ms * 1000:g} µs"
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


def _svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an element of a page."""
    out = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": name}):  # ids that other plots of the page do not have
        figure.savefig(
            out, format="svg", transparent=True, dpi=DOTS_PER_INCH, metadata={"Date": None}
        )
    return adapted(out.getvalue(), name, title)


def adapted(svg: bytes, name: str, title: str) -> str:
    """Matplotlib's SVG for the inside of a page: the page's colours and font, no size of its own,
    only the ids that are used, a title for readers who do not see it."""
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ET.fromstring(svg)
    text = svg.decode("utf-8")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(
        re.findall(r'xlink:href="#([^"]+)"', text)
    )
    for child in root.findall(f"{{{SVG}}}metadata"):
        root.remove(child)
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        style = element.get("style")
        if style:
            element.set("style", _restyled(style))
    for attribute in ("width", "height"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-label": title, "class": "plot", "data-plot": name}
    caption = ET.Element(f"{{{SVG}}}title")
    caption.text = title
    root.insert(0, caption)
    return ET.tostring(root, encoding="unicode")


def _restyled(style: str) -> str:
    style = re.sub(r"(font: [\d.]+px) [^;]*", r"\1 var(--font)", style)
    style = re.sub(r"font-family: [^;]*", "font-family: var(--font)", style)
    return re.sub(r"#[0-9a-f]{6}", lambda m: _named(m[0]), style)


def _named(colour: str) -> str:
    name = colours.STAND_INS.get(colour)
    return colours.variable(name) if name else colour
