"""DataWorker and MarketWorker: manifests run live and by themselves, and where their data goes."""

from atelier_pipeline.workers.batches import Batch, EventBatch, GapBatch, Item, SnapshotBatch
from atelier_pipeline.workers.channel import ChannelSink, Lagged, Subscription, TopicRegistry
from atelier_pipeline.workers.parquet import ParquetSink
from atelier_pipeline.workers.report import WorkerReport, print_report
from atelier_pipeline.workers.sinks import OutputSink, OutputSinkSet, SinkReport
from atelier_pipeline.workers.terminal import TerminalSink
from atelier_pipeline.workers.worker import DataWorker, MarketWorker, run_workers

__all__ = [
    "Batch",
    "ChannelSink",
    "DataWorker",
    "EventBatch",
    "GapBatch",
    "Item",
    "Lagged",
    "MarketWorker",
    "OutputSink",
    "OutputSinkSet",
    "ParquetSink",
    "SinkReport",
    "SnapshotBatch",
    "Subscription",
    "TerminalSink",
    "TopicRegistry",
    "WorkerReport",
    "print_report",
    "run_workers",
]
