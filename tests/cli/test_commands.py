import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from byrote.cli import main
from byrote.data.augmentations import AUGMENTATIONS
from byrote.data.corruptions.catalog import CORRUPTIONS
from byrote.data.sources import SOURCES
from byrote.models.catalog import MODELS
from byrote.studies.registry import STUDIES, measurements, reproductions
from byrote.theory.measures.catalog import MEASURES
from byrote.training.learning_rate_schedule import SCHEDULES

QUICK = ["--n-train", "40", "--stop", "at_steps", "--steps", "2", "--device", "cpu"]
NUM_RUNS = 16


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def drop_runs(folder, count):
    with closing(sqlite3.connect(folder / "runs.db")) as database, database:
        database.execute("DELETE FROM byrote_runs WHERE key IN (SELECT key FROM byrote_runs LIMIT ?)", (count,))


def run_process(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "byrote", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        **options,
    )


def test_a_demo_leaves_runs_table_report_and_figures(finished):
    assert (finished / "runs.db").is_file()
    assert len(pd.read_csv(finished / "results.csv")) == NUM_RUNS
    assert "byrote demo --out" in (finished / "report.html").read_text()
    assert {path.suffix for path in (finished / "figures").iterdir()} == {".svg", ".csv"}


def test_running_it_again_trains_nothing_and_says_what_was_found(copy, capsys):
    assert main(["demo", "--out", str(copy), *QUICK]) == 0
    told = capsys.readouterr()
    assert "16 of 16 runs are in the store already" in told.err
    assert "can fit random labels: no conclusion" in told.out
    assert f"Report: {copy / 'report.html'}" in told.out


def test_only_missing_runs_are_trained(copy, capsys):
    drop_runs(copy, 1)
    assert main(["demo", "--out", str(copy), *QUICK]) == 0
    told = capsys.readouterr().err
    assert re.findall(r"^\d+/16", told, re.MULTILINE) == ["16/16"]


def test_a_report_is_written_again_from_the_store(copy, tmp_path, monkeypatch, capsys):
    (copy / "report.html").unlink()
    shutil.rmtree(copy / "figures")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["report", "../copy", "--formats", "svg", "png"]) == 0
    assert (copy / "report.html").is_file()
    assert {path.suffix for path in (copy / "figures").iterdir()} == {".svg", ".png", ".csv"}
    assert "missing" not in capsys.readouterr().out


def test_a_report_says_what_is_missing(copy, capsys):
    drop_runs(copy, 3)
    assert main(["report", str(copy)]) == 0
    told = capsys.readouterr().out
    assert "3 of 16 runs are missing: byrote demo --out" in told
    assert "have not finished" in told


