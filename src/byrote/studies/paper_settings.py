"""The paper's hyper-parameters on CIFAR-10, and how much of the data a model takes at laptop scale.

Source     Zhang et al. (ICLR 2017), appendix A: SGD with momentum 0.9, initial learning rate 0.1 for Inception and 0.01
           for the others, times 0.95 per epoch of full CIFAR-10, centre crop 28, whitening.
Assumed    Batch size 128, which the paper does not state. For architectures that the paper does not have: rate 0.1 for
           residual networks, 0.01 for others, the user's own among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from byrote.data.dataset import Dataset
from byrote.studies.model_choice import architecture, chosen_models
from byrote.training.recipe import Recipe

Scale = Literal["quick", "laptop", "paper"]

PAPER_MODELS = ("mlp-1x512", "mlp-3x512", "alexnet", "inception", "inception-no-batchnorm")
WEIGHT_DECAY = 5e-4
"""On all parameters, coupled into SGD; the paper does not state its strength."""

_EPOCH = Recipe().decay_steps
"""Steps of one epoch of CIFAR-10 at batch 128, after each of which the learning rate falls to 0.95 of itself."""
PAPER_STEPS = 100 * _EPOCH
"""By then 1 - 0.95^100 = 99.4% of all the learning that this schedule ever allows is spent."""

_CROP = 28

Sizes: TypeAlias = Mapping[str, tuple[int | None, dict[str, Any]]]
"""Training examples (None: all) and the fields of a recipe that go with so many, by the first word of a model's name;
"" is for all others, and for the user's own."""

WHOLE: Sizes = {"": (None, {"steps": PAPER_STEPS})}
LAPTOP: Sizes = {
    "mlp": (None, {"steps": 60 * _EPOCH}),
    "alexnet": (2000, {"steps": 1280}),
    "conv": (1000, {"steps": 2000}),
    "": (1000, {"steps": 320}),
}
"""So much that a run on two cores takes minutes and has most of its learning behind it.

60 epochs of CIFAR-10 spend 95% of what the schedule allows. The subsets of the others are fitted long before their rate
has fallen much: 80 epochs of 2,000 examples, and 40 of 1,000 (random labels of CIFAR-10 without regularisers after 22
and 25; one seed each); conv-small, at its rate of 0.01, takes longer."""


QUICK_MODELS = ("mlp-1x512", "conv-small")
QUICK: Sizes = {
    "mlp": (500, {"steps": 600, "learning_rate": 0.02}),
    "conv": (500, {"steps": 300, "learning_rate": 0.05}),
    "": (256, {"steps": 200}),
}
"""So little that a study takes minutes of two cores at most, and networks without regularisers still fit random labels
(of 500 digits after 372 and 188 steps; one seed)."""
_MANY = 50_000
"""Examples of CIFAR-10, for which steps are meant where all examples are taken."""


def sizes_at(scale: Scale, data: Dataset, laptop: Sizes, quick: Sizes = QUICK) -> Sizes:
    """What a study takes at `scale`. On fewer examples than a size is made for, steps fall with the root of their
    number: few random labels take fewer steps to fit than many, but more for each (mlp-1x512 at rate 0.01 fits 1,437 of
    digits after 3,312 steps, and 100 after 67; one seed)."""
    if scale == "paper":
        return WHOLE
    chosen = laptop if scale == "laptop" else quick
    return {
        name: (n, own | {"steps": math.ceil(own["steps"] * math.sqrt(min(1, len(data.train) / (n or _MANY))))})
        for name, (n, own) in chosen.items()
    }


def paper_recipe(model: str, data: Dataset, **changes: Any) -> Recipe:
    """What the paper trains `model` with, on `data` that may have another size of image."""
    large = data.is_images and min(data.input_shape[1:]) > _CROP
    rate = 0.1 if architecture(model) in ("inception", "resnet") else 0.01
    return Recipe.model_validate({"crop": _CROP if large else None, "learning_rate": rate} | changes).resolved(data)


class Sized(TypedDict):
    """Arguments of a ModelStudy, all but its seeds."""

    data: Dataset
    models: Sequence[str] | None
    defaults: Sequence[str]
    recipe: dict[str, Recipe]
    n_train: dict[str, int | None]


def sized(data: Dataset, models: Sequence[str] | None, defaults: Sequence[str], sizes: Sizes, **changes: Any) -> Sized:
    """`paper_recipe`, for a number of steps, and `num_examples` of each of `models`, or for want of them of `defaults`.

    Fields of the recipe in `sizes` win over `changes`.
    """
    names, common = chosen_models(models, data, defaults), {"stop": "at_steps"} | changes
    return {
        "data": data,
        "models": models,
        "defaults": defaults,
        "recipe": {model: paper_recipe(model, data, **(common | _of(model, sizes)[1])) for model in names},
        "n_train": {model: num_examples(model, data, sizes) for model in names},
    }


def num_examples(model: str, data: Dataset, sizes: Sizes) -> int | None:
    """How many training examples `model` takes of `data`; None for all, also where there are no more."""
    wanted, _ = _of(model, sizes)
    return wanted if wanted is not None and wanted < len(data.train) else None


def _of(model: str, sizes: Sizes) -> tuple[int | None, dict[str, Any]]:
    return sizes.get(architecture(model), sizes[""])
