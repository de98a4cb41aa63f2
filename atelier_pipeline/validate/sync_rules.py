"""Rules that judge sync files: the market at every tick."""

from atelier_pipeline.validate.book_marks import (
    CROSSED_MARKS,
    MARKED_LEVELS,
    MIXED_FILES,
    ODD_MARKS,
)
from atelier_pipeline.validate.raw_rules import INTERESTS, PRICED_EVENTS
from atelier_pipeline.validate.rule import Rule, Severity, Stage, fill, per_table, union
from atelier_pipeline.validate.schema_rule import schema_rule

_GATHERED = ("trades_sync", "liquidations_sync")
_CARRIED = ("fundings_sync", "open_interests_sync")
_TICK = "epoch_ns(grid_ts)"
_DATASETS = ("orderbooks_sync", *_GATHERED, *_CARRIED)

UNSORTED_TICKS = """
SELECT 'TABLE' AS table_name, symbol, file_row_number AS row_number, TICK AS time_ns
FROM (
    SELECT
        *,
        lag(file_index) OVER () AS last_file, lag(file_row_number) OVER () AS last_row,
        lag(TICK) OVER () AS last_tick
    FROM TABLE
)
WHERE file_index = last_file AND (file_row_number <> last_row + 1 OR TICK < last_tick)
"""

_UNSORTED_EVENTS = """
SELECT
    'TABLE' AS table_name, symbol, file_row_number AS row_number, epoch_ns(ts_event) AS time_ns
FROM (
    SELECT
        *,
        lag(file_index) OVER () AS last_file, lag(file_row_number) OVER () AS last_row,
        lag(grid_ts) OVER () AS last_grid,
        lag(ts_event) OVER () AS last_event, lag(ts_recv) OVER () AS last_recv
    FROM TABLE
)
WHERE file_index = last_file AND (
    file_row_number <> last_row + 1
    OR grid_ts < last_grid
    OR (grid_ts = last_grid AND ts_event < last_event)
    OR (grid_ts = last_grid AND ts_event = last_event AND ts_recv < last_recv)
)
"""

_UNSORTED_OTHERS = union(
    per_table(fill(UNSORTED_TICKS, TICK=_TICK), (*_CARRIED, "snapshots")),
    per_table(_UNSORTED_EVENTS, _GATHERED),
)

_UNSORTED_LEVELS = """
SELECT 'orderbooks_sync', symbol, file_row_number, epoch_ns(grid_ts)
FROM (
    SELECT
        *,
        lag(file_index) OVER () AS last_file, lag(file_row_number) OVER () AS last_row,
        lag(grid_ts) OVER () AS last_grid, lag(side) OVER () AS last_side,
        lag(level) OVER () AS last_level, lag(price) OVER () AS last_price
    FROM orderbooks_sync
)
WHERE CASE
    WHEN (file_index = last_file) IS NOT TRUE THEN level <> 0
    WHEN file_row_number <> last_row + 1 OR grid_ts < last_grid THEN true
    WHEN grid_ts > last_grid THEN level <> 0
    WHEN side <> last_side THEN side = 'bid' OR level <> 0
    WHEN level <> last_level + 1 THEN true
    WHEN side = 'bid' THEN price >= last_price
    ELSE price <= last_price
END
"""

_PRICED_OTHERS = union(
    per_table(PRICED_EVENTS, _GATHERED), per_table(INTERESTS, ("open_interests_sync",))
)

_PRICED_LEVELS = """
SELECT 'orderbooks_sync', symbol, grid_ts, side, price, size
FROM orderbooks_sync
WHERE (price > 0 AND isfinite(price) AND size > 0 AND isfinite(size)) IS NOT TRUE
"""

_CROSSED = """
SELECT symbol, grid_ts, best_bid, best_ask
FROM (
    SELECT
        symbol, grid_ts,
        max(price) FILTER (WHERE side = 'bid') AS best_bid,
        min(price) FILTER (WHERE side = 'ask') AS best_ask
    FROM orderbooks_sync
    WHERE level = 0
    GROUP BY symbol, grid_ts
)
WHERE best_bid >= best_ask
"""

