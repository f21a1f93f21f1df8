import numpy as np
import pytest

import byrote
from byrote.errors import UserError
from byrote.runs.run import run
from byrote.runs.store import Store
from byrote.studies.expressivity.calculations import FittingWidth, Manipulation
from byrote.studies.expressivity.study import ExpressivityStudy, expressivity_study
from byrote.theory.memorizers.built_network import BuiltNetwork
from byrote.theory.memorizers.worked_example import WorkedExample
from byrote.training.spec import TrainSpec


def of(analysis, kind):
    return [calculation for calculation in analysis.tasks() if isinstance(calculation, kind)]


def test_n_grows_by_four_up_to_all_examples(tiny):
    analysis = expressivity_study(tiny, "laptop")
    assert analysis.sizes == [8, 32, 121]
    built = of(analysis, BuiltNetwork)
    assert [c.n_train for c in built if c.construction == "two-layer"] == [8, 32, 121]
    assert {c.construction for c in built} == {"two-layer", "deep", "hyperplanes"}
    assert len(of(analysis, WorkedExample)) == 1


def test_n_train_caps_everything(tiny):
    analysis = ExpressivityStudy(tiny, n_train=32)
    assert analysis.sizes == [8, 32]
    assert max(getattr(c, "n_train", None) or 0 for c in analysis.tasks()) == 32
    assert ExpressivityStudy(tiny, n_train=8).sizes == [8]


def test_networks_are_trained_up_to_a_size_of_their_own(tiny):
    analysis = ExpressivityStudy(tiny, most_trained=40)
    assert {c.n_train for c in of(analysis, FittingWidth)} == {40}
    assert {c.spec.n_train for c in of(analysis, Manipulation)} == {40}


def test_one_network_is_overridden_with_every_number_of_predictions(tiny):
    plan = ExpressivityStudy(tiny, chosen=(1, 4, 100)).tasks()
    (spec,) = [task for task in plan if isinstance(task, TrainSpec)]
    reading = [task for task in plan if task not in (spec,) and spec in task.reads]
    assert [task.num_chosen for task in reading] == [1, 4]
    assert not any(isinstance(task, TrainSpec) for task in ExpressivityStudy(tiny, chosen=()).tasks())


def test_of_several_inputs_no_prediction_is_overridden():
    parts = {"a": np.arange(80.0).reshape(40, 2), "b": np.arange(40.0)}
    data = byrote.from_arrays(parts, np.arange(40) % 2)
    study = ExpressivityStudy(data, ["mine.py:Net{width}"])
    assert of(study, BuiltNetwork)
    assert not of(study, (Manipulation, TrainSpec))
    assert study.choices()[-1] == "No predictions are overridden: mlp-1x64, whose they would be, takes one input."


def test_every_seed_draws_labels(tiny):
    assert {c.seed for c in of(ExpressivityStudy(tiny, seeds=3), BuiltNetwork)} == {0, 1, 2}


def test_smaller_n_gets_fewer_steps_and_never_too_few(tiny):
    few, many = (
        of(ExpressivityStudy(tiny, n_train=n), FittingWidth)[0].recipe.epochs * -(-n // 128) for n in (32, 121)
    )
    assert few == many == 1500


def test_families_of_the_users_take_the_place_of_perceptrons(tiny):
    analysis = expressivity_study(tiny, "paper", 1, ("resnet-1x{width}",))
    assert {c.model for c in of(analysis, FittingWidth)} == {"resnet-1x{width}"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"families": ["mlp-1x64"]}, r"got model 'mlp-1x64', expected a family whose width is open"),
        ({"n_train": 7}, "got n_train=7 for tiny, which has 121 training examples; choose between 8 and 121"),
        ({"n_train": 122}, "got n_train=122"),
        ({"seeds": 0}, "got seeds=0"),
    ],
)
def test_what_cannot_be_is_refused(options, message, tiny):
    with pytest.raises(UserError, match=message):
        ExpressivityStudy(tiny, **options)


def test_constructions_on_real_data_support_the_theorem(tiny, tmp_path):
    analysis = ExpressivityStudy(tiny, families=(), chosen=(1,))
    with Store(tmp_path / "runs.db") as store:
        table = analysis.summarise(run(analysis, store, device="cpu"))
    assert len(table) == len(analysis.tasks()) - 1  # the run that is read has no row
    (overridden,) = table[table["calculation"] == "Manipulation"].to_dict("records")
    assert (overridden["model"], overridden["n_train"], overridden["batch_size"]) == ("mlp-1x64", 121, 128)
    outcomes = {finding.claim: finding.outcome for finding in analysis.verdict(table)}
    assert outcomes["2n + d weights represent any labels of n examples (Theorem 1)"] == "supported"
    assert "not supported" not in outcomes.values()
