"""Every path, schema and write."""

from atelier_pipeline.lake.read_market import read_market_snapshots
from atelier_pipeline.lake.timestamped import (
    read_funding_parquet,
    read_liquidations_parquet,
    read_ob_parquet,
    read_oi_parquet,
    read_trades_parquet,
    write_funding_parquet_timestamped,
    write_liquidations_parquet_timestamped,
    write_ob_parquet,
    write_oi_parquet_timestamped,
    write_trades_parquet_timestamped,
)

__all__ = [
    "read_funding_parquet",
    "read_liquidations_parquet",
    "read_market_snapshots",
    "read_ob_parquet",
    "read_oi_parquet",
    "read_trades_parquet",
    "write_funding_parquet_timestamped",
    "write_liquidations_parquet_timestamped",
    "write_ob_parquet",
    "write_oi_parquet_timestamped",
    "write_trades_parquet_timestamped",
]
