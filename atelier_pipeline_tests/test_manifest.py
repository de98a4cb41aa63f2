"""Manifests: what they say, what they may not say, and what the shipped ones capture."""

from pathlib import Path

import pytest

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.manifest import (
    SyncPlan,
    load_manifest,
    load_manifests,
    parse_collector,
    parse_manifest,
)
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.reference_tables import DOCS, ROOT, manifest_table, with_table

SHIPPED = ROOT / "atelier_pipeline" / "manifests"
BOOKS_AND_TRADES = frozenset({Dataset.ORDERBOOKS, Dataset.TRADES})

EVERY_KEY = """
[collect]
exchange = "bybit"
source = "simulated"
channel_capacity = 16
staleness_timeout_secs = 30
gap_threshold_secs = 2.5
[collect.datatypes.orderbook]
enabled = true
depth = 20
[collect.datatypes.trades]
enabled = true
[collect.datatypes.liquidations]
enabled = true
[collect.datatypes.funding_rates]
enabled = false
[collect.datatypes.open_interest]
enabled = true
[collect.reconnect]
initial_delay_ms = 50
max_delay_ms = 500
max_attempts = 3
jitter_factor = 0.25
[collect.window]
lead_secs = 2
linger_secs = 1
prelaunch_secs = 9
[collect.sync]
sync_mode = "on_trade"
clock = "receive"
emission_delay_ms = 250
flush_threshold = 10
[collect.sync.update_frequency]
value = 1
unit = "Secs"
[[collect.output]]
type = "terminal"
[[workers]]
symbol = "BTCUSDT"
[[workers]]
symbol = "ETHUSDT"
sync_mode = "on_time"
datatypes.liquidations.enabled = false
[session]
duration_hours = 8.0
"""


def manifest(exchange: str = "kraken", *workers: str, collect: str = "") -> str:
    """A small manifest of books and trades, with the tables `collect` and symbols `workers`."""
    symbols = "".join(f"[[workers]]\nsymbol = {w!r}\n" for w in workers or ("BTC/USD",))
    datatypes = "collect.datatypes = {orderbook = {enabled = true}, trades = {enabled = true}}\n"
    return f"collect.exchange = {exchange!r}\n{datatypes}{collect}\n{symbols}"


def depth_of(exchange: str, symbol: str, depth: int) -> str:
    return (
        f"collect.exchange = {exchange!r}\n"
        f"collect.datatypes.orderbook = {{enabled = true, depth = {depth}}}\n"
        f"[[workers]]\nsymbol = {symbol!r}\n"
    )


def refusal_of(text: str) -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        parse_collector("m", text, "m.toml")
    return str(refusal.value).split("\n")


def folder(path: Path, **manifests: str) -> Path:
    for name, text in manifests.items():
        (path / f"{name}.toml").write_text(text, encoding="utf-8")
    return path


def test_a_collector_is_everything_that_its_manifest_says():
    collector = parse_collector("mine", EVERY_KEY, "mine.toml")
    assert collector.name == "mine"
    assert collector.exchange.name == "bybit"
    assert collector.source == "simulated"
    captured = BOOKS_AND_TRADES | {Dataset.OPEN_INTERESTS}
    assert collector.datasets == {
        "BTCUSDT": captured | {Dataset.LIQUIDATIONS},
        "ETHUSDT": captured,
    }
    assert (collector.depth, collector.subscribed_depth) == (20, 50)
    assert collector.sync_of("BTCUSDT") == SyncPlan(
        period_ns=1_000_000_000,
        mode="on_trade",
        clock="receive",
        emission_delay_ns=250_000_000,
        depth=20,
    )
    assert collector.sync_of("ETHUSDT").mode == "on_time"
    assert collector.window.model_dump() == {
        "lead_secs": 2,
        "linger_secs": 1,
        "prelaunch_secs": 9,
    }
    assert collector.reconnect.model_dump() == {
        "initial_delay_ms": 50,
        "max_delay_ms": 500,
        "max_attempts": 3,
        "jitter_factor": 0.25,
    }
    assert collector.staleness_timeout_secs == 30
    assert collector.gap_threshold_secs == 2.5
    assert collector.text == EVERY_KEY


