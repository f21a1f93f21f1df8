import io
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import byrote
from byrote.errors import UserError
from byrote.theory.memorizers.memorizer import ProjectedNetwork, deep_memorizer, memorizer
from byrote.theory.memorizers.projection import project

NETWORKS = {
    "two layers": memorizer,
    "three layers": lambda *args, **options: deep_memorizer(*args, depth=3, **options),
    "nine layers": lambda *args, **options: deep_memorizer(*args, depth=9, **options),
}
N, D, K = 300, 7, 4


@pytest.fixture(params=NETWORKS)
def make(request: pytest.FixtureRequest):
    return NETWORKS[request.param]


@pytest.fixture
def points() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.standard_normal((N, D)), generator.integers(0, K, N)


@pytest.mark.parametrize("outputs", ["index", "classes"])
def test_both_evaluations_agree_at_the_points_and_elsewhere(make, points, outputs: str) -> None:
    x, y = points
    network = make(x, y, outputs=outputs)
    elsewhere = 2 * torch.from_numpy(np.random.default_rng(1).standard_normal((500, D)))
    for batch in (torch.from_numpy(x), elsewhere):
        plain, pieces = network(batch), network.evaluate_sorted(batch)
        assert plain.dtype == pieces.dtype == torch.float64
        assert not pieces.requires_grad
        torch.testing.assert_close(plain.detach(), pieces, rtol=1e-9, atol=100 * network.construction.forward_rounding)


@pytest.mark.parametrize("outputs", ["index", "classes"])
def test_every_class_is_right(make, points, outputs: str) -> None:
    x, y = points
    network = make(x, y, outputs=outputs)
    assert network.num_classes == K
    assert network.classify(torch.from_numpy(x)).tolist() == y.tolist()
    assert network.decode(network(torch.from_numpy(x))).tolist() == y.tolist()


def test_an_index_is_decoded_to_the_nearest_class(make, points) -> None:
    network = make(*points)
    outputs = torch.tensor([-7.0, 0.4, 0.6, 2.9, 99.0], dtype=torch.float64)
    assert network.decode(outputs).tolist() == [0, 0, 1, 3, 3]


def test_real_targets_have_no_classes(make, points) -> None:
    x, y = points
    network = make(x, y + 0.5)
    with pytest.raises(UserError, match="this memoriser has real targets, expected classes to decode"):
        network.classify(torch.from_numpy(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.bfloat16])
def test_points_of_any_type_and_shape_are_met(make, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (50, 3, 4, 4), generator=generator).to(dtype)
    y = torch.randn(50, generator=generator, dtype=torch.float64)
    network = make(x, y)
    torch.testing.assert_close(network(x).detach(), y, rtol=0, atol=1e-6)
    torch.testing.assert_close(network.evaluate_sorted(x), y, rtol=0, atol=1e-9)
    assert network(x[:0]).shape == (0,)


def test_points_of_another_size_are_refused(make, points) -> None:
    network = make(*points)
    for evaluate in (network, network.evaluate_sorted):
        with pytest.raises(UserError, match=re.escape("got points of shape (6,), expected 7 numbers each")):
            evaluate(torch.zeros(14, 6))


def test_the_order_of_the_rows_does_not_matter(make, points) -> None:
    x, y = points
    order = np.random.default_rng(1).permutation(N)
    # The sample that scales are read off is all of x here, up to the order of sums.
    elsewhere = torch.from_numpy(np.random.default_rng(2).standard_normal((20, D)))
    a, b = make(x[:200], y[:200]), make(x[:200][order[order < 200]], y[:200][order[order < 200]])
    torch.testing.assert_close(a.evaluate_sorted(elsewhere), b.evaluate_sorted(elsewhere), rtol=1e-6, atol=1e-6)


