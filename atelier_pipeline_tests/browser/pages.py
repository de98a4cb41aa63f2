"""What a person does on the pages of the UI; each function is one thing done or read."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

PATIENCE_MS = 90_000
"""The UI of a machine that is busy capturing takes its time."""

_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")


def chromium() -> str:
    """The path of a Chromium; skips where there is none, fails where one was promised."""
    promised = os.environ.get("ATELIER_CHROMIUM")
    found = promised or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium found; install one or set ATELIER_CHROMIUM to run this test")
    assert Path(found).exists(), f"ATELIER_CHROMIUM names {found}, which is not there"
    return found


@contextmanager
def browser_page(executable: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_QUIET)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield page
        browser.close()


def turn_on(page: Page, url: str, sensor: str) -> None:
    page.goto(f"{url}/locations/atelier_pipeline/sensors/{sensor}")
    switch = page.locator("input[type=checkbox]")
    switch.wait_for(state="attached")
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_be_checked()


def text_of(page: Page, address: str, *wanted: str) -> str:
    """All text of a page, once it shows what is wanted."""
    page.goto(address)
    for each in wanted:
        page.get_by_text(each).first.wait_for()
    return page.inner_text("body")


def terminate(page: Page, url: str, run_id: str) -> None:
    page.goto(f"{url}/runs/{run_id}")
    page.get_by_role("button", name="Terminate").first.click()
    page.locator(".dagster-dialog").get_by_role("button", name=re.compile("Terminate")).click()


def launch_backfill(page: Page, url: str, job: str, first: str, last: str, partitions: int) -> None:
    """A backfill of a job from the window or day `first` to `last`, for every collector."""
    page.goto(f"{url}/locations/atelier_pipeline/jobs/{job}/partitions")
    page.get_by_role("button", name="Materialize").click()
    dialog = page.locator(".dagster-dialog")
    expect(dialog.get_by_text(first[:10]).first).to_be_visible()
    windows = dialog.get_by_placeholder("ex: ")
    windows.fill(f"[{first}...{last}]")
    windows.press("Enter")
    dialog.get_by_role("button", name="All").first.click()
    expect(dialog).to_contain_text(f"{partitions} partitions")
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    dialog.wait_for(state="detached")
