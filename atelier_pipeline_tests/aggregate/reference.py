"""The 15 features by their definitions: loops over lists, one tick at a time."""

import pyarrow as pa

from atelier_pipeline.lake.schemas import AGGREGATES
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.synchronise.markets import MS
from atelier_pipeline_tests.synchronise.reference import Reference, Tick


def expected_aggregates(reference: Reference, ticks: list[Tick]) -> pa.Table:
    before = reference.state(Dataset.OPEN_INTERESTS, ticks[0].stamp - reference.settings.period_ns)
    rows = []
    for tick in ticks:
        rows.append(_row(reference, tick, before))
        before = tick.states[Dataset.OPEN_INTERESTS]
    return pa.Table.from_pylist(rows, schema=AGGREGATES)


def _row(reference: Reference, tick: Tick, before) -> dict:
    return {
        **tick.snapshot,
        "ts_ns": tick.stamp,
        **_book(reference, tick),
        **_trades(tick.events[Dataset.TRADES], tick.snapshot["n_trades"]),
        **_liquidations(tick.events[Dataset.LIQUIDATIONS], tick.snapshot["n_liquidations"]),
        **_funding(tick.states[Dataset.FUNDINGS], tick.stamp),
        **_open_interest(tick.states[Dataset.OPEN_INTERESTS], before),
    }


def _book(reference: Reference, tick: Tick) -> dict:
    if tick.book is None:
        return {}
    bids, asks = reference.levels(tick)
    bid_size = ask_size = 0.0
    for _, size in bids:
        bid_size += size
    for _, size in asks:
        ask_size += size
    features = {}
    if bids and asks:
        features["ob_mid_price"] = (bids[0][0] + asks[0][0]) / 2
        features["ob_spread"] = asks[0][0] - bids[0][0]
    if bid_size + ask_size:
        features["ob_imbalance"] = (bid_size - ask_size) / (bid_size + ask_size)
    return features


def _trades(trades: list, count: int | None) -> dict:
    if count is None:
        return {}
    volume = value = 0.0
    for trade in trades:
        volume += trade.amount
        value += trade.price * trade.amount
    vwap = value / volume if volume else None
    return {"trade_volume": volume, "trade_vwap": vwap, "trade_count": count}


def _liquidations(liquidations: list, count: int | None) -> dict:
    if count is None:
        return {}
    total = bought = sold = 0.0
    for liquidation in liquidations:
        value = liquidation.price * liquidation.amount
        total += value
        if liquidation.side == "buy":
            bought += value
        else:
            sold += value
    imbalance = (bought - sold) / total if total else None
    return {"liq_notional": total, "liq_count": count, "liq_imbalance": imbalance}


def _funding(funding, stamp: int) -> dict:
    if funding is None:
        return {}
    features = {
        "fr_rate": funding.funding_rate,
        "fr_annualized": funding.funding_rate * 8760 / (funding.interval_hours or 8),
    }
    if funding.next_funding_ts is not None:
        features["fr_next_settlement_delta"] = funding.next_funding_ts - stamp // MS
    return features


def _open_interest(now, before) -> dict:
    if now is None:
        return {}
    features = {"oi_contracts": now.open_interest, "oi_value": now.open_interest_value}
    if before is not None:
        features["oi_change"] = now.open_interest - before.open_interest
    return features
