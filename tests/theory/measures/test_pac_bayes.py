import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from byrote.models.catalog import build_model
from byrote.theory.flat_network import FlatNetwork
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
