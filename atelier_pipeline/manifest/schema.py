"""The types of a manifest: every key, its unit, default and meaning.

The reference page docs/manifest.md and manifests/manifest.schema.json are made from these types.
What a manifest means for an exchange is decided in plan.py.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from atelier_pipeline.exchanges.registry import EXCHANGES

SHIPPED = Path(__file__).parents[1] / "manifests"
"""The shipped manifests: `live` and `demo` for collectors, `workers` for workers."""

SCHEMA_FILE = SHIPPED / "manifest.schema.json"
"""What `manifest_schema` gives, as a file for editors."""

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SYMBOL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9./-]{0,62}[A-Za-z0-9])?")
NS_PER_UNIT = {"Nanos": 1, "Micros": 1_000, "Millis": 1_000_000, "Secs": 1_000_000_000}

SyncMode: TypeAlias = Literal["on_orderbook", "on_trade", "on_liquidation", "on_time"]
Clock: TypeAlias = Literal["event", "receive"]
Source: TypeAlias = Literal["live", "simulated", "replay"]


ExchangeName: TypeAlias = Annotated[str, Field(json_schema_extra={"enum": [*EXCHANGES]})]
"""Not a type of its own: an unknown name is refused with the known ones, in plan.py."""


def _symbol(symbol: str) -> str:
    if not _SYMBOL.fullmatch(symbol) or ".." in symbol or "//" in symbol:
        raise ValueError(
            "expected 1 to 64 of A-Z a-z 0-9 - . /, a letter or digit first and last, no .. or //"
        )
    return symbol


def _some(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if not items:
        raise ValueError("expected at least one table")
    return items


class Table(BaseModel):
    """A table of a manifest: unknown keys and wrong types are refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class OrderbookDatatype(Table):
    """Order books."""

    enabled: bool = False
    """Capture order books."""
    depth: int = Field(default=50, ge=1, le=100_000)
    """Levels per side kept in sync files and features; the exchange may send more."""


class Datatype(Table):
    """A dataset that is either captured or not."""

    enabled: bool = False
    """Capture this dataset."""


class Datatypes(Table):
    """Which datasets are captured."""

    orderbook: OrderbookDatatype = OrderbookDatatype()
    """Order books."""
    trades: Datatype = Datatype()
    """Public trades."""
    liquidations: Datatype = Datatype()
    """Forced liquidations (perpetuals only)."""
    funding_rates: Datatype = Datatype()
    """Funding rates (perpetuals only)."""
    open_interest: Datatype = Datatype()
    """Open interest (perpetuals only)."""


class Reconnect(Table):
    """How a lost connection is made again; delays double from the first to the largest."""

    initial_delay_ms: int = Field(default=100, ge=1)
    """First delay before connecting again, in ms."""
    max_delay_ms: int = Field(default=10_000, ge=1)
    """Largest delay, in ms."""
    max_attempts: int | None = Field(default=None, ge=1)
    """Attempts in a row before the capture gives up; absent = no limit."""
    jitter_factor: float = Field(default=0.5, ge=0, le=1)
    """Each delay is shortened at random by up to this share of it."""

    @model_validator(mode="after")
    def _delays_grow(self) -> Self:
        if self.max_delay_ms < self.initial_delay_ms:
            raise ValueError("expected max_delay_ms to be at least initial_delay_ms")
        return self


class CaptureWindow(Table):
    """When a capture connects and ends, around its window [t0, t1)."""

    lead_secs: float = Field(default=20, ge=0, le=3600)
    """Connect this long before t0, to have whole books at t0."""
    linger_secs: float = Field(default=5, ge=0, le=3600)
    """Wait this long after t1 for feeds whose own time has not passed t1."""
    prelaunch_secs: float = Field(default=180, ge=0, le=86_400)
    """Request the run this long before t0; it waits until the lead begins."""


class UpdateFrequency(Table):
    """The period of the grid."""

    value: int = Field(default=100, ge=1)
    """The period, in `unit`."""
    unit: Literal["Nanos", "Micros", "Millis", "Secs"] = "Millis"
    """Unit of `value`."""

    @property
    def period_ns(self) -> int:
        """The period in nanoseconds."""
        return self.value * NS_PER_UNIT[self.unit]


