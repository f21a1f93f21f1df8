from __future__ import annotations

import numpy as np
import pytest

from byrote.errors import UserError
from byrote.runs.run import run, stored
from byrote.runs.store import Store
from byrote.studies.memorization.calculations import ExampleScores
from byrote.studies.memorization.study import MemorizationStudy, memorization_study
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

RECIPE = Recipe(learning_rate=0.1, batch_size=20, epochs=40)


def test_each_noise_and_model_has_its_networks_and_one_calculation(tiny):
    plan = MemorizationStudy(tiny, "mlp-1x8", RECIPE, networks=32, noise=(0.2, 0.0)).plan()
    scores = [each for each in plan if isinstance(each.task, ExampleScores)]
    runs = [each for each in plan if isinstance(each.task, TrainSpec)]
    assert [each.task.label_rate for each in scores] == [0.0, 0.2]
    assert [each.task for each in runs] == [spec for each in scores for spec in each.task.specs]
    assert {each.task.stack for each in runs[:32]} == {"halves 0 to 15 of draw 0", "halves 16 to 31 of draw 0"}
    assert [each.task.half for each in runs[:32]] == [each.task.seed for each in runs[:32]] == list(range(32))
    assert len({each.key(tiny) for each in plan}) == len(plan) == 2 * 33
    assert runs[0].data.train.changed_labels.sum() == 0
    assert runs[-1].data.train.changed_labels.sum() > 10


def test_more_networks_train_only_the_new_ones(tiny, tmp_path):
    recipe = Recipe(steps=3)
    store = Store(tmp_path / "runs.db")
    run(MemorizationStudy(tiny, "mlp-1x4", recipe, networks=16), store, device="cpu", quiet=True)
    made = []
    more = MemorizationStudy(tiny, "mlp-1x4", recipe, networks=32)
    assert len(stored(more, store)) == 16
    results = run(more, store, device="cpu", quiet=True, on_result=made.append)
    assert sorted(each.spec.half for each in made if isinstance(each.task, TrainSpec)) == list(range(16, 32))
    assert len(results) == 33
    assert results.computed[0].values["num_runs"] == 32


@pytest.mark.slow
def test_random_labels_are_known_by_rote_and_betray_their_members(tiny, tmp_path):
    study = MemorizationStudy(tiny, "mlp-1x64", Recipe(learning_rate=0.1, steps=300), networks=32, noise=(1.0,))
    table = study.summarise(run(study, tmp_path / "runs.db", device="cpu", quiet=True))
    whole = table[table["level"] == "all"].iloc[0]
    assert whole["memorization"] > 0.8
    assert whole["lira_auc"] >= 0.99
    assert whole["rmia_auc"] >= 0.95
    examples = table[table["level"] == "example"]
    np.testing.assert_allclose(examples["accuracy_in"], 1.0)
    assert examples["place"].tolist() == [f"row {row}" for row in range(121)]


def test_width_says_how_many_networks(tiny):
    assert memorization_study(tiny, model="mlp-1x4", recipe=RECIPE, width=0.1).networks == 1536
    assert memorization_study(tiny, model="mlp-1x4", recipe=RECIPE).networks == 512
    assert memorization_study(tiny, model="mlp-1x4", recipe=RECIPE, networks=32).networks == 32
    with pytest.raises(UserError, match=r"got networks=32 and width=0\.1, which says how many"):
        memorization_study(tiny, recipe=RECIPE, networks=32, width=0.1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"networks": 20}, "got networks=20, expected a multiple of 16"),
        ({"seeds": 3}, "got seeds=3 for memorization, whose networks all have seeds of their own"),
        ({"n_train": 3}, "got 3 training examples, expected at least 4"),
        ({"n_train": 500}, "got n_train=500 for tiny"),
        ({"noise": (0.1, 1.5)}, r"got noise=0\.1, 1\.5, expected shares of labels between 0 and 1, each once"),
        ({"noise": ()}, "got noise=nothing"),
        ({"influential": -1}, "got influential=-1"),
        ({"recipe": RECIPE.changed(validation=0.1)}, r"got validation=0\.1"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(tiny, changes, told):
    with pytest.raises(UserError, match=told):
        MemorizationStudy(tiny, "mlp-1x4", **({"recipe": RECIPE} | changes))


def test_a_subset_keeps_the_places_of_its_examples(tiny):
    study = MemorizationStudy(tiny, "mlp-1x4", RECIPE, n_train=40, networks=16)
    assert len(study.datasets[0.0].train) == 40
    assert study.datasets[0.0].train.place(0) == f"row {study.datasets[0.0].train.sources[0]}"
    assert max(study.datasets[0.0].train.sources) > 40
