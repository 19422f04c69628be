"""The drill's pages in a real browser: headless Chromium, light and dark, on a phone and on a desk.

Needs the system's Chromium (Debian's package ``chromium``; ``TANIST_CHROMIUM`` names another). Each
way of looking returns complaints, and is tried on pages with something planted, too.
"""

from __future__ import annotations

import io
import os
import shutil
from collections import Counter
from contextlib import contextmanager

import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from tanist_interop import protocol
from tanist_interop.report import colours, page
from tanist_interop.report.results import document
from tests.interop.conftest import Story

REMEDY = "no Chromium to look at reports with: apt-get install chromium, or set TANIST_CHROMIUM"

SIZES = (400, 1400)
SCHEMES = ("light", "dark")

STICKS_OUT = """() => [...document.querySelectorAll('main *')]
    .filter(e => !e.parentElement.closest('.wide, pre, svg, details:not([open])'))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
    .map(e => `${e.tagName} ${e.className}: ${e.textContent.slice(0, 40)}`)"""

PALE = """() => {
    const parse = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const part = [r, g, b].map(v => v / 255).map(v =>
            v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
    };
    const ground = light(parse(getComputedStyle(document.body).backgroundColor));
    const out = [];
    for (const e of document.querySelectorAll('svg text, p, th, td, dt, dd, li, h1, h2, h3, a')) {
        const style = getComputedStyle(e);
        const ink = light(parse(e.ownerSVGElement ? style.fill : style.color));
        const contrast = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
        if (contrast < 4) out.push(`${contrast.toFixed(1)}: ${e.textContent.slice(0, 40)}`);
    }
    return out;
}"""