class Sync(Table):
    """How events become rows of the grid."""

    sync_mode: SyncMode = "on_orderbook"
    """What drives the grid: order books, trades, liquidations or time alone."""
    clock: Clock = "event"
    """Events belong to a period by the exchange's time (event) or the local one (receive)."""
    emission_delay_ms: int = Field(default=2000, ge=0, le=3_600_000)
    """Live rows are held back this long, in ms; what comes later is counted in `n_late`."""
    flush_threshold: int = Field(default=3000, ge=1)
    """Snapshots per file, in workers without windows."""
    update_frequency: UpdateFrequency = UpdateFrequency()
    """The period of the grid."""


class Output(Table):
    """Where a worker without windows sends what it makes."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"type": {"const": "parquet"}}, "required": ["type"]},
            "then": {"properties": {"dir": {"type": "string"}}, "required": ["dir"]},
            "else": {"properties": {"dir": False}},
        }
    )

    type: Literal["channel", "terminal", "parquet"] = "channel"
    """A bounded broadcast channel, the terminal, or Parquet files."""
    dir: str | None = None
    """Folder of the Parquet files; with type = "parquet" only, where it is required."""

    @model_validator(mode="after")
    def _dir_goes_with_parquet(self) -> Self:
        if (self.type == "parquet") != (self.dir is not None):
            raise ValueError('expected dir exactly where type = "parquet"')
        return self


_Tables = Field(strict=False, json_schema_extra={"minItems": 1})
Outputs: TypeAlias = Annotated[tuple[Output, ...], _Tables, AfterValidator(_some)]


class Collect(Table):
    """What is captured, and how."""

    exchange: ExchangeName
    """bybit, bybit_spot, coinbase, coinbase_exchange or kraken."""
    source: Source = "live"
    """The exchange's own feed, the simulated one, or recorded frames."""
    channel_capacity: int = Field(default=8192, ge=1, le=10_000_000)
    """Messages kept per topic of the channel sink before a slow reader loses the oldest."""
    staleness_timeout_secs: float = Field(default=60, gt=0, le=86_400)
    """No frame at all for this long, heartbeats included: connect again."""
    gap_threshold_secs: float = Field(default=5, gt=0, le=86_400)
    """Silence of a feed with a promised cadence that is noted in the ledger."""
    datatypes: Datatypes = Datatypes()
    """Which datasets are captured."""
    reconnect: Reconnect = Reconnect()
    """How a lost connection is made again."""
    window: CaptureWindow = CaptureWindow()
    """When a capture connects and ends."""
    sync: Sync = Sync()
    """How events become rows of the grid."""
    output: Outputs = (Output(),)
    """Sinks of workers without windows."""


class Worker(Table):
    """One symbol; what it does not say is taken from [collect], key by key."""

    symbol: Annotated[
        str,
        AfterValidator(_symbol),
        Field(json_schema_extra={"pattern": rf"^(?!.*(\.\.|//)){_SYMBOL.pattern}$"}),
    ]
    """The exchange's own spelling: BTCUSDT, BTC-USD, BTC/USD."""
    exchange: ExchangeName | None = None
    """Another exchange than [collect]'s; in workers without windows only."""
    datatypes: Datatypes | None = None
    """Overrides of collect.datatypes."""
    output: Outputs | None = None
    """Overrides collect.output."""
    sync_mode: SyncMode | None = None
    """Overrides collect.sync.sync_mode."""


class Session(Table):
    """How long workers without windows run."""

    duration_hours: float | None = Field(default=None, gt=0)
    """Hours; absent = until stopped."""


class Manifest(Table):
    """One TOML file: what one collector or worker captures."""

    collect: Collect
    """What is captured, and how."""
    workers: Annotated[tuple[Worker, ...], _Tables, AfterValidator(_some)]
    """The symbols."""
    session: Session = Session()
    """How long workers without windows run."""


def manifest_schema() -> dict[str, Any]:
    """The JSON schema of a manifest, for editors that complete and check TOML files."""
    return {"$schema": SCHEMA_DIALECT, **Manifest.model_json_schema()}
