import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from sklearn.metrics.pairwise import laplacian_kernel, rbf_kernel

from byrote.errors import UserError
from byrote.theory.kernels.kernel import (
    ArcCosine,
    Custom,
    Gaussian,
    Kernel,
    Laplacian,
    Linear,
    find_kernel,
    gram,
    median_width,
    row_blocks,
    squared_distances,
)

KERNELS = [
    Linear(),
    Gaussian(0.7),
    Laplacian(1.3),
    ArcCosine(0),
    ArcCosine(1),
    ArcCosine(2),
    Custom(lambda x, y: x @ y.T),
]


def points(n: int, d: int = 3, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d))).to(dtype)


def test_the_gaussian_is_scikit_learns():
    x, y = points(5), points(4, seed=1)
    np.testing.assert_allclose(Gaussian(0.7)(x, y), rbf_kernel(x, y, gamma=0.5 / 0.7**2))


def test_the_laplacian_has_the_euclidean_distance():
    x, y = points(5), points(4, seed=1)
    np.testing.assert_allclose(Laplacian(1.3)(x, y), torch.cdist(x, y).div(-1.3).exp())
    # In one dimension all distances are one.
    np.testing.assert_allclose(Laplacian(2.0)(x[:, :1], y[:, :1]), laplacian_kernel(x[:, :1], y[:, :1], gamma=0.5))


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_the_arc_cosine_is_its_integral_over_random_units(degree):
    """Cho & Saul, equation 1: 2 E[step(wx) step(wy) (wx)^p (wy)^p]; in two dimensions, over angle and length of w."""
    x, y = np.array([0.5, 1.2]), np.array([-1.0, 0.7])

    def at(angle: float) -> float:
        w = np.array([math.cos(angle), math.sin(angle)])
        return (w @ x) ** degree * (w @ y) ** degree if w @ x > 0 and w @ y > 0 else 0.0

    corners = sorted(math.atan2(*v[::-1]) + side * math.pi / 2 for v in (x, y) for side in (-1, 1))
    length = {0: 1.0, 1: 2.0, 2: 8.0}[degree]  # E |w|^(2p)
    expected = 2 * length * quad(at, -math.pi, math.pi, points=corners)[0] / (2 * math.pi)
    found = ArcCosine(degree)(torch.tensor(x)[None], torch.tensor(y)[None])
    assert found.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_the_origin_has_a_right_angle_to_all(degree):
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64)
    expected = [[0.5, 0.5], [0.5, 1.0]] if degree == 0 else [[0.0, 0.0], [0.0, {1: 25, 2: 3 * 625}[degree]]]
    np.testing.assert_allclose(gram(ArcCosine(degree), x), expected)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
@pytest.mark.parametrize("block", [1, 4, 7, 100])
def test_tiles_make_the_whole(kernel: Kernel, block: int):
    x, y = points(11), points(6, seed=1)
    np.testing.assert_allclose(gram(kernel, x, y, block=block), kernel(x, y), atol=1e-12)
    whole = kernel(x, x)
    found = gram(kernel, x, block=block)
    np.testing.assert_allclose(found, whole, atol=1e-6)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(
        found.diagonal(), kernel.diagonal(x), rtol=1e-14
    )  # products of other shapes round otherwise
    assert torch.linalg.eigvalsh(found).min() > -1e-12
    rows = list(row_blocks(kernel, x, y, memory=3 * 6 * 8))
    assert [part for part, _ in rows] == [slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 11)]
    np.testing.assert_allclose(torch.cat([values for _, values in rows]), kernel(x, y), atol=1e-12)


def test_the_matrix_is_written_where_asked_and_says_how_far_it_is():
    x, shares = points(9), []
    out = torch.full((9, 12), math.nan, dtype=torch.float64)[:, 2:11]
    found = gram(Gaussian(1.0), x, block=4, out=out, on_progress=shares.append)
    assert found.data_ptr() == out.data_ptr()
    np.testing.assert_allclose(out, Gaussian(1.0)(x, x), atol=1e-12)
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert len(shares) == 6


def test_no_points_have_no_values():
    assert gram(Gaussian(1.0), points(0), points(3)).shape == (0, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_close_points_keep_their_distance(dtype):
    """Far from the origin, a plain |x|^2 + |y|^2 - 2 <x, y> would leave nothing of it."""
    x = 100 + points(20, dtype=dtype)
    y = x.clone()
    y[:, 0] += 2**-10
    found = squared_distances(x, y).diagonal()
    np.testing.assert_allclose(found, ((x - y) ** 2).sum(dim=1), rtol=0.05)
    np.testing.assert_array_equal(squared_distances(x, x).diagonal(), 0)
    assert (Laplacian(1.0)(x, x).diagonal() == 1).all()


def test_the_median_width():
    assert median_width(torch.tensor([[0.0], [1.0], [3.0]])) == pytest.approx(2.0)
    assert median_width(torch.ones(4, 2)) == 1.0
    assert median_width(torch.ones(1, 2)) == 1.0
    x = points(3000, d=10)
    assert median_width(x) == pytest.approx(math.sqrt(2 * 10), rel=0.1)
    assert median_width(x) == median_width(x) != median_width(x, seed=1)
    assert find_kernel("gaussian", x) == Gaussian(median_width(x))
    assert find_kernel("laplacian", x, 2.0) == Laplacian(2.0)


def test_kernels_are_found_by_name_or_given():
    x = points(3)
    assert find_kernel("linear", x) == Linear()
    assert find_kernel("arc-cosine", x) == ArcCosine(1)
    assert find_kernel(ArcCosine(2), x) == ArcCosine(2)
    square = find_kernel(lambda a, b: (a @ b.T) ** 2, x)
    np.testing.assert_allclose(square.diagonal(x), (x**2).sum(dim=1) ** 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: find_kernel("rbf", x), "got kernel='rbf', expected one of linear, gaussian, laplacian, arc-cosine"),
        (lambda x: find_kernel("linear", x, 1.0), "expected a width for gaussian or laplacian only"),
        (lambda x: find_kernel("gaussian", x, 0.0), "got a kernel of width 0, expected a positive number"),
        (lambda x: find_kernel("laplacian", x, math.nan), "got a kernel of width nan"),
        (lambda x: ArcCosine(3), "degree 3, expected 0, 1 or 2"),
        (lambda x: Custom(lambda a, b: a)(x, x), r"got \(3, 2\) in torch.float64 from the kernel for 3 and 3 points"),
        (lambda x: Custom(lambda a, b: 1.0)(x, x), "got float from the kernel"),
    ],
)
def test_what_is_no_kernel_is_refused(make, words):
    with pytest.raises(UserError, match=words):
        make(points(3, 2))
