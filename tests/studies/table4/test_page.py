from __future__ import annotations

import numpy as np
import pytest
from made_up_runs import data, evaluated  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, page_of, rows

from byrote.data.check import Check
from byrote.studies.table4.page import headline, page_table, weight_decay_figure
from byrote.studies.table4.study import Table4Study, table4_study
from byrote.training.outcome import CURVE_COLUMNS

FITS = {"steps_to_fit": 10, "train_accuracy": 1.0, "loss": 0.01}
STUCK = {"steps_to_fit": None, "train_accuracy": 0.6, "loss": 1.0}
ADRIFT = {"steps_to_fit": None, "train_accuracy": 0.1, "loss": 2.3}
DECAY = ("none", 5e-4)


@pytest.fixture
def shown(data, evaluated):
    """A study with its outcomes and table, from what each model and condition did, FITS if not given."""

    def make(did=None, *, name="cifar10", models=("alexnet", "inception"), seeds=1, only=lambda spec: True):
        study = table4_study(data(name=name, shape=(3, 8, 8)), "paper", seeds=seeds, models=list(models))
        outcomes = []
        for spec in filter(only, study.tasks()):
            own = dict((did or {}).get((spec.model, (spec.augmentation, spec.weight_decay)), FITS))
            curve = {column: np.full(30, np.nan) for column in CURVE_COLUMNS}
            curve |= {"step": 10.0 * np.arange(1, 31), "train_loss": np.full(30, own.pop("loss"))}
            own["train_accuracy"] -= 0.002 * spec.seed
            outcomes.append(evaluated(spec, **({"curve": curve, "steps_run": 300} | own)))
        return study, outcomes, study.summarise(outcomes)

    return make


def test_the_papers_rows_stand_beside_ours(shown) -> None:
    did = {("alexnet", DECAY): ADRIFT, ("inception", ("random-crop", 0.0)): STUCK}
    presentation = page_of(*shown(did))
    found = rows(presentation.sections[0].table)
    assert found["alexnet (n = 64), 300 steps, 1 seed"][2:5] == [
        ["weight decay 0.0001", "–", "100.00%", "fits"],
        ["weight decay 0.0005", "failed", "10.00%", "does not converge"],
        ["weight decay 0.001", "–", "100.00%", "fits"],
    ]
    assert found["inception (n = 64), 300 steps, 1 seed"][-2:] == [
        ["random crop", "99.93%", "60.00%", "converges without fitting"],
        ["crop flip color", "99.28%", "100.00%", "fits"],
    ]
    assert {len(row) for block in found.values() for row in block} == {len(presentation.sections[0].table.header)}
    assert [figure.name for figure in presentation.figures] == ["table-4-alexnet", "table-4-inception"]


def test_elsewhere_ours_stand_alone(shown) -> None:
    study, outcomes, table = shown(name="made up", models=["resnet"])
    section = page_of(study, outcomes, table).sections[0]
    assert section.table.header == ("regulariser", "train accuracy", "outcome")
    assert rows(section.table)["resnet (n = 64), 300 steps, 1 seed"][0] == ["no regulariser", "100.00%", "fits"]
    assert section.note == ""


def test_rows_say_what_is_missing_and_what_failed_a_check(shown) -> None:
    failed = FITS | {"checks": (Check("moments", False, "made to fail"),)}
    study, outcomes, table = shown({("alexnet", DECAY): failed}, only=lambda spec: spec.weight_decay == 5e-4)
    found = rows(page_table(study, table))
    assert found["alexnet (n = 64), 300 steps, 1 seed"][0] == ["no regulariser", "–", "–", "not run"]
    assert found["alexnet (n = 64), 300 steps, 1 seed"][3][-1] == "fits failed a check"
    study, outcomes, table = shown(only=lambda spec: spec.model == "alexnet")
    assert "inception" in rows(page_table(study, table))
    assert [figure.title for figure in page_of(study, outcomes, table).figures] == ["alexnet"]


def test_seeds_give_spreads(shown) -> None:
    study, _, table = shown(seeds=2)
    assert rows(page_table(study, table))["alexnet (n = 64), 300 steps, 2 seeds"][0][2] == "99.90% ± 1.3"
    figure = weight_decay_figure(study, "alexnet", table)
    assert (figure.data["low"] < figure.data["train_accuracy"]).all()
    assert figure.caption.endswith("2 seeds.")


def test_weight_decay_is_drawn_with_how_each_run_ended(shown) -> None:
    did = {("inception", ("none", 1e-3)): STUCK, ("inception", ("none", 1e-2)): ADRIFT}
    study, _, table = shown(did)
    figure = weight_decay_figure(study, "inception", table)
    assert figure.data["weight_decay"].tolist() == [0, 1e-5, 1e-4, 5e-4, 1e-3, 1e-2]
    assert figure.data["ending"].tolist() == ["fits"] * 4 + ["converges without fitting", "does not converge"]
    assert figure.data["train_accuracy"].tolist() == [1, 1, 1, 1, 0.6, 0.1]
    assert figure.caption.endswith("One seed: no interval.")
    assert_draws_its_data(figure)


def test_a_single_weight_decay_can_be_drawn(data, evaluated) -> None:
    study = Table4Study(data(), weight_decays=(0.0,))
    table = study.summarise([evaluated(spec) for spec in study.tasks()])
    assert weight_decay_figure(study, "mlp-1x512", table).spec["layer"]
    assert headline(study.verdict(table)) == "No regulariser of the usual strength was tried."


@pytest.mark.parametrize(
    ("did", "expected"),
    [
        ({}, "Explicit regularisers do not keep networks from fitting random labels."),
        (
            {("alexnet", DECAY): ADRIFT},
            "3 of 4 regularised networks fit random labels; the others support no conclusion.",
        ),
        (
            {("alexnet", DECAY): STUCK | {"steps_run": 15, "stop_reason": "steps"}},
            "3 of 4 regularised networks fit random labels; the others support no conclusion.",
        ),
    ],
)
def test_the_headline_counts_networks(shown, did, expected) -> None:
    study, _, table = shown(did)
    assert headline(study.verdict(table)) == expected


def test_without_conclusions_the_headline_has_none(shown) -> None:
    study, _, table = shown(only=lambda spec: spec.weight_decay == 1e-2)
    assert headline(study.verdict(table)) == "No conclusion about regularisers and random labels."
