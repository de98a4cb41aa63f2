"""One window that a capture is killed in, and what its files must say afterwards."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import msgspec
import pyarrow as pa

from atelier_pipeline import pipeline
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.errors import (
    ConnectionFailedError,
    LakeError,
    SubscriptionRejectedError,
    WindowOverError,
)
from atelier_pipeline.lake.content import content_hash
from atelier_pipeline.lake.journal import Journal
from atelier_pipeline.lake.journal_reader import read_journal, read_segments
from atelier_pipeline.lake.journal_seal import read_frames
from atelier_pipeline.lake.names import FileKind, Mode, frames_path, lake_path
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.lake.schemas import FRAMES
from atelier_pipeline.lake.verify import verify_file
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, Trade
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline_tests.decode.script import plain
from atelier_pipeline_tests.reliability.collectors import NS_PER_SEC, collector
from atelier_pipeline_tests.reliability.served import Sent

LEAD_SECS, LINGER_SECS, WINDOW_SECS = 0.6, 0.5, 2.0
NS_PER_MS = 1_000_000
RECEIVED = {"text", "binary"}


class Trial(msgspec.Struct, frozen=True):
    """A window of one exchange and where its files go."""

    exchange: str
    root: str
    url: str
    start_ns: int

    @classmethod
    def begin(cls, exchange: str, root: Path, url: str) -> Self:
        """A window whose lead begins now, at a whole millisecond."""
        start_ns = time.time_ns() + round(LEAD_SECS * NS_PER_SEC)
        return cls(exchange, str(root), url, start_ns // NS_PER_MS * NS_PER_MS)

    @property
    def secs(self) -> float:
        """From the beginning of the lead to the end of the linger."""
        return LEAD_SECS + WINDOW_SECS + LINGER_SECS

    @property
    def window(self) -> Window:
        return Window(self.start_ns, self.start_ns + round(WINDOW_SECS * NS_PER_SEC))

    @property
    def collector(self) -> Collector:
        return collector(self.exchange, lead_secs=LEAD_SECS, linger_secs=LINGER_SECS)

    @property
    def settings(self) -> Settings:
        return Settings(
            lake=Path(self.root) / "lake",
            journal=Path(self.root) / "journal",
            simulator_url=self.url,
            window_disk_mib=1,
            disk_floor_mib=1,
        )

    @property
    def folder(self) -> Path:
        """Of the journal."""
        return pipeline.journal_of(self.collector, self.window, self.settings)

    def capture(self) -> None:
        """Capture what is left of the window, as a run in Dagster does."""
        with suppress(ConnectionFailedError, SubscriptionRejectedError, WindowOverError):
            pipeline.capture(self.collector, self.window, self.settings, lambda: False)

    def seal(self) -> None:
        pipeline.seal(self.collector, self.window, self.settings)

    def run(self) -> None:
        """Capture and seal; a window that nobody ever began to capture is left alone."""
        self.capture()
        if torn(self) is not None:
            self.seal()

    def frames(self) -> Path:
        """The sealed frames."""
        name, lake = self.collector.name, self.settings.lake
        return frames_path(lake, self.exchange, name, self.window.start_ns)


class Evidence(msgspec.Struct):
    """What a killed capture lost and what its ledger says of it.

    Attributes:
        crashed: its journal ends without a mark.
        lost_frames: frames sent to it before it was killed that are not in the journal.
        lost_secs: from the first of them to the kill.
        told: events of the window that were sent on some connection, are not in the lake, and lie
            in a loss of the ledger.
        by_crash: those among them that lie in a `crash`.
        went_on: a second process captured, too.
        wrong: what must not be, in words.
    """

    crashed: bool = False
    lost_frames: int = 0
    lost_secs: float = 0.0
    told: int = 0
    by_crash: int = 0
    went_on: bool = False
    wrong: list[str] = []


def files_of(trial: Trial) -> list[str]:
    """What is wrong with the files of the lake, under whatever name a reader would find them."""
    wrong: list[str] = []
    for path in _paths(trial):
        try:
            verify_file(path)
        except LakeError as error:
            wrong.append(str(error))
    return wrong


def sealed_bytes(trial: Trial) -> dict[str, str]:
    """A hash of the bytes of every file in the lake, by its place."""
    lake = trial.settings.lake
    return {
        str(path.relative_to(lake)): sha256(path.read_bytes()).hexdigest() for path in _paths(trial)
    }


def torn(trial: Trial) -> bool | None:
    """Whether the journal lacks its mark; None where it was not begun."""
    if not trial.folder.is_dir():
        return None
    segments, batches = read_segments(trial.folder)
    if not any(segment.meta for segment in segments):
        return None
    lacks = any(segment.damage is not None for segment in segments)
    return lacks if lacks or batches else None


def evidence_of(trial: Trial, sent: dict[int, Sent], killed_ns: int, *, crashed: bool) -> Evidence:
    """Hold the sealed window against what was `sent` on its connections."""
    journal = read_journal(trial.folder)
    evidence = Evidence(crashed=crashed, went_on=len(journal.segments) > 1)
    lost = _lost(journal, sent, evidence)
    if evidence.crashed:
        before = [ts for frames in lost for ts, _ in frames if ts < killed_ns]
        evidence.lost_frames = len(before)
        evidence.lost_secs = (killed_ns - min(before)) / NS_PER_SEC if before else 0.0
    _judge_files(trial, journal, evidence)
    _judge_events(trial, sent, lost, evidence)
    return evidence


def _paths(trial: Trial) -> list[Path]:
    return sorted(p for p in trial.settings.lake.rglob("*.parquet") if not p.name.startswith("."))


def _lost(journal: Journal, sent: dict[int, Sent], evidence: Evidence) -> list[Sent]:
    """What each connection's journal lacks: it must be the end of what was sent on it."""
    received: dict[int, list[bytes]] = {}
    for batch in journal.batches:
        for connection, kind, payload in _rows(batch):
            if kind in RECEIVED:
                received.setdefault(connection, []).append(payload)
    ends: list[Sent] = []
    for frames in sent.values():
        payloads = [payload for _, payload in frames]
        mine = next((c for c, got in received.items() if got == payloads[: len(got)]), None)
        ends.append(frames[len(received.pop(mine)) :] if mine is not None else frames)
    if received:
        evidence.wrong.append("the journal holds frames that were not sent, or not in this order")
    return ends


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[int, str, bytes]]:
    columns = ("connection", "kind", "payload")
    return zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


