"""Whether a day's data can be trusted, and the page that says so. Judges what others recorded."""

from atelier_pipeline.report.facts import DayFacts, FailedRule, day_windows
from atelier_pipeline.report.page import render, write_page
from atelier_pipeline.report.verdict import DayVerdict, FeedVerdict, Verdict, judge

__all__ = [
    "DayFacts",
    "DayVerdict",
    "FailedRule",
    "FeedVerdict",
    "Verdict",
    "day_windows",
    "judge",
    "render",
    "write_page",
]
