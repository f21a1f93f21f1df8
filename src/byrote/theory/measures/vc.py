"""The bound by VC dimension: it knows the architecture and n, and so cannot tell true labels from random ones.

Source     Bartlett, Harvey, Liaw and Mehrabian, "Nearly-tight VC-dimension and pseudodimension bounds for piecewise
           linear neural networks" (JMLR 2019), Theorem 7: with W parameters in L layers of k_i units, activations with
           p breakpoints between pieces of degree d = 1, W_i parameters up to layer i, Lbar = (W_1 + ... + W_L) / W and
           R = sum of i k_i,  VCdim <= L + Lbar W log2(4 e p R log2(2 e p R)). Mohri, Rostamizadeh and Talwalkar,
           Foundations of Machine Learning (2nd edition), Theorem 3.3, Corollary 3.9 and Sauer's lemma: with probability
           1 - delta, test error <= training error + sqrt(2 log G / n) + sqrt(log(1/delta) / (2n)), G <= (e n /
           VCdim)^VCdim patterns of errors on n examples.
Here       p = 1 (ReLU). K classes: which examples are misclassified follows from the signs of the K (K-1) / 2
           differences of outputs, which are the units of the last layer in place of one. The theorem counts the sign
           patterns of all units as polynomials in the parameters, which may thus be shared: convolutions count their
           weights once. Each ReLU and each max-pooling is a layer, of as many units as there are signs that settle it
           (of a max-pooling: of the differences between any two entries of a window); all but the first behind a layer
           of weights bring no parameters of their own. Weights without a ReLU behind them count as if they had one.
           Where n < VCdim, log G is bounded by VCdim log(n + 1), which Sauer's lemma gives as well and which still
           grows with the network where the bound is vacuous.
Proof      Of its constants. On m >= W examples, for each pattern of the layers before, layer i has at most
           2 (2 e m p k_i i / W_i)^W_i patterns: those of m p k_i polynomials of degree at most i in W_i parameters
           (Warren). Over all layers that is at most 2^L (r m / w)^w, with w = W_1 + ... + W_L and r = 2 e p R. If it is
           at least 2^m, then m <= L + w log2(2 r log2 r), for any r >= 16: hence R = 3 where it would be less.
"""

from __future__ import annotations

import math

from torch import nn

from byrote.theory.measures.layers import AffineLayer, read_layers
from byrote.theory.measures.measure import CONFIDENCE, State, TrainingSet
from byrote.training.outcome import TrainOutcome


def vc_bound(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """What the theorem allows beyond the training error, with probability 0.95.

    Raises:
        UnreadableNetwork: no sequence of affine layers with ReLU.
    """
    dimension, n = vc_dimension(read_layers(model, data.input_shape).layers, data.num_classes), len(data)
    log_patterns = dimension * (math.log(math.e * n / dimension) if n >= dimension else math.log(n + 1))
    return math.sqrt(2 * log_patterns / n) + math.sqrt(math.log(1 / (1 - CONFIDENCE)) / (2 * n))


def vc_dimension(layers: tuple[AffineLayer, ...], num_classes: int) -> float:
    """An upper bound on the VC dimension of the sets of examples that networks of this architecture misclassify."""
    units: list[int] = []
    parameters: list[int] = []
    for layer in layers:
        steps = layer.decisions or (math.prod(layer.output_shape),)
        if layer is layers[-1]:
            steps = (*layer.decisions, math.comb(num_classes, 2))
        units += steps
        parameters += [layer.num_parameters, *(0 for _ in steps[1:])]
    num_layers, total = len(units), sum(parameters)
    up_to = [sum(parameters[: i + 1]) for i in range(num_layers)]
    effective_depth = sum(up_to) / total
    r = max(3, sum((i + 1) * k for i, k in enumerate(units)))
    return num_layers + effective_depth * total * math.log2(4 * math.e * r * math.log2(2 * math.e * r))
