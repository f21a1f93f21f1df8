"""What CONTRIBUTING promises: each thing that can be added is a file, or for a study a folder, and one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

BRIEF = "byrote.studies.brief.study"
STUDY_OF_THREE_FILES = {
    "studies/brief/study.py": """
        from dataclasses import dataclass

        from byrote.data.corruptions.record import Corruption
        from byrote.data.dataset import Dataset
        from byrote.evidence.columns import Column, as_declared
        from byrote.studies.brief.findings import findings
        from byrote.studies.columns import OF_RUNS
        from byrote.studies.study import Planned, Study, tabulate
        from byrote.training.spec import TrainSpec


        @dataclass(frozen=True, eq=False)
        class BriefStudy(Study):
            data: Dataset
            models: tuple = ("halving",)
            seeds: int = 1
            name = "brief"
            title = "The briefest study"
            presented_by = "byrote.studies.brief.page"
            columns = (*OF_RUNS, Column("row", "str", "What the run is in the study."))

            def plan(self):
                recipe = {"corruptions": (Corruption(name="last-class"),), "steps": 2, "n_train": 20}
                return [
                    Planned(TrainSpec(model=model, seed=seed, **recipe), {"row": "only"})
                    for model in self.models
                    for seed in range(self.seeds)
                ]

            def summarise(self, results):
                return as_declared(tabulate(self.name, results), self.columns)

            def verdict(self, table):
                return findings(table)


        def brief_study(data, scale, seeds=1, models=None):
            return BriefStudy(data, tuple(models or ("halving",)), seeds)
        """,
    "studies/brief/findings.py": """
        from byrote.evidence.finding import Finding


        def findings(table):
            return [Finding("It runs", "supported", f"It ran {len(table)} times.")]
        """,
    "studies/brief/page.py": """
        from byrote.charts.sections import PageTable, Presentation, Section


        def present(study, results, table, findings):
            rows = PageTable(("row", "steps"), {"": [
                (row, str(steps)) for row, steps in zip(table.row, table.steps_run)
            ]})
            lead = "A row for each run, with its steps."
            return Presentation("Brief it was", [Section(id="brief", title="The rows", lead=lead, table=rows)])
        """,
}
# The files with their text, the file of the line, the line that it follows, the line, and the import that it needs.
ADDED = {
    "a model": (
        {
            "models/halving.py": """
        from torch import nn

        from byrote.models.initialization import initialize


        def halving(*, input_shape, num_classes, dropout=0.0):
            pixels = input_shape[0] * input_shape[1] * input_shape[2]
            layers = [nn.Flatten(), nn.Linear(pixels, pixels // 2), nn.ReLU(), nn.Linear(pixels // 2, num_classes)]
            return initialize(nn.Sequential(*layers))
        """
        },
        "models/catalog.py",
        "FIXED: dict[str, tuple[str, str]] = {",
        '    "halving": ("byrote.models.halving:halving", "half as many hidden units as pixels"),',
        "",
    ),
    "a measure": (
        {
            "theory/measures/largest.py": """
        def largest_weight(model, initial_state, data, outcome):
            return max(float(parameter.abs().max()) for parameter in model.parameters())
        """
        },
        "theory/measures/catalog.py",
        "MEASURES: dict[str, Measure] = {",
        '    "largest-weight": Measure(largest_weight, "norm", "largest weight", "nobody 2026"),',
        "from byrote.theory.measures.largest import largest_weight",
    ),
    "a corruption": (
        {
            "data/corruptions/last_class.py": """
        import numpy as np

        from byrote.data.corruptions.contract import LabelCorruption


        class LastClass(LabelCorruption):
            name = "last-class"
            description = "each training label, with probability RATE, becomes the last class"

            def chances(self, sizes):
                return np.tile(np.eye(len(sizes))[-1], (len(sizes), 1))
        """
        },
        "data/corruptions/catalog.py",
        "BUILT_IN: Sequence[AnyCorruption] = (",
        "    LastClass(),",
        "from byrote.data.corruptions.last_class import LastClass",
    ),
    "a study": (
        STUDY_OF_THREE_FILES,
        "studies/registry.py",
        "STUDIES: dict[str, Registered] = {",
        f'    "brief": Reproduction("The briefest study", "{BRIEF}:BriefStudy", "{BRIEF}:brief_study"),',
        "",
    ),
}
JUDGED = "--models halving mlp-1x8 --seeds 1 --n-train 20 --steps 2 --device cpu"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of the package to which all of ADDED was added."""
    folder = tmp_path_factory.mktemp("added")
    (source,) = find_spec("byrote").submodule_search_locations
    shutil.copytree(source, folder / "byrote", ignore=shutil.ignore_patterns("__pycache__"))
    for files, listing, before, line, needed in ADDED.values():
        for name, text in files.items():
            file = folder / "byrote" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(textwrap.dedent(text))
        lines = (folder / "byrote" / listing).read_text().splitlines()
        lines.insert(lines.index(before) + 1, line)
        lines.insert(lines.index("from __future__ import annotations") + 1, needed)
        (folder / "byrote" / listing).write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
def test_each_addition_is_a_file_and_one_line(package: Path) -> None:
    """One process lists all four, trains the model on the corruption by the study, and judges the measure."""
    commands = [
        *(f"list {what}" for what in ("models", "measures", "corruptions", "studies")),
        "reproduce brief --data digits --seeds 2 --device cpu --out brief",
        f"judge largest-weight --data digits --out judged {JUDGED}",
    ]
    script = "import sys; from byrote.cli import main; sys.exit(max(main(words.split()) for words in sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, *commands],
        cwd=package,
        env=os.environ | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for told in ("half as many hidden units", "largest weight", "becomes the last class", "The briefest study"):
        assert told in done.stdout
    assert "It runs: supported" in done.stdout
    table = pd.read_csv(package / "brief" / "results.csv")
    assert set(table["model"]) == {"halving"}
    assert set(table["corruption"]) == {"last-class"}
    assert len(table) == 2
    page = (package / "brief" / "report.html").read_text()
    for shown in ("Brief it was", "The rows", "It ran 2 times."):
        assert shown in page
    assert "largest weight" in (package / "judged" / "report.html").read_text()
