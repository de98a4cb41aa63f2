"""Shipped manifests load, and the schema for editors takes and refuses what the types do."""

import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.manifest import SCHEMA_FILE, load_manifest, manifest_schema, parse_manifest
from atelier_pipeline.manifest.plan import plan_workers
from atelier_pipeline.manifest.refusals import Refusals
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.reference_tables import ROOT, schema_text
from atelier_pipeline_tests.test_manifest import EVERY_KEY, manifest

FOLDER = ROOT / "atelier_pipeline" / "manifests"
SHIPPED = sorted(FOLDER.glob("*/*.toml"))
VALIDATOR = Draft202012Validator(manifest_schema())
SPOT = {Dataset.ORDERBOOKS, Dataset.TRADES}

WRONG = [
    "collect.sourc = 'live'",
    "collect.source = 'Live'",
    "collect.channel_capacity = '16'",
    "collect.channel_capacity = 0",
    "collect.staleness_timeout_secs = 0",
    "collect.window = 5",
    "collect.reconnect.jitter_factor = 1.5",
    "collect.output = []",
    "collect.output = [{type = 'parquet'}]",
    "collect.output = [{type = 'terminal', dir = 'data'}]",
    "collect.sync.update_frequency = {unit = 'ms'}",
    "collect.window.lead_secs = -1",
    "session.duration_hours = 0",
]


def refused_by_types(text: str) -> bool:
    try:
        parse_manifest(text, "m.toml")
    except SettingsError:
        return True
    return False


def refused_by_schema(text: str) -> bool:
    return not VALIDATOR.is_valid(tomllib.loads(text))


def test_the_schema_file_is_what_the_types_say():
    assert SCHEMA_FILE.read_text("utf-8") == schema_text(), (
        "write it anew: python -m atelier_pipeline_tests.reference_tables"
    )
    Draft202012Validator.check_schema(manifest_schema())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_shipped_manifest_loads_and_leads_editors_to_the_schema(path: Path):
    text = path.read_text("utf-8")
    assert load_manifest(path) == parse_manifest(text, str(path))
    assert not refused_by_schema(text)
    first, _ = text.split("\n", 1)
    assert (path.parent / first.removeprefix("#:schema ")).resolve() == SCHEMA_FILE


@pytest.mark.parametrize("line", WRONG)
def test_the_schema_refuses_what_the_types_refuse(line: str):
    text = manifest(collect=line)
    assert (refused_by_schema(text), refused_by_types(text)) == (True, True)


@pytest.mark.parametrize("symbol", ["BTC_USD", "../BTC", "BTC//USD", "BTC/", "", "BTC USD", "ÅBC"])
def test_the_schema_refuses_symbols_that_could_not_name_a_file(symbol: str):
    assert refused_by_schema(manifest("kraken", symbol))


def test_the_schema_refuses_an_unknown_exchange_wherever_it_stands():
    worker = manifest("kraken", "BTC/USD") + "exchange = 'krakn'\n"
    assert refused_by_schema(manifest("krakn"))
    assert refused_by_schema(worker)
    assert not refused_by_schema(worker.replace("krakn", "bybit"))


def test_the_schema_takes_every_key():
    assert not refused_by_schema(EVERY_KEY)


def test_there_is_a_worker_manifest_for_each_exchange_and_one_for_all():
    plans = {
        path.stem: plan_workers(load_manifest(path), Refusals(path.name))
        for path in SHIPPED
        if path.parent.name == "workers"
    }
    assert {
        name: [(p.exchange.name, p.symbol) for p in found] for name, found in plans.items()
    } == {
        "bybit": [("bybit", "BTCUSDT"), ("bybit", "ETHUSDT")],
        "coinbase": [("coinbase", "BTC-USD"), ("coinbase", "ETH-USD")],
        "kraken": [("kraken", "BTC/USD"), ("kraken", "ETH/USD")],
        "multi": [("bybit", "BTCUSDT"), ("coinbase", "BTC-USD"), ("kraken", "BTC/USD")],
    }
    assert [plan.datasets for plan in plans["multi"]] == [set(Dataset), SPOT, SPOT]
    assert [plan.sync_mode for plan in plans["multi"]] == ["on_orderbook", "on_trade", "on_trade"]
    assert {o.type for plan in plans["multi"] for o in plan.output} == {"parquet", "terminal"}
