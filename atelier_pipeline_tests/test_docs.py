"""The pages name only what exists, and everything that a user needs to find."""

import re
from pathlib import Path

import pytest

from atelier_pipeline.cli import app
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.market.datasets import Dataset

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = PAGES[0].read_text("utf-8")
MOST_LINES_OF_THE_MAP = 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#|data:)([^)#\s]+)", page.read_text("utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_place_of_one_machine(page):
    assert not re.search(r"/(work|root|home|tmp)/\w", page.read_text("utf-8"))


def test_the_readme_lists_every_command():
    listed = re.findall(r"^\| `atelier ([a-z-]+)", README, re.MULTILINE)
    commands = [command.callback.__name__.replace("_", "-") for command in app.registered_commands]
    assert sorted(listed) == sorted(commands)


def test_the_readme_says_what_each_exchange_offers():
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|(.+)\|$", README, re.MULTILINE)
    offered = {name: [cell.strip() == "✓" for cell in cells.split("|")] for name, cells in rows}
    assert offered == {
        name: [dataset in exchange.datasets for dataset in Dataset]
        for name, exchange in EXCHANGES.items()
    }


def test_every_page_is_reached_from_the_readme():
    unlisted = [
        page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in README
    ]
    assert unlisted == []


def test_the_map_names_every_room_and_stays_short():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = {path.stem for path in (ROOT / "atelier_pipeline").glob("[a-z]*.py")} | {
        path.parent.name for path in (ROOT / "atelier_pipeline").glob("*/__init__.py")
    }
    named = set(re.findall(r"`(\w+)(?:/|\.py)`", text))
    assert rooms - {"manifests"} <= named
    assert len(text.splitlines()) < MOST_LINES_OF_THE_MAP
