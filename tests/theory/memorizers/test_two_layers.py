import io
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
from byrote.theory.memorizers.projection import project
from byrote.theory.memorizers.two_layers import memorizer


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


@settings(max_examples=60, deadline=None)
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
