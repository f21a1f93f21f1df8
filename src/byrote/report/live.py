"""A page on this machine that redraws while networks train."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import altair as alt
import numpy as np

from byrote.charts.figure import steps_axis, with_dashes
from byrote.references import short_name
from byrote.report.rendering import environment, theme
from byrote.studies.study import Study
from byrote.training.outcome import Progress
from byrote.training.spec import TrainSpec

_HOST = "127.0.0.1"
_MOST_POINTS = 150


class LivePage:
    """Serves, on the loopback interface only, the loss and the accuracy of every network in training.

    Hand it to `run` as `on_progress=live.update`. Thread-safe; a context manager that stops serving at its end.

    Args:
        study: whose plan says which models and settings to expect.
        port: 0 takes any free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, study: Study, port: int = 0) -> None:
        self._lock = threading.Lock()
        self._curves: dict[TrainSpec, list[tuple[int, float, float]]] = {}
        self._status = ""
        self._finished = False
        self._report: Path | None = None
        self._page = _page(study)
        self._server = ThreadingHTTPServer((_HOST, port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """The page's address on this machine."""
        return f"http://{_HOST}:{self.port}/"

    def update(self, progress: Progress | object) -> None:
        """Takes in where a group stands; of calculations there are no curves."""
        if not isinstance(progress, Progress):
            return
        with self._lock:
            for spec, loss, accuracy in zip(
                progress.specs, progress.train_loss, progress.running_accuracy, strict=True
            ):
                self._curves.setdefault(spec, []).append((progress.step, float(loss), float(accuracy)))
            self._status = (
                f"{len(progress.specs)} in training, epoch {progress.epoch + (progress.fraction > 0):,}, "
                f"{progress.examples_per_second:,.0f} examples a second"
                f"{progress.time_left and ', '}{progress.time_left}"
            )

    def finish(self, report: str | Path | None = None) -> None:
        """Tells the page that training is over, and serves the report, if there is one."""
        with self._lock:
            self._finished, self._report = True, None if report is None else Path(report)

    def close(self) -> None:
        """Stops the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> LivePage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _state(self) -> dict[str, Any]:
        with self._lock:
            curves = [
                {
                    "model": short_name(spec.model),
                    "setting": spec.setting,
                    "seed": spec.seed,
                    "step": step,
                    # JSON has no NaN.
                    "loss": loss if np.isfinite(loss) else None,
                    "accuracy": accuracy if np.isfinite(accuracy) else None,
                }
                for spec, points in self._curves.items()
                for step, loss, accuracy in _thinned(points)
            ]
            return {
                "curves": curves,
                "status": self._status,
                "finished": self._finished,
                "report": self._report is not None,
            }

    def _answer(self, path: str) -> tuple[str, bytes] | None:
        if path == "/":
            return "text/html", self._page.encode()
        if path == "/state.json":
            return "application/json", json.dumps(self._state()).encode()
        if path == "/report.html" and self._report is not None:
            return "text/html", self._report.read_bytes()
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                # A foreign page may make its own host name point here; it must not read what we serve.
                ours = self.headers.get("Host") in (f"{_HOST}:{page.port}", f"localhost:{page.port}")
                answer = page._answer(urlsplit(self.path).path) if ours else None
                if answer is None:
                    self.send_error(404 if ours else 403)
                    return
                kind, body = answer
                self.send_response(200)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Silent: the terminal shows the progress of training."""

        return Handler


def _thinned(points: list[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
    """Evenly, always with the newest."""
    stride = -(-len(points) // _MOST_POINTS)
    return points[::-stride][::-1]


def _page(study: Study) -> str:
    specs = [task for task in study.tasks() if isinstance(task, TrainSpec)]
    settings = list(dict.fromkeys(spec.setting for spec in specs))
    measures = (("loss", "Training loss", ""), ("accuracy", "Training accuracy", ".0%"))
    return (
        environment()
        .get_template("live.html.jinja")
        .render(
            study=study,
            models=list(dict.fromkeys(short_name(spec.model) for spec in specs)),
            specs=[(title, _chart(settings, measure, number_format)) for measure, title, number_format in measures],
            theme=theme("screen"),
        )
    )


def _chart(settings: list[str], measure: str, number_format: str) -> dict[str, Any]:
    line = (
        alt.Chart()
        .mark_line()
        .encode(
            x=alt.X("step:Q", title="training steps", axis=steps_axis()),
            y=alt.Y(f"{measure}:Q", title=None, axis=alt.Axis(format=number_format)),
            detail="seed:N",
            **with_dashes("setting", settings, settings),
        )
    )
    chart = alt.LayerChart(data=alt.NamedData("curves"), layer=[line], width="container", height=260)
    return {**chart.to_dict(), "datasets": {"curves": []}}
