"""The page in a real browser: Debian's Chromium, no network."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bench.records import Record
from report import history
from report.load import load_run
from report.overview import arrange
from report.write import PAGE, write_report

Writer = Callable[..., Path]
Opener = Callable[..., Page]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium; on Debian: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Root, as in a container, has no sandbox.
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def opener(browser: Browser) -> Iterator[Callable[[Path, int, str], Page]]:
    """Opens a page from disk, without a network; it must complain of nothing."""
    complaints: list[str] = []
    contexts = []

    def open_page(file: Path, width: int, scheme: str) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            offline=True,
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready=yes]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def opened(
    opener: Callable[[Path, int, str], Page], full_records: list[Record], write_run: Writer
) -> Opener:
    """Opens the page of 24 records."""
    folder = write_run(full_records)
    write_report(arrange(load_run(folder)), folder)
    return lambda width=1280, scheme="light": opener(folder / PAGE, width, scheme)


def test_figures_are_drawn(opened: Opener) -> None:
    page = opened()
    figures = page.locator("figure")
    assert figures.count() > 3
    assert page.locator("figure .chart > svg, figure .chart svg.marks").count() == figures.count()
    # Every arm that is held against another has its mark.
    drawn = page.locator("figure#figure-ratios-listing1-1 svg").first.text_content() or ""
    assert "keras fit" in drawn
    assert "pytorch compile" in drawn


def test_a_table_sorts_by_numbers(opened: Opener) -> None:
    page = opened()
    table = page.locator("table#comparison-1")
    heading = table.locator("thead th", has_text="images/s")
    place = heading.evaluate("cell => cell.cellIndex")

    def numbers() -> list[float]:
        cells = table.locator(f"tbody tr td:nth-child({place + 1})")
        return [float(cell.get_attribute("data-order") or "nan") for cell in cells.all()]

    before = numbers()
    heading.click()
    page.wait_for_selector("#comparison-1 th[aria-sort=ascending]")
    assert numbers() == sorted(before)
    assert numbers() != before
    heading.click()
    page.wait_for_selector("#comparison-1 th[aria-sort=descending]")
    assert numbers() == sorted(before, reverse=True)


def test_a_table_filters(opened: Opener) -> None:
    page = opened()
    rows = page.locator("table#comparison-1 tbody tr")
    assert rows.count() == 8
    page.locator(".dt-container:has(#comparison-1) input[type=search]").fill("keras")
    assert rows.count() == 2
    assert all("keras" in (row.text_content() or "") for row in rows.all())


def test_a_number_leads_to_its_records(opened: Opener) -> None:
    page = opened()
    row = page.locator("table#comparison-1 tbody tr", has_text="compile").first
    row.locator("a").click()
    target = page.url.rpartition("#")[2]
    assert "compile" in (page.locator(f"tr#{target}").text_content() or "")


def test_the_page_speaks_chinese_at_a_switch(opened: Opener) -> None:
    page = opened()
    heading = page.locator(".verdicts .verdict").first
    assert "TensorFlow runs on many platforms" in heading.inner_text()
    assert "refuted" in heading.inner_text()
    page.get_by_role("button", name="中文").click()
    assert "反驳" in heading.inner_text()
    assert "refuted" not in heading.inner_text()
    assert page.get_by_role("button", name="中文").get_attribute("aria-pressed") == "true"
    figure = page.locator("figure#figure-ratios-listing1-1")
    figure.get_by_text("速度倍数").first.wait_for()
    page.get_by_role("button", name="English").click()
    figure.get_by_text("times as fast").first.wait_for()
    assert "refuted" in heading.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_has_no_sideways_scroll(opened: Opener, scheme: str) -> None:
    page = opened(width=360, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (scheme == "light")


def test_the_history_of_runs_is_drawn_and_speaks_chinese(
    opener: Callable[[Path, int, str], Page],
    full_records: list[Record],
    write_run: Writer,
    tmp_path: Path,
) -> None:
    history.write([write_run(full_records)], tmp_path / "history.html")
    page = opener(tmp_path / "history.html", 360, "dark")
    assert page.locator("figure svg.marks").count() == page.locator("figure").count() == 2
    assert page.locator("table.grid tbody tr").count() == 8
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="中文").click()
    assert "历史" in page.locator("h1").inner_text()


def test_without_scripts_the_numbers_are_still_there(
    browser: Browser, full_records: list[Record], write_run: Writer
) -> None:
    folder = write_run(full_records)
    write_report(arrange(load_run(folder)), folder)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto((folder / PAGE).as_uri())
    assert page.locator("table#comparison-1 tbody tr").count() == 8
    context.close()