def test_relative_paths_of_the_command_hold_for_its_report(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 255, (60, 8, 8), dtype=np.uint8), np.arange(60) % 3
    np.savez(here / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    monkeypatch.chdir(here)
    command = "reproduce table2 --data npz:own.npz --n-train 30 --out out --title <Own> --models mlp-1x8"
    assert main([*command.split(), "--steps", "1", "--device", "cpu"]) == 0
    report = (here / "out" / "report.html").read_text()
    assert "&lt;Own&gt;" in report
    monkeypatch.chdir(tmp_path)
    assert main(["report", "here/out"]) == 0


OWN = """
import byrote

class Halved(byrote.InputCorruption):
    '''Each input is divided by the strength.'''

    strength = 2.0
    of_quantities = True

    def redraw(self, inputs, generator, context):
        return inputs / context.strength
"""


@pytest.mark.slow
def test_corruptions_in_the_box_and_ones_own(tmp_path, capsys):
    (tmp_path / "own.py").write_text(OWN)
    own = f"{tmp_path}/own.py:Halved"
    out = tmp_path / "out"
    words = [
        "reproduce",
        "figure1",
        "--data",
        "digits",
        "--models",
        "mlp-1x8",
        "--out",
        str(out),
        *QUICK,
        "--corruptions",
    ]
    assert (
        main([*words, "constant-class,swapped-labels=0.5", "additive-noise=0.5", f"{own}=3", "asymmetric-labels"]) == 0
    )
    assert "mlp-1x8 can learn swapped labels 50% by rote: no conclusion" in capsys.readouterr().out
    table = pd.read_csv(out / "results.csv", keep_default_na=False)
    assert table["corruption"].tolist() == [
        "true-labels",
        "constant-class",
        "swapped-labels",
        "additive-noise=0.5",
        f"{own}=3",
        "asymmetric-labels",
    ]
    assert set(table["failed_checks"]) == {""}
    page = (out / "report.html").read_text()
    assert "Each input is divided by the strength" in page
    assert f"Halved is {own}." in page
    assert main(["report", str(out)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("reproduce table1 --data digits --corruptions gaussian", "got --corruptions for table1, which chooses the"),
        ("reproduce figure1 --data digits --corruptions gausian", "got corruption 'gausian', expected one of"),
        ("reproduce figure1 --data digits --corruptions gaussian=3", "got rate=3.0: input should be less than"),
        ("reproduce figure1 --data digits --corruptions nowhere.py:X", "nowhere.py"),
        ("reproduce figure1 --data nonsense", "nonsense"),
        ("reproduce figure1 --data npz:nowhere.npz", r"nowhere\.npz"),
        ("demo --learning-rate -1", "got --learning-rate -1.0: input should be greater than 0"),
        ("demo --stop at_steps", "at_steps needs a number of steps"),
        ("demo --device abacus", "got device 'abacus'"),
        ("demo --seeds 0", "got --seeds 0, expected a number of seeds, at least 1"),
        ("demo --n-train 100000", "--n-train 100000"),
        ("demo --crop 9", "got a centre crop of 9"),
        ("demo --store sqlite:////nowhere/runs.db", "there is no folder /nowhere"),
        ("demo --out taken", "taken"),
        ("report nowhere", r"got nowhere, which has no study\.json"),
        ("report damaged", r"study\.json is damaged"),
        ("report empty", r"empty has no runs\.db: run byrote demo first"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    for name, text in (
        ("damaged", "{"),
        ("empty", json.dumps({"arguments": ["demo"], "folder": str(tmp_path), "precision": "float32"})),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text(text)
    assert main(words.split()) == 2
    told = capsys.readouterr().err.strip()
    assert re.search(message, told), told
    assert told.startswith("byrote: ")
    assert len(told.splitlines()) == 1


def test_broken_images_are_a_line_on_stderr_and_a_list(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        file = tmp_path / "photos" / ("cat" if number % 2 else "dog") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    (tmp_path / "photos/cat/broken.png").write_text("no image")
    command = "reproduce table2 --data images:photos --models mlp-1x8 --out out --steps 1 --device cpu"
    assert main(command.split()) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    reason = "not an image, or in none of the formats JPEG, PNG, BMP, GIF, PPM, TIFF, WEBP"
    assert told == [f"byrote: 1 image is left out, photos/cat/broken.png ({reason}); the list is out/rejected.csv"]
    (row,) = pd.read_csv(tmp_path / "out/rejected.csv").itertuples()
    assert (row.file, row.reason[:12]) == ("photos/cat/broken.png", "not an image")


def test_failed_runs_leave_the_rest_and_exit_code_3(tmp_path, capsys):
    optimizer = tmp_path / "own.py"
    optimizer.write_text(
        "import torch\n"
        "class Own(torch.optim.SGD):\n"
        "    num_steps = 0\n"
        "    def step(self, closure=None):\n"
        "        self.num_steps += any(p.ndim > 3 for g in self.param_groups for p in g['params'])\n"
        "        if self.num_steps > 2:\n"  # as many are tried before any run
        "            raise ValueError('no convolutions, please')\n"
        "        return super().step(closure)\n"
    )
    out = tmp_path / "out"
    assert main(["demo", "--out", str(out), *QUICK, "--steps", "4", "--optimizer", f"{optimizer}:Own"]) == 3
    assert "8 of 16 runs failed, the rest is kept" in capsys.readouterr().err
    assert len(pd.read_csv(out / "results.csv")) == NUM_RUNS // 2
    assert "no convolutions, please" in (out / "report.html").read_text()


@pytest.mark.slow
def test_an_interrupted_run_has_drawn_a_live_page_and_says_how_to_go_on(tmp_path):
    """Once a network is trained, the next never ends."""
    (tmp_path / "own.py").write_text(
        "import time, torch\n"
        "class Waiting(torch.optim.SGD):\n"
        "    num_steps, is_one_trained = 0, False\n"
        "    def step(self, closure=None):\n"
        "        self.num_steps += 1\n"
        "        if self.num_steps == 4:\n"
        "            Waiting.is_one_trained = True\n"
        "        elif self.num_steps == 3 and Waiting.is_one_trained:\n"  # fewer are tried before any run
        "            time.sleep(1000)\n"
        "        return super().step(closure)\n"
    )
    out = tmp_path / "out"
    optimizer = ["--optimizer", f"{tmp_path}/own.py:Waiting", "--processes", "1"]
    process = run_process("demo", "--live", "--out", str(out), *QUICK, "--steps", "4", *optimizer)
    url = re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())[0]
    for line in process.stderr:
        if re.match(r"\d+/16", line):
            break
    with urllib.request.urlopen(f"{url}state.json", timeout=300) as answer:
        state = json.load(answer)
    assert state["curves"]
    assert not state["finished"]
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 130, told
    assert f"to go on with the rest: byrote demo --live --out {out}" in told
    assert "Traceback" not in told
    assert main(["report", str(out)]) == 0


@pytest.mark.parametrize("arguments", [[], ["--help"], ["demo", "--help"]])
def test_help_comes_without_the_slow_imports(arguments):
    code = (
        "import sys; from byrote.cli import main; code = main(sys.argv[1:])\n"
        "slow = {'torch', 'pandas', 'altair', 'sklearn', 'sqlalchemy'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else code)"
    )
    answer = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "usage: byrote" in answer.stdout


def test_a_reader_that_leaves_is_no_error():
    process = run_process("list", "studies")
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("models", MODELS),
        ("data", SOURCES),
        ("corruptions", CORRUPTIONS),
        ("augmentations", AUGMENTATIONS),
        ("schedules", SCHEDULES),
        ("studies", reproductions()),
        ("measurements", measurements()),
        ("measures", MEASURES),
    ],
)
def test_list_has_every_name(what, names, capsys):
    assert main(["list", what]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in names)
    assert main(["list"]) == 0
    assert listed in capsys.readouterr().out


@pytest.mark.parametrize("name", STUDIES)
def test_list_has_every_column_of_a_study(name, capsys):
    assert main(["list", "columns", name]) == 0
    listed = capsys.readouterr().out.splitlines()[1:]
    assert [tuple(line.split(maxsplit=2)) for line in listed] == [
        (column.name, column.dtype, column.told) for column in STUDIES[name].columns
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("columns", "got no study after byrote list columns, expected one of demo, figure1"),
        ("columns table3", "got 'table3' after byrote list columns, expected .*; did you mean 'table4'"),
        ("models table1", "got table1, but only columns are those of a study: byrote list columns STUDY"),
    ],
)
def test_only_columns_are_listed_of_a_study(words, told, capsys):
    assert main(["list", *words.split()]) == 2
    assert re.search(told, capsys.readouterr().err)


JUDGED = ["--n-train", "60", "--models", "mlp-1x16", "--seeds", "2", "--epochs", "60", "--precision", "float32"]


@pytest.fixture(scope="module")
def own_measure(tmp_path_factory):
    source = tmp_path_factory.mktemp("measure") / "own.py"
    source.write_text(
        "def rate(model, initial_state, data, outcome):\n    return outcome.spec.label_rate + 0.01 * len(data)\n"
    )
    return f"{source}:rate"


@pytest.mark.slow
def test_a_measure_of_the_users_is_judged_and_judged_again_in_seconds(own_measure, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["judge", own_measure, "--data", "digits", "--out", str(out), *JUDGED]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "rate tells true labels from random ones: " in told.out
    assert "64/6" in told.err
    assert "scoreboard" in (out / "report.html").read_text()
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert re.search(r"(\d+) of \1 runs and calculations are in the store already", told.err)
    assert main(["judge", "parameters", "--data", "digits", "--out", str(out), *JUDGED]) == 0
    assert main(["report", str(out)]) == 0
    assert "Report: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["judge", "colour"], "got the measure 'colour', expected FILE.py:NAME or one of"),
        (["judge", "nowhere.py:f"], "nowhere.py"),
    ],
)
def test_wrong_input_to_the_judge_is_one_sentence(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--data", "digits"]) == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert len(told.splitlines()) == 1


def test_an_empty_name_of_a_store_does_not_stand_for_the_default(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), "--store", ""]) == 2
    assert "got the store '', which is no name of a file" in capsys.readouterr().err


