import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.models.matching import num_parameters
from byrote.studies.largest_n.study import LargestNStudy
from byrote.studies.random_labels import RATIOS, memorizing_recipe, refuse_draws
from byrote.theory.calculation import Computed
from byrote.training.recipe import Recipe


def test_a_family_has_members_with_growing_numbers_of_parameters_per_example(tiny):
    """The two smallest are the same: a width of 1 has 85 parameters already."""
    analysis = LargestNStudy(tiny, "mlp-1x{width}", n_train=100)
    sizes = [num_parameters(model, input_shape=(1, 8, 8), num_classes=10) for model in analysis.models]
    assert sizes == [85, *(pytest.approx(ratio * 100, abs=75 / 2) for ratio in RATIOS[2:])]


def test_a_model_is_itself(tiny):
    assert LargestNStudy(tiny, "mlp-2x7").models == ["mlp-2x7"]
    assert LargestNStudy(tiny, "conv-small", n_train=7).largest == 7
    assert LargestNStudy(tiny).largest == 121


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": 0}, "got seeds=0, expected a number of seeds, at least 1"),
        ({"n_train": 0}, "got n_train=0 for tiny, which has 121 training examples"),
        ({"n_train": 122}, "got n_train=122 for tiny, which has 121 training examples"),
        ({"recipe": Recipe(validation=0.1)}, "got validation=0.1, but all n examples are to be fitted: leave it out"),
        ({"model": "nonsense"}, "got model 'nonsense'"),
        ({"model": "mlp-{width}x{width}"}, "expected a model's name with one {width} in it"),
        ({"recipe": Recipe(crop=9)}, "got a centre crop of 9"),
    ],
)
def test_what_cannot_be_measured_is_refused(tiny, changes, words):
    with pytest.raises(UserError, match=words):
        LargestNStudy(tiny, **changes)


def test_the_recipe_is_the_papers_with_more_epochs_and_faster_on_few_features(tiny):
    wide = make_images((3, 32, 32))
    assert memorizing_recipe("mlp-1x4", tiny) == Recipe(preprocessing="whiten", epochs=500, learning_rate=0.05)
    assert memorizing_recipe("mlp-1x4", wide) == Recipe(preprocessing="whiten", epochs=500, learning_rate=0.01, crop=28)
    assert memorizing_recipe("inception", tiny).learning_rate == 0.1
    assert memorizing_recipe("mlp-1x4", tiny, learning_rate=0.3, epochs=2) == Recipe(
        preprocessing="whiten", epochs=2, learning_rate=0.3
    )


def make_images(shape):
    split = Split.clean(np.zeros((2, *shape), dtype=np.uint8), np.arange(2))
    return Dataset("black", split, split, ("a", "b"))


def test_no_draws_are_refused():
    refuse_draws(1)
    with pytest.raises(UserError, match="got draws=0, expected a number of draws, at least 1"):
        refuse_draws(0)


def test_the_recipe_has_columns_of_its_own(tiny):
    analysis = LargestNStudy(tiny, "mlp-1x4", Recipe(learning_rate=0.5))
    values = {"bits": 3.0, "bits_n": 3, "num_probes": 1, "parameters": 10}
    results = [Computed("k", calculation, "tiny", values, {}, 1.0, {}) for calculation in analysis.tasks()]
    table = analysis.summarise(results)
    assert table.iloc[0][["bits", "learning_rate", "model"]].tolist() == [3.0, 0.5, "mlp-1x4"]
    assert "recipe" not in table
    assert analysis.summarise([]).empty
