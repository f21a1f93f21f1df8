import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from byrote.errors import UserError
from byrote.theory.memorizers.deep import deep_memorizer
from byrote.theory.memorizers.two_layers import memorizer


@pytest.mark.parametrize("outputs", ["index", "classes"])
@pytest.mark.parametrize(
    ("n", "d", "depth"), [(1, 1, 2), (8, 2, 2), (8, 2, 3), (50, 30, 7), (50, 30, 51), (999, 9, 11)]
)
def test_the_count_of_weights_and_the_width(n: int, d: int, depth: int, outputs: str) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((n, d)), generator.permutation(n) % 4
    network = deep_memorizer(x, y, depth=depth, outputs=outputs)
    num_outputs = 1 if outputs == "index" else min(n, 4)
    assert network.depth == depth
    assert len(network.widths) == depth - 1
    assert max(network.widths) <= -(-n // (depth - 1)) + 2 + num_outputs
    expected = (num_outputs + 1) * (n + depth - 2) + d + (depth > 2)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert network.construction.num_weights == expected
    assert network.classify(torch.from_numpy(x)).tolist() == y.tolist()
    assert network.decode(network(torch.from_numpy(x))).tolist() == y.tolist()


def as_plain_layers(network) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same network as dense layers, matrix and bias, as a textbook has it."""
    thresholds, weights = ([p.detach().numpy() for p in group] for group in (network.thresholds, network.weights))
    weights = [w.reshape(len(w), -1) for w in weights]
    projection, num_sums = network.projection.detach().numpy(), weights[0].shape[1]
    layers = [(np.tile(projection, (len(thresholds[0]), 1)), -thresholds[0])]
    width, carrier, sums, before = len(thresholds[0]), 0, None, weights[0]
    for number, (b, w) in enumerate(zip(thresholds[1:], weights[1:], strict=True), 1):
        is_last = number == len(thresholds) - 1
        matrix = np.zeros((len(b) + num_sums + (not is_last), width))
        bias = np.zeros(len(matrix))
        matrix[: len(b), carrier], bias[: len(b)] = 1, -b
        matrix[len(b) : len(b) + num_sums, : len(before)] = before.T
        if sums is None:
            bias[len(b) : len(b) + num_sums] = network.offset.item()
        else:
            matrix[len(b) + np.arange(num_sums), sums + np.arange(num_sums)] = 1
        if not is_last:
            matrix[-1, carrier] = 1
        layers.append((matrix, bias))
        width, carrier, sums, before = len(matrix), len(matrix) - 1, len(b), w
    matrix = np.zeros((num_sums, width))
    matrix[:, : len(before)] = before.T
    bias = np.zeros(num_sums)
    if sums is not None:
        matrix[np.arange(num_sums), sums + np.arange(num_sums)] = 1
        bias -= network.offset.item()
    return [*layers, (matrix, bias)]


@pytest.mark.parametrize("outputs", ["index", "classes"])
@pytest.mark.parametrize("depth", [2, 3, 4, 9])
def test_it_is_a_relu_network_of_that_depth(depth: int, outputs: str) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((20, 3)), generator.integers(0, 3, 20)
    network = deep_memorizer(x, y, depth=depth, outputs=outputs)
    layers = as_plain_layers(network)
    assert [len(bias) for _, bias in layers[:-1]] == list(network.widths)
    assert len(layers) == depth
    queries = np.concatenate([x, 3 * generator.standard_normal((100, 3))])
    values = queries
    for matrix, bias in layers[:-1]:
        values = np.maximum(values @ matrix.T + bias, 0)
    matrix, bias = layers[-1]
    values = values @ matrix.T + bias
    expected = network(torch.from_numpy(queries)).detach().numpy().reshape(len(queries), -1)
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-8)
    nonzero = sum(int((part != 0).sum()) for layer in layers for part in layer)
    # A weight may happen to be zero; the thresholds of later layers start at zero or above.
    assert 0 <= network.num_connections - nonzero <= network.construction.num_weights


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 25), st.integers(2, 30), st.integers(0, 2**32))
def test_every_depth_represents_the_broken_line(n: int, depth: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    x, y = generator.standard_normal((n, 3)), 10 * generator.standard_normal(n)
    if depth > n + 1:
        with pytest.raises(UserError, match=f"got depth={depth} for {n} distinct points, expected 2 to {n + 1}"):
            deep_memorizer(x, y, depth=depth)
        return
    deep, shallow = deep_memorizer(x, y, depth=depth, seed=seed), memorizer(x, y, seed=seed)
    queries = torch.from_numpy(2 * generator.standard_normal((50, 3)))
    atol = 1e-9 / shallow.construction.relative_gap if n > 1 else 1e-9
    torch.testing.assert_close(deep.evaluate_sorted(queries), shallow.evaluate_sorted(queries), rtol=1e-9, atol=atol)
    torch.testing.assert_close(deep(queries).detach(), shallow(queries).detach(), rtol=1e-9, atol=atol)


@pytest.mark.parametrize("depth", [1, 0, -3, 4])
def test_a_depth_that_cannot_be_is_refused(depth: int) -> None:
    with pytest.raises(UserError, match=f"got depth={depth} for 2 distinct points, expected 2 to 3"):
        deep_memorizer([1.0, 2.0, 1.0], [0, 1, 0], depth=depth)


def test_sums_stay_between_the_targets() -> None:
    """However steep the slopes: what a layer passes on does not grow with them."""
    x = np.array([0.0, 1.0, 1.0 + 2.0**-30, 2.0, 3.0, 3.0 + 2.0**-30, 4.0, 5.0])
    y = np.array([-3.0, 5.0, -2.0, 1.0, -1.0, 4.0, 0.0, 2.0])
    network = deep_memorizer(x, y, depth=5)
    sums = []

    def watched(z: torch.Tensor, thresholds: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        part = (z[:, None] - thresholds).relu() @ weights
        sums.append(part + (sums[-1] if sums else 0))
        return part

    outputs = network.profile(torch.linspace(-2, 5, 1001, dtype=torch.float64), watched)
    assert all(total.min() >= -3 - 1e-5 and total.max() <= 5 + 1e-5 for total in sums)
    torch.testing.assert_close(outputs, sums[-1])
