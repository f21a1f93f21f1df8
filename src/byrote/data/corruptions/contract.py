"""What a corruption is: it draws, it checks what it drew, and it has a name in words.

A corruption of labels says by which chances a label that is redrawn becomes another (`chances`), or redraws them itself
(`redraw`); a corruption of inputs changes a block of them (`redraw`). Which examples are redrawn is
drawn for all alike: each with the chance `rate`, those of a lower rate among those of a higher one. So each corruption
has a mask of what it changed, is nested in the rate, and is checked in every run. One of labels that chooses its
examples itself overrides `corrupt`.

All draws come from named streams of the run's seed; a stream of the context is nobody else's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from byrote.data.check import Check
from byrote.data.dataset import Dataset, Kind, moments
from byrote.errors import UserError
from byrote.randomness import stream


@dataclass(frozen=True, eq=False)
class CorruptionContext:
    """What a corruption may look at, beside the examples that it is to change.

    >>> import byrote
    >>> context = byrote.CorruptionContext(byrote.load("digits"), seed=0)
    >>> context.moments[0].shape, context.strength
    ((1, 1, 1), 1.0)
    """

    data: Dataset
    """The data before it: the training subset, and the test set."""
    seed: int
    strength: float = 1.0
    """That of a corruption which has one."""

    @cached_property
    def moments(self) -> tuple[Float64[np.ndarray, "*M"], Float64[np.ndarray, "*M"]]:
        """Mean and standard deviation of the training inputs per channel (`[C, 1, 1]`) or feature (`[D]`)."""
        return moments(self.data.train.inputs)

    def stream(self, *name: str | int) -> np.random.Generator:
        """A generator of the run's seed for this name. What draws with `.random()` alone is equal under every NumPy."""
        return stream(self.seed, "corruption", *name)


