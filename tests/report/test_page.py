from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from parsed_page import Page

from byrote.charts.sections import Cell, PageTable, Presentation, Section
from byrote.data.check import Check
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.finding import Finding
from byrote.report.page import write_report
from byrote.studies.study import Planned, Study, tabulate_calculations
from byrote.theory.calculation import Calculation, Computed, Result
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"


@dataclass(frozen=True)
class Failed:
    task: TrainSpec
    trace: str


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Writes a report, by default without files of its figures, and gives its folder."""
    folder = tmp_path_factory.mktemp("report")

    def write(study, runs, formats=(), **options) -> Path:
        write_report(folder / "report.html", study, runs, formats=formats, **options)
        return folder

    return write


def read(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_is_whole_and_loads_nothing(report, study, outcomes) -> None:
    folder = report(study(), outcomes(), command="byrote demo --out DIR")
    page = read(folder)
    assert page.open == []
    assert all(address.startswith(("data:", "#")) for address in page.loaded)
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\(\s*['\"]?http|<script[^>]+src", html)
    assert len(html) < 3_000_000
    in_order = [
        "Learns, and can learn by rote.",
        "What the networks were shown",
        "Figure 1a",
        "Figure 1b",
        "Figure 1c",
        "Beside the paper",
        "The slow start",
        "Results",
        "Checks",
        "How to read this",
        "Verdict",
        "Setup",
        "byrote demo --out DIR",
    ]
    places = [page.text.index(words) for words in in_order]
    assert places == sorted(places)
    for told in ("There is one seed, and so no interval", "n = 64", "A fine processor", "torch 2.13.0"):
        assert told in page.text


def test_tables_and_charts_lie_beside_it(report, study, outcomes) -> None:
    runs = outcomes()
    folder = report(study(), runs, formats=("svg",))
    table = pd.read_csv(folder / "results.csv")
    assert len(table) == len(runs)
    assert list(table["key"]) == [run.key for run in runs]
    drawn = sorted(path.stem for path in (folder / "figures").glob("*.svg"))
    assert drawn == sorted(path.stem for path in (folder / "figures").glob("*.csv"))
    assert len(drawn) == 6
    for name in drawn:
        svg = (folder / "figures" / f"{name}.svg").read_text()
        assert svg.startswith("<svg")
        assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in html for name in drawn)


@pytest.mark.parametrize(("kind", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_other_formats_on_request(tmp_path, study, outcome, kind, magic) -> None:
    write_report(tmp_path, study(), [outcome()], formats=(kind,), style="slides")
    (drawn,) = (tmp_path / "figures").glob(f"*.{kind}")
    assert drawn.read_bytes().startswith(magic)
    assert not list((tmp_path / "figures").glob("*.svg"))
    assert '<html lang="en" class="slides">' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_strings_of_the_user_are_text(report, written_study, outcome) -> None:
    study = written_study((Finding(EVIL, "supported", EVIL),), title=EVIL, class_names=(EVIL, *"123456789"))
    runs = [
        outcome(name, model=f"{EVIL}.py:Net", checks=(Check(EVIL, False, EVIL),), environment={EVIL: EVIL})
        for name in ("true-labels", "random-labels")
    ]
    page = read(report(study, runs, command=EVIL, failures=[Failed(runs[0].spec, EVIL)]))
    assert page.open == []
    assert "x" not in page.loaded
    assert page.text.count(EVIL) >= 8
    assert page.tags.count("script") == 4 + page.tags.count("figure") - page.tags.count("img")


def test_a_run_that_did_not_fit_gives_no_conclusion(report, study, outcome) -> None:
    page = read(report(study(), [outcome(), outcome("random-labels", fitted=False)]))
    assert "No conclusion about learning by rote." in page.text
    assert "? not fitted: no conclusion" in page.text
    assert (
        "The one run stopped before it had fitted (mlp-1x512, random labels, seed 0: train accuracy 0.400" in page.text
    )


def test_a_failed_check_stands_at_the_top_and_in_the_checks(report, study, outcome) -> None:
    broken = (Check("one permutation", False, "Found 2."), Check("fresh weights", True, "Equal."))
    page = read(report(study(), [outcome(), outcome("random-labels", checks=broken)]))
    assert "1 self-check failed" in page.text
    assert "A self-check failed in the one run (one permutation): nothing follows from it until" in page.text
    assert "one permutation" in page.text
    assert "Found 2." in page.text
    assert "2 checks passed in 2 runs" in page.text
    assert "fresh weights in 2 runs; mlp-1x512, true labels, seed 0: Digests agree." in page.text


def test_what_only_the_comparison_of_runs_shows_is_a_failed_check_too(report, study, outcome) -> None:
    page = read(report(study(), [outcome(), outcome("random-labels", initial_weights="other")]))
    assert "equal initial weights failed in mlp-1x512, random labels, seed 0" in page.text
    assert "No conclusion" in page.text


@pytest.mark.slow
def test_a_page_of_many_runs_is_hardly_larger_than_one_of_few(tmp_path, report, study, outcomes) -> None:
    """Each further run costs the page nothing, and results.csv a row."""
    broken = (Check("one permutation", False, "Found 2."), Check("fresh weights", True, "Equal."))
    many = [run for seed in range(60) for run in outcomes(seed=seed, checks=broken)]
    few = [run for run in many if run.spec.seed < 30]
    sizes = []
    for name, runs in (("few", few), ("many", many)):
        folder = tmp_path / name
        failed = [Failed(run.spec, "Traceback: out of memory") for run in runs]
        write_report(folder / "report.html", study(), runs, failures=failed)
        assert len(pd.read_csv(folder / "results.csv")) == len(runs)
        sizes.append((folder / "report.html").stat().st_size)
    assert sizes[1] < sizes[0] + 2000
    assert sizes[1] < 2_000_000
    page = read(folder)
    assert page.text.count("one permutation failed in") == 20
    assert "And 460 more: the column failed_checks of results.csv has all." in page.text
    assert "fresh weights in 480 runs" in page.text
    assert "480 runs failed and are missing below" in page.text
    assert "and 460 more" in page.text


def test_failures_come_with_their_traces(report, study, outcome) -> None:
    failed = [Failed(outcome("gaussian").spec, "Traceback: out of <memory>")]
    page = read(report(study(), [outcome()], failures=failed))
    assert "1 run failed and is missing below" in page.text
    assert "mlp-1x512, Gaussian inputs, seed 0" in page.text
    assert "out of <memory>" in page.text


def test_the_papers_numbers_stand_beside_ours_on_cifar10_only(report, study, outcome) -> None:
    runs = [outcome(), outcome("random-labels")]
    assert "99.34%" in read(report(study(name="cifar10:/data"), runs)).text
    assert "No run here matches a setting" in read(report(study(), runs)).text


def test_runs_of_one_seed_have_no_interval_over_seeds(report, written_study, outcome) -> None:
    runs = [outcome(test_accuracy=accuracy, key=str(accuracy)) for accuracy in (0.5, 0.9)]
    runs = [replace(run, spec=run.spec.model_copy(update={"batch_size": 8 + n})) for n, run in enumerate(runs)]
    page = read(report(written_study(()), runs))
    assert "70.0%" in page.text
    assert "1 seed" in page.text
    assert "±" not in page.text


def test_seeds_have_intervals(report, study, outcomes) -> None:
    page = read(report(study(), [run for seed in range(3) for run in outcomes(seed=seed)]))
    assert "95% intervals of the mean over seeds" in page.text
    assert "±" in page.text


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"batch_norm": True}, "Batch norm (mlp-1x512) evaluates with running averages"),
        ({"ceiling": 0.95}, "Identical inputs with different labels cap training accuracy, at 95.00%"),
        ({"stop_reason": "non-finite loss"}, "the loss was no longer finite: mlp-1x512, Gaussian inputs, seed 0"),
        ({}, "Gaussian inputs are unclamped"),
        (
            {"n_test": 64, "test_leaked": np.arange(16), "test_leaked_correct": 16, "test_accuracy": 0.5},
            "16 of 64 test examples have exactly the input of an example that was trained on",
        ),
        (
            {"n_test": 64, "test_leaked": np.arange(16), "test_leaked_correct": 16, "test_accuracy": 0.5},
            "test accuracy on the 48 others is 33.3% instead of 50.0%",
        ),
        (
            {"n_test": 64, "test_leaked": np.arange(64)},
            "there is no other, and so the test set says nothing of generalization",
        ),
    ],
)
def test_notes(report, study, outcome, fields, note) -> None:
    assert note in read(report(study(), [outcome("gaussian", **fields)])).text


@pytest.mark.parametrize(
    ("augmentation", "preprocessing", "noted"),
    [
        ("crop-flip-color", "whiten", True),
        ("crop-flip-color", "standardize", False),
        ("random-crop", "whiten", False),
        ("none", "whiten", False),
    ],
)
def test_what_whitening_leaves_of_colours(report, study, outcome, augmentation, preprocessing, noted) -> None:
    run = outcome()
    spec = run.spec.model_copy(update={"augmentation": augmentation, "preprocessing": preprocessing})
    page = read(report(study(), [outcome("random-labels"), replace(run, spec=spec)]))
    assert ("Whitening comes after crop-flip-color and undoes a part of it" in page.text) is noted


class Trained(Calculation):
    name: ClassVar[str] = "trained"

    recipe: Recipe

    @property
    def label(self) -> str:
        return "one network"

    def compute(self, data, context) -> Result:
        raise AssertionError("a report computes nothing")


@dataclass(frozen=True, eq=False)
class Own(Study):
    data: Dataset
    name = "own"
    title = "One network"

    def plan(self) -> list[Planned]:
        return []

    def summarise(self, results) -> pd.DataFrame:
        return tabulate_calculations(self.name, results)

    def verdict(self, table) -> list[Finding]:
        return []


@pytest.mark.parametrize("augmentation", ["crop-flip-color", "random-crop"])
def test_and_on_the_page_of_an_analysis_that_trains(report, data, augmentation) -> None:
    calculation = Trained(recipe=Recipe(augmentation=augmentation))
    page = read(report(Own(data()), [Computed("key", calculation, "digits", {}, {}, 1.0, {})]))
    assert ("Whitening comes after crop-flip-color" in page.text) is (augmentation == "crop-flip-color")


@pytest.mark.parametrize("shape", [(3, 6, 6), (7,)])
def test_images_and_vectors(report, study, outcomes, shape) -> None:
    page = read(report(study(shape=shape), outcomes()))
    assert page.tags.count("img") == 6 * 8
    assert ("Each square is one feature" in page.text) is (len(shape) == 1)


def test_nothing_to_report_is_an_error(tmp_path, study) -> None:
    with pytest.raises(UserError, match="got no finished run, expected at least one to report: run the study first"):
        write_report(tmp_path / "report.html", study(), [])


def test_a_browser_draws_every_chart_without_a_request(tmp_path, report, study, outcomes) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium to draw the page with")
    folder = report(study(), [run for seed in range(2) for run in outcomes(seed=seed)])
    log = tmp_path / "net.json"
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=20000 --dump-dom"
    )
    own = [f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}"]
    done = subprocess.run(
        [browser, *flags.split(), *own, f"file://{folder}/report.html"],
        capture_output=True,
        text=True,
        timeout=500,
        check=True,
    )
    drawn = re.findall(r'class="canvas[^"]*"[^>]*><svg[^>]*class="marks"', done.stdout)
    assert len(drawn) == 6
    # What the page itself prints: an error, or a request that its policy has refused.
    assert "CONSOLE" not in done.stderr
    asked = set(re.findall(r'"url":"(https?://[^/"]+)', log.read_text()))
    assert not {host for host in asked if "google" not in host}, "beside what chromium asks of its maker"


def test_sections_of_a_study_are_drawn_as_tables_with_tones_and_notes(report, study, outcome, monkeypatch) -> None:
    table = PageTable(
        header=("row", "ours"),
        spans=(("", 1), ("accuracy", 1)),
        blocks={"a block": [[Cell(EVIL, "bad", note="a note"), "1%"]], "": [["plain", Cell("2%", "quiet")]]},
    )
    sections = [
        Section("one", "One", "Lead one.", number="Table 7", table=table, note="Beneath."),
        Section("two", "Two", "", beside_next=True),
        Section("three", "Three", ""),
    ]
    shown = Presentation("A headline.", sections, notes=["A note of the study's own."])
    made = study()
    monkeypatch.setattr(type(made), "page", lambda *_: shown)
    page = read(report(made, [outcome()]))
    assert page.open == []
    for told in (
        "A headline.",
        "Table 7 One",
        "a block",
        EVIL,
        "a note",
        "1%",
        "Beneath.",
        "A note of the study's own.",
    ):
        assert told in page.text
    assert "test accuracy training accuracy" not in page.text
