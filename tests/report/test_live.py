from __future__ import annotations

import http.client
import json
import threading
from urllib.request import urlopen

import numpy as np
import pytest

from byrote.report.live import LivePage
from byrote.training.outcome import Progress


@pytest.fixture
def live(study):
    with LivePage(study()) as page:
        yield page


def progress(specs, step: int, loss: float = 1.0) -> Progress:
    return Progress(tuple(specs), step // 10, 0.0, step, np.full(len(specs), loss), np.full(len(specs), 0.5), 1234.5)


def fetch(live: LivePage, path: str = "", host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=300)
    connection.request("GET", f"/{path}", headers={"Host": host or f"127.0.0.1:{live.port}"})
    response = connection.getresponse()
    return response.status, response.read().decode()


def state(live: LivePage) -> dict:
    return json.loads(fetch(live, "state.json")[1])


def test_the_page_holds_a_chart_for_each_measure_and_loads_nothing_else(live) -> None:
    status, html = fetch(live)
    assert status == 200
    assert html.count("<figure") == 2
    assert "connect-src 'self'" in html
    assert "src=" not in html.replace("connect-src", "").replace("img-src", "").split("<script>")[0]


def test_it_serves_this_machine_only(live) -> None:
    assert live.url.startswith("http://127.0.0.1:")
    assert live._server.server_address[0] == "127.0.0.1"
    assert fetch(live, "state.json", host="evil.example")[0] == 403


def test_curves_of_every_replica_arrive(live, study) -> None:
    specs = study().tasks()
    assert state(live)["curves"] == []
    live.update(progress(specs, 10, loss=2.0))
    live.update(progress(specs[1:], 20, loss=float("nan")))
    found = state(live)
    assert len(found["curves"]) == 2 * len(specs) - 1
    assert found["curves"][0] == {
        "model": "mlp-1x512",
        "setting": "true labels",
        "seed": 0,
        "step": 10,
        "loss": 2.0,
        "accuracy": 0.5,
    }
    assert found["curves"][-1]["loss"] is None
    assert found["status"] == f"{len(specs) - 1} in training, epoch 2, 1,234 examples a second"


def test_long_curves_are_thinned_evenly_up_to_the_newest(live, study) -> None:
    spec = study().tasks()[0]
    for step in range(1, 1001):
        live.update(progress([spec], step))
    steps = [row["step"] for row in state(live)["curves"]]
    assert len(steps) <= 150
    assert steps[-1] == 1000
    assert len(set(np.diff(steps))) == 1


def test_updates_while_it_is_read(live, study) -> None:
    specs = study().tasks()
    writer = threading.Thread(target=lambda: [live.update(progress(specs, step)) for step in range(300)])
    writer.start()
    counts = [len(state(live)["curves"]) for _ in range(10)]
    writer.join()
    assert counts == sorted(counts) or max(counts) <= 150 * len(specs)


def test_the_report_is_served_once_training_is_over(live, tmp_path) -> None:
    assert fetch(live, "report.html")[0] == 404
    (tmp_path / "report.html").write_text("<p>done</p>")
    live.finish(tmp_path / "report.html")
    assert fetch(live, "report.html") == (200, "<p>done</p>")
    assert state(live)["finished"]
    assert state(live)["report"]


def test_unknown_paths_are_not_found(live) -> None:
    assert fetch(live, "../../etc/passwd")[0] == 404


def test_it_stops_serving_at_its_end(study) -> None:
    with LivePage(study()) as page:
        url = page.url
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=5)