_FEW_VALID_BOOKS = """
WITH losses AS (
    SELECT symbol, epoch_ns(ts_start) AS start_ns, epoch_ns(ts_end) AS end_ns
    FROM gaps
    WHERE dataset = 'orderbooks' AND cause NOT IN ('silence', 'late', 'bad_time')
),
beginnings AS (
    SELECT symbol, arg_min(epoch_ns(ts_event), message) AS first_ns FROM orderbooks GROUP BY symbol
),
judged AS (
    SELECT symbol, book_valid FROM snapshots LEFT JOIN beginnings USING (symbol)
    WHERE symbol IN (SELECT symbol FROM captures WHERE dataset = 'orderbooks')
        AND (epoch_ns(grid_ts) <= first_ns) IS NOT TRUE
        AND NOT EXISTS (
            SELECT 1 FROM losses
            WHERE losses.symbol = snapshots.symbol
                AND start_ns < epoch_ns(grid_ts)
                AND end_ns >= epoch_ns(grid_ts) - getvariable('period_ns')
        )
)
SELECT
    symbol, count(*) AS ticks, count(*) FILTER (WHERE book_valid) AS valid,
    valid / ticks AS valid_share
FROM judged
GROUP BY symbol
HAVING valid_share < getvariable('min_valid_share')
"""

TICKS = """
wanted_ticks AS (
    SELECT symbol, tick_ns
    FROM (SELECT DISTINCT symbol FROM files), range(
        getvariable('t0') + getvariable('period_ns'),
        getvariable('t1') + 1,
        getvariable('period_ns')
    ) AS ticks(tick_ns)
),
found_ticks AS (
    SELECT symbol, TICK AS tick_ns, count(*) AS rows_found FROM TABLE GROUP BY ALL
),
bad_ticks AS (
    SELECT
        symbol, tick_ns, 'TABLE' AS table_name, coalesce(rows_found, 0) AS rows_found,
        CASE WHEN wanted_ticks.symbol IS NULL THEN 0 ELSE 1 END AS rows_wanted
    FROM wanted_ticks FULL JOIN found_ticks USING (symbol, tick_ns)
    WHERE rows_found IS DISTINCT FROM rows_wanted
)
"""
"""Common table expressions: each tick of the window once in TABLE, and no other."""

_INCOMPLETE_GRID = """
WITH TICKS,
wanted_levels AS (
    SELECT symbol, epoch_ns(grid_ts) AS tick_ns, bid_levels + ask_levels AS rows_wanted
    FROM snapshots WHERE bid_levels + ask_levels > 0
),
found_levels AS (LEVELS),
states AS (
    SELECT symbol, 'fundings_sync' AS table_name, grid_ts FROM fundings_sync
    UNION ALL
    SELECT symbol, 'open_interests_sync', grid_ts FROM open_interests_sync
)
SELECT * FROM bad_ticks
UNION ALL
SELECT
    symbol, tick_ns, 'orderbooks_sync', coalesce(rows_found, 0) AS rows_found,
    coalesce(rows_wanted, 0) AS rows_wanted
FROM wanted_levels FULL JOIN found_levels USING (symbol, tick_ns)
WHERE rows_found IS DISTINCT FROM rows_wanted
UNION ALL
SELECT symbol, epoch_ns(grid_ts) AS tick_ns, table_name, count(*) AS rows_found, 1
FROM states
GROUP BY symbol, tick_ns, table_name
HAVING rows_found > 1 OR tick_ns NOT IN (SELECT tick_ns FROM wanted_ticks)
"""

_FOUND_LEVELS = """
SELECT symbol, epoch_ns(grid_ts) AS tick_ns, count(*) AS rows_found
FROM orderbooks_sync GROUP BY ALL
"""


def _incomplete_grid(found_levels: str) -> str:
    """The query, given one that counts the rows that sync books have at a tick."""
    ticks = fill(TICKS, TABLE="snapshots", TICK=_TICK)
    return fill(_INCOMPLETE_GRID, TICKS=ticks, LEVELS=found_levels)


def _only_found(query: str) -> str:
    """As many rows, in the one form that doubts have."""
    return f"SELECT NULL AS file_index, NULL AS row_number FROM ({query})"  # noqa: S608 - ours


_PLACED_TRADES = """
placed AS (
    SELECT
        symbol, id, side, price, amount, ts_event, ts_recv,
        (time_ns // getvariable('period_ns') + 1) * getvariable('period_ns') AS tick_ns
    FROM (
        SELECT *, epoch_ns(if(getvariable('clock') = 'event', ts_event, ts_recv)) AS time_ns
        FROM trades
    )
    WHERE time_ns >= getvariable('t0') AND time_ns < getvariable('t1')
),
placed_sync AS (
    SELECT symbol, id, side, price, amount, ts_event, ts_recv, epoch_ns(grid_ts) AS tick_ns
    FROM trades_sync
)
"""