def test_weights_are_state_and_the_network_learns_on(make, points) -> None:
    x, y = points
    network, other = make(x, y), make(x, (y + 1) % K)
    other.load_state_dict(network.state_dict())
    assert other.classify(torch.from_numpy(x)).tolist() == y.tolist()
    loss = (network(torch.from_numpy(x[:5])) - 1).square().sum()
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_construction_is_measured(make, points) -> None:
    x, y = points
    network: ProjectedNetwork = make(x, y)
    made = network.construction
    z = np.sort(x @ network.projection.detach().numpy())
    assert (made.num_points, made.num_distinct, made.num_features) == (N, N, D)
    assert made.num_weights == sum(parameter.numel() for parameter in network.parameters())
    assert made.smallest_gap == pytest.approx(np.diff(z).min(), rel=1e-6)
    assert made.relative_gap == pytest.approx(np.diff(z).min() / np.ptp(z), rel=1e-6)
    # The first threshold is one mean gap away, so the smallest gap is the smallest on the diagonal.
    assert made.smallest_eigenvalue == made.smallest_gap
    errors = (network.evaluate_sorted(torch.from_numpy(x)) - torch.from_numpy(y)).abs()
    assert made.largest_error == errors.max() < 1e-9
    assert made.projection in made.tried
    terms = (np.abs(x) @ np.abs(network.projection.detach().numpy())).max()
    assert made.forward_rounding == pytest.approx(2.0**-53 * made.largest_weight * (np.ptp(z) + terms), rel=0.02)
    assert f"n={N}, d={D}, weights={made.num_weights}, classes={K}" in repr(network)


def test_points_too_close_for_float64_are_refused() -> None:
    x = np.array([0.0, 1.0, np.nextafter(1.0, 2), 1e9])
    with pytest.raises(UserError, match=re.escape("the closest points are 2.2e-25 of the range apart, which leaves")):
        memorizer(x, np.array([0, 0, 5, 0]))
    # Real targets have no error that would be too large: the record tells it.
    assert memorizer(x, np.array([0.0, 0, 5, 0])).construction.largest_error > 0.1
    with pytest.raises(UserError, match=re.escape("the closest points are 1.0e-200 apart, which makes slopes beyond")):
        memorizer(np.array([0.0, 1e-200]), np.array([0, 1e200]))


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_rounding_of_the_plain_sum_is_foretold_for_inputs_far_from_zero(make, points, offset: float) -> None:
    x, y = points
    network = make(x + offset, y)
    error = float((network(torch.from_numpy(x + offset)).detach() - torch.from_numpy(y)).abs().max())
    foretold = network.construction.forward_rounding
    assert foretold / 100 < error < 100 * foretold


@pytest.mark.parametrize("outputs", ["index", "classes"])
@pytest.mark.parametrize(("n", "d", "copies"), [(1, 1, 0), (2, 1, 0), (8, 2, 0), (50, 30, 0), (50, 3, 20)])
def test_exactly_2n_plus_d_weights(n: int, d: int, copies: int, outputs: str) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((n, d)), np.arange(n) % 5
    x, y = np.concatenate([x, x[:copies]]), np.concatenate([y, y[:copies]])
    network = memorizer(x, y, outputs=outputs)
    num_outputs = 1 if outputs == "index" else min(n, 5)
    counts = {name: parameter.numel() for name, parameter in network.named_parameters()}
    assert counts == {"projection": d, "thresholds": n + copies, "weights": num_outputs * (n + copies)}
    assert network.construction.num_weights == sum(counts.values()) == (num_outputs + 1) * (n + copies) + d
    assert list(network.buffers()) == []
    assert network.classify(torch.from_numpy(x)).tolist() == y.tolist()


@pytest.mark.parametrize(
    ("x", "y", "thresholds", "weights"),
    [
        ([3.0], [6.0], [0.0], [2.0]),
        ([1.0, 3.0], [4.0, 2.0], [-1.0, 1.0], [2.0, -3.0]),
        # Slopes 1, -3, 2.
        ([2.0, 1.0, 4.0], [-1.5, 1.5, 2.5], [-0.5, 1.0, 2.0], [1.0, -4.0, 5.0]),
        ([1.0, 2.0, 3.0], [7.0, 7.0, 7.0], [0.0, 1.0, 2.0], [7.0, -7.0, 0.0]),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 0.0, 0.0]),
        # The second copy of 1 has a hinge of weight zero at the threshold of the first.
        ([1.0, 3.0, 1.0], [4.0, 2.0, 4.0], [-1.0, -1.0, 1.0], [2.0, 0.0, -3.0]),
    ],
)
def test_small_networks_by_hand(x: list[float], y: list[float], thresholds: list[float], weights: list[float]) -> None:
    network = memorizer(x, y)
    assert network.projection.tolist() == [1.0]
    assert network.thresholds.tolist() == thresholds
    assert network.weights.tolist() == pytest.approx(weights, rel=1e-15)
    assert network(torch.tensor(x)).tolist() == pytest.approx(y, abs=1e-14)


