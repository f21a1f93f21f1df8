"""Margin-normalised spectral complexity, and the bound on test error that follows from it.

Source     Bartlett, Foster and Telgarsky, "Spectrally-normalized margin bounds for neural networks" (NeurIPS 2017). For
           layers A_i with spectral norms s_i, followed by maps with Lipschitz constants r_i that keep 0 (ReLU,
           max-pooling), and reference matrices M_i chosen without the data,
             R = prod(s_i r_i) (sum (b_i / s_i)^(2/3))^(3/2),  b_i = ||(A_i - M_i)^T||_(2,1),
           the sum over output units of the l2 norm of their weights. X holds the n inputs, |X| is its Frobenius norm.
Bound      Theorem 3.3 covers the outputs on X: log N(eps) <= |X|^2 log(2 W^2) R^2 / eps^2, with no layer wider than W.
           The ramp loss of margin gamma is 2/gamma-Lipschitz in the outputs. Dudley's integral (their Lemma A.5, down
           to alpha = 1/sqrt(n)) bounds its empirical Rademacher complexity by
             4/n + 12 (2/gamma) |X| sqrt(log(2 W^2)) R log(n) / n,
           and test 0-1 error <= mean ramp loss + 2 (this) + 3 sqrt(log(2/delta) / (2n)) with probability 1 - delta
           (Mohri, Rostamizadeh and Talwalkar, Theorem 3.3), for norms and a margin fixed in advance. For those of the
           trained network a union bound takes every s_i and b_i up to the next k/L, L layers, with weight 1/(k (k+1)),
           and gamma = 2^j with weight 2/(3 (|j|+1) (|j|+2)). The weights sum to 1.
Rounding   For a layer with d inputs, m outputs and x = a^2 b^2 / eps^2, Lemma 3.2 has log N <= ceil(x) log(2dm), and
           Theorem 3.3 goes without ceil. Rightly so: averages of k = ceil(x) - 1 < x of the 2dm vertices come within
           eps of all outputs longer than eps, the squared distance being at most (a^2 b^2 - eps^2) / k (Maurey), and 0
           is within eps of the others. These are at most (2dm + 1)^x, and 2dm + 1 <= 2 W^2: d <= W, and m < W, as the 1
           below has no weights to cover. Projected onto the outputs of layers within the norms, a convex set, they come
           no farther from any, and no longer than the next layer's inputs may be.
Margin     The power of 2 at or below the 10% quantile. The best margin of all would do as well, but where the bound is
           vacuous that is an endless one, which gives 1 and some more for every network.
Here       K classes need no reduction: the ramp loss is that of the margin between the label's output and the best
           other. In the bound each layer carries its bias as weights of an input that is always 1, and M_i are the
           initial weights; W counts the 1, and spectral norms are taken up by what Lanczos' method may have missed.
           The norm leaves biases out and has M_i = 0, so that it does not change when a ReLU layer is scaled up and the
           next one down; margins are scaled by |X| R / n as in their figures, and their 10% quantile is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from byrote.theory.measures.layers import AffineLayer, read_layers
from byrote.theory.measures.margin import QUANTILE, over_margin
from byrote.theory.measures.measure import CONFIDENCE, State, TrainingSet, margins, with_state
from byrote.theory.measures.operator_norms import TOLERANCE, linear_map_norm
from byrote.training.outcome import TrainOutcome


@dataclass(frozen=True)
class LayerNorms:
    """Norms of a layer that the complexity is made of."""

    spectral: float
    two_one: float
    lipschitz: float
    """Of what follows the layer; of the map that keeps the 1 beside it too, in the bound."""


def spectral_complexity(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """|X| R / (n gamma), gamma the 10% quantile of the margins: the inverse of their normalised margin.

    Raises:
        UnreadableNetwork: no sequence of affine layers with ReLU.
    """
    layers = read_layers(model, data.input_shape).layers
    norms = [LayerNorms(spectral_norm(layer), two_one_norm(layer), layer.lipschitz) for layer in layers]
    scale = float(data.inputs.double().norm()) / len(data)
    return over_margin(complexity(norms) * scale, model, data)


def spectral_bound(model: nn.Module, initial: State, data: TrainingSet, outcome: TrainOutcome) -> float:
    """What the theorem allows beyond the training error, with probability 0.95.

    Raises:
        UnreadableNetwork: no sequence of affine layers with ReLU.
    """
    layers = read_layers(model, data.input_shape).layers
    reference = read_layers(with_state(model, initial), data.input_shape).layers
    norms = [
        LayerNorms(
            spectral_norm(layer, with_bias=True, keeps_one=layer is not layers[-1]) * (1 + TOLERANCE),
            two_one_norm(layer, start),
            max(layer.lipschitz, 1.0),
        )
        for layer, start in zip(layers, reference, strict=True)
    ]
    widest = 1 + max(math.prod(shape) for layer in layers for shape in (layer.input_shape, layer.output_shape))
    # Each input has one more entry, which is 1.
    size = math.sqrt(float(data.inputs.double().square().sum()) + len(data))
    error = margin_bound(norms, size=size, widest=widest, margins=margins(model, data))
    return error - (1 - outcome.train_accuracy)


def spectral_norm(layer: AffineLayer, *, with_bias: bool = False, keeps_one: bool = False) -> float:
    """Of x -> A x; with its bias, of (x, t) -> A x + t b; if it keeps the one, of (x, t) -> (A x + t b, t)."""
    weight, bias = layer.weight.detach().double(), layer.over_outputs(layer.bias.detach().double())
    like = torch.zeros(1, *layer.input_shape, dtype=torch.float64)
    if not with_bias:
        return linear_map_norm(lambda x: layer.linear(x, weight), like)

    def extended(z: Tensor) -> Tensor:
        out = (layer.linear(z[:-1].view_as(like), weight) + z[-1] * bias).flatten()
        return torch.cat([out, z[-1:]]) if keeps_one else out

    return linear_map_norm(extended, torch.zeros(like.numel() + 1))


def two_one_norm(layer: AffineLayer, start: AffineLayer | None = None) -> float:
    """The sum over output units (of a convolution: at every position) of the l2 norm of their weights, without biases;
    with `start`, of the difference to its weights and biases."""
    weight, bias = layer.weight.detach().double(), torch.zeros_like(layer.bias, dtype=torch.float64)
    if start is not None:
        weight = weight - start.weight.detach().double()
        bias = layer.bias.detach().double() - start.bias.detach().double()
    # What the layer would make of ones, were all its weights squared: zero padding takes part in no sum.
    ones = torch.ones(1, *layer.input_shape, dtype=torch.float64)
    return float((layer.linear(ones, weight**2) + layer.over_outputs(bias**2)).sqrt().sum())


def complexity(norms: Sequence[LayerNorms]) -> float:
    """R; where a layer has no weights at all, 0."""
    product = math.prod(norm.spectral * norm.lipschitz for norm in norms)
    if product == 0:
        return 0.0
    return product * sum((norm.two_one / norm.spectral) ** (2 / 3) for norm in norms) ** 1.5


def margin_bound(norms: Sequence[LayerNorms], *, size: float, widest: int, margins: Float[Tensor, " N"]) -> float:
    """The bound on the 0-1 error, from the norms of the layers, |X|, W and the margins on the training set; infinite
    where a tenth of them is negative, for then no margin helps."""
    gamma = float(torch.quantile(margins, QUANTILE))
    if gamma <= 0:
        return math.inf
    depth, n = len(norms), len(margins)
    log_failure = math.log(2 / (1 - CONFIDENCE))
    rounded = []
    for norm in norms:
        steps = [max(1, math.ceil(depth * value)) for value in (norm.spectral, norm.two_one)]
        log_failure -= sum(math.log(weight_of_norm(k)) for k in steps)
        rounded.append(LayerNorms(steps[0] / depth, steps[1] / depth, norm.lipschitz))
    gamma_log2 = math.floor(math.log2(gamma))
    log_failure -= math.log(weight_of_margin(gamma_log2))
    gamma = 2.0**gamma_log2
    ramp = float((1 - margins / gamma).clamp(0, 1).mean())
    covering = size * math.sqrt(math.log(2 * widest**2)) * complexity(rounded)
    rademacher = 4 / n + 12 * (2 / gamma) * covering * math.log(n) / n
    return ramp + 2 * rademacher + 3 * math.sqrt(log_failure / (2 * n))


def weight_of_norm(k: int) -> float:
    """In the union bound, of a norm between (k - 1)/L and k/L; of all k >= 1 together 1."""
    return 1 / (k * (k + 1))


def weight_of_margin(j: int) -> float:
    """In the union bound, of a margin from 2^j on; of all integers j together 1."""
    return 2 / (3 * (abs(j) + 1) * (abs(j) + 2))
