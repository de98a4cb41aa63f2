"""Rules that judge market aggregates, against the sync files that they were made from."""

from atelier_pipeline.validate.rule import Rule, Severity, Stage, fill
from atelier_pipeline.validate.schema_rule import schema_rule
from atelier_pipeline.validate.sync_rules import TICKS, UNSORTED_TICKS

_INCOMPLETE_GRID = """
WITH TICKS
SELECT * FROM bad_ticks
"""

_UNCONSERVED_VOLUME = """
WITH traded AS (
    SELECT symbol, epoch_ns(grid_ts) AS ts_ns, count(*) AS events, fsum(amount) AS total
    FROM trades_sync GROUP BY ALL
),
liquidated AS (
    SELECT symbol, epoch_ns(grid_ts) AS ts_ns, count(*) AS events, fsum(price * amount) AS total
    FROM liquidations_sync GROUP BY ALL
),
compared AS (
    SELECT
        symbol, ts_ns, 'trades' AS dataset, trade_count AS count_found, events AS count_wanted,
        trade_volume AS total_found, total AS total_wanted
    FROM aggregates FULL JOIN traded USING (symbol, ts_ns)
    UNION ALL
    SELECT symbol, ts_ns, 'liquidations', liq_count, events, liq_notional, total
    FROM aggregates FULL JOIN liquidated USING (symbol, ts_ns)
)
SELECT * FROM compared
WHERE coalesce(count_found, 0) <> coalesce(count_wanted, 0)
    OR (count_found IS NULL) <> (total_found IS NULL)
    OR (
        abs(coalesce(total_found, 0) - coalesce(total_wanted, 0))
        <= getvariable('rounding') * coalesce(total_wanted, 0)
    ) IS FALSE
"""

_STRAY_VWAP = """
WITH traded AS (
    SELECT
        symbol, epoch_ns(grid_ts) AS ts_ns, min(price) AS lowest, max(price) AS highest,
        fsum(amount) AS volume
    FROM trades_sync GROUP BY ALL
)
SELECT symbol, ts_ns, trade_vwap, lowest, highest
FROM aggregates LEFT JOIN traded USING (symbol, ts_ns)
WHERE (trade_vwap IS NULL) <> (coalesce(volume, 0) = 0)
    OR (
        trade_vwap BETWEEN lowest * (1 - getvariable('rounding'))
            AND highest * (1 + getvariable('rounding'))
    ) IS FALSE
"""

_STRAY_IMBALANCE = """
SELECT symbol, ts_ns, ob_imbalance, liq_imbalance, book_valid
FROM aggregates
WHERE (ob_imbalance BETWEEN -1 AND 1) IS FALSE
    OR (liq_imbalance BETWEEN -1 AND 1) IS FALSE
    OR (ob_imbalance IS NOT NULL AND NOT book_valid)
"""

_UNEXPLAINED_CHANGE = """
WITH openings AS (
    SELECT symbol, any_value(open_interest) AS open_interest
    FROM open_interests WHERE opening GROUP BY symbol
),
changes AS (
    SELECT
        symbol, ts_ns, oi_contracts, oi_change,
        coalesce(
            lag(oi_contracts) OVER (PARTITION BY symbol ORDER BY ts_ns),
            CASE WHEN ts_ns = getvariable('t0') + getvariable('period_ns')
                THEN openings.open_interest END
        ) AS last_contracts
    FROM aggregates LEFT JOIN openings USING (symbol)
)
SELECT * FROM changes
WHERE (oi_change IS NULL) <> (oi_contracts - last_contracts IS NULL)
    OR (
        abs(oi_change - (oi_contracts - last_contracts))
        <= getvariable('rounding') * abs(oi_contracts)
    ) IS FALSE
"""

AGGREGATE_RULES = (
    schema_rule(Stage.AGGREGATES, ("aggregates",)),
    Rule(
        name="sorted",
        stage=Stage.AGGREGATES,
        severity=Severity.ERROR,
        description="Aggregates are in order of tick.",
        reads=("aggregates",),
        query=fill(UNSORTED_TICKS, TABLE="aggregates", TICK="ts_ns"),
    ),
    Rule(
        name="grid_complete",
        stage=Stage.AGGREGATES,
        severity=Severity.ERROR,
        description="Aggregates have every tick from t0 + period to t1 once and no other.",
        reads=("aggregates",),
        query=fill(_INCOMPLETE_GRID, TICKS=fill(TICKS, TABLE="aggregates", TICK="ts_ns")),
    ),
    Rule(
        name="volume_conserved",
        stage=Stage.AGGREGATES,
        severity=Severity.ERROR,
        description=(
            "At every tick trade_count and trade_volume, liq_count and liq_notional are those of "
            "the sync trades and liquidations of that tick."
        ),
        reads=("aggregates", "trades_sync", "liquidations_sync"),
        query=_UNCONSERVED_VOLUME,
    ),
    Rule(
        name="vwap_in_range",
        stage=Stage.AGGREGATES,
        severity=Severity.ERROR,
        description=(
            "trade_vwap lies between the lowest and the highest trade price of its tick, and is "
            "null where nothing traded."
        ),
        reads=("aggregates", "trades_sync"),
        query=_STRAY_VWAP,
    ),
    Rule(
        name="imbalance_in_range",
        stage=Stage.AGGREGATES,
        severity=Severity.ERROR,
        description=(
            "ob_imbalance and liq_imbalance lie between -1 and 1; ob_imbalance is null where the "
            "book is not valid."
        ),
        reads=("aggregates",),
        query=_STRAY_IMBALANCE,
    ),
    Rule(
        name="oi_change_consistent",
        stage=Stage.AGGREGATES,
        severity=Severity.ERROR,
        description=(
            "oi_change is the difference of oi_contracts to the tick before, at the first tick to "
            "the opening state, and null where either is not known."
        ),
        reads=("aggregates", "open_interests"),
        query=_UNEXPLAINED_CHANGE,
    ),
)
"""In the order in which they are shown."""
