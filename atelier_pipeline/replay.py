"""Recorded frames through the whole line, on the recording's own clock.

A recording is a window of its own: it spans what was recorded, and nothing before or after it is
missing. One that was made in several sittings has a window for each of them. Its collector is made
from what its frames hold.
"""

import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from atelier_pipeline import pipeline
from atelier_pipeline.errors import DecodeError, LakeError, SettingsError
from atelier_pipeline.exchanges.contract import Acknowledged, Event, Exchange
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.lake.names import FileKind, parse_name
from atelier_pipeline.lake.reader import read_window
from atelier_pipeline.lake.recordings import SUFFIX, read_recording
from atelier_pipeline.lake.writer import Written
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.validate.rule import Finding, Stage

NS_PER_SEC = 1_000_000_000
SITTING_NS = 60 * NS_PER_SEC
"""A longer time without any event or frame separates two sittings of a recording."""

WHOLE_BOOK_DEPTH = 50
"""Levels per side kept at a tick where the exchange sends the whole book."""

_KEYS = {
    Dataset.ORDERBOOKS: "orderbook",
    Dataset.TRADES: "trades",
    Dataset.LIQUIDATIONS: "liquidations",
    Dataset.FUNDINGS: "funding_rates",
    Dataset.OPEN_INTERESTS: "open_interest",
}


@dataclass(slots=True)
class Replayed:
    """What a replay read and left.

    Attributes:
        windows: one for each sitting.
        frames: how many the recording has.
        verified: book messages (Coinbase: frames) whose number or checksum held.
        files: what was written.
        findings: what every rule found, window by window.
    """

    collector: Collector
    windows: tuple[Window, ...]
    frames: int
    verified: int = 0
    files: list[Written] = field(default_factory=list[Written])
    findings: list[Finding] = field(default_factory=list[Finding])

    def events(self) -> int:
        """How many raw rows there are, of books messages."""
        return int(pc.sum(self._rows(FileKind.CAPTURES)["events"]).as_py() or 0)

    def losses(self) -> Counter[str]:
        """Losses by cause; notes of silence, which lost nothing, left out."""
        gaps = self._rows(FileKind.GAPS).select(("cause", "lost")).to_pylist()
        return Counter(gap["cause"] for gap in gaps if gap["lost"] != 0)

    def _rows(self, kind: FileKind) -> pa.Table:
        paths = [file.path for file in self.files if parse_name(file.path.name).kind is kind]
        return pa.concat_tables(read_window(path) for path in paths)

    @property
    def failed(self) -> list[Finding]:
        """The rules that found something."""
        return [finding for finding in self.findings if not finding.passed]


def replay(
    recording: Path,
    lake: Path,
    *,
    exchange: str | None = None,
    depth: int | None = None,
    period_ns: int = 100_000_000,
) -> Replayed:
    """Journal a recording's frames, then seal, synchronise, aggregate and validate them.

    Args:
        recording: a `*.frames.gz`.
        lake: a lake of replayed data.
        exchange: the exchange's name; None = the name of the recording's folder.
        depth: subscribed book depth; None = as acknowledged, or as the messages say.
        period_ns: the grid's period.

    Raises:
        LakeError: the recording can't be read or the lake holds other data.
        SettingsError: exchange or depth are neither given nor told by the recording.
    """
    survey = survey_recording(recording, exchange_named(exchange or recording.parent.name))
    collector = parse_collector(
        collector_name(recording), survey.manifest(depth, period_ns), str(recording)
    )
    replayed = Replayed(collector, survey.windows(period_ns), survey.frames)
    for window in replayed.windows:
        _replay_window(recording, window, lake, replayed)
    return replayed


def _replay_window(recording: Path, window: Window, lake: Path, replayed: Replayed) -> None:
    with tempfile.TemporaryDirectory(prefix="atelier-replay-") as folder:
        settings = Settings(lake=lake, journal=Path(folder))
        target = (replayed.collector, window, settings)
        pipeline.journal_frames(*target, read_recording(recording))
        sealed = pipeline.seal(*target, whole=True)
        replayed.verified += sealed.verified
        replayed.files += sealed.files
        replayed.files += pipeline.synchronise(*target).files
        replayed.files += pipeline.aggregate(*target).files
        for stage in Stage:
            replayed.findings += pipeline.validate(stage, *target)


