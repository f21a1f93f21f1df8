"""The examples and the benchmarks run as a reader would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
WITH_IMAGES = ("mlp_throughput", "conv_throughput", "bookkeeping", "augmentation", "recorder")


def code_cells(notebook: Path) -> list[dict]:
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]


def run(*arguments: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example_runs_and_prints(script: Path, tmp_path: Path) -> None:
    assert run(script, folder=tmp_path)


@pytest.mark.slow
def test_second_run_of_an_example_trains_nothing(tmp_path: Path) -> None:
    script = ROOT / "examples" / "own_model.py"
    first = run(script, folder=tmp_path)
    assert run(script, folder=tmp_path) == first
    assert (tmp_path / "own-model.html").stat().st_size > 0


@pytest.mark.slow
def test_jobs_of_an_array_make_what_one_process_makes_bit_for_bit(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "byrote"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m byrote "$@"\n')
    command.chmod(0o755)
    study = ["demo", "--n-train", "60", "--seeds", "2", "--device", "cpu"]
    script, path = str(ROOT / "examples" / "slurm_array.sh"), f"{command.parent}:{os.environ['PATH']}"

    def job(**slurm: str) -> None:
        environment = os.environ | {"PATH": path} | slurm
        done = subprocess.run(
            ["bash", script, *study], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    for number in ("1", "2"):
        job(SLURM_ARRAY_TASK_ID=number, SLURM_ARRAY_TASK_COUNT="2")
        assert not (tmp_path / "shards" / number / "report.html").exists()
    job()
    run("-m", "byrote", *study, "--out", "alone", folder=tmp_path)
    tables = [pd.read_csv(tmp_path / name / "results.csv").drop(columns="seconds") for name in ("report", "alone")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert len(tables[0]) == 32


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    script = tmp_path / "cells.py"
    script.write_text("\n\n".join("".join(cell["source"]) for cell in code_cells(notebook)))
    assert run(script, folder=tmp_path)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_no_output(notebook: Path) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells(notebook))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WITH_IMAGES, "stacking", "corruptions", "image_cache", "against_jax", "processes"])
def test_benchmark_runs_at_tiny_sizes(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if name == "against_jax":
        pytest.importorskip("jax")
    data = ["--data", f"parquet:{request.getfixturevalue('real_data')}/cifar10"] if name in WITH_IMAGES else []
    run(
        ROOT / "benchmarks" / f"{name}.py",
        "--quick",
        "--rounds",
        "1",
        "--out",
        tmp_path,
        *data,
        folder=tmp_path,
    )
    result = json.loads((tmp_path / f"{name}.json").read_text())
    assert result["quick"]
    assert all(len(contender["rounds"]) == 1 for contender in result["contenders"])