_UNCONSERVED_TRADES = """
WITH PLACED,
found AS (
    SELECT *, 1 AS more FROM placed
    UNION ALL
    SELECT *, -1 FROM placed_sync
),
balances AS (SELECT * EXCLUDE (more), sum(more)::BIGINT AS more FROM found GROUP BY ALL)
SELECT
    CASE WHEN more > 0 THEN 'missing from sync' ELSE 'not in raw' END AS problem,
    balances.* EXCLUDE (more)
FROM balances, range(abs(more))
WHERE more <> 0
"""
"""One grouping of both takes a fifth of the time of EXCEPT ALL, there and back."""

_TRADES_APART = """
WITH PLACED
SELECT NULL AS file_index, NULL AS row_number
FROM placed AS r POSITIONAL JOIN placed_sync AS s
WHERE (
    r.symbol = s.symbol AND r.id = s.id AND r.side = s.side AND r.price = s.price
    AND r.amount = s.amount AND r.ts_event = s.ts_event AND r.ts_recv = s.ts_recv
    AND r.tick_ns = s.tick_ns
) IS NOT TRUE
"""
"""Both are in order of time, so that nearly always the same trades stand side by side."""

_INVALID_BOOKS = """
SELECT file_index, file_row_number AS row_number FROM snapshots
WHERE book_valid IS NOT TRUE OR getvariable('min_valid_share') > 1
"""

SYNC_RULES = (
    schema_rule(Stage.SYNC, (*_DATASETS, "snapshots")),
    Rule(
        name="sorted",
        stage=Stage.SYNC,
        severity=Severity.ERROR,
        description=(
            "Order books are in order of tick, bids before asks, levels counted from 0 and away "
            "from the best price; all others are in order of tick, trades and liquidations at "
            "one tick in order of ts_event, then ts_recv."
        ),
        reads=(*_DATASETS, "snapshots"),
        query=union(_UNSORTED_OTHERS, _UNSORTED_LEVELS),
        doubt=union(_only_found(_UNSORTED_OTHERS), ODD_MARKS),
    ),
    Rule(
        name="positive_price_size",
        stage=Stage.SYNC,
        severity=Severity.ERROR,
        description=(
            "Prices, amounts and sizes are finite and above 0; open interest is not negative."
        ),
        reads=("orderbooks_sync", *_GATHERED, "open_interests_sync"),
        query=union(_PRICED_OTHERS, _PRICED_LEVELS),
        doubt=union(_only_found(_PRICED_OTHERS), ODD_MARKS),
    ),
    Rule(
        name="book_uncrossed",
        stage=Stage.SYNC,
        severity=Severity.ERROR,
        description=(
            "At every tick the best bid is below the best ask. In raw files a crossed book is a "
            "fact, recorded in gaps; at a tick it is not valid and has no rows."
        ),
        reads=("orderbooks_sync",),
        query=_CROSSED,
        doubt=union(ODD_MARKS, MIXED_FILES, CROSSED_MARKS),
    ),
    Rule(
        name="book_valid_share",
        stage=Stage.SYNC,
        severity=Severity.WARN,
        description=(
            "Of the ticks after the first book message that no loss in gaps touches, at least "
            "min_valid_share have a valid book."
        ),
        reads=("snapshots", "orderbooks", "gaps", "captures"),
        query=_FEW_VALID_BOOKS,
        doubt=_INVALID_BOOKS,
    ),
    Rule(
        name="grid_complete",
        stage=Stage.SYNC,
        severity=Severity.ERROR,
        description=(
            "Snapshots have every tick from t0 + period to t1 once and no other; order books have "
            "as many rows at a tick as its snapshot counts levels; funding and open interest have "
            "at most one row a tick."
        ),
        reads=("snapshots", "orderbooks_sync", *_CARRIED),
        query=_incomplete_grid(_FOUND_LEVELS),
        doubt=union(ODD_MARKS, MIXED_FILES, _only_found(_incomplete_grid(MARKED_LEVELS))),
    ),
    Rule(
        name="trades_conserved",
        stage=Stage.SYNC,
        severity=Severity.ERROR,
        description=(
            "The window's raw trades and its sync trades are the same trades, each at the first "
            "tick after its time."
        ),
        reads=("trades", "trades_sync"),
        query=fill(_UNCONSERVED_TRADES, PLACED=_PLACED_TRADES),
        doubt=fill(_TRADES_APART, PLACED=_PLACED_TRADES),
    ),
)
"""In the order in which they are shown."""