class CorruptionMethod:
    """What corruptions of labels and of inputs have in common."""

    name: ClassVar[str] = ""
    """As specs and the command line have it; the user's own go by FILE.py:NAME."""
    title: ClassVar[str] = ""
    """What figures call it; by default its name, with spaces."""
    description: ClassVar[str] = ""
    """What it does, as a sentence without its end; by default the first line of the docstring."""
    full_name: ClassVar[str] = ""
    """Its name at rate 1, where that is another."""
    full_description: ClassVar[str] = ""
    strength: ClassVar[float | None] = None
    """The strength it has where none is given; None for a corruption that has no strength."""
    of_quantities: ClassVar[bool] = False
    """Whether it calculates with the values of inputs, and so has no meaning for token ids."""

    @classmethod
    def in_words(cls) -> str:
        """What it does, for lists."""
        return cls.description or (cls.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @classmethod
    def goes_with(cls, kind: Kind) -> bool:
        """Whether inputs of this kind can have it."""
        return kind != "tokens" or not cls.of_quantities


class LabelCorruption(CorruptionMethod):
    """A corruption of training labels. Subclasses define `chances`, or `redraw`, or both.

    >>> import byrote
    >>> class FirstClass(byrote.LabelCorruption):
    ...     def redraw(self, labels, uniform, context):
    ...         return np.zeros_like(labels)
    >>> byrote.corrupt(byrote.load("digits"), FirstClass).train.labels.max().item()
    0
    """

    changes: ClassVar[Literal["labels"]] = "labels"

    def chances(self, sizes: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, "K K"] | None:  # noqa: ARG002
        """For each class (a row), the chances of what a label of it becomes where it is redrawn.

        Args:
            sizes: how many training examples each class has.

        Returns:
            Rows that sum to 1; None where it depends on more than the class, as on the input.
        """
        return None

    def redraw(
        self, labels: Int64[np.ndarray, " N"], uniform: Float64[np.ndarray, " N"], context: CorruptionContext
    ) -> Int64[np.ndarray, " N"]:
        """What each label becomes if it is redrawn; `uniform` are its own random numbers in [0, 1).

        By default by `chances`.
        """
        chances = self._verified_chances(np.bincount(labels, minlength=context.data.num_classes))
        if chances is None:
            raise NotImplementedError(f"{type(self).__name__} defines neither chances nor redraw")
        ends = np.cumsum(chances, axis=1)
        ends /= ends[:, -1:]  # what rounding leaves above the last end would be a class of chance 0
        drawn = np.empty_like(labels)
        for label in np.unique(labels):
            rows = labels == label
            drawn[rows] = np.searchsorted(ends[label], uniform[rows], side="right")
        return drawn

    def corrupt(
        self, labels: Int64[np.ndarray, " N"], rate: float, context: CorruptionContext
    ) -> Int64[np.ndarray, " N"]:
        """The labels, each redrawn with the chance `rate`."""
        uniform = stream(context.seed, "labels").random((2, len(labels)))
        return np.where(uniform[0] < rate, self.redraw(labels.copy(), uniform[1], context), labels)

    def law(self, rate: float, sizes: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, "K K"] | None:
        """For each class (a row), the chances of the label that is trained on; None where it is not known."""
        chances = self._verified_chances(sizes)
        return None if chances is None else (1 - rate) * np.eye(len(sizes)) + rate * chances

    def _verified_chances(self, sizes: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, "K K"] | None:
        """Raises UserError for what are no chances, of classes that there are."""
        chances = self.chances(sizes)
        if chances is None:
            return None
        rows, found = np.asarray(chances), f"shape {np.shape(chances)}"
        if rows.shape == (len(sizes), len(sizes)):
            wrong = np.flatnonzero((sizes > 0) & ~((rows >= 0).all(axis=1) & np.isclose(rows.sum(axis=1), 1)))
            found = "".join(
                f"a row from {rows[k].min():g} to {rows[k].max():g}, sum {rows[k].sum():g}" for k in wrong[:1]
            )
        if found:
            raise UserError(
                f"got chances of {type(self).__name__} with {found}, expected for each of {len(sizes)} classes a "
                "row of chances, at least 0, that sum to 1"
            )
        return rows

    def predictable(self, rate: float, sizes: Int64[np.ndarray, " K"]) -> float:
        """The share of these labels that the true class alone tells: the accuracy on them of a rule that knows every
        true class, and by which chances labels were redrawn. What is fitted beyond it is known by rote.

        1 / K for uniformly random labels; 1 where one class became all of them, or each class another. NaN where the
        law is not known.
        """
        law = self.law(rate, sizes)
        return math.nan if law is None else min(1.0, float(sizes @ law.max(axis=1)) / int(sizes.sum()))

    def check(self, clean: Dataset, corrupted: Dataset, rate: float) -> list[Check]:
        """Whether the arrays are what `rate` promises; by default against the binomial laws of `law`."""
        from byrote.data.corruptions.label_laws import at_most, changed_by  # SciPy is slow to import

        sizes = np.bincount(clean.train.labels, minlength=clean.num_classes)
        law = self.law(rate, sizes)
        before, after = clean.train.labels, corrupted.train.labels
        return at_most(before, after, rate) if law is None else changed_by(before, after, law, rate)


class InputCorruption(CorruptionMethod, ABC):
    """A corruption of inputs, of training and test set alike.

    >>> import byrote
    >>> class Negative(byrote.InputCorruption):
    ...     def redraw(self, inputs, generator, context):
    ...         return inputs.max() - inputs
    >>> byrote.corrupt(byrote.load("digits"), Negative, rate=0.5).train.changed.mean().round(1).item()
    0.5
    """

    changes: ClassVar[Literal["inputs"]] = "inputs"
    of_places: ClassVar[bool] = False
    """Whether it moves the values of an input to other places, and so leaves a single number as it is."""
    destroys_structure: ClassVar[bool] = False
    """Whether it leaves nothing that networks make use of: to fit what it gives takes memory, and no learning. What
    leaves some, as a little noise does, is no test of memory."""

    @abstractmethod
    def redraw(
        self, inputs: Shaped[np.ndarray, "B ..."], generator: np.random.Generator, context: CorruptionContext
    ) -> Shaped[np.ndarray, "B ..."]:
        """A block of examples of one split, all corrupted; `generator` is this block's own.

        Args:
            inputs: not to be changed; float32 where `of_quantities`.
        """

    def check(self, clean: Dataset, corrupted: Dataset, strength: float) -> list[Check]:  # noqa: ARG002
        """Whether the examples that are marked as changed are what the corruption promises. That so many are marked as
        the rate says, and the others left alone, is checked for all corruptions."""
        return []


AnyCorruption: TypeAlias = LabelCorruption | InputCorruption