@dataclass(slots=True)
class Survey:
    """What a recording holds, found by decoding it once.

    Attributes:
        datasets: what was seen of each symbol, in order of appearance.
        depths: book depths that messages or acknowledgements name.
        frames: how many there are.
        times: of receipt and of events, UTC ns. Events from long before their receipt, such as
            the last trade of a quiet market, don't say when something was recorded.
    """

    recording: Path
    exchange: Exchange
    datasets: dict[str, set[Dataset]] = field(default_factory=dict[str, set[Dataset]])
    depths: set[int] = field(default_factory=set[int])
    frames: int = 0
    times: list[int] = field(default_factory=list[int])

    def take(self, event: Event) -> None:
        """Add what one event tells."""
        if isinstance(event, NormalizedDelta | Acknowledged) and event.depth is not None:
            self.depths.add(event.depth)
        if isinstance(event, NormalizedDelta | Liquidation | TickerUpdate | Trade):
            self.datasets.setdefault(event.symbol, set()).update(_datasets_of(event))
            if event.ts_event > max(0, event.ts_recv - SITTING_NS) and not _is_history(event):
                self.times.append(event.ts_event)

    def windows(self, period_ns: int) -> tuple[Window, ...]:
        """Whole seconds and whole periods around everything that was recorded in a sitting."""
        step = math.lcm(period_ns, NS_PER_SEC)
        times = np.unique(np.array(self.times, np.int64) // step)
        pauses = np.flatnonzero(np.diff(times) * step > SITTING_NS) + 1
        return tuple(
            Window(int(sitting[0]) * step, (int(sitting[-1]) + 1) * step)
            for sitting in np.split(times, pauses)
        )

    def manifest(self, depth: int | None, period_ns: int) -> str:
        """The manifest of a collector that would have recorded this."""
        lines = [
            "[collect]",
            f'exchange = "{self.exchange.name}"',
            'source = "replay"',
            "[collect.sync.update_frequency]",
            f"value = {period_ns}",
            'unit = "Nanos"',
            "[collect.datatypes.orderbook]",
            f"depth = {self._depth(depth)}",
        ]
        for symbol, datasets in self.datasets.items():
            lines += ["[[workers]]", f"symbol = {json.dumps(symbol)}"]
            for dataset in sorted(datasets):
                lines += [f"[workers.datatypes.{_KEYS[dataset]}]", "enabled = true"]
        return "\n".join([*lines, ""])

    def _depth(self, asked: int | None) -> int:
        if asked is not None:
            return asked
        books = any(Dataset.ORDERBOOKS in datasets for datasets in self.datasets.values())
        if self.depths or not self.exchange.depths or not books:
            return max(self.depths, default=WHOLE_BOOK_DEPTH)
        raise SettingsError(
            f"{self.recording} does not tell the subscribed book depth: give it with --depth, "
            f"one of {', '.join(map(str, self.exchange.depths))}"
        )


def survey_recording(recording: Path, exchange: Exchange) -> Survey:
    """What a recording holds; frames that can't be decoded are left for the ledger.

    Raises LakeError where the recording can't be read, or holds no market data of the exchange.
    """
    survey = Survey(recording, exchange)
    for ts_recv, payload in read_recording(recording):
        survey.frames += 1
        survey.times += [ts_recv] * (ts_recv > 0)
        for event in _events(exchange, payload, ts_recv):
            survey.take(event)
    if not survey.datasets:
        raise LakeError(f"{recording} holds no market data of {exchange.name}")
    return survey


def collector_name(recording: Path) -> str:
    """A collector's name for a recording, from its file name."""
    stem = recording.name.removesuffix(SUFFIX).lower()
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in stem)


def _is_history(event: Event) -> bool:
    return isinstance(event, Trade) and event.is_history


def _events(exchange: Exchange, payload: bytes, ts_recv: int) -> list[Event]:
    try:
        return exchange.decode(payload, ts_recv)
    except DecodeError:
        return []


def _datasets_of(event: NormalizedDelta | Liquidation | TickerUpdate | Trade) -> Iterator[Dataset]:
    if isinstance(event, NormalizedDelta):
        yield Dataset.ORDERBOOKS
    elif isinstance(event, Trade):
        yield Dataset.TRADES
    elif isinstance(event, Liquidation):
        yield Dataset.LIQUIDATIONS
    else:
        if event.funding_rate is not None:
            yield Dataset.FUNDINGS
        if event.open_interest is not None:
            yield Dataset.OPEN_INTERESTS