def _judge_files(trial: Trial, journal: Journal, evidence: Evidence) -> None:
    """Every file is whole, and holds what the frames give in one piece."""
    evidence.wrong += files_of(trial)
    if read_footer(trial.frames()).content_hash != content_hash(_table(journal.batches)):
        evidence.wrong.append("the sealed frames are not those of the journal")
    again = pipeline.decoded(
        trial.collector, trial.window, read_frames(trial.frames()), whole=False
    )
    unbroken = _unbroken(trial, journal)
    for symbol in trial.collector.symbols:
        for kind, table in pipeline.raw_tables(again, symbol).items():
            path = _path(trial, symbol, kind)
            if not read_table(path).equals(table):
                evidence.wrong.append(f"{path.name} is not what its frames give")
        for (of, dataset), table in unbroken.tables.items():
            path = _path(trial, symbol, FileKind(dataset))
            if of == symbol and not read_table(path).equals(table):
                evidence.wrong.append(f"{path.name} is not what its frames give in one piece")


def _unbroken(trial: Trial, journal: Journal) -> Sealed:
    """The same frames as if one process had written them."""
    whole = _table(journal.batches).combine_chunks().to_batches()
    return seal(whole, pipeline.scope_of(trial.collector), trial.window)


def _table(batches: Any) -> pa.Table:
    return pa.Table.from_batches(list(batches), FRAMES).replace_schema_metadata(None)


def _path(trial: Trial, symbol: str, kind: FileKind) -> Path:
    lake, t0_ns = trial.settings.lake, trial.window.start_ns
    return lake_path(lake, trial.exchange, symbol, kind, Mode.RAW, t0_ns)


def _judge_events(
    trial: Trial, sent: dict[int, Sent], lost: Sequence[Sent], evidence: Evidence
) -> None:
    """What was sent of the window is in the lake, or lies in a loss."""
    everything = [frame for frames in sent.values() for frame in frames]
    missing = {(symbol, Dataset.TRADES, ts) for symbol, ts in _missing_trades(trial, everything)}
    for frames in lost:
        missing.update(_states(trial, frames))
    for symbol, dataset, ts in sorted(missing):
        losses = [
            row
            for row in plain(read_table(_path(trial, symbol, FileKind.GAPS)))
            if row["dataset"] == dataset and row["ts_start"] <= ts <= row["ts_end"]
            if row["lost"] != 0
        ]
        evidence.told += bool(losses)
        evidence.by_crash += any(row["cause"] == "crash" for row in losses)
        if not losses:
            secs = (ts - trial.window.start_ns) / NS_PER_SEC
            evidence.wrong.append(f"{symbol}, {dataset} of {secs:.3f} s: lost and not told")


def _missing_trades(trial: Trial, frames: Sent) -> Iterator[tuple[str, int]]:
    kept = {
        (symbol, number)
        for symbol in trial.collector.symbols
        for number in read_table(_path(trial, symbol, FileKind.TRADES))["id"].to_pylist()
    }
    for event in _events(trial, frames):
        if isinstance(event, Trade) and (event.symbol, event.id) not in kept:
            yield event.symbol, event.ts_event


def _states(trial: Trial, frames: Sent) -> Iterator[tuple[str, Dataset, int]]:
    """The book messages and liquidations of lost frames."""
    for event in _events(trial, frames):
        if isinstance(event, NormalizedDelta):
            yield event.symbol, Dataset.ORDERBOOKS, event.ts_event
        elif isinstance(event, Liquidation):
            yield event.symbol, Dataset.LIQUIDATIONS, event.ts_event


def _events(trial: Trial, frames: Sent) -> Iterator[Trade | NormalizedDelta | Liquidation]:
    """The events of the window."""
    for ts, payload in frames:
        for event in trial.collector.exchange.decode(payload, ts):
            is_one = isinstance(event, Trade | NormalizedDelta | Liquidation)
            if is_one and event.ts_event in trial.window:
                yield event