@pytest.mark.parametrize("outputs", ["index", "classes"])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 60])
def test_weights_solve_the_triangular_system_of_theorem_1(n: int, outputs: str) -> None:
    generator = np.random.default_rng(n)
    x, y = generator.standard_normal((n, 3)), generator.integers(0, 4, n)
    network = memorizer(x, y, num_classes=4, outputs=outputs)
    z = project(x, network.projection.detach().numpy())
    order = np.argsort(z)
    matrix = np.maximum(z[order, None] - network.thresholds.detach().numpy(), 0)
    assert (np.triu(matrix, 1) == 0).all()
    assert np.diag(matrix).min() == pytest.approx(network.construction.smallest_eigenvalue, rel=1e-9)
    targets = (y if outputs == "index" else np.eye(4)[y])[order].astype(float)
    solution = np.linalg.solve(matrix, targets)
    largest = network.construction.largest_weight
    np.testing.assert_allclose(network.weights.detach().numpy(), solution, rtol=0, atol=1e-12 * n * largest)


numbers = st.integers(-(2**20), 2**20).map(lambda value: value / 2**10)


@settings(max_examples=60)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=numbers),
    st.data(),
    st.integers(0, 2**32),
)
def test_any_targets_on_any_distinct_points(x: np.ndarray, data: st.DataObject, seed: int) -> None:
    x = np.unique(x, axis=0)
    x = x[np.random.default_rng(seed).permutation(len(x))]
    y = data.draw(arrays(np.float64, len(x), elements=st.floats(-1e3, 1e3)))
    network = memorizer(x, y, seed=seed)
    made = network.construction
    assert made.num_weights == 2 * len(x) + x.shape[1]
    scale = 1e-14 * len(x) * max(1.0, np.abs(y).max())
    assert made.largest_error <= scale / min(1.0, made.relative_gap if len(x) > 1 else 1.0)
    error = np.abs(network(torch.from_numpy(x)).detach().numpy() - y).max()
    assert error <= 10 * len(x) * made.forward_rounding + scale


def test_the_seed_draws_the_projection() -> None:
    x, y = np.random.default_rng(0).standard_normal((50, 4)), np.arange(50) % 3
    a, b, c = (memorizer(x, y, seed=seed).projection.tolist() for seed in (0, 0, 1))
    assert a == b != c


def test_equal_points_with_different_targets_are_named() -> None:
    x = np.random.default_rng(0).standard_normal((50, 4))
    x[31] = x[17]
    with pytest.raises(UserError, match=r"rows 17 and 31 of x \(counting from 0\) are equal and their targets differ"):
        memorizer(x, np.arange(50))


def test_random_labels_of_2000_images_by_the_ordinary_forward_pass(real_data: Path) -> None:
    file = pq.ParquetFile(real_data / "cifar10" / "train-00000-of-00001.parquet")
    column = next(field.name for field in file.schema_arrow if pa.types.is_struct(field.type))
    rows = next(file.iter_batches(2000, columns=[column])).column(column).to_pylist()
    reproduce_random_labels(np.stack([np.asarray(Image.open(io.BytesIO(row["bytes"]))) for row in rows]))


@pytest.mark.slow
def test_random_labels_of_50000_images_by_the_ordinary_forward_pass(real_data: Path) -> None:
    reproduce_random_labels(byrote.load(f"parquet:{real_data / 'cifar10'}").train.inputs)


def reproduce_random_labels(images: np.ndarray) -> None:
    labels = np.random.default_rng(0).integers(0, 10, len(images))
    network = memorizer(images, labels)
    assert network.construction.num_weights == 2 * len(images) + 3072
    with torch.no_grad():
        outputs = network(torch.from_numpy(images))
    assert (outputs - torch.from_numpy(labels)).abs().max() < 1e-2
    assert network.decode(outputs).tolist() == labels.tolist()


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


@settings(max_examples=40)
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
