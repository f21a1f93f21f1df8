import inspect

import pytest

from byrote.cli.studies import REPRODUCTIONS
from byrote.data.sources import load
from byrote.studies.analysis import Analysis
from byrote.studies.study import Study

COMPUTED = ("min-norm",)
"""What computes, and takes no model."""
TRAINED = [name for name in REPRODUCTIONS if name not in COMPUTED]


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_every_reproduction_takes_the_same_arguments_and_plans_runs(name, digits):
    build = REPRODUCTIONS[name].build
    assert list(inspect.signature(build).parameters) == ["data", "scale", "seeds", "models"]
    for scale in ("laptop", "paper"):
        study = build(digits, scale, 3 if name in COMPUTED else 2)
        plan = study.plan()
        assert plan
        assert len(set(plan)) == len(plan)
        if isinstance(study, Study):
            assert {spec.seed for spec in plan} == {0, 1}
        else:
            assert isinstance(study, Analysis)
            assert len({calculation.key(study.data) for calculation in plan}) == len(plan)


@pytest.mark.parametrize("name", TRAINED)
def test_a_model_of_the_users_takes_the_place_of_the_papers(name, digits):
    # A sweep over widths takes a model whose width is open.
    own = "mlp-2x{width}" if name in ("overparameterization", "expressivity") else "mlp-2x16"
    models = {getattr(spec, "model", "") for spec in REPRODUCTIONS[name].build(digits, "laptop", 1, (own,)).plan()}
    assert any(model.startswith("mlp-2x") for model in models)
    assert not {"alexnet", "inception", "mlp-1x512", "mlp-3x512"} & models
