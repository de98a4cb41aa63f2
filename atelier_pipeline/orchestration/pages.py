"""The reports of a lake on loopback, so that Dagster's page can link to them; writes nothing."""

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from atelier_pipeline.report.page import REPORTS
from atelier_pipeline.settings import Settings

HOST = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    """Files as they are now; nothing on a page may load or run anything."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Stay quiet: Dagster's own lines are to be read."""


@contextmanager
def served_reports(settings: Settings, port: int) -> Generator[str]:
    """Serve the reports while the body runs, at `port` or a free one; gives their address.

    Children find it by the environment. One that is set already counts, and nothing is served.
    """
    if settings.reports_url is not None:
        yield settings.reports_url
        return
    handler = partial(_Handler, directory=str(settings.lake / REPORTS))
    with _server(handler, port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://{HOST}:{server.server_port}"
        os.environ["ATELIER_REPORTS_URL"] = address
        try:
            yield address
        finally:
            del os.environ["ATELIER_REPORTS_URL"]
            server.shutdown()


def _server(handler: partial[_Handler], port: int) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer((HOST, port), handler)
    except OSError:
        return ThreadingHTTPServer((HOST, 0), handler)
