"""The rule `schema`, which every stage has: the files are there and are what they should be."""

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.validate.rule import Rule, Severity, Stage, fill
from atelier_pipeline.validate.tables import quoted

_QUERY = """
WITH judged AS (SELECT * FROM files WHERE table_name IN (JUDGED)),
wanted_columns AS (
    SELECT path, position, column_name, column_type
    FROM judged JOIN wanted USING (table_name) WHERE present
),
found_columns AS (SELECT * FROM found WHERE path IN (SELECT path FROM judged)),
footers AS (
    SELECT * FROM judged JOIN statistics USING (path)
    LEFT JOIN wanted USING (table_name, column_name)
)
SELECT path, '' AS column_name, 'the file is missing' AS problem
FROM judged
WHERE NOT present
    AND (kind NOT IN (DATASETS) OR (symbol, kind) IN (SELECT (symbol, dataset) FROM captures))
UNION ALL
SELECT
    coalesce(w.path, f.path), coalesce(w.column_name, f.column_name),
    concat(
        'column ', coalesce(w.position, f.position), ' is ',
        coalesce(f.column_name || ' ' || f.column_type, 'missing'), ', not ',
        coalesce(w.column_name || ' ' || w.column_type, 'expected at all')
    )
FROM wanted_columns AS w
FULL JOIN found_columns AS f ON w.path = f.path AND w.position = f.position
WHERE (w.column_name, w.column_type) IS DISTINCT FROM (f.column_name, f.column_type)
UNION ALL
SELECT path, column_name, concat(sum(nulls)::BIGINT, ' nulls in a column that is always known')
FROM footers
WHERE nulls > 0 AND NOT nullable
GROUP BY path, column_name
UNION ALL
SELECT path, column_name, concat('rows of ', low, ' to ', high, ' in the file of ', owner)
FROM (
    SELECT
        *,
        CASE column_name
            WHEN 'symbol' THEN symbol
            WHEN 'exchange' THEN getvariable('exchange')
        END AS owner
    FROM footers
)
WHERE low <> owner OR high <> owner
"""


def schema_rule(stage: Stage, judged: tuple[str, ...]) -> Rule:
    """The rule for the files of the tables `judged`; reads captures to know what to expect."""
    names = ", ".join(quoted(name) for name in judged)
    datasets = ", ".join(quoted(dataset) for dataset in Dataset)
    return Rule(
        name="schema",
        stage=stage,
        severity=Severity.ERROR,
        description=(
            "Every file that the window promises is there, with exactly the contract's columns and "
            "types in order, no null where a value is always known, and its own symbol's rows only."
        ),
        reads=("captures",),
        query=fill(_QUERY, JUDGED=names, DATASETS=datasets),
        footers=judged,
    )
