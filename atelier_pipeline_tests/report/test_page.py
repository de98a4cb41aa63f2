"""The page of a day says what the verdict says, loads nothing, and believes no text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from atelier_pipeline.report import judge, render, write_page
from atelier_pipeline.report.coverage import WIDTH, stretches
from atelier_pipeline.report.facts import DayFacts, FailedRule, Feed, Loss
from atelier_pipeline.report.page import MOST_ROWS
from atelier_pipeline_tests.report.days import (
    BOOKS,
    TRADES,
    at,
    whole_day,
    with_capture,
    with_loss,
    without,
)

SMALL = 60_000


class Page(HTMLParser):
    """The tags of a page that never close wrongly, and its tables as text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [v or "" for k, v in attrs if k in {"src", "href", "srcset", "action"}]
        if tag not in {"meta", "rect"}:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open) and data.strip():
            self.rows[-1][-1] += f"{data.strip()} "


def troubled() -> DayFacts:
    facts = with_loss(whole_day(), BOOKS, "disconnect", 7, 8.5)
    facts = with_capture(facts, TRADES, 1, head_hash=None)
    failed = (FailedRule(at(0), "raw", "sorted", None, blocking=True),)
    return replace(facts, failed=failed)


def test_a_page_shows_every_feed_loss_seam_and_rule_in_tables():
    page = Page(render(judge(troubled())))
    cells = [[cell.strip() for cell in row] for row in page.rows]
    assert [row[:7] for row in cells if row[0] == "BTCUSDT"] == [
        ["BTCUSDT", "orderbooks", "degraded", "93.75 %", "100 %", "400", "0"],
        ["BTCUSDT", "trades", "degraded", "100 %", "-", "400", "0"],
    ]
    loss = ["07:00:00.000", "08:30:00.000", "1.5 h", "BTCUSDT", "orderbooks", "disconnect"]
    assert [*loss, "it was the disconnect"] in cells
    unseen = "this window did not see its start whole"
    assert ["06:00", "BTCUSDT", "trades", "not proved", unseen] in cells
    assert ["00:00", "raw", "sorted", "the whole stage", "error"] in cells


def test_a_page_of_a_whole_day_says_that_nothing_is_wrong():
    html = render(judge(whole_day()))
    assert '<body data-verdict="available">' in html
    assert "No loss is known." in html
    assert "All 8 seams are proved." in html
    assert "None of those that have judged this day." in html


def test_a_page_loads_nothing_runs_nothing_and_is_small():
    html = render(judge(troubled()))
    assert Page(html).sources == []
    assert not re.search(r"<script|<link|<img|@import|url\(", html)
    assert len(html.encode()) < SMALL


def test_a_day_of_many_losses_lists_the_first_and_counts_the_others():
    losses = tuple(Loss("sequence", at(k / 100), at(k / 100) + 1, "") for k in range(500))
    html = render(judge(whole_day(losses={(BOOKS, at(0)): losses})))
    rows = [row for row in Page(html).rows if "sequence " in row]
    assert len(rows) == MOST_ROWS
    assert "400 more are in the view" in html
    assert len(html.encode()) < SMALL


def test_text_that_looks_like_html_is_shown_as_text():
    evil = "<script>alert('1')</script>"
    feed = Feed(f'"{evil}', "trades")
    facts = whole_day()
    facts = replace(
        facts,
        feeds=(feed,),
        captures={(feed, t0): row for (_, t0), row in facts.captures.items()},
        losses={(feed, at(0)): (Loss(evil, at(1), at(2), evil),)},
        failed=(FailedRule(at(0), evil, evil, None, blocking=True),),
    )
    html = render(judge(facts))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    Page(html)


def test_the_map_joins_windows_of_one_shade_and_says_what_they_are():
    facts = without(with_loss(whole_day(), BOOKS, "disconnect", 18, 18.03), BOOKS, 1)
    books = judge(facts).feeds[0]
    assert [(s.x, s.width, s.shade, s.title) for s in stretches(books)] == [
        (0, WIDTH / 4, "available", "00:00-06:00: available"),
        (WIDTH / 4, WIDTH / 4, "missing", "06:00-12:00: missing"),
        (WIDTH / 2, WIDTH / 4, "available", "12:00-18:00: available"),
        (
            WIDTH * 3 / 4,
            WIDTH / 4,
            "degraded",
            "18:00-00:00: degraded, 99.50 % covered: disconnect",
        ),
    ]


def test_a_page_lies_in_the_lake_by_collector_and_day_and_is_replaced_whole(tmp_path: Path):
    path = write_page(tmp_path, judge(whole_day()))
    assert path == tmp_path / "reports" / "perps" / "perps_2026-02-26.html"
    write_page(tmp_path, judge(troubled()))
    assert path.read_text("utf-8") == render(judge(troubled()))
    assert list(path.parent.iterdir()) == [path]
