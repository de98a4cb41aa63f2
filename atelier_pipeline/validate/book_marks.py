"""Sync books in short, for doubts: a row where each side begins, and where anything is odd.

A window's sync books are millions of rows, and nearly each goes on from the row before it: same
tick, same side, next level, further from the best price. The rows that do not are the marks. Where
every mark is the top of a side, and each comes after the one before, the rows between hold no
surprise: they need not be looked at again. One scan finds the marks, where each rule would need its
own over all rows. Nothing here judges: that is for the rules' queries.

- `book_marks`: `file_index, row_number, level`, and with `_before` the same of the mark before in
  its file: `place`, which grows from side to side and from tick to tick, and `distance`, the price
  with its sign: bids are negative, so that both sides grow outwards.
- `book_files`: `file_index, file_rows`, and what `symbol` all rows of the file have, null for none.
"""

from collections.abc import Sequence

import duckdb

from atelier_pipeline.validate.rule import fill

_TABLES = """
CREATE OR REPLACE TEMP TABLE book_marks (
    file_index BIGINT, row_number BIGINT, level BIGINT,
    place BIGINT, distance DOUBLE,
    row_number_before BIGINT, place_before BIGINT, distance_before DOUBLE
);
CREATE OR REPLACE TEMP TABLE book_files (file_index BIGINT, file_rows BIGINT, symbol VARCHAR);
"""

_MARKS = """
INSERT INTO book_files
SELECT
    INDEX, count(*),
    CASE WHEN min(symbol) = max(symbol) AND count(symbol) = count(*) THEN min(symbol) END
FROM (ROWS);
INSERT INTO book_marks
WITH placed AS (
    SELECT
        file_row_number AS row_number, level,
        (epoch_ns(grid_ts) - getvariable('t0')) * 32768 + level * 2
        + CASE side WHEN 'bid' THEN 0 WHEN 'ask' THEN 1 END AS place,
        CASE
            WHEN price BETWEEN 1e-300 AND 1e300 AND size BETWEEN 1e-300 AND 1e300
            THEN if(side = 'ask', price, -price)
        END AS distance
    FROM (ROWS)
),
followed AS (
    SELECT *, lag(place) OVER () AS last_place, lag(distance) OVER () AS last_distance FROM placed
),
marks AS (
    SELECT row_number, level, place, distance FROM followed
    WHERE (
        place = last_place + 2 AND distance > last_distance AND level BETWEEN 1 AND 16000
    ) IS NOT TRUE
)
SELECT
    INDEX, *, lag(row_number) OVER (), lag(place) OVER (), lag(distance) OVER ()
FROM marks;
"""
"""A place is tick, level and side in one number, for one comparison. Levels up to 16,000 leave no
two ways to the same one; deeper books, and days whose nanoseconds don't fit, are only in doubt.
"""

ODD_MARKS = """
SELECT file_index, row_number FROM book_marks
WHERE (level = 0 AND distance IS NOT NULL AND (place_before IS NULL OR place > place_before))
    IS NOT TRUE
"""
"""Marks that are not the priced top of a side that comes after the side before."""

CROSSED_MARKS = """
SELECT file_index, row_number FROM book_marks
WHERE place = place_before + 1 AND -distance_before >= distance
"""
"""Asks that don't begin above the bids of their tick, where no mark is odd."""

MIXED_FILES = "SELECT file_index, NULL AS row_number FROM book_files WHERE symbol IS NULL"
"""Files with rows of several symbols, or without rows."""

MARKED_LEVELS = """
SELECT
    symbol, getvariable('t0') + (place - (place & 1)) // 32768 AS tick_ns,
    sum(marked)::BIGINT AS rows_found
FROM (
    SELECT file_index, place_before AS place, row_number - row_number_before AS marked
    FROM book_marks WHERE row_number_before IS NOT NULL
    UNION ALL
    SELECT file_index, arg_max(place, row_number), any_value(file_rows) - max(row_number)
    FROM book_marks JOIN book_files USING (file_index)
    GROUP BY file_index
) JOIN book_files USING (file_index)
GROUP BY ALL
"""
"""How many rows of sync books each tick of a symbol has, where no mark is odd and no file mixed."""


def mark_books(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    """Make both tables, given for each file of sync books a SELECT of its rows."""
    connection.execute(_TABLES)
    for index, rows in enumerate(files):
        connection.execute(fill(_MARKS, INDEX=str(index), ROWS=rows))
