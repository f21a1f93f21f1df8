import numpy as np
import pytest

from byrote.errors import UserError
from byrote.theory.calculation import compute
from byrote.theory.memorizers.manipulation import NUM_SHOWN, Manipulation
from byrote.training.spec import Recipe

RECIPE = Recipe(preprocessing="standardize", learning_rate=0.1, batch_size=32, epochs=60)


def overriding(num_chosen, recipe=RECIPE):
    return Manipulation(model="mlp-1x16", recipe=recipe, n_train=100, num_chosen=num_chosen)


@pytest.mark.parametrize("num_chosen", [1, 12])
def test_chosen_predictions_change_and_others_do_not(num_chosen, tiny):
    result = compute(overriding(num_chosen), tiny)
    values, arrays = result.values, result.arrays
    assert values["fitted"]
    assert values["num_as_wanted"] == num_chosen
    assert (values["num_others"], values["others_changed"]) == (60 - num_chosen, 0)
    assert values["weights_added"] == 64 + 3 * num_chosen
    assert values["overridden_test_accuracy"] == pytest.approx(values["test_accuracy"] - num_chosen / 60)
    assert len(arrays["inputs"]) == min(num_chosen, NUM_SHOWN)
    np.testing.assert_array_equal(arrays["now"], arrays["wanted"])
    assert (arrays["now"] != arrays["true"]).all()


def test_the_same_network_is_overridden_whatever_the_number(tiny):
    few, more = (compute(overriding(number), tiny) for number in (3, 5))
    assert few.values["test_accuracy"] == more.values["test_accuracy"]
    np.testing.assert_array_equal(few.arrays["inputs"], more.arrays["inputs"][:3])


def test_more_than_the_network_has_right_is_refused(tiny):
    untrained = Recipe(preprocessing="standardize", stop="at_steps", steps=1)
    with pytest.raises(UserError, match="got 60 predictions to override, but mlp-1x16 has only"):
        compute(overriding(60, untrained), tiny)
