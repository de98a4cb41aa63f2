"""Rules that judge where a window meets the one before it.

A window whose predecessor left no captures has no seam. One that comes later, or is compacted, is
found when the rule runs.
"""

from contextlib import closing

import pyarrow as pa

from atelier_pipeline.validate.catalog import memory_connection
from atelier_pipeline.validate.rule import Rule, Severity, Stage, fill

_PAIRS = """
pairs AS (
    SELECT
        symbol, dataset, later.window_start AS moment, earlier.tail_hash, later.head_hash,
        earlier.last_update_id + 1 = later.first_update_id AS same_messages,
        later.integrity = 'trade_id' AS ids_count,
        TRY_CAST(earlier.last_trade_id AS BIGINT) AS last_id,
        TRY_CAST(later.first_trade_id AS BIGINT) AS first_id
    FROM EARLIER AS earlier JOIN captures AS later USING (symbol, dataset)
    WHERE earlier.window_end = later.window_start
)
"""

_JUDGED = """
judged AS (
    SELECT
        *,
        CASE
            WHEN tail_hash IS NULL THEN 'the window before did not see its end whole'
            WHEN head_hash IS NULL THEN 'this window did not see its start whole'
            WHEN tail_hash <> head_hash THEN 'the two captures saw different ' || CASE dataset
                WHEN 'orderbooks' THEN 'books'
                WHEN 'trades' THEN 'trades in the 2 s before it'
                WHEN 'liquidations' THEN 'liquidations in the 2 s before it'
                ELSE 'values'
            END
            WHEN ids_count AND first_id <> last_id + 1
                THEN 'trade ids go on from ' || last_id || ' with ' || first_id
        END AS reason
    FROM pairs
)
"""
"""Each pair with the reason why its seam is not proved, null where it is."""

_BROKEN = """
WITH PAIRS,
continued AS (SELECT * FROM pairs WHERE dataset = 'orderbooks' AND same_messages),
closing AS (
    SELECT symbol, side, level, price, size
    FROM orderbooks_sync_before SEMI JOIN continued USING (symbol)
    WHERE grid_ts = make_timestamp_ns(getvariable('t0')) AND getvariable('clock') = 'event'
),
depths AS (SELECT symbol, side, max(level) AS deepest FROM closing GROUP BY ALL),
opened AS (
    SELECT symbol, side, level, price, size
    FROM orderbooks JOIN depths USING (symbol, side)
    WHERE opening AND level <= deepest
)
SELECT
    symbol, 'the opening book is not the closing book of the window before' AS problem,
    tail_hash AS before, head_hash AS after
FROM continued WHERE tail_hash <> head_hash
UNION ALL
SELECT symbol, 'a level of the closing book is not in the opening book', level_of, NULL
FROM (SELECT symbol, LEVEL FROM (SELECT * FROM closing EXCEPT SELECT * FROM opened))
UNION ALL
SELECT symbol, 'a level of the opening book was not in the closing book', NULL, level_of
FROM (SELECT symbol, LEVEL FROM (SELECT * FROM opened EXCEPT SELECT * FROM closing))
UNION ALL
SELECT symbol, 'the trade is in the window before too', id, id
FROM trades SEMI JOIN trades_before USING (symbol, id)
"""
_LEVEL = "concat(side, ' ', level, ': ', size, ' at ', price) AS level_of"

_UNPROVED = """
WITH PAIRS,
losses AS (
    SELECT symbol, dataset, string_agg(DISTINCT cause, ', ' ORDER BY cause) AS causes
    FROM (FROM gaps UNION ALL FROM gaps_before)
    WHERE lost IS DISTINCT FROM 0 AND cause NOT IN ('silence', 'late', 'bad_time')
        AND epoch_ns(ts_start) <= getvariable('t0')
        AND epoch_ns(ts_end) >= getvariable('t0') - 2_000_000_000
    GROUP BY symbol, dataset
),
JUDGED
SELECT symbol, dataset, reason, causes AS recorded_losses, tail_hash, head_hash
FROM judged LEFT JOIN losses USING (symbol, dataset)
WHERE reason IS NOT NULL
"""

_ALL = """
WITH PAIRS,
JUDGED
SELECT
    symbol, dataset, epoch_ns(moment) AS moment_ns, reason,
    reason IS NOT NULL AND tail_hash IS NOT NULL AND head_hash IS NOT NULL AS is_disputed
FROM judged ORDER BY ALL
"""

PROVED = Rule(
    name="seam_proved",
    stage=Stage.RAW,
    severity=Severity.WARN,
    description=(
        "What the window before saw last (tail_hash) is what this one's lead saw (head_hash), "
        "and trade ids that count go on with the next one; otherwise the seam is not proved, "
        "for the reason given."
    ),
    reads=("captures", "gaps"),
    reads_before=("captures", "gaps"),
    query=fill(_UNPROVED, PAIRS=_PAIRS, JUDGED=_JUDGED, EARLIER="captures_before"),
)
"""Also behind `judge_seams`, by which a day's seams are judged."""
SEAM_RULES = (
    Rule(
        name="seam",
        stage=Stage.RAW,
        severity=Severity.ERROR,
        description=(
            "No trade is in the window before too; and where book messages go on with the next "
            "number, so that both captures saw the same ones, the opening book is the closing "
            "book of the window before, by its hash and level by level."
        ),
        reads=("captures", "orderbooks", "trades"),
        reads_before=("captures", "orderbooks_sync", "trades"),
        query=fill(_BROKEN, PAIRS=_PAIRS, LEVEL=_LEVEL, EARLIER="captures_before"),
    ),
    PROVED,
)
"""In the order in which they are shown."""


def judge_seams(captures: pa.Table) -> pa.Table:
    """Every seam between two windows among rows of CAPTURES, judged as the rule `seam_proved` does.

    Columns: symbol, dataset, moment_ns (where they meet, UTC ns), reason (why it is not proved,
    null where it is), is_disputed (both captures saw it, and contradict each other).
    """
    query = fill(_ALL, PAIRS=_PAIRS, JUDGED=_JUDGED, EARLIER="captures")
    with closing(memory_connection()) as connection:
        connection.register("captures", captures)
        return connection.sql(query).to_arrow_table()
