import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Split
from byrote.errors import UserError
from byrote.theory.calculation import Context, compute
from byrote.theory.kernels import interpolation
from byrote.theory.kernels.cholesky import NotPositiveDefinite
from byrote.theory.kernels.feature_maps import mapped_inputs
from byrote.theory.kernels.interpolation import RIDGES, WIDTHS, KernelInterpolation
from byrote.theory.kernels.machines import GaussianMachine


def with_repeats(tiny):
    """The first three images twice more, once with other labels."""
    rows = np.r_[0:121, 0:3, 0:3]
    labels = tiny.train.true_labels[rows].copy()
    labels[-3:] = (labels[-3:] + 1) % 10
    return replace(tiny, train=Split.clean(tiny.train.inputs[rows], labels))


def plain(data, found, labels, ridge=0.0):
    """Predictions on test and training inputs, and the norm, of minimum-norm least squares on all examples."""
    train, test = (part.double() for part in mapped_inputs("inputs", data, "cpu"))

    def kernel(x):
        return torch.exp(-(torch.cdist(x, train) ** 2) / (2 * found.values["width"] ** 2)).numpy()

    matrix = kernel(train)
    alpha = np.linalg.pinv(matrix + ridge * np.eye(len(matrix)), hermitian=True) @ np.eye(10)[labels]
    norm = math.sqrt(np.trace(alpha.T @ matrix @ alpha))
    return (kernel(test) @ alpha).argmax(1), (matrix @ alpha).argmax(1), norm


@pytest.mark.parametrize("made", [lambda data: data, with_repeats], ids=["distinct", "repeats"])
def test_true_and_random_labels_get_the_least_squares_solution_of_minimum_norm(made, tiny):
    data = made(tiny)
    n = len(data.train)
    found = compute(KernelInterpolation(features="inputs", n_train=n, with_ridge=True, label_draws=2), data)
    labellings = [data.train.labels, *(corrupt(data, "random-labels", seed=seed).train.labels for seed in range(2))]
    arrays = found.arrays
    assert arrays["fit_seed"].tolist() == [-1, 0, 1, -1, 0, 1]
    assert arrays["fit_regularized"].tolist() == [False] * 3 + [True] * 3
    assert (found.values["num_distinct"], found.values["num_features"], found.values["n_test"]) == (121, 64, 60)
    for index, labels in enumerate([*labellings, *labellings]):
        tested, trained, norm = plain(data, found, labels, arrays["fit_ridge"][index])
        assert (arrays["fit_test_predictions"][index] == tested).mean() > 0.98
        assert arrays["fit_norm"][index] == pytest.approx(norm, rel=1e-3)
        assert arrays["fit_train_error"][index] == pytest.approx((trained != labels).mean(), abs=0.02)
    assert arrays["fit_interpolated"][:3].all()
    assert (arrays["fit_train_error"][:3] == 0).all() == (n == 121)
    assert (arrays["fit_residual"][:3] < 1e-4).all()
    assert arrays["fit_condition"][0] > arrays["fit_condition"][3] > 1


def test_what_was_chosen_is_among_what_was_tried_and_has_the_least_error(tiny):
    found = compute(KernelInterpolation(features="gabor", n_train=121, with_ridge=True), tiny)
    for name, tried in (("width", WIDTHS), ("ridge", RIDGES)):
        assert found.arrays[f"{name}_tried"].tolist() == list(tried)
        errors = found.arrays[f"{name}_error"]
        assert found.values[f"relative_{name}"] == tried[int(np.nanargmin(errors))]
    assert found.values["n_validation"] == 20


def test_random_convolutions_have_a_linear_kernel_and_no_width(tiny):
    calculation = KernelInterpolation(features="random-convolutions", n_train=60, num_filters=64, with_ridge=True)
    found = compute(calculation, tiny)
    assert found.values["num_features"] == 256
    assert math.isnan(found.values["width"])
    assert math.isnan(found.values["relative_width"])
    assert len(found.arrays["width_tried"]) == 0
    assert found.arrays["fit_interpolated"][:2].all()
    accuracy = (found.arrays["fit_test_predictions"] == tiny.test.true_labels).mean(axis=1)
    assert accuracy[0] > 0.6
    assert accuracy[1] < 0.4


