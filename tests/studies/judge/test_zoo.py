import pytest

from byrote.data.sources import load
from byrote.errors import UserError
from byrote.runs.run import run
from byrote.studies.judge.zoo import ZooStudy, zoo_study
from byrote.training.recipe import Recipe


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_the_default_zoo_has_hundreds_of_networks_that_differ_in_one_thing_at_a_time(digits):
    plan = zoo_study(digits).tasks()
    assert len(plan) == len(set(plan)) == 4 * 4 * 8 * 3
    assert {spec.corruption for spec in plan} == {"true-labels", "partial-labels", "random-labels", "gaussian"}
    assert {spec.n_train for spec in plan} == {500}


def test_larger_images_have_a_smaller_zoo(tiny):
    import numpy as np

    from byrote.data.dataset import Dataset, Split

    split = Split.clean(np.zeros((600, 3, 32, 32), np.uint8), np.arange(600) % 10)
    plan = zoo_study(Dataset("images", split, split, tuple("0123456789"))).tasks()
    assert len(plan) == 3 * 3 * 4 * 3
    assert {spec.crop for spec in plan} == {28}


@pytest.mark.slow
def test_a_small_zoo_trains_and_says_what_it_has(tiny, tmp_path):
    zoo = ZooStudy(
        data=tiny, models=["mlp-1x16"], seeds=1, recipe=Recipe(epochs=150), grid={"learning_rate": (0.05, 0.1)}
    )
    outcomes = run(zoo, tmp_path / "runs.db", keep_weights=True)
    table = zoo.summarise(outcomes)
    assert len(table) == 8
    (finding,) = zoo.verdict(table)
    assert finding.outcome == "supported"
    assert "networks have fitted; their generalization gaps are from" in finding.statement


def test_a_zoo_that_has_not_fitted_says_so(tiny, tmp_path):
    zoo = ZooStudy(data=tiny, models=["mlp-1x2"], recipe=Recipe(epochs=1), grid={}, conditions=((),))
    (finding,) = zoo.verdict(zoo.summarise(run(zoo, tmp_path / "runs.db")))
    assert finding.outcome == "no conclusion"
    assert finding.statement == "0 of 1 networks have fitted."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grid": {"colour": (1, 2)}}, "got colour=.1, 2. in the grid, expected a field of the recipe"),
        ({"grid": {"batch_size": (1, 1)}}, "got batch_size"),
        ({"grid": {"optimizer": "sgd"}}, "got optimizer='sgd' in the grid"),
        ({"conditions": ()}, "got conditions that repeat or none"),
    ],
)
def test_a_grid_without_sense_is_refused(tiny, arguments, message):
    with pytest.raises(UserError, match=message):
        ZooStudy(data=tiny, **arguments)


def test_a_change_of_what_the_grid_varies_is_refused(tiny):
    zoo = ZooStudy(data=tiny)
    with pytest.raises(UserError, match=r"got learning_rate=0\.3, but the zoo has 0\.01 and 0\.05 of it: leave it out"):
        zoo.with_recipe(learning_rate=0.3)
    assert {spec.epochs for spec in zoo.with_recipe(epochs=7).tasks()} == {7}


def test_a_level_that_no_recipe_takes_is_refused(tiny):
    with pytest.raises(UserError, match="got batch_size=0: input should be greater than or equal to 1"):
        ZooStudy(data=tiny, grid={"batch_size": (0,)}).plan()
