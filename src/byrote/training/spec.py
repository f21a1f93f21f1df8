"""TrainSpec: everything that defines one run, and nothing that does not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from byrote.data.corruptions.application import refuse_impossible
from byrote.data.corruptions.catalog import TRUE_LABELS
from byrote.data.corruptions.contract import InputCorruption, LabelCorruption
from byrote.data.corruptions.record import UNIFORM_LABELS, Corruption, corruption_words
from byrote.data.dataset import Dataset
from byrote.data.subsets import half_size, num_held_out
from byrote.records import Count, Seed
from byrote.references import is_reference, short_name
from byrote.training.recipe import Recipe

FIELDS_OF_REPLICAS = (
    "corruptions",
    "seed",
    "data_seed",
    "half",
    "replaced",
    "repeat",
    "learning_rate",
    "weight_decay",
)
"""What runs that are trained side by side may differ in."""


class TrainSpec(Recipe):
    """One run: a model, a corruption of the data, a recipe, and seeds. Frozen, hashable, validated.

    >>> spec = TrainSpec(model="mlp-1x512", corruptions=[{"name": "partial-labels", "rate": 0.4}], epochs=50)
    >>> spec.corruption, spec.label_rate, spec.learning_rate
    ('partial-labels', 0.4, 0.01)

    Raises:
        UserError: as of a Recipe; two corruptions of one kind; an example replaced with none held out.
    """

    model: str
    """A catalogue name ("mlp-3x512"), FILE.py:NAME or package.module:NAME."""
    corruptions: tuple[Corruption, ...] = ()
    """Applied in this order to clean data, before preprocessing; () is the paper's "true labels"."""
    n_train: Count | None = None
    """Size of the stratified training subset; None takes all."""
    seed: Seed = 0
    """Opens the streams of corruption, initial weights, batch order, augmentation and dropout."""
    data_seed: Seed = 0
    """Draws the training subset, and which of its examples are held out for validation."""
    half: Annotated[int, Field(ge=0)] | None = None
    """The number of the random half of the training set that it is trained on: 2k and 2k + 1 are the two that draw k of
    data_seed makes. The outcome then has what the network says of every example, those left out included."""
    replaced: Annotated[int, Field(ge=0)] | None = None
    """The place, in the training set, of an example that changes places with a held-out one; all else stays, initial
    weights, batch order and the labels of the others included. What uniform stability asks about."""
    repeat: Annotated[int, Field(ge=0)] = 0
    """Tells runs apart that are otherwise the same: several of them in one stack show what rounding does."""
    stack: str | None = None
    """Runs that have the same name here are trained side by side, and with no others; None leaves it to the planner."""

    @field_validator("corruptions")
    @classmethod
    def _at_most_one_of_each_kind(cls, corruptions: tuple[Corruption, ...]) -> tuple[Corruption, ...]:
        # The user's own are looked at when they are applied: a store is read without their files.
        built_in = [corruption for corruption in corruptions if not is_reference(corruption.name)]
        for kind in ("labels", "inputs"):
            found = [corruption.name for corruption in built_in if corruption.method.changes == kind]
            if len(found) > 1:
                raise ValueError(f"got {' and '.join(found)}: a run takes at most one {kind[:-1]} corruption")
        return corruptions

    @model_validator(mode="after")
    def _replacement_is_held_out(self) -> TrainSpec:
        if self.replaced is not None and not self.validation:
            raise ValueError(
                f"replaced={self.replaced} without a validation share: an example is replaced with one held out"
            )
        return self

    @model_validator(mode="after")
    def _half_is_all_that_is_held_out(self) -> TrainSpec:
        if self.half is not None and self.validation:
            raise ValueError(
                f"half={self.half} with validation={self.validation:g}: the other half is held out already, so leave "
                "validation out"
            )
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """Names that may be the user's own code (FILE.py:NAME), whose source is part of the key."""
        return (self.model, *super().references, *(each.name for each in self.corruptions))

    @property
    def corruption(self) -> str:
        """The column `corruption` of results.csv: "true-labels", "partial-labels+gaussian", "additive-noise=0.5"."""
        return "+".join(corruption.label for corruption in self.corruptions) or TRUE_LABELS

    @property
    def setting(self) -> str:
        """What figures call that: "partial labels 50%, Gaussian inputs"."""
        return corruption_words(self.corruption, self.corruption_rate)

    @property
    def corruption_rate(self) -> float:
        """The column `corruption_rate`: of the first corruption; 0 on true labels."""
        return self.corruptions[0].rate if self.corruptions else 0.0

    @property
    def label_rate(self) -> float:
        """The rate of the label corruption, 0 where labels are true: the x axis of Figures 1b and 1c."""
        return max((each.rate for each in self.corruptions if each.method.changes == "labels"), default=0.0)

    @property
    def uniform_rate(self) -> float | None:
        """The chance that a label is redrawn uniformly, 0 where labels are true; None under any other corruption."""
        return self.label_rate if self.corruption in UNIFORM_LABELS else None

    @property
    def label_method(self) -> LabelCorruption | None:
        """What corrupts the labels; None where they are true."""
        methods = (each.method for each in self.corruptions)
        return next((method for method in methods if isinstance(method, LabelCorruption)), None)

    @property
    def input_method(self) -> InputCorruption | None:
        """What corrupts the inputs."""
        methods = (each.method for each in self.corruptions)
        return next((method for method in methods if isinstance(method, InputCorruption)), None)

    @property
    def label(self) -> str:
        """What progress and failures call it: "mlp-1x512, partial-labels 0.5, seed 0"."""
        rate = f" {self.corruption_rate:g}" if 0 < self.corruption_rate < 1 else ""
        corruption = "+".join(short_name(each.label) for each in self.corruptions) or TRUE_LABELS
        return f"{short_name(self.model)}, {corruption}{rate}, seed {self.seed}"

    def num_trained(self, data: Dataset) -> int:
        """How many examples it is trained on: without those held out.

        Raises:
            UserError: a validation share that leaves no example on one side.
        """
        num_examples = len(data.train) if self.n_train is None else self.n_train
        if self.half is not None:
            return half_size(num_examples)
        return num_examples - num_held_out(num_examples, self.validation)

    def key(self, data: Dataset) -> str:
        """SHA-256 over the fields, the data's arrays, the model's parameters, the user's source, and the engine's
        SEMANTICS: equal for runs that must give the same result, different for all others.

        Raises:
            UserError: a model, optimiser, schedule, crop, corruption, augmentation or validation share that is not
                there or does not go with the data.
        """
        # Not above: specs are made without torch, which builds the model.
        from byrote.training.key import verified_digest

        spec = self.resolved(data)
        refuse_impossible(spec.corruptions, data)
        return verified_digest(spec, data, model=spec.model, num_trained=spec.num_trained(data))