def test_a_key_that_is_absent_has_its_documented_default():
    collector = parse_collector("m", manifest(), "m.toml")
    assert collector.source == "live"
    assert collector.sync == SyncPlan(100_000_000, "on_orderbook", "event", 2_000_000_000, 50)
    assert (collector.window.lead_secs, collector.window.linger_secs) == (20, 5)
    assert collector.reconnect.max_attempts is None
    assert collector.staleness_timeout_secs == 60


@pytest.mark.parametrize(
    ("exchange", "symbol", "depth", "subscribed"),
    [
        ("bybit", "BTCUSDT", 51, 200),
        ("bybit_spot", "BTCUSDT", 1, 1),
        ("kraken", "BTC/USD", 50, 100),
        ("coinbase", "BTC-USD", 50, None),
        ("coinbase_exchange", "BTC-USD", 50, None),
    ],
)
def test_the_smallest_offered_depth_that_suffices_is_subscribed(
    exchange: str, symbol: str, depth: int, subscribed: int | None
):
    collector = parse_collector("m", depth_of(exchange, symbol, depth), "m.toml")
    assert (collector.depth, collector.subscribed_depth) == (depth, subscribed)


def test_a_worker_overrides_key_by_key_and_takes_the_rest():
    text = depth_of("bybit", "BTCUSDT", 20) + "datatypes.trades.enabled = true\n"
    assert parse_collector("m", text, "m.toml").datasets == {"BTCUSDT": BOOKS_AND_TRADES}


def test_the_address_follows_the_source():
    live = parse_collector("m", manifest(), "m.toml")
    assert live.url("ws://127.0.0.1:8765") == live.exchange.url
    simulated = parse_collector("m", manifest(collect='collect.source = "simulated"'), "m.toml")
    assert simulated.url("ws://127.0.0.1:8765") == "ws://127.0.0.1:8765/kraken"
    replay = parse_collector("m", manifest(collect='collect.source = "replay"'), "m.toml")
    with pytest.raises(SettingsError, match="has no address"):
        replay.url("ws://127.0.0.1:8765")


