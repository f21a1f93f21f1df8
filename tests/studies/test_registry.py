import inspect

import pandas as pd
import pytest

from byrote.cli.flags import QUANTITIES
from byrote.data.sources import load
from byrote.studies.registry import STUDIES, measurements, reproductions
from byrote.studies.study import Study
from byrote.training.spec import TrainSpec

COMPUTED = ("min-norm",)
"""What computes, and takes no model."""
TRAINED = [name for name in reproductions() if name not in COMPUTED]


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.mark.parametrize("name", reproductions())
def test_every_reproduction_takes_the_same_arguments_and_plans_runs(name, digits):
    build = reproductions()[name].build
    assert list(inspect.signature(build).parameters) == ["data", "scale", "seeds", "models"]
    for scale in ("laptop", "paper"):
        study = build(digits, scale, 3 if name in COMPUTED else 2)
        plan = study.tasks()
        assert plan
        assert len(set(plan)) == len(plan)
        assert isinstance(study, Study)
        assert len({planned.key(study.data) for planned in study.plan()}) == len(plan)
        assert {task.seed for task in plan if isinstance(task, TrainSpec)} <= {0, 1}


@pytest.mark.parametrize("name", TRAINED)
def test_a_model_of_the_users_takes_the_place_of_the_papers(name, digits):
    # A sweep over widths takes a model whose width is open.
    own = "mlp-2x{width}" if name in ("overparameterization", "expressivity") else "mlp-2x16"
    models = {getattr(spec, "model", "") for spec in reproductions()[name].build(digits, "laptop", 1, (own,)).tasks()}
    assert any(model.startswith("mlp-2x") for model in models)
    assert not {"alexnet", "inception", "mlp-1x512", "mlp-3x512"} & models


@pytest.mark.parametrize("name", reproductions())
def test_models_and_seeds_that_all_gives_to_a_study_are_taken(name, digits):
    reproduction = reproductions()[name]
    assert reproduction.build(digits, "laptop", max(2, reproduction.least_seeds), None).tasks()
    assert reproduction.takes_models == (name not in COMPUTED)


def test_the_paper_has_88_numbers(digits):
    found = [reproduction.published_figures(digits, pd.DataFrame()) for reproduction in reproductions().values()]
    assert sum(map(len, found)) == 88


@pytest.mark.parametrize("name", measurements())
def test_every_measure_takes_the_flags_that_its_line_has(name, digits):
    measurement = measurements()[name]
    taken = inspect.signature(measurement.build).parameters
    assert {"data", "model", "recipe", "seeds", "n_train"} | measurement.flags.keys() == taken.keys() - {"data_seed"}
    recipe = measurement.make_recipe("mlp-1x8", digits, "float32", {})
    own = {flag: given.default for flag, given in measurement.flags.items() if given.default is not None}
    assert measurement.build(digits, recipe=recipe, **own).tasks()
    assert QUANTITIES[name].name == name


@pytest.mark.parametrize("name", STUDIES)
def test_every_line_names_the_study_that_it_makes(name, digits):
    known = STUDIES[name]
    assert known.description
    assert known.columns[0].name == "study"
    if name in reproductions():
        assert f"{type(known.build(digits, 'laptop', 1)).__module__}:" in known.study
