"""What a network says of a test example as a linear function of what it was trained on, and how well that foretells.

    value(z) of a network trained on S  =  b(z) + sum over i in S of w_i(z)

With fewer networks than examples this has many solutions. Of these, ridge regression takes that of least sum of
w_i(z)^2 / v_i(z), where v_i(z) is larger for training examples that resemble z (what is far away decides little) and
for those that networks get wrong that are not trained on them: the gradient of the loss of an example that is known
anyway is small, and so is what it changes.

Source     Ilyas et al., Datamodels: predicting predictions from training data (ICML 2022), section 2; Park et al., TRAK
           (ICML 2023), definition 2.3, for the score. The prior by similarity and surprise is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped
from scipy.special import expit
from scipy.stats import rankdata

_PENALTIES = np.geomspace(1e-2, 1e3, 16)
"""In units of the mean eigenvalue."""
_SCALES = (0.05, 0.1, 0.2, 0.4)
"""Of similarity, as shares of the median squared distance."""
_TRIED = 64
"""Test examples by which the scale is chosen, at least."""
_LEAST = 0.003
"""The prior variance of what does not resemble a test example at all, where 1 is that of its like."""


@dataclass(frozen=True, eq=False)
class Datamodels:
    """Of T test examples."""

    weights: Float64[np.ndarray, "N T"]
    offsets: Float64[np.ndarray, " T"]
    scale: float | None
    """By which similarity was told; None: all training examples were taken alike."""
    penalty: float

    def foretell(self, inside: Bool[np.ndarray, "S N"]) -> Float64[np.ndarray, "S T"]:
        """Of networks trained on these examples."""
        return self.offsets + _signs(inside) @ self.weights


def surprise(margins: Shaped[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"]) -> Float64[np.ndarray, " N"]:
    """Of each of N training examples, the mean over networks that are not trained on it of the chance that they give to
    all other labels; 1 where there is no such network.

    Args:
        margins: the log-odds of its label, by each of M networks.
    """
    others = np.where(inside, 0.0, expit(-margins.astype(np.float64))).sum(axis=0)
    num = (~inside).sum(axis=0)
    return np.divide(others, num, out=np.ones(len(num)), where=num > 0)


def datamodels(
    inside: Bool[np.ndarray, "M N"],
    values: Shaped[np.ndarray, "M T"],
    squared_distances: Shaped[np.ndarray, "N T"] | None = None,
    surprises: Float64[np.ndarray, " N"] | None = None,
) -> Datamodels:
    """By M networks, whose values of T test examples are known.

    Penalty, and the scale of similarity, are those of the least error left out of the fit (generalised
    cross-validation), one for all test examples; the scale is chosen by some of them.

    Args:
        squared_distances: between training and test inputs; None takes all training examples alike.
        surprises: of training examples, as `surprise` has them; None takes all alike.
    """
    design = _signs(inside)
    mean, found = values.mean(axis=0), values.astype(np.float64) - values.mean(axis=0)
    own = np.ones(inside.shape[1]) if surprises is None else surprises
    scales: Sequence[float | None] = (None,) if squared_distances is None else (None, *_SCALES)
    tried = slice(None, None, max(values.shape[1] // _TRIED, 1))
    least, chosen = np.inf, None
    for scale in scales:
        errors, _ = _ridge(design, found[:, tried], _variances(own, squared_distances, scale, tried))
        if errors.min() < least:
            least, chosen = float(errors.min()), scale
    variances = _variances(own, squared_distances, chosen)
    errors, duals = _ridge(design, found, variances)
    place = int(errors.argmin())
    return Datamodels(variances * (design.T @ duals[place]), mean, chosen, float(_PENALTIES[place]))


def _variances(
    own: Float64[np.ndarray, " N"],
    squared_distances: Shaped[np.ndarray, "N T"] | None,
    scale: float | None,
    part: slice = slice(None),
) -> Float64[np.ndarray, "N V"]:
    if scale is None or squared_distances is None:
        return own[:, None]
    similar = np.exp(-squared_distances[:, part] / (scale * np.median(squared_distances)))
    return (_LEAST + similar / similar.max(axis=0)) * own[:, None]


def linear_datamodelling_score(
    foretold: Shaped[np.ndarray, "S T"], observed: Shaped[np.ndarray, "S T"]
) -> Float64[np.ndarray, " T"]:
    """For each test example, Spearman's correlation over training sets that the datamodels were not fitted on; NaN
    where all are equal."""
    first, second = (rankdata(values, axis=0) for values in (foretold, observed))
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (first * second).sum(axis=0) / np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))


def _signs(inside: Bool[np.ndarray, "M N"]) -> Float64[np.ndarray, "M N"]:
    """1 of what is in, -1 of what is not: halves have a mean of 0."""
    return np.where(inside, 1.0, -1.0)


def _ridge(
    design: Float64[np.ndarray, "M N"], found: Float64[np.ndarray, "M T"], variances: Float64[np.ndarray, "N V"]
) -> tuple[Float64[np.ndarray, " P"], Float64[np.ndarray, "P M T"]]:
    """For each of the penalties, the error of generalised cross-validation over all test examples, and the weights by
    networks, of which those by training examples are made.

    Args:
        variances: of each test example, V = T, or of all, V = 1.
    """
    num_tests = found.shape[1]
    errors, duals = np.zeros(len(_PENALTIES)), np.zeros((len(_PENALTIES), *found.shape))
    signs = design.astype(np.float32)
    eigenvalues, vectors = np.zeros(0), np.zeros((0, 0))
    for test in range(num_tests):
        if test < variances.shape[1]:
            kernel = (signs * variances[:, test].astype(np.float32)) @ signs.T
            eigenvalues, vectors = np.linalg.eigh(kernel.astype(np.float64))
        along = vectors.T @ found[:, test]
        for place, penalty in enumerate(_PENALTIES * max(eigenvalues.mean(), 1e-12)):
            shrunk = 1 / (eigenvalues + penalty)
            left = penalty * shrunk
            errors[place] += ((left * along) ** 2).mean() / left.mean() ** 2 / max(found[:, test].var(), 1e-12)
            duals[place, :, test] = vectors @ (shrunk * along)
    return errors / num_tests, duals