def test_the_settings_hash_follows_values_and_not_their_spelling():
    spelled = manifest(collect="collect.window.lead_secs = 20 # the default, said aloud")
    changed = manifest(collect="collect.window.lead_secs = 21")
    hashes = [
        parse_collector("m", text, "m.toml").settings_hash
        for text in (manifest(), spelled, changed)
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    assert len(hashes[0]) == 16


@pytest.mark.parametrize(
    ("collect", "line"),
    [
        (
            'collect.sourc = "live"',
            (
                "m.toml: collect.sourc is not a known key: did you mean source? expected one of "
                "exchange, source, channel_capacity, staleness_timeout_secs, gap_threshold_secs, "
                "datatypes, reconnect, window, sync, output"
            ),
        ),
        (
            'collect.source = "Live"',
            "m.toml: collect.source = \"Live\": expected 'live', 'simulated' or 'replay'",
        ),
        (
            'collect.channel_capacity = "16"',
            'm.toml: collect.channel_capacity = "16": expected a valid integer',
        ),
        (
            "collect.channel_capacity = true",
            "m.toml: collect.channel_capacity = true: expected a valid integer",
        ),
        (
            "collect.staleness_timeout_secs = 0",
            "m.toml: collect.staleness_timeout_secs = 0: expected a number greater than 0",
        ),
        (
            "collect.staleness_timeout_secs = inf",
            "m.toml: collect.staleness_timeout_secs = inf: expected a finite number",
        ),
        ("collect.window = 5", "m.toml: collect.window = 5: expected a table"),
        (
            "collect.reconnect = {initial_delay_ms = 9, max_delay_ms = 8}",
            (
                "m.toml: collect.reconnect = {initial_delay_ms, max_delay_ms}: "
                "expected max_delay_ms to be at least initial_delay_ms"
            ),
        ),
        (
            'collect.output = [{type = "parquet"}]',
            'm.toml: collect.output[0] = {type}: expected dir exactly where type = "parquet"',
        ),
        (
            "collect.output = []",
            "m.toml: collect.output = []: expected at least one table",
        ),
        (
            'collect.sync.update_frequency = {unit = "ms"}',
            (
                'm.toml: collect.sync.update_frequency.unit = "ms": '
                "expected 'Nanos', 'Micros', 'Millis' or 'Secs'"
            ),
        ),
    ],
)
def test_a_wrong_key_is_refused_by_file_key_value_and_expectation(collect: str, line: str):
    assert refusal_of(manifest(collect=collect)) == [line]


def test_missing_keys_are_refused_together():
    assert refusal_of("[collect]\n[[workers]]\n") == [
        "m.toml: collect.exchange is missing: expected a string",
        "m.toml: workers[0].symbol is missing: expected a string",
    ]
    assert refusal_of("") == [
        "m.toml: collect is missing: expected a table",
        "m.toml: workers is missing: expected one or more tables",
    ]


def test_a_text_that_is_not_toml_is_refused_with_its_line():
    assert refusal_of("[collect\n") == [
        (
            "m.toml: expected TOML: Expected ']' at the end of a table declaration (at line 1, "
            "column 9)"
        )
    ]


@pytest.mark.parametrize("symbol", ["BTC_USD", "../BTC", "BTC//USD", "BTC/", "", "BTC USD", "ÅBC"])
def test_a_symbol_that_could_not_name_a_file_is_refused(symbol: str):
    (line,) = refusal_of(manifest("kraken", symbol))
    assert line.startswith(f'm.toml: workers[0].symbol = "{symbol}": expected 1 to 64 of ')


def test_an_exchange_is_asked_only_for_what_it_offers():
    text = manifest("kraken", "BTC/USD", "ETH/USD").replace("trades", "liquidations")
    assert refusal_of(text) == [
        (
            "m.toml: collect.datatypes.liquidations.enabled = true: "
            "kraken offers orderbook, trades only"
        )
    ]


def test_a_workers_own_demand_is_refused_under_its_own_key():
    text = manifest() + "datatypes = {funding_rates.enabled = true, orderbook.depth = 2000}\n"
    assert refusal_of(text) == [
        (
            "m.toml: workers[0].datatypes.funding_rates.enabled = true: "
            "kraken offers orderbook, trades only"
        ),
        (
            "m.toml: workers[0].datatypes.orderbook.depth = 2000: "
            "kraken offers order books of at most 1000 levels, not 2000"
        ),
    ]


def test_an_unknown_exchange_is_refused_once_with_the_known_ones():
    (line,) = refusal_of(manifest("krakn", "BTC/USD", "ETH/USD"))
    assert line.startswith('m.toml: collect.exchange = "krakn": ')
    assert "bybit_spot" in line


def test_a_symbol_without_an_enabled_datatype_is_refused():
    assert refusal_of('collect.exchange = "kraken"\n[[workers]]\nsymbol = "BTC/USD"\n') == [
        (
            'm.toml: workers[0].symbol = "BTC/USD": '
            "expected at least one enabled datatype for this symbol"
        )
    ]


def test_a_symbol_named_twice_is_refused():
    lines = refusal_of(manifest("kraken", "BTC/USD", "ETH/USD", "BTC/USD"))
    assert 'm.toml: workers[2].symbol = "BTC/USD": workers[0] captures it already' in lines


def test_symbols_that_the_exchange_answers_under_one_name_are_refused():
    assert refusal_of(manifest("coinbase", "BTC-USD", "BTC-USDC")) == [
        f'm.toml: workers[{number}].symbol = "{symbol}": '
        "several symbols here are answered as BTC-USD: keep one of them"
        for number, symbol in enumerate(("BTC-USD", "BTC-USDC"))
    ]


def test_a_worker_manifest_may_have_several_exchanges_and_a_collector_one():
    text = manifest() + '[[workers]]\nsymbol = "BTCUSDT"\nexchange = "bybit"\n'
    assert [worker.exchange for worker in parse_manifest(text, "m.toml").workers] == [None, "bybit"]
    (line,) = refusal_of(text)
    assert line.startswith('m.toml: workers[1].exchange = "bybit": a collector captures one exch')


def test_a_collector_has_one_depth():
    text = manifest("kraken", "BTC/USD", "ETH/USD") + "datatypes.orderbook.depth = 10\n"
    (line,) = refusal_of(text)
    assert line.startswith("m.toml: workers[1].datatypes.orderbook.depth = 10: a collector keeps")


def test_a_file_name_that_can_not_name_a_collector_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match=r'name of the file = "My Bybit"'):
        load_manifests(folder(tmp_path, **{"My Bybit": manifest()}))


def test_a_folder_gives_its_collectors_by_name(tmp_path: Path):
    folder(tmp_path, spot=manifest(), perps=manifest("bybit", "BTCUSDT"))
    assert [c.exchange.name for c in load_manifests(tmp_path).values()] == ["bybit", "kraken"]
    assert list(load_manifests(tmp_path)) == ["perps", "spot"]