def test_few_small_images_have_as_many_filters_as_patches(tiny):
    found = compute(KernelInterpolation(features="random-convolutions", n_train=60, label_draws=0), tiny)
    assert found.values["num_features"] == 2 * 60 * 9 * 4  # pairs, images, places, cells


def test_more_draws_leave_the_others_as_they_were(tiny):
    few, many = (compute(KernelInterpolation(features="inputs", n_train=60, label_draws=m), tiny) for m in (1, 3))
    np.testing.assert_allclose(few.arrays["fit_norm"], many.arrays["fit_norm"][:2], rtol=1e-6)
    assert len(many.arrays["fit_norm"]) == 4
    assert len(compute(KernelInterpolation(features="inputs", n_train=60, label_draws=0), tiny).arrays["fit_norm"]) == 1


@pytest.mark.parametrize("failing", ["factorize", "solve"])
def test_a_width_too_wide_for_all_examples_gives_way_to_the_next(failing, tiny, monkeypatch):
    calls = []

    def fails_once(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            raise NotPositiveDefinite
        return original(*arguments, **options)

    original = getattr(interpolation, failing)
    # The narrow one tells no point from any other.
    monkeypatch.setattr(interpolation, "WIDTHS", (0.001, 0.4))
    monkeypatch.setattr(interpolation, failing, fails_once)
    found = compute(KernelInterpolation(features="inputs", n_train=121), tiny)
    assert found.arrays["width_error"][0] > 0.8 > found.arrays["width_error"][1]
    assert found.values["relative_width"] == 0.001
    assert found.arrays["fit_interpolated"].all()


def test_fewer_features_than_examples_are_refused(tiny):
    calculation = KernelInterpolation(features="random-convolutions", n_train=121, num_filters=2)
    with pytest.raises(UserError, match=r"a kernel matrix of 121 examples that is singular .* take fewer examples"):
        compute(calculation, tiny)


def test_a_matrix_too_large_for_memory_is_refused_before_anything_is_computed(tiny, monkeypatch):
    monkeypatch.setattr(interpolation, "free_memory", lambda _: 40_000)
    with pytest.raises(UserError, match="got a kernel matrix of 121 points in float32, which takes"):
        compute(KernelInterpolation(features="inputs", n_train=121), tiny)


def test_parts_of_the_matrix_are_read_beside_its_factor():
    points = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    matrix = torch.exp(-(torch.cdist(points, points) ** 2))
    rows = torch.tensor([5, 39, 0, 17])
    machine = GaussianMachine(points, points, 0.5**0.5)
    kernel = interpolation._Kernel(machine, torch.empty(40, 40), lambda *_: None)
    for added in (0.5, 1.0):  # beside the factor of another matrix
        found = kernel.fit(torch.eye(40).double(), torch.full((40,), added).double(), added)
        torch.testing.assert_close(found["alpha"].float(), torch.linalg.inv(matrix + added * torch.eye(40)))
        torch.testing.assert_close(kernel.of(rows), matrix[rows][:, rows])


@pytest.mark.parametrize("features", ["inputs", "random-convolutions"])
def test_after_any_finished_step_the_rest_has_the_same_bits(features, tiny):
    calculation = KernelInterpolation(features=features, n_train=121, with_ridge=True, num_filters=200)

    def made(known):
        steps = dict(known)

        def step(name, make):
            if name not in steps:
                steps[name] = make()
            return steps[name]

        return compute(calculation, tiny, Context(steps=step)), steps

    whole, steps = made({})
    assert list(steps)[-2:] == ["the choice of l2", "the fit with l2"]
    assert len(steps) == {"inputs": 4, "random-convolutions": 3}[features]
    for number in range(1, len(steps) + 1):
        found, again = made(dict(islice(steps.items(), number)))
        assert list(again) == list(steps)
        assert found.values == pytest.approx(dict(whole.values), rel=0, abs=0, nan_ok=True)
        for name, array in whole.arrays.items():
            np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)


def test_the_label_names_features_and_size():
    assert KernelInterpolation(features="random-convolutions", n_train=5000).label == "random convolutions, n = 5,000"
