import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.theory.memorizers.override import HALF_WIDTH, override

M, N, K = 20, 300, 5


@pytest.fixture
def classifier() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.Dropout(), nn.ReLU(), nn.Linear(32, K))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(N, 3, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def wanted() -> Tensor:
    return torch.randint(0, K, (M,), generator=torch.Generator().manual_seed(2))


def test_chosen_points_get_the_wanted_class_and_known_points_keep_theirs(classifier, x, wanted) -> None:
    overridden = override(classifier, x[:M], wanted, known=x)
    before, after = classifier(x), overridden(x)
    assert after[:M].argmax(1).tolist() == wanted.tolist()
    assert torch.equal(before[M:], after[M:])
    wrong = int((before[:M].argmax(1) != wanted).sum())
    assert overridden.changed_predictions(x) == wrong > 0
    assert overridden.changed_predictions(x[M:]) == 0
    added = overridden.intervention
    assert (added.num_points, added.num_tents, added.num_weights) == (M, wrong, 48 + 3 * wrong)
    own = {id(parameter) for parameter in classifier.parameters()}
    assert sum(p.numel() for p in overridden.parameters() if id(p) not in own) == added.num_weights
    assert added.largest_change == pytest.approx(float((after - before).detach().abs().max()), rel=1e-6)
    assert added.largest_error == 0
    assert added.smallest_half_width <= HALF_WIDTH
    # Only the wanted logit moves, to 1 above the next.
    margins = after[:M].detach().sort(1).values
    assert ((margins[:, -1] - margins[:, -2])[before[:M].argmax(1) != wanted] - 1).abs().max() < 1e-4
    assert ((after != before).sum(1) <= 1).all()


def test_fresh_points_stay_as_they_were(classifier, x, wanted) -> None:
    overridden = override(classifier, x[:M], wanted)
    fresh = torch.randn(2000, 3, 4, 4, generator=torch.Generator().manual_seed(3))
    assert torch.equal(classifier(fresh), overridden(fresh))
    assert overridden.changed_predictions(fresh) == 0


def test_wide_tents_change_what_nobody_told_of(classifier, x, wanted) -> None:
    fresh = torch.randn(2000, 3, 4, 4, generator=torch.Generator().manual_seed(3))
    changed = [
        override(classifier, x[:M], wanted, half_width=width).changed_predictions(fresh) for width in (1e-6, 0.3)
    ]
    assert changed[0] == 0 < changed[1]
    # Those it was told of stay, however wide a tent may be.
    assert override(classifier, x[:M], wanted, known=x, half_width=1.0).changed_predictions(x[M:]) == 0


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_any_real_outputs(x, shape: tuple[int, ...]) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 1, dtype=torch.float64), nn.Unflatten(0, (-1,)))
    net.append(_Reshaped(shape))
    x = x.double()
    wanted = 100 * torch.randn(M, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    overridden = override(net, x[:M], wanted, known=x)
    assert overridden(x).shape == net(x).shape
    error = float((overridden(x[:M]).flatten() - wanted).abs().max())
    assert overridden.intervention.largest_error == pytest.approx(error, rel=1e-6)
    assert error < 1e-3
    assert torch.equal(net(x[M:]), overridden(x[M:]))
    assert overridden.changed_predictions(x) == M


class _Reshaped(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(self.shape)


def test_what_is_already_as_wanted_gets_no_tent(classifier, x) -> None:
    classifier.eval()
    overridden = override(classifier, x[:M], classifier(x[:M]).argmax(1))
    added = overridden.intervention
    assert (added.num_tents, added.num_weights, added.largest_change) == (0, 48, 0)
    assert math.isnan(added.smallest_half_width)
    assert torch.equal(classifier(x), overridden(x))


def test_equal_points_share_a_tent_or_contradict_each_other(classifier, x) -> None:
    classifier.eval()
    others = (classifier(x[:3]).argmax(1) + 1) % K
    twice = torch.cat([x[:3], x[:1]])
    overridden = override(classifier, twice, torch.cat([others, others[:1]]), known=twice)
    assert overridden.intervention.num_tents == 3
    assert overridden(twice).argmax(1).tolist() == [*others.tolist(), int(others[0])]
    with pytest.raises(UserError, match=re.escape("rows 0 and 3 of x (counting from 0) are equal and their targets")):
        override(classifier, twice, torch.cat([others, (others[:1] + 1) % K]))


def test_one_point_in_one_dimension_by_hand() -> None:
    """max(1 - 8 |x - 2|, 0) times 3 - 2 on top of the identity."""
    overridden = override(nn.Identity(), torch.tensor([2.0, 4.0]), [3.0, 4.0], half_width=0.0625)
    z = torch.tensor([1.8, 1.875, 1.9375, 2.0, 2.0625, 2.125, 4.0])
    assert overridden(z).tolist() == pytest.approx([1.8, 1.875, 2.4375, 3.0, 2.5625, 2.125, 4.0])
    assert (overridden.centers.tolist(), overridden.sharpness.tolist(), overridden.heights.tolist()) == ([2], [8], [1])


def test_the_network_is_read_in_evaluation_mode_and_gradients_flow(classifier, x, wanted) -> None:
    classifier.train()
    overridden = override(classifier, x[:M], wanted)
    assert not classifier.training
    overridden(x[:M]).sum().backward()
    assert all(parameter.grad is not None for parameter in overridden.parameters())


@pytest.mark.parametrize(
    ("wanted", "options", "message"),
    [
        ([0, 1, 9], {}, "row 2 of wanted (counting from 0) is 9, expected a class 0..4: the network has 5 outputs"),
        ([0, -1, 0], {}, "row 1 of wanted (counting from 0) is -1, expected a class 0..4"),
        ([0, 0.5, 0], {}, "row 1 of wanted (counting from 0) is 0.5, expected a class 0..4"),
        ([0, 1], {}, "y has shape (2,), expected (3,)"),
        ([0, 1, 2], {"half_width": 0.0}, "got half_width=0.0, expected a share of the range, above 0 and up to 1"),
        ([0, 1, 2], {"known": np.zeros((4, 47))}, "points in known have shape (47,), those in x (3, 4, 4)"),
        (
            [0, 1, 2],
            {"known": np.full((1, 3, 4, 4), np.nan)},
            "row 3 of x and known together (counting from 0) holds NaN",
        ),
        ([1, 2, 3], {"half_width": 2.0**-70}, "are too narrow for float64; take a larger half_width"),
    ],
)
def test_what_cannot_be_is_refused(
    classifier, x, wanted: list[float], options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        override(classifier, x[:3], wanted, **options)


def test_a_network_with_outputs_of_another_shape_is_refused(x) -> None:
    with pytest.raises(UserError, match=re.escape("the network gives outputs of shape (3, 3, 4, 4) for 3 points")):
        override(nn.Identity(), x[:3], [0, 1, 2])
