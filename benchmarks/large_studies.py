"""What a study of very many runs costs from its plan to its page: processor time and memory of each step.

    python benchmarks/large_studies.py
    python benchmarks/large_studies.py --quick

The runs are made up and stored in a SQLite file before, by a process of its own. Two studies are read: a grid whose
table has the columns of runs alone, and the randomisation test, whose table needs the curves and predictions of every
run. Asked of the grid: 100,000 runs loaded and summarised within 1 GiB and some 20 s of processor time.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
from measure import RESULTS, machine

import byrote
from byrote.data.check import Check
from byrote.evidence.finding import Finding
from byrote.report.page import write_report
from byrote.runs.codec import to_row
from byrote.runs.forecast import Forecast
from byrote.runs.store import Store
from byrote.runs.tables import RUNS
from byrote.runs.workloads import forecast
from byrote.studies.randomization.study import RandomizationStudy
from byrote.studies.study import Planned, Results, Study, plan_by_keys, tabulate
from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS, TrainOutcome
from byrote.training.spec import TrainSpec

T = TypeVar("T")

_EPOCHS, _EARLY = 30, 150
_TEMPLATES = 64
"""So many different curves are made up; arrays take long to compress."""
_AT_ONCE = 1000


@dataclass(frozen=True, eq=False)
class Grid(Study):
    """Learning rates times weight decays times seeds."""

    name: ClassVar[str] = "grid"
    title: ClassVar[str] = "A grid"
    data: byrote.Dataset
    num_runs: int = 100

    def plan(self) -> list[Planned]:
        rates, decays = np.geomspace(1e-3, 1, 10).tolist(), [0.0, *np.geomspace(1e-5, 1e-2, 9).tolist()]
        base = TrainSpec(model="mlp-1x32", steps=_EPOCHS * 12, preprocessing="standardize").model_dump()
        cells = [(rate, decay) for rate in rates for decay in decays]
        return [
            Planned(
                TrainSpec(**(base | {"learning_rate": rate, "weight_decay": decay, "seed": seed})), {"cell": number}
            )
            for number, (rate, decay) in enumerate(cells)
            for seed in range(self.num_runs // len(cells))
        ]

    def summarise(self, results: Sequence[Any]) -> pd.DataFrame:
        return tabulate(self.name, results)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:  # noqa: ARG002
        return []


def study_of(name: str, num_runs: int) -> Study:
    data = byrote.load("digits")
    if name == "grid":
        return Grid(data, num_runs)
    return RandomizationStudy(data=data, models=["mlp-1x32"], seeds=num_runs // 8)


def made_up(study: Study) -> list[TrainOutcome]:
    """As many outcomes as there are different curves, whose arrays and texts those of all runs are."""
    data, generator = study.data, np.random.default_rng(0)
    n, num_tested = len(data.train), len(data.test)
    found = []
    for planned in study.plan()[:_TEMPLATES]:
        epoch, step = np.arange(1.0, _EPOCHS + 1), np.arange(1.0, _EARLY + 1)
        curve = {name: np.sort(generator.random(_EPOCHS)).round(2) for name in CURVE_COLUMNS} | {
            "epoch": epoch,
            "step": 12 * epoch,
            "train_loss": 2.3 / (1 + epoch) + 0.01 * generator.random(_EPOCHS),
        }
        early = {name: generator.random(_EARLY).round(2) for name in EARLY_COLUMNS} | {
            "step": step,
            "train_loss": 2.3 / (1 + step / 60) + 0.1 * generator.random(_EARLY).round(2),
        }
        found.append(
            TrainOutcome(
                key="",
                spec=planned.task,
                data=data.label,
                n_train=n,
                n_test=num_tested,
                num_classes=data.num_classes,
                parameters=2410,
                batch_norm=False,
                train_loss=0.01,
                train_accuracy=1.0,
                train_accuracy_true_labels=1.0,
                train_top5_accuracy=1.0,
                test_loss=0.3,
                test_accuracy=0.9,
                test_top5_accuracy=0.99,
                ceiling=1.0,
                epochs_to_fit=20,
                steps_to_fit=240,
                epochs_to_interpolate=25,
                steps_to_interpolate=300,
                epochs_run=_EPOCHS,
                steps_run=12 * _EPOCHS,
                stop_reason="steps",
                replicas=16,
                seconds=1.5,
                curve=curve,
                early=early,
                train_predictions=generator.integers(0, 10, n).astype(np.uint8),
                test_predictions=generator.integers(0, 10, num_tested).astype(np.uint8),
                checks=tuple(
                    Check(f"check number {number}", True, f"{generator.random():.6f} of labels are as they should be.")
                    for number in range(7)
                ),
                initial_weights="",
                environment={"device": "cpu", "hardware": "made up", "threads": "1", "byrote": byrote.__version__},
            )
        )
    return found


def build(study: Study, path: Path) -> None:
    """Stores an outcome of every run of the plan."""
    from byrote.runs.codec import _sealed

    generator = np.random.default_rng(0)
    templates = [to_row(outcome) for outcome in made_up(study)]
    plan, store, rows = plan_by_keys(study), Store(path), []
    for number, (key, planned) in enumerate(plan.items()):
        spec = planned.task
        row = templates[number % len(templates)] | {
            "key": key,
            "spec": json.dumps(spec.model_dump(mode="json")),
            "seed": spec.seed,
            "corruption": spec.corruption,
            "corruption_rate": spec.corruption_rate,
            "test_accuracy": 0.9 - 0.8 * spec.label_rate + 0.02 * float(generator.standard_normal()),
            "initial_weights": f"{spec.seed:064x}",
            "seconds": float(generator.random()),
        }
        del row["checksum"]
        rows.append(_sealed(row))
        if len(rows) == _AT_ONCE or number == len(plan) - 1:
            store.insert(RUNS, rows)
            rows = []


def loaded(study: Study, plan: Mapping[str, Planned], store: Store) -> Results:
    """As `byrote.run` gives them."""
    found = store.results({key: planned.task for key, planned in plan.items()})
    return Results(study, [(plan[key], result) for key, result in found.items()])


def costs(study: Study, store: Store, folder: Path) -> dict[str, dict[str, float]]:
    """Seconds of processor time of each step, and the most memory until its end, MiB."""
    found: dict[str, dict[str, float]] = {"start": {"cpu_seconds": time.process_time(), "peak_mib": _memory()}}

    def timed(name: str, step: Callable[[], T]) -> T:
        before = time.process_time()
        made = step()
        found[name] = {"cpu_seconds": round(time.process_time() - before, 2), "peak_mib": _memory()}
        print(f"{name}: {found[name]}", file=sys.stderr)
        return made

    plan = timed("plan and keys", lambda: plan_by_keys(study))
    timed("check", lambda: store.discard_damaged(plan))
    results = timed("load", lambda: loaded(study, plan, store))
    timed("summarise", lambda: study.summarise(results))
    timed("summarise and page", lambda: write_report(folder / "report.html", study, results))
    foreseen: Forecast = timed("forecast", lambda: forecast(study, store))
    assert not foreseen.num_left
    timed("run, all stored", lambda: byrote.run(study, store))
    return found


def _memory() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="few runs: does it work at all? The figures mean nothing")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--study", choices=("grid", "randomization"), action="append", help="both unless given")
    parser.add_argument("--folder", type=Path, help="where stores are kept; those that are there are read again")
    parser.add_argument("--step", choices=("build", "read"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    num_runs = 800 if options.quick else options.runs
    names = options.study or ["grid", "randomization"]
    if options.step:
        (name,), folder = names, options.folder
        study = study_of(name, num_runs)
        if options.step == "build":
            build(study, folder / f"{name}.db")
        else:
            print(json.dumps(costs(study, Store(folder / f"{name}.db"), folder)))
        return
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for name in names:
            itself = [sys.executable, __file__, "--runs", str(num_runs), "--study", name, "--folder", str(folder)]
            if not (folder / f"{name}.db").exists():
                subprocess.run([*itself, "--step", "build"], check=True)
            read = subprocess.run([*itself, "--step", "read"], check=True, stdout=subprocess.PIPE, text=True)
            found[name] = {"runs": num_runs, "steps": json.loads(read.stdout.splitlines()[-1])}
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "large_studies.json"
    content = {"quick": options.quick, "studies": found, "machine": machine()}
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    main()
