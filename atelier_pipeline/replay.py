"""Recorded frames through the whole line, on the recording's own clock.

A recording is a window of its own: it spans what was recorded, and nothing before or after it is
missing. Its collector is made from what its frames hold.
"""

import json
import math
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from atelier_pipeline import pipeline
from atelier_pipeline.errors import DecodeError, LakeError, SettingsError
from atelier_pipeline.exchanges.contract import Acknowledged, Event, Exchange
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.lake.journal import FrameKind, JournalMeta
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.lake.names import FileKind, parse_name
from atelier_pipeline.lake.reader import read_table
from atelier_pipeline.lake.recordings import SUFFIX, read_recording
from atelier_pipeline.lake.writer import Written
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.validate.rule import Finding, Stage

NS_PER_SEC = 1_000_000_000
HISTORY_NS = 60 * NS_PER_SEC
"""How far before the first received frame an event may lie and still open the window."""

WHOLE_BOOK_DEPTH = 50
"""Levels per side kept at a tick where the exchange sends the whole book."""

FRAMES_PER_FLUSH = 1 << 14

_KEYS = {
    Dataset.ORDERBOOKS: "orderbook",
    Dataset.TRADES: "trades",
    Dataset.LIQUIDATIONS: "liquidations",
    Dataset.FUNDINGS: "funding_rates",
    Dataset.OPEN_INTERESTS: "open_interest",
}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay read and left.

    Attributes:
        frames: how many the recording has.
        captures, gaps: the rows of CAPTURES and GAPS of all symbols.
        findings: what every rule found.
    """

    collector: Collector
    window: Window
    frames: int
    files: tuple[Written, ...]
    captures: pa.Table
    gaps: pa.Table
    findings: tuple[Finding, ...]

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
    window = survey.window(period_ns)
    with tempfile.TemporaryDirectory(prefix="atelier-replay-") as folder:
        settings = Settings(lake=lake, journal=Path(folder))
        frames = _journal(recording, collector, window, settings)
        files = [*pipeline.seal(collector, window, settings, whole=True).files]
        files += pipeline.synchronise(collector, window, settings).files
        files += pipeline.aggregate(collector, window, settings).files
        findings = [
            f for stage in Stage for f in pipeline.validate(stage, collector, window, settings)
        ]
    captures, gaps = (_all_rows(kind, files) for kind in (FileKind.CAPTURES, FileKind.GAPS))
    return Replayed(collector, window, frames, tuple(files), captures, gaps, tuple(findings))


@dataclass(slots=True)
class Survey:
    """What a recording holds, found by decoding it once.

    Attributes:
        datasets: what was seen of each symbol, in order of appearance.
        depths: book depths that messages or acknowledgements name.
        received: first and last known time of receipt, UTC ns.
        happened: first and last time of an event, UTC ns; history sent on subscribing left out.
    """

    recording: Path
    exchange: Exchange
    datasets: dict[str, set[Dataset]] = field(default_factory=dict[str, set[Dataset]])
    depths: set[int] = field(default_factory=set[int])
    received: tuple[int, int] | None = None
    happened: tuple[int, int] | None = None

    def take(self, event: Event) -> None:
        """Add what one event tells."""
        if isinstance(event, NormalizedDelta | Acknowledged) and event.depth is not None:
            self.depths.add(event.depth)
        if isinstance(event, NormalizedDelta | Liquidation | TickerUpdate | Trade):
            self.datasets.setdefault(event.symbol, set()).update(_datasets_of(event))
            history = isinstance(event, Trade) and event.is_history
            if event.ts_event > 0 and not history:
                self.happened = _widened(self.happened, event.ts_event)

    def window(self, period_ns: int) -> Window:
        """Whole seconds and whole periods around everything that was recorded.

        Events from long before the first frame (a quiet feed's last state) don't widen it.
        """
        spans = [span for span in (self.received, self.happened) if span]
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        if self.received:
            first = max(first, self.received[0] - HISTORY_NS)
        step = math.lcm(period_ns, NS_PER_SEC)
        return Window(first // step * step, last // step * step + step)

    def manifest(self, depth: int | None, period_ns: int) -> str:
        """The manifest of a collector that would have recorded this."""
        lines = [
            "[collect]",
            f'exchange = "{self.exchange.name}"',
            'source = "replay"',
            "[collect.sync.update_frequency]",
            f"value = {period_ns}",
            'unit = "Nanos"',
        ]
        kept = self._depth(depth)
        for symbol, datasets in self.datasets.items():
            lines += ["[[workers]]", f"symbol = {json.dumps(symbol)}"]
            for dataset in sorted(datasets):
                lines += [f"[workers.datatypes.{_KEYS[dataset]}]", "enabled = true"]
                lines += [f"depth = {kept}"] * (dataset is Dataset.ORDERBOOKS)
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
        if ts_recv:
            survey.received = _widened(survey.received, ts_recv)
        for event in _events(exchange, payload, ts_recv):
            survey.take(event)
    if not survey.datasets:
        raise LakeError(f"{recording} holds no market data of {exchange.name}")
    return survey


def collector_name(recording: Path) -> str:
    """A collector's name for a recording, from its file name."""
    stem = recording.name.removesuffix(SUFFIX).lower()
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in stem)


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


def _widened(span: tuple[int, int] | None, time_ns: int) -> tuple[int, int]:
    return (min(span[0], time_ns), max(span[1], time_ns)) if span else (time_ns, time_ns)


def _all_rows(kind: FileKind, files: Iterable[Written]) -> pa.Table:
    paths = [file.path for file in files if parse_name(file.path.name).kind is kind]
    return pa.concat_tables(read_table(path) for path in paths)


def _journal(recording: Path, collector: Collector, window: Window, settings: Settings) -> int:
    """Write the recording's frames to the window's journal; returns how many there are."""
    meta = JournalMeta(
        exchange=collector.exchange.name,
        collector=collector.name,
        url="",
        source=collector.source,
        manifest=collector.text,
        window=window,
    )
    frames = 0
    with JournalWriter.open(pipeline.journal_of(collector, window, settings), meta) as journal:
        for frames, (ts_recv, payload) in enumerate(read_recording(recording), 1):
            journal.append(ts_recv, 0, FrameKind.TEXT, payload)
            if frames % FRAMES_PER_FLUSH == 0:
                journal.flush()
    return frames
