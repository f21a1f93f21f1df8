"""Recipe: how a network is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, field_validator, model_serializer, model_validator

from byrote.data.dataset import Dataset
from byrote.data.kinds import Preprocessing, preprocessing_of
from byrote.errors import UserError, kind_of
from byrote.records import Count, Positive, Record
from byrote.references import name_of

R = TypeVar("R", bound="Recipe")

_OF_STEPS = ("decay", "decay_steps")
"""What the schedule `steps` alone heeds."""
_YOUNGER_THAN_STORES = ("schedule", "warmup_steps", "half", "replaced", "repeat", "stack")
"""Left out of what is keyed and stored while they have their defaults, so that runs of before them keep their keys."""


class Recipe(Record):
    """How a network is trained. The defaults are the paper's settings on CIFAR-10 for MLPs.

    In Python, `optimizer` also takes the class itself, `augmentation` and `schedule` the function itself.

    >>> import torch
    >>> recipe = Recipe(optimizer=torch.optim.RAdam, learning_rate=0.01, schedule="cosine", warmup_steps=50, steps=2000)
    >>> recipe.optimizer, recipe.stop
    ('RAdam', 'at_steps')
    >>> recipe.changed(schedule="steps").decay
    0.95

    Raises:
        UserError: a field that is not there, a value that it cannot take, or one that the recipe does not heed.
    """

    preprocessing: Preprocessing = "auto"
    """auto: by the kind of data, whiten for images, standardize for vectors, none for tokens. whiten: subtract each
    image's mean, divide by its adjusted standard deviation; standardize: by the training set's mean and deviation per
    channel or feature; none: only scale pixels to [0, 1]."""
    crop: Count | None = None
    """The side in pixels of the centre crop (the paper's is 28); under an augmentation, of its windows too."""
    augmentation: str = "none"
    """How each training image is changed, anew in every epoch and before whitening: none, random-crop,
    crop-flip-color, FILE.py:NAME or package.module:NAME."""
    optimizer: str = "sgd"
    """The optimiser: sgd, any class of torch.optim by its name ("Adam"), FILE.py:NAME or package.module:NAME."""
    learning_rate: Positive = 0.01
    """The learning rate, which the schedule and the warm-up multiply by a factor at each step."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """The momentum of sgd alone; other optimisers take theirs through optimizer_options."""
    optimizer_options: tuple[tuple[str, float | int | bool | str], ...] = ()
    """Further keyword arguments of the optimiser, as names and values."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """The weight decay of all trained weights, as the optimiser defines it (the paper's is 0.0005)."""
    schedule: str = "steps"
    """The course of the learning rate: constant; steps, times decay after every decay_steps; cosine, to 0 at the end of
    steps, or, under at_interpolation, of all epochs that a run may take; FILE.py:NAME or package.module:NAME of a
    function called as NAME(step, total_steps) -> factor."""
    warmup_steps: Annotated[int, Field(ge=0, le=10**12)] = 0
    """The steps over which the learning rate first rises from near 0, in a straight line; then the schedule begins."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.95
    """The factor that the learning rate is multiplied by after every decay_steps under the schedule steps; 1 is the
    schedule constant."""
    decay_steps: Count = 391
    """The optimiser steps between two decays (391: one epoch of all of CIFAR-10 at batch 128), whatever n is."""
    loss: Literal["cross-entropy", "squared-error"] = "cross-entropy"
    """The loss: cross-entropy of the softmax, or the squared error against one-hot labels."""
    batch_size: Count = 128
    """Training examples in a batch."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The rate of dropout, for models that take one."""
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] | None = None
    """The weight of the newest batch in the running averages of batch norm."""
    batch_norm_epsilon: Positive | None = None
    """The number that batch norm adds to variances before it divides by their root."""
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    """bfloat16: matrix products and convolutions in bfloat16; weights, sums and losses stay float32."""
    stop: Literal["at_interpolation", "at_steps"] = "at_interpolation"
    """When a run ends: as soon as it fits all training labels, or after a number of steps."""
    epochs: Count = 200
    """The most epochs a run may take under at_interpolation."""
    steps: Count | None = None
    """The optimiser steps that a run takes under at_steps; given alone, it makes runs stop so."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the training set, stratified, that is held out of training and evaluated when the test set is."""
    evaluation_spacing: Annotated[float, Field(ge=1)] = 1.3
    """The ratio of epochs at which full evaluation runs (1: every epoch), as far as evaluation_share pays for it."""
    evaluation_share: Positive = 0.1
    """The most that these evaluations may cost, as a share of the cost of training."""
    dense_steps: Annotated[int, Field(ge=0)] = 1000
    """The first steps of training whose gradients are recorded one by one."""

    @field_validator("optimizer", mode="before")
    @classmethod
    def _a_class_by_its_name(cls, optimizer: object) -> object:
        if isinstance(optimizer, type):
            is_torchs = optimizer.__module__.startswith("torch.optim.")
            optimizer = optimizer.__name__ if is_torchs else name_of(optimizer)
        if not isinstance(optimizer, str):
            raise UserError(
                f"got an optimizer that is {kind_of(optimizer)}, expected a class, such as torch.optim.Adam, "
                "or its name; what it is made with are learning_rate, weight_decay and optimizer_options"
            )
        name = optimizer.removeprefix("torch.optim:")
        return "sgd" if name.lower() == "sgd" else name

    @field_validator("augmentation", "schedule", mode="before")
    @classmethod
    def _a_function_by_its_name(cls, function: object) -> object:
        return name_of(function) if callable(function) else function

    @field_validator("optimizer_options", mode="before")
    @classmethod
    def _a_mapping_as_pairs(cls, options: object) -> object:
        return tuple(options.items()) if isinstance(options, Mapping) else options

    @model_validator(mode="before")
    @classmethod
    def _steps_alone_say_when_to_stop(cls, fields: Any) -> Any:
        alone = isinstance(fields, dict) and fields.get("steps") is not None and "stop" not in fields
        return fields | {"stop": "at_steps"} if alone else fields

    @model_validator(mode="before")
    @classmethod
    def _a_decay_of_1_is_none(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or fields.get("decay") != 1 or fields.get("schedule", "steps") != "steps":
            return fields
        return {name: value for name, value in fields.items() if name not in _OF_STEPS} | {"schedule": "constant"}

    @model_validator(mode="after")
    def _decays_by_steps_only(self) -> Recipe:
        for name in _OF_STEPS if self.schedule != "steps" else ():
            if (value := getattr(self, name)) != type(self).model_fields[name].default:
                raise ValueError(_unheeded(name, value, self.schedule))
        return self

    @model_validator(mode="after")
    def _stop_rule_is_complete(self) -> Recipe:
        if (self.stop == "at_steps") != (self.steps is not None):
            raise ValueError(
                f"stop={self.stop!r} with steps={self.steps}: at_steps needs a number of steps, "
                "at_interpolation takes none (its limit is epochs)"
            )
        return self

    @model_serializer(mode="wrap", when_used="json")
    def _as_before_it_had_these(self, serialize: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        fields = serialize(self)
        if self.schedule == "constant":
            fields |= {"schedule": "steps", "decay": 1.0}
        known = type(self).model_fields
        return {n: v for n, v in fields.items() if n not in _YOUNGER_THAN_STORES or v != known[n].default}

    @property
    def references(self) -> tuple[str, ...]:
        """Names that may be the user's own code (FILE.py:NAME), whose source is part of the key."""
        return (self.optimizer, self.augmentation, self.schedule)

    def canonical_json(self) -> str:
        """One text for equal ones, on every machine: what the key of a run hashes."""
        fields = self.model_dump(mode="json")
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    def changed(self: R, **changes: Any) -> R:
        """The same with these fields changed; steps alone make it stop after so many.

        Raises:
            UserError: a field or value that no recipe has, or a field that the recipe does not heed.
        """
        implied: dict[str, Any] = {}
        if changes.get("steps") is not None:
            implied["stop"] = "at_steps"
        elif changes.get("stop") == "at_interpolation":
            implied["steps"] = None
        if changes.get("schedule", "steps") != "steps":
            implied |= {name: type(self).model_fields[name].default for name in _OF_STEPS}
        made = type(self)(**(self.model_dump() | implied | changes))
        if "epochs" in changes and made.stop == "at_steps":
            raise UserError(
                f"got epochs={made.epochs} where training stops after {made.steps:,} steps: give steps=N instead, or "
                "stop=at_interpolation"
            )
        if "momentum" in changes and made.optimizer != "sgd":
            raise UserError(
                f"got momentum={made.momentum:g} for {made.optimizer}, which does not heed it: give optimizer_options"
            )
        for name in _OF_STEPS if made.schedule != "steps" else ():
            if name in changes and (name, changes[name]) != ("decay", 1):
                raise UserError(_unheeded(name, changes[name], made.schedule))
        return made

    def resolved(self: R, data: Dataset) -> R:
        """The same with `preprocessing` as it is done to `data`. What is keyed, trained and stored is this.

        Raises:
            UserError: a preprocessing that does not go with the kind of data.
        """
        done = preprocessing_of(data, self.preprocessing)
        return self if done == self.preprocessing else self.model_copy(update={"preprocessing": done})


def _unheeded(name: str, value: object, schedule: str) -> str:
    return (
        f"got {name}={value} with the schedule {schedule}, which does not heed it: leave it out, or give schedule=steps"
    )