def chromium() -> str:
    """The browser. Without one the test is skipped, and fails in CI."""
    names = (os.environ.get("TANIST_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, (shutil.which(name) for name in names if name)), None)
    if found is None:
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(REMEDY)
        pytest.skip(REMEDY)
    return found


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = playwright.chromium.launch(executable_path=path, args=arguments)
        yield running
        running.close()


@contextmanager
def opened(browser, path, width=1400, scheme="light"):
    """A page of a file, and what it complained of: console, errors, requests beyond the file."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    shown, complaints = context.new_page(), []
    shown.on("console", lambda message: complaints.append(f"console: {message.text}"))
    shown.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    shown.on(
        "request",
        lambda request: (
            request.url.startswith(("file://" + str(path), "data:"))
            or complaints.append(f"request: {request.url}")
        ),
    )
    shown.goto(f"file://{path}")
    try:
        yield shown, complaints
    finally:
        context.close()


def long_story():
    """A run with a failover, two thousand messages of two programs, and all outcomes."""
    story = Story()
    story.run()
    story.program("o", "python-proton with a long name")
    story.mark("formed")
    story.sender()
    story.sender("o", task=3, producer="x", queue="y")
    story.receiver()
    for number in range(1000):
        story.ms += 3
        for source, producer in (("s", "p"), ("o", "x")):
            story.batch(protocol.Invoke, [number], source, producer)
            story.ms += number % 7
            story.batch(protocol.Ok, [number], source, producer)
            story.got(number, producer=producer)
        if number == 500:
            story.fault()
            story.ms += 400
            story.mark("promote_begin", node="n2")
            story.mark("promoted", node="n2")
            story.ms += 300
            story.fault("end")
            story.mark("rejoined", node="n1")
    story.batch(protocol.Invoke, [(5000, 5003)], "s")
    story.batch(protocol.Fail, [5000, 5001], "s")
    story.batch(protocol.Info, [5002], "s")
    story.note("broker_log", node="n1", line="Traceback (most recent call last) " + "x" * 300)
    return story


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of a run and an index of two runs."""
    folder, story = tmp_path_factory.mktemp("pages"), long_story()
    run = document(story.verdict().as_json(), 12)
    (folder / "report.html").write_text(page.of_run(run, story.records), "utf-8")
    good = document(Story().good().verdict().as_json(), 1)
    page.write_index(folder, [("kill-primary-1", run), ("kill-primary-2", good)])
    return [folder / "report.html", folder / "index.html"]


def picture(shown, selector):
    """What is seen of an element."""
    return Image.open(io.BytesIO(shown.locator(selector).first.screenshot())).convert("RGB")


def counted(image):
    """How many points of a picture have which colour."""
    return Counter({colour: n for n, colour in image.getcolors(image.width * image.height)})


def inked(image, ground):
    """The share of a picture that is something else than the page's ground."""
    return 1 - counted(image)[ground] / (image.width * image.height)


def ground_of(scheme):
    """The colour of the page's ground."""
    return tuple(bytes.fromhex(colours.PAIRS["ground"][scheme == "dark"][1:]))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", SIZES)
def test_pages_fit_and_complain_of_nothing(browser, pages, width, scheme):
    for path in pages:
        with opened(browser, path, width, scheme) as (shown, complaints):
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert shown.evaluate(STICKS_OUT) == []
            assert shown.evaluate(PALE) == []
            assert complaints == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_plots_are_seen_in_both_schemes(browser, pages, scheme):
    with opened(browser, pages[0], scheme=scheme) as (shown, _):
        names = shown.locator("svg.plot").evaluate_all("all => all.map(e => e.dataset.plot)")
        assert names == ["phases", "latency", "throughput", "lanes", "unseen"]
        for name in names:
            image = picture(shown, f"svg[data-plot={name}]")
            assert image.width > 1000 and image.height > 100, name
            assert 0.01 < inked(image, ground_of(scheme)) < 0.95, name
        dots = tuple(bytes.fromhex(colours.DOTS[1:]))
        latency = counted(picture(shown, "svg[data-plot=latency]"))
        assert latency[dots] > 200, "the cells of acknowledged messages"


def test_schemes_differ(browser, pages):
    seen = []
    for scheme in SCHEMES:
        with opened(browser, pages[0], scheme=scheme) as (shown, _):
            seen.append(picture(shown, "svg[data-plot=unseen]").tobytes())
    assert seen[0] != seen[1]


def test_plots_of_a_phone_are_read_by_scrolling_them(browser, pages):
    with opened(browser, pages[0], 400) as (shown, _):
        width = "e => [e.clientWidth, e.scrollWidth]"
        inside, whole = shown.locator("#latency .wide").evaluate(width)
        assert inside <= 400
        assert whole >= 800


def test_links_of_the_index_lead_to_the_runs(browser, pages):
    with opened(browser, pages[1]) as (shown, _):
        links = shown.locator("main a").evaluate_all("all => all.map(e => e.getAttribute('href'))")
    assert "./kill-primary-1/report.html" in links


PLANTED = {
    "console": "<script>console.log('x')</script>",
    "error": "<script>throw new Error('x')</script>",
    "request": "<img src='file:///nowhere.png'>",
    "overflow": "<div style='width: 3000px'>x</div>",
    "pale": "<p style='color: var(--ground)'>x</p>",
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_is_found(browser, pages, tmp_path, what):
    text = pages[0].read_text("utf-8").replace("</main>", PLANTED[what] + "</main>")
    (tmp_path / "page.html").write_text(text, "utf-8")
    with opened(browser, tmp_path / "page.html") as (shown, complaints):
        looks = {"overflow": STICKS_OUT, "pale": PALE}
        found = shown.evaluate(looks[what]) if what in looks else complaints
    assert found
    assert what in looks or all(text.startswith(what) for text in found[:1])


def test_an_empty_plot_is_found(browser, pages, tmp_path):
    (tmp_path / "page.html").write_text("<svg class='plot' width='900' height='300'></svg>")
    with opened(browser, tmp_path / "page.html") as (shown, _):
        assert inked(picture(shown, "svg"), ground_of("light")) == 0
