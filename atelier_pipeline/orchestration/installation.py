"""What the assets of one installation work with: its settings, its collectors and the clock.

Handed to assets, checks and sensors as the resource `installation`; it does no work itself.
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import dagster as dg

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.manifest import Collector, load_manifests
from atelier_pipeline.market.window import Window
from atelier_pipeline.metrics import Metrics
from atelier_pipeline.orchestration.instance import partitions_start
from atelier_pipeline.orchestration.partitions import (
    capture_partitions,
    day_partitions,
    parse_day_key,
    parse_key,
)
from atelier_pipeline.report import day_windows
from atelier_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Installation:
    """Settings, collectors by name, and `now_ns`, which gives the time in UTC ns."""

    settings: Settings
    collectors: Mapping[str, Collector]
    now_ns: Callable[[], int] = time.time_ns

    @classmethod
    def of(cls, settings: Settings) -> "Installation":
        """The installation that `settings` describe.

        Raises:
            SettingsError: a manifest can't be used; every problem is named.
        """
        minutes = settings.window_minutes
        return cls(settings, load_manifests(settings.manifests, window_minutes=minutes))

    def partitions(self) -> dg.MultiPartitionsDefinition:
        """One partition for each collector and window, the same in every process."""
        return capture_partitions(self.collectors, self.settings.window_minutes, self._start())

    def days(self) -> dg.MultiPartitionsDefinition:
        """One partition for each collector and day, the same in every process."""
        return day_partitions(self.collectors, self._start())

    def _start(self) -> dt.datetime:
        settings = self.settings
        return partitions_start(settings.dagster_home, settings.lake, self.now_ns())

    def metrics(self, collector: Collector) -> Metrics:
        """Where the figures of a collector go."""
        return Metrics(self.settings.metrics, collector)

    def target(self, partition_key: str) -> tuple[Collector, Window]:
        """The collector and the window of a partition.

        Raises:
            SettingsError: the collector's manifest is gone.
        """
        name, window = parse_key(partition_key, self.settings.window_minutes)
        return self._collector(name), window

    def day(self, partition_key: str) -> tuple[Collector, tuple[Window, ...]]:
        """The collector and the windows of a day's partition.

        Raises:
            SettingsError: the collector's manifest is gone.
        """
        name, day_ns = parse_day_key(partition_key)
        return self._collector(name), day_windows(day_ns, self.settings.window_minutes)

    def _collector(self, name: str) -> Collector:
        if name not in self.collectors:
            raise SettingsError(
                f"collector {name!r} has no manifest in {self.settings.manifests}: "
                f"known are {', '.join(self.collectors)}"
            )
        return self.collectors[name]
