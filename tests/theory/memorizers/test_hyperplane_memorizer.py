import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from byrote.errors import UserError
from byrote.theory.memorizers.hyperplane_memorizer import hyperplane_memorizer


@pytest.mark.parametrize(("n", "d"), [(1, 3), (3, 3), (4, 3), (40, 5), (60, 20), (300, 2)])
def test_four_units_for_every_d_points_in_general_position(n, d):
    generator = np.random.default_rng(n)
    x, y = generator.standard_normal((n, d)), 10 * generator.standard_normal(n)
    network = hyperplane_memorizer(x, y)
    made = network.construction
    assert made.num_slabs == math.ceil(n / d)
    assert made.num_weights == 4 * made.num_slabs * (d + 2) == sum(p.numel() for p in network.parameters())
    outputs = network(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(outputs, y, atol=1e-4)
    assert made.largest_error == pytest.approx(float(np.abs(outputs - y).max()), rel=1e-6)
    assert math.isnan(made.thinnest_slab) == (made.num_slabs == 1)


def test_the_output_is_the_plain_sum_over_units():
    generator = np.random.default_rng(0)
    network = hyperplane_memorizer(generator.standard_normal((6, 2)), np.arange(6.0))
    x = generator.standard_normal((5, 2))
    a, b, w = (parameter.detach().numpy() for parameter in network.parameters())
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach(), np.maximum(x @ a.T - b, 0) @ w, atol=1e-12)


@settings(max_examples=25)
@example(seed=21, n=21, constant=0)  # a hyperplane that others nearly lie on
@example(seed=0, n=20, constant=3)  # the candidates of a slab span more than the others do
@given(seed=st.integers(0, 10_000), n=st.integers(2, 30), constant=st.integers(0, 3))
def test_pixels_that_are_constant_or_rarely_used_only_take_more_slabs(seed, n, constant):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 255, (n, 8)).astype(np.uint8)
    x[:, :constant] = 7
    x[1:, constant] = 0  # one pixel that only the first point may have
    y = generator.integers(0, 10, n)
    network = hyperplane_memorizer(x, y)
    assert math.ceil(n / 8) <= network.construction.num_slabs <= math.ceil(n / (5 - constant))
    assert np.rint(network(torch.from_numpy(x)).detach().numpy()).tolist() == y.tolist()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0, 2.0], [1.0, 2.0], [3.0, 1.0]], "expected distinct points"),
        ([[1.0, np.nan], [0.0, 1.0], [3.0, 1.0]], "row 0 of x"),
    ],
)
def test_points_without_such_slabs_are_refused(x, message):
    with pytest.raises(UserError, match=message):
        hyperplane_memorizer(x, [0.0, 1.0, 2.0])
