"""A lake of one symbol and window, small enough to check by eye, that keeps every rule.

Two seconds on a grid of 100 ms: 20 ticks. A book of two levels a side gets a message every 250 ms;
a sequence loss at 1,000 ms makes it invalid until the snapshot at 1,250 ms, so that the ticks 11
and 12 have no book. Trades come every 150 ms, one long is liquidated, funding and open interest
start from their opening state and change once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import lake_path
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.market.window import Window
from atelier_pipeline.validate.tables import TABLES

MS = 1_000_000
PERIOD_NS = 100 * MS
TICKS = 20
T0 = int(datetime(2026, 2, 26, 15, tzinfo=UTC).timestamp()) * 1_000 * MS
LATENCY_NS = 20 * MS
FUNDING = 0.0001

Row = dict[str, Any]
Rows = dict[str, list[Row]]
Damage = Callable[[list[Row]], list[Row]]


def window(t0: int = T0) -> Window:
    return Window(t0, t0 + TICKS * PERIOD_NS)


@dataclass
class SmallLake:
    """The rows of every table; `write` puts them into a lake."""

    exchange: str = "bybit"
    symbol: str = "BTC/USD"
    t0: int = T0
    price: float = 100.0
    rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        books, snapshots = self._books()
        raw = {
            "trades": self._trades(),
            "orderbooks": self._messages(),
            "liquidations": [self._event(730, side="buy", price=self.price - 1, amount=2.0)],
            "fundings": [self._funding(-500, opening=True), self._funding(620, opening=False)],
            "open_interests": [
                self._interest(-80, 5_000.0, opening=True),
                self._interest(910, 5_010.0, opening=False),
            ],
        }
        self.rows = raw | {
            "trades_sync": [self._placed(row) for row in raw["trades"]],
            "liquidations_sync": [self._placed(row) for row in raw["liquidations"]],
            "orderbooks_sync": books,
            "fundings_sync": self._carried(raw["fundings"]),
            "open_interests_sync": self._carried(raw["open_interests"]),
            "snapshots": snapshots,
            "gaps": [self._gap()],
            "captures": [self._capture(dataset, raw) for dataset in raw],
        }
        self.rows["aggregates"] = [self._aggregate(row) for row in snapshots]

    def damaged(self, name: str, damage: Damage) -> "SmallLake":
        self.rows[name] = damage([dict(row) for row in self.rows[name]])
        return self

    def table(self, name: str) -> pa.Table:
        return pa.Table.from_pylist(self.rows[name], TABLES[name].schema)

    def path(self, lake: Path, name: str) -> Path:
        table = TABLES[name]
        return lake_path(lake, self.exchange, self.symbol, table.kind, table.mode, self.t0)

    def write(self, lake: Path, names: Iterable[str] | None = None) -> Path:
        facts = Footer(exchange=self.exchange, symbol=self.symbol, source="replay")
        for name in self.rows if names is None else names:
            write_table(self.table(name), self.path(lake, name), facts)
        return lake

    def replace(self, lake: Path, name: str, table: pa.Table) -> None:
        """Put a file there that the lake's writer would refuse."""
        pq.write_table(table, self.path(lake, name))

    def at(self, ms: float) -> int:
        return self.t0 + int(ms * MS)

    def tick(self, k: int) -> int:
        return self.t0 + k * PERIOD_NS

    def _event(self, ms: float, **values: Any) -> Row:
        time = self.at(ms)
        of_event = {"trade_ts", "liquidation_ts", "ts"}
        return {
            **dict.fromkeys(of_event, time // MS),
            "orderbook_ts": time,
            "symbol": self.symbol,
            "exchange": self.exchange,
            "ts_event": time,
            "ts_recv": time + LATENCY_NS,
            **values,
        }

    def _trades(self) -> list[Row]:
        return [
            self._event(
                40 + 150 * i,
                side="buy" if i % 3 else "sell",
                price=self.price + i % 4,
                amount=0.5 + i % 2,
                id=str(900 + i),
            )
            for i in range(13)
        ]

    def _messages(self) -> list[Row]:
        whole = [("bid", 0, -1, 6.0), ("bid", 1, -2, 4.0), ("ask", 0, 1, 3.0), ("ask", 1, 2, 2.0)]
        rows = [self._level(-30, 0, level, opening=True) for level in whole]
        for message in range(1, 8):
            ms = 250 * message - 10
            if message == 5:
                rows += [self._level(ms, message, level, is_snapshot=True) for level in whole]
            else:
                rows.append(self._level(ms, message, ("bid", None, -2, 4.0 + message)))
        return rows

    def _level(
        self,
        ms: float,
        message: int,
        level: tuple[str, int | None, float, float],
        *,
        is_snapshot: bool = False,
        opening: bool = False,
    ) -> Row:
        side, place, distance, size = level
        return self._event(
            ms,
            side=side,
            level=place,
            price=self.price + distance,
            size=size,
            message=message,
            update_id=700 + message,
            is_snapshot=is_snapshot or opening,
            opening=opening,
        )

    def _books(self) -> tuple[list[Row], list[Row]]:
        levels: list[Row] = []
        snapshots: list[Row] = []
        messages = self._messages()
        for k in range(1, TICKS + 1):
            before = [row for row in messages if row["ts_event"] < self.tick(k)]
            whole = [row for row in before if row["level"] is not None][-4:]
            valid = k not in {11, 12}
            if valid:
                second = next(row for row in reversed(before) if row["price"] == self.price - 2)
                state = [whole[0], whole[1] | {"size": second["size"]}, whole[2], whole[3]]
                times = {name: before[-1][name] for name in ("ts_event", "ts_recv")}
                stamp = {"orderbook_ts": self.tick(k), "grid_ts": self.tick(k)}
                levels += [row | times | stamp for row in state]
            snapshots.append(self._snapshot(k, before[-1]["ts_event"], valid=valid))
        return levels, snapshots

    def _snapshot(self, k: int, book_ts: int, *, valid: bool) -> Row:
        trades = [row for row in self._trades() if self._tick_of(row) == self.tick(k)]
        return {
            "grid_ts": self.tick(k),
            "symbol": self.symbol,
            "exchange": self.exchange,
            "n_trades": len(trades),
            "n_liquidations": int(k == 8),
            "n_late": 0,
            "bid_levels": 2 if valid else None,
            "ask_levels": 2 if valid else None,
            "book_valid": valid,
            "book_age_ns": self.tick(k) - book_ts if valid else None,
            "driven": valid,
            "filled": not trades,
            "gap": not valid,
            "known_at": self.tick(k),
        }

    def _funding(self, ms: float, *, opening: bool) -> Row:
        return self._event(
            ms,
            funding_rate=FUNDING if opening else 2 * FUNDING,
            next_funding_ts=self.t0 // MS + 3_600_000,
            interval_hours=8.0,
            opening=opening,
        )

    def _interest(self, ms: float, contracts: float, *, opening: bool) -> Row:
        return self._event(
            ms,
            open_interest=contracts,
            open_interest_value=contracts * self.price,
            opening=opening,
        )

    def _carried(self, events: list[Row]) -> list[Row]:
        return [self._last(events, k) | {"grid_ts": self.tick(k)} for k in range(1, TICKS + 1)]

    def _last(self, events: list[Row], k: int) -> Row:
        return [row for row in events if row["ts_event"] < self.tick(k)][-1]

    def _tick_of(self, row: Row) -> int:
        return (row["ts_event"] // PERIOD_NS + 1) * PERIOD_NS

    def _placed(self, row: Row) -> Row:
        return row | {"grid_ts": self._tick_of(row)}

    def _gap(self) -> Row:
        return {
            "gap_id": "g1",
            "exchange": self.exchange,
            "symbol": self.symbol,
            "dataset": "orderbooks",
            "scope": "symbol",
            "cause": "sequence",
            "ts_start": self.at(1000),
            "ts_end": self.at(1240),
            "update_id_before": 703,
            "update_id_after": 705,
            "lost": 1,
            "capture_id": "c1",
            "ts_known": self.at(1010),
        }

    def _capture(self, dataset: str, raw: Rows) -> Row:
        counts = dict.fromkeys(
            ("rejected", "duplicates", "inexact", "bad_times", "reconnects", "verified"), 0
        )
        return {
            "exchange": self.exchange,
            "symbol": self.symbol,
            "dataset": dataset,
            "window_start": self.t0,
            "window_end": self.tick(TICKS),
            "capture_id": "c1",
            "source": "replay",
            "pieces": 1,
            "opened_at": self.at(-5_000),
            "closed_at": self.tick(TICKS) + LATENCY_NS,
            "frames": 40,
            "bytes": 4_000,
            "events": len(raw[dataset]),
            "integrity": "sequence",
            "clock_offset_ns": 3 * MS,
            "latency_p50_ns": LATENCY_NS,
            "latency_p99_ns": LATENCY_NS,
            **counts,
        }

    def _aggregate(self, snapshot: Row) -> Row:
        k = (snapshot["grid_ts"] - self.t0) // PERIOD_NS
        trades = [row for row in self.rows["trades_sync"] if row["grid_ts"] == snapshot["grid_ts"]]
        volume = sum(row["amount"] for row in trades)
        turnover = sum(row["amount"] * row["price"] for row in trades)
        interests, funding = self.rows["open_interests"], self._last(self.rows["fundings"], k)
        interest, last = self._last(interests, k), self._last(interests, k - 1)
        return {
            **snapshot,
            "ts_ns": snapshot["grid_ts"],
            "trade_volume": volume,
            "trade_vwap": turnover / volume if trades else None,
            "trade_count": len(trades),
            "liq_notional": 2.0 * (self.price - 1) if k == 8 else 0.0,
            "liq_count": int(k == 8),
            "liq_imbalance": 1.0 if k == 8 else None,
            "fr_rate": funding["funding_rate"],
            "fr_annualized": funding["funding_rate"] * 8760 / 8,
            "fr_next_settlement_delta": funding["next_funding_ts"] - snapshot["grid_ts"] // MS,
            "oi_contracts": interest["open_interest"],
            "oi_value": interest["open_interest_value"],
            "oi_change": interest["open_interest"] - last["open_interest"],
            **(self._book_features(snapshot) if snapshot["book_valid"] else {}),
        }

    def _book_features(self, snapshot: Row) -> Row:
        book = [r for r in self.rows["orderbooks_sync"] if r["grid_ts"] == snapshot["grid_ts"]]
        bids, asks = (sum(r["size"] for r in book if r["side"] == s) for s in ("bid", "ask"))
        return {
            "ob_mid_price": self.price,
            "ob_spread": 2.0,
            "ob_imbalance": (bids - asks) / (bids + asks),
        }
