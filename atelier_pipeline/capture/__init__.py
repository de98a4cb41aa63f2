"""Sockets, waiting and clocks: the only folder with asyncio and websockets but the simulator."""

from atelier_pipeline.capture.limits import CaptureLimits
from atelier_pipeline.capture.report import CaptureProgress, CaptureReport, Ending
from atelier_pipeline.capture.session import capture_window

__all__ = ["CaptureLimits", "CaptureProgress", "CaptureReport", "Ending", "capture_window"]
