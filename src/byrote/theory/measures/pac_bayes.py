"""A PAC-Bayes bound with an optimised Gaussian posterior. It bounds the error of a network whose weights are drawn
from it.

Source     Dziugaite and Roy, "Computing nonvacuous generalization bounds for deep (stochastic) neural networks with
           many more parameters than training data" (UAI 2017). For a prior P = N(w_0, lambda I) at the initial weights,
           with lambda = c exp(-j / b), j = 1, 2, ..., and any posterior Q = N(w, diag(s^2)), with probability 1 - delta
             kl(e(Q) || E(Q)) <= (KL(Q || P) + log(n pi^2 j^2 / (6 delta))) / (n - 1),
           e and E the 0-1 errors on the training set and on new examples (their Theorem 2.1, a union bound over j with
           weight 6 / (pi^2 j^2)). With probability 1 - delta' over T draws of weights, e(Q) is at most the inverse of
           kl at their mean error and log(2 / delta') / T (their section 3.3).
Constants  b = 100 and c = 0.1 as theirs; delta = 0.04 and delta' = 0.01, 0.95 in all.
Here       K classes need no reduction, as the 0-1 error is all that the theorem asks of a loss. Starting at the trained
           weights, w and log s are optimised by Adam for cross-entropy / log 2, which is at least the 0-1 error, plus
           sqrt((KL + ...) / (2 (n - 1))); lambda is at each step the best there is, (sum of s^2 + |w - w_0|^2) / P.
           Batch norm is folded into the layers first, since its running statistics come from the data; the prior is the
           folded initial network. A network with other buffers that training has changed has no bound. The theorem
           needs two examples; of one it says nothing, and the bound is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from byrote.randomness import stream_seed
from byrote.theory.measures.binary_kl import largest_chance
from byrote.theory.measures.flat_network import FlatNetwork
from byrote.theory.measures.layers import UnreadableNetwork, read_layers
from byrote.theory.measures.measure import CONFIDENCE, State, TrainingSet, with_state
from byrote.training.outcome import TrainOutcome

DELTA_DRAWS = 0.01
DELTA = 1 - CONFIDENCE - DELTA_DRAWS
PRECISION = 100
"""b: prior variances form a geometric grid of ratio exp(-1/b)."""
LARGEST_VARIANCE = 0.1
"""c: prior variances are below it."""
NUM_STEPS = 1000
NUM_DRAWS = 1000
_BATCH = 256
_MOST_EVALUATED = 2048
"""Examples of the training set that one draw of weights is evaluated on."""
_LEARNING_RATE = 1e-3
_FIRST_DEVIATION = math.exp(-3)
"""Of the posterior: that of the prior with which they start, whose variance is exp(-6)."""


def pac_bayes_bound(
    model: nn.Module,
    initial: State,
    data: TrainingSet,
    outcome: TrainOutcome,
    *,
    steps: int = NUM_STEPS,
    draws: int = NUM_DRAWS,
    seed: int = 0,
) -> float:
    """The bound on the 0-1 error of the stochastic network, beyond the training error of the trained one.

    Args:
        steps: of the optimiser; more make the bound smaller, never wrong.
        draws: of weights, by which the training error of the stochastic network is estimated.
        seed: draws weights and batches.

    Raises:
        UnreadableNetwork: a network with batch norm that cannot be folded, or with other buffers that training changed.
    """
    if len(data) < 2:
        return outcome.train_accuracy
    start = with_state(model, initial)
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        model, start = (read_layers(network, data.input_shape).network for network in (model, start))
    _refuse_changed_buffers(model, start)
    network, prior = FlatNetwork(model, torch.float32), FlatNetwork(start, torch.float32).weights
    generator = torch.Generator().manual_seed(stream_seed(seed, "pac-bayes"))
    posterior = optimize(network, prior, data, steps=steps, generator=generator)
    error = drawn_error(network, posterior, data, draws=draws, generator=generator)
    at_most = largest_chance(error, math.log(2 / DELTA_DRAWS) / draws)
    return largest_chance(at_most, complexity(posterior, prior, len(data))) - (1 - outcome.train_accuracy)


@dataclass(frozen=True, eq=False)
class Posterior:
    """A Gaussian over all weights, each with a deviation of its own."""

    mean: Float[Tensor, " P"]
    log_deviation: Float[Tensor, " P"]


def optimize(
    network: FlatNetwork, prior: Float[Tensor, " P"], data: TrainingSet, *, steps: int, generator: torch.Generator
) -> Posterior:
    """The posterior that `steps` of Adam on the bound find, starting from the trained weights."""
    mean = network.weights.clone().requires_grad_()
    log_deviation = torch.full_like(mean, math.log(_FIRST_DEVIATION)).detach().requires_grad_()
    n = len(data)
    optimizer = torch.optim.Adam([mean, log_deviation], lr=_LEARNING_RATE)
    for _ in range(steps):
        rows = torch.randint(n, (min(n, _BATCH),), generator=generator)
        weights = mean + log_deviation.exp() * torch.randn(len(mean), generator=generator)
        loss = F.cross_entropy(network(weights, data.inputs[rows]), data.labels[rows]) / math.log(2)
        variance = best_variance(mean, log_deviation, prior)
        penalty = divergence(mean, log_deviation, prior, variance) + _log_union(variance, n)
        optimizer.zero_grad()
        (loss + (penalty / (2 * (n - 1))).sqrt()).backward()
        optimizer.step()
    return Posterior(mean.detach(), log_deviation.detach())


def drawn_error(
    network: FlatNetwork, posterior: Posterior, data: TrainingSet, *, draws: int, generator: torch.Generator
) -> float:
    """The mean over draws of weights of the error on examples of the training set, drawn anew for each."""
    deviation = posterior.log_deviation.exp()
    wrong = 0.0
    with torch.no_grad():
        for _ in range(draws):
            rows = torch.randperm(len(data), generator=generator)[:_MOST_EVALUATED]
            weights = posterior.mean + deviation * torch.randn(len(deviation), generator=generator)
            predicted = network(weights, data.inputs[rows]).argmax(1)
            wrong += float((predicted != data.labels[rows]).double().mean())
    return wrong / draws


def complexity(posterior: Posterior, prior: Float[Tensor, " P"], n: int) -> float:
    """The right-hand side of the theorem, for the best prior of the grid."""
    mean, log_deviation, prior = (part.double() for part in (posterior.mean, posterior.log_deviation, prior))
    best = PRECISION * math.log(LARGEST_VARIANCE / float(best_variance(mean, log_deviation, prior)))
    found = []
    for j in {max(1, math.floor(best)), max(1, math.ceil(best))}:
        variance = torch.tensor(LARGEST_VARIANCE * math.exp(-j / PRECISION), dtype=torch.float64)
        nats = float(divergence(mean, log_deviation, prior, variance))
        found.append((nats + math.log(n * math.pi**2 * j**2 / (6 * DELTA))) / (n - 1))
    return min(found)


def divergence(
    mean: Float[Tensor, " P"],
    log_deviation: Float[Tensor, " P"],
    prior: Float[Tensor, " P"],
    variance: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """KL(N(mean, diag(deviation^2)) || N(prior, variance I)), in nats."""
    spread = (2 * log_deviation).exp().sum() + (mean - prior).square().sum()
    return (spread / variance + len(mean) * (variance.log() - 1)) / 2 - log_deviation.sum()


def best_variance(
    mean: Float[Tensor, " P"], log_deviation: Float[Tensor, " P"], prior: Float[Tensor, " P"]
) -> Float[Tensor, ""]:
    """Of the prior: where the divergence is smallest, as far as the grid goes."""
    spread = (2 * log_deviation).exp().sum() + (mean - prior).square().sum()
    return (spread / len(mean)).clamp(max=LARGEST_VARIANCE * math.exp(-1 / PRECISION))


def _refuse_changed_buffers(model: nn.Module, start: nn.Module) -> None:
    """The posterior draws parameters alone: what else came from the data, the prior would have to know in advance."""
    before = dict(start.named_buffers())
    for name, buffer in model.named_buffers():
        if not torch.equal(buffer, before[name]):
            raise UnreadableNetwork(
                f"got the buffer {name!r}, which training has changed, expected a network of which it changes "
                "parameters and the statistics of batch norm alone"
            )


def _log_union(variance: Float[Tensor, ""], n: int) -> Float[Tensor, ""]:
    j = PRECISION * (LARGEST_VARIANCE / variance).log()
    return 2 * j.log() + math.log(n * math.pi**2 / (6 * DELTA))
