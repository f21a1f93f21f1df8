import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from byrote.models.catalog import build_model
from byrote.theory.measures.flat_network import FlatNetwork
from byrote.theory.measures.layers import UnreadableNetwork
from byrote.theory.measures.measure import TrainingSet
from byrote.theory.measures.pac_bayes import (
    LARGEST_VARIANCE,
    Posterior,
    best_variance,
    complexity,
    divergence,
    drawn_error,
    pac_bayes_bound,
)


def gaussians():
    generator = torch.Generator().manual_seed(0)
    mean, prior = torch.randn(2, 7, generator=generator).double() / 20
    return mean, torch.randn(7, generator=generator).double() - 3, prior


def test_the_divergence_is_that_of_gaussians():
    mean, log_deviation, prior = gaussians()
    variance = torch.tensor(0.04, dtype=torch.float64)
    expected = kl_divergence(Normal(mean, log_deviation.exp()), Normal(prior, 0.2)).sum()
    assert float(divergence(mean, log_deviation, prior, variance)) == pytest.approx(float(expected))


def test_the_best_prior_variance_is_the_best():
    mean, log_deviation, prior = gaussians()
    best = best_variance(mean, log_deviation, prior)
    assert best < LARGEST_VARIANCE
    least = float(divergence(mean, log_deviation, prior, best))
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert float(divergence(mean, log_deviation, prior, best * factor)) > least
    # None is beyond the grid.
    assert float(best_variance(mean + 10, log_deviation, prior)) == pytest.approx(0.1 * math.exp(-0.01))


def test_a_posterior_that_is_a_prior_of_the_grid_costs_its_place_alone():
    j, n = 250, 1000
    deviation = torch.full((5,), math.sqrt(0.1 * math.exp(-j / 100)))
    posterior = Posterior(torch.zeros(5), deviation.log())
    expected = math.log(n * math.pi**2 * j**2 / (6 * 0.04)) / (n - 1)
    assert complexity(posterior, torch.zeros(5), n) == pytest.approx(expected, rel=1e-5)


def test_a_posterior_without_spread_errs_as_its_mean_does(unit_net, two_points):
    network = FlatNetwork(unit_net, torch.float32)
    sure = Posterior(network.weights, torch.full_like(network.weights, -20.0))
    generator = torch.Generator().manual_seed(0)
    assert drawn_error(network, sure, two_points, draws=3, generator=generator) == 0
    half = TrainingSet(two_points.inputs, torch.tensor([0, 1]), 2)
    assert drawn_error(network, sure, half, draws=3, generator=generator) == 0.5


def test_the_bound_of_one_hidden_unit_by_hand(unit_net, two_points, outcome):
    """A posterior of deviation exp(-3) around the trained weights, which are also the initial ones, on a thousand
    points that no draw gets near to misclassifying."""
    many = TrainingSet(two_points.inputs.repeat(500, 1), two_points.labels.repeat(500), 2)
    found = pac_bayes_bound(unit_net, unit_net.state_dict(), many, outcome(train_accuracy=0.9), steps=0, draws=400)
    p = found + 0.1
    # No errors in 400 draws: -log(1 - error) is at most log(2 / 0.01) / 400.
    error = 1 - math.exp(-math.log(200) / 400)
    # Of six weights; the best prior variance, exp(-6), lies between two of the grid, 0.1 exp(-j / 100).
    best = 100 * (6 + math.log(0.1))
    right = min(
        (3 * (math.exp((j - best) / 100) - 1 - (j - best) / 100) + math.log(1000 * math.pi**2 * j**2 / 0.24)) / 999
        for j in (math.floor(best), math.ceil(best))
    )
    assert error < p < 0.2
    assert error * math.log(error / p) + (1 - error) * math.log((1 - error) / (1 - p)) == pytest.approx(right, rel=1e-4)


def test_one_example_allows_everything(unit_net, two_points, outcome):
    one = TrainingSet(two_points.inputs[:1], two_points.labels[:1], 2)
    assert pac_bayes_bound(unit_net, unit_net.state_dict(), one, outcome(train_accuracy=1.0)) == 1


class Remembers(nn.Module):
    """Keeps something of the data in a buffer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 2)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        return self.layer(x - self.seen)


def test_what_training_left_in_a_buffer_has_no_bound(two_points, outcome):
    net = Remembers()
    initial = {name: value.clone() for name, value in net.state_dict().items()}
    net.seen.fill_(1.5)
    with pytest.raises(UnreadableNetwork, match="got the buffer 'seen', which training has changed"):
        pac_bayes_bound(net.eval(), initial, two_points, outcome(), steps=1, draws=1)


@pytest.fixture(scope="module")
def easy():
    """A thousand points on both sides of a plane, and a network from before and after some training on them."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(1000, 3, generator=generator)
    labels = (inputs[:, 0] > 0).long()
    net = build_model("mlp-1x8", input_shape=(3,), num_classes=2)
    initial = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs), labels).backward()
        optimizer.step()
    return net.eval(), initial, TrainingSet(inputs, labels, 2)


@pytest.mark.slow
def test_an_easy_problem_has_a_bound_that_says_something(easy, outcome):
    net, initial, data = easy
    bound = pac_bayes_bound(net, initial, data, outcome(), steps=300, draws=200)
    assert 0 < bound < 0.3
    assert pac_bayes_bound(net, initial, data, outcome(), steps=300, draws=200) == bound
    assert pac_bayes_bound(net, initial, data, outcome(), steps=1, draws=200) > bound
    # What it says beyond a training error of 0.1.
    less = pac_bayes_bound(net, initial, data, outcome(train_accuracy=0.9), steps=300, draws=200)
    assert less == pytest.approx(bound - 0.1)


def test_random_labels_leave_it_nothing_to_say(easy, outcome):
    net, initial, data = easy
    generator = torch.Generator().manual_seed(1)
    random = TrainingSet(data.inputs, torch.randint(2, (1000,), generator=generator), 2)
    assert pac_bayes_bound(net, initial, random, outcome(), steps=100, draws=100) > 0.5


def test_batch_norm_is_folded_first(outcome):
    net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).eval()
    initial = {name: value.clone() for name, value in net.state_dict().items()}
    data = TrainingSet(torch.randn(50, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(50).long(), 2)
    found = pac_bayes_bound(net, initial, data, outcome(), steps=5, draws=5)
    # 12 weights and 4 offsets of the layer with its batch norm, 10 after it.
    assert 0 < found <= 1
