"""What a measure is: a number for a trained network and what it was trained on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.training.outcome import TrainOutcome

VERSION = 3
"""Part of that of calculations that evaluate measures: raised whenever a change of ours changes a measure's numbers."""
CONFIDENCE = 0.95
"""Bounds hold with at least this probability over the draw of the training set.

Examples are independent; their classes may have fixed shares, as in a stratified subset: all theorems here hold for
such examples too, of the error in which classes have the same shares. Inputs are taken as given. Of preprocessing,
"standardize" takes the moments of channels from the whole training set, which the bounds neglect.
"""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What a network was trained on, as it sees it: preprocessed inputs, labels corrupted or not.

    >>> seen = TrainingSet(torch.zeros(5, 3), torch.tensor([0, 1, 1, 0, 1]), num_classes=2)
    >>> len(seen), seen.input_shape
    (5, (3,))
    """

    inputs: Float[Tensor, "N ..."]
    labels: Int64[Tensor, " N"]
    num_classes: int

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one example."""
        return tuple(self.inputs.shape[1:])

    def __len__(self) -> int:
        return len(self.labels)


State: TypeAlias = Mapping[str, Tensor]
MeasureFunction = Callable[[nn.Module, State, TrainingSet, TrainOutcome], float]
"""Called with the network in evaluation mode and with its final weights, its state before training, what it was trained
on, and the run's outcome. NaN where the measure does not exist for this run."""
MeasureKind = Literal["bound", "margin", "norm", "sharpness", "baseline"]


@dataclass(frozen=True)
class Measure:
    """A function of a trained network, and what to make of its value.

    >>> def distance(model, initial_state, data, outcome):
    ...     pairs = zip(model.parameters(), initial_state.values(), strict=True)
    ...     return sum(float((weights - start).square().sum()) for weights, start in pairs) ** 0.5
    >>> Measure(distance, "norm", "distance from initialisation", "Nagarajan and Kolter 2019").larger_is_worse
    True
    """

    function: MeasureFunction
    """Of a bound: what it says of the 0-1 error on new examples, beyond the error on the training set. At least 1 in
    all is vacuous."""
    kind: MeasureKind
    title: str
    """In a table: "path norm over margin"."""
    source: str
    larger_is_worse: bool = True
    """Whether a larger value speaks for a larger generalization gap."""


def why_not(error: BaseException) -> str:
    """What kept a measure from being computed: the sentence of a UserError, the first line of anything else."""
    if isinstance(error, UserError):
        return str(error)
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def with_state(model: nn.Module, state: State) -> nn.Module:
    """A copy of `model` with the weights and buffers of `state`, in evaluation mode."""
    other = copy.deepcopy(model)
    other.load_state_dict(dict(state))
    return other.eval()


@torch.no_grad()
def margins(model: nn.Module, data: TrainingSet) -> Float[Tensor, " N"]:
    """Of each training example, its label's output minus the largest other one, in float64; negative where wrong."""
    outputs = torch.cat([model(part).double() for part in data.inputs.split(_BATCH)])
    own = outputs.gather(1, data.labels[:, None])
    others = outputs.scatter(1, data.labels[:, None], -torch.inf)
    return own[:, 0] - others.amax(1)


_BATCH = 1024