def test_a_folder_without_manifests_is_refused(tmp_path: Path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SettingsError, match=r"expected a folder with a \.toml file"):
            load_manifests(path)


def test_a_dataset_of_a_symbol_belongs_to_one_collector(tmp_path: Path):
    folder(tmp_path, a=manifest(), b=depth_of("kraken", "BTC/USD", 10))
    with pytest.raises(SettingsError) as refusal:
        load_manifests(tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path / 'b.toml'}: kraken BTC/USD orderbooks is captured by "
        f"{tmp_path / 'a.toml'} already"
    )


def test_two_symbols_with_one_file_name_are_refused(tmp_path: Path):
    folder(tmp_path, a=manifest("kraken", "BTC/USD"), b=manifest("kraken", "BTC-USD"))
    with pytest.raises(SettingsError, match=r"BTC-USD would have the same file names .* BTC/USD"):
        load_manifests(tmp_path)


def test_the_problems_of_all_files_are_named_together(tmp_path: Path):
    folder(tmp_path, a=manifest("krakn"), b="[collect", c=manifest())
    with pytest.raises(SettingsError) as refusal:
        load_manifests(tmp_path)
    assert [Path(line.split(":")[0]).name for line in str(refusal.value).split("\n")] == [
        "a.toml",
        "b.toml",
    ]


@pytest.mark.parametrize(("window_minutes", "seconds"), [(1, 7), (60, 3601), (None, 7)])
def test_a_grid_that_does_not_divide_the_window_is_refused(
    tmp_path: Path, window_minutes: int | None, seconds: int
):
    grid = f'collect.sync.update_frequency = {{value = {seconds}, unit = "Secs"}}'
    folder(tmp_path, a=manifest(collect=grid))
    with pytest.raises(SettingsError, match=r"collect\.sync\.update_frequency"):
        load_manifests(tmp_path, window_minutes=window_minutes)


def test_a_grid_that_divides_the_window_is_taken(tmp_path: Path):
    grid = 'collect.sync.update_frequency = {value = 20, unit = "Secs"}'
    folder(tmp_path, a=manifest(collect=grid))
    assert load_manifests(tmp_path, window_minutes=1)["a"].sync.period_ns == 20_000_000_000


def test_an_output_folder_that_can_not_be_written_is_refused(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    output = f"collect.output = [{{type = 'parquet', dir = '{blocked / 'lake'}'}}]"
    folder(tmp_path, a=manifest(collect=output))
    for load in (load_manifest, lambda path: load_manifests(path.parent)):
        with pytest.raises(SettingsError, match=r"collect\.output\[0\]\.dir = .* can be written"):
            load(tmp_path / "a.toml")


def test_a_worker_manifest_is_loaded_with_the_session_it_asks_for(tmp_path: Path):
    folder(tmp_path, a=EVERY_KEY)
    loaded = load_manifest(tmp_path / "a.toml")
    assert loaded.session.duration_hours == 8
    assert loaded.collect.output[0].type == "terminal"
    with pytest.raises(SettingsError, match="can't be read: No such file"):
        load_manifest(tmp_path / "absent.toml")


@pytest.mark.parametrize(("name", "source"), [("live", "live"), ("demo", "simulated")])
def test_the_shipped_collectors_capture_three_exchanges(name: str, source: str):
    collectors = load_manifests(SHIPPED / name, window_minutes=60)
    assert {c.name: (c.exchange.name, c.source, c.symbols) for c in collectors.values()} == {
        "bybit": ("bybit", source, ("BTCUSDT", "ETHUSDT")),
        "coinbase": ("coinbase", source, ("BTC-USD", "ETH-USD")),
        "kraken": ("kraken", source, ("BTC/USD", "ETH/USD")),
    }
    assert collectors["bybit"].datasets["ETHUSDT"] == frozenset(Dataset)
    assert collectors["kraken"].datasets["BTC/USD"] == BOOKS_AND_TRADES
    assert {c.sync.period_ns for c in collectors.values()} == {100_000_000}


def test_the_reference_page_has_every_key_as_the_types_have_it():
    page = (DOCS / "manifest.md").read_text(encoding="utf-8")
    assert with_table(page, manifest_table()) == page