def test_a_file_in_the_way_of_the_folder_is_told_before_data_are_read(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["reproduce", "figure1", "--data", "digits", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "file/out: a file is in the way of a folder: move it away" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="looks for /dev/full")
def test_output_that_nothing_takes_is_one_sentence():
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-u", "-m", "byrote", "list", "studies"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ended.returncode == 2
    assert ended.stderr == "byrote: cannot write what is to be printed: the disk is full: make room\n"


FAST = ["--data", "digits", "--device", "cpu", "--learning-rate", "0.1", "--epochs", "60"]


@pytest.mark.parametrize(
    ("words", "rows", "told"),
    [
        (
            "rademacher --models mlp-1x16 --draws 2 --n-train 16",
            10,
            "fits coin flips: its Rademacher complexity is near 1: ",
        ),
        ("rademacher --models mlp-1x32 --exhaustive --n-train 3", 1, "shatters these 3 examples: supported"),
        ("largest-n --models mlp-1x32 --draws 2 --n-train 12", 1, "The random labels of all 12 examples are fitted"),
    ],
)
def test_a_measure_leaves_store_table_and_report_and_makes_nothing_twice(words, rows, told, tmp_path, capsys):
    arguments = ["measure", *words.split(), *FAST, "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert told in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "results.csv")) == rows
    assert "byrote measure" in (tmp_path / "report.html").read_text()
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".svg", ".csv"}
    assert main(arguments) == 0
    assert re.search(r"(\d+) of \1 .* (is|are) in the store already", capsys.readouterr().err)
    assert main(["report", str(tmp_path)]) == 0


def test_what_was_measured_stands_in_study_json(tmp_path):
    words = ["rademacher", "--models", "mlp-1x8", "--exhaustive", "--n-train", "1"]
    assert main(["measure", *words, *FAST, "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "study.json").read_text())["arguments"][:2] == ["measure", "rademacher"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("rademacher --exhaustive --n-train 13", r"got --n-train 13 with exhaustive, which would train 2\^13 networks"),
        ("rademacher --draws 0", "got --draws 0, expected a number of draws, at least 1"),
        ("rademacher --models nonsense", "got model 'nonsense'"),
        ("rademacher --seeds 0", "got --seeds 0"),
        ("rademacher --n-train 100000", "got --n-train 100000 for digits"),
        ("rademacher --validation 0.1", "got --validation 0.1"),
        ("largest-n --draws -1", "got --draws -1"),
        ("stability --replacements 0", "got --replacements 0 for n = 1293 training examples, expected from 1 to 1293"),
        ("stability --n-train 20 --replacements 21", "got --replacements 21 for n = 20 training examples"),
        ("stability --n-train 1", "got --n-train 1 of 1437 training examples of digits, expected at least 2"),
        ("stability --data npz:one.npz", "have one class|with one class"),
        ("largest-n --models nowhere.py:Net", "got nowhere.py, which is not a file"),
        ("largest-n --data npz:one.npz", "have one class"),
    ],
)
def test_wrong_input_of_a_measure_is_one_sentence_and_exit_code_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).integers(0, 255, (20, 4, 4), dtype=np.uint8)
    np.savez("one.npz", x_train=x, y_train=np.zeros(20, dtype=np.int64), x_test=x, y_test=np.zeros(20, dtype=np.int64))
    source = [] if "--data" in words else ["--data", "digits"]
    assert main(["measure", *words.split(), *source]) == 2
    told = capsys.readouterr().err.strip()
    assert re.search(message, told), told
    assert len(told.splitlines()) == 1
