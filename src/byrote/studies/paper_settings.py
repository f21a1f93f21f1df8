"""The paper's hyper-parameters on CIFAR-10, and how much of the data a model takes at laptop scale.

Source     Zhang et al. (ICLR 2017), appendix A: SGD with momentum 0.9, initial learning rate 0.1 for Inception and 0.01
           for the others, times 0.95 per epoch of full CIFAR-10, centre crop 28, whitening.
Assumed    Batch size 128, which the paper does not state. For architectures that the paper does not have: rate 0.1 with
           batch norm, 0.01 without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from byrote.data.dataset import Dataset
from byrote.training.spec import Recipe

Scale = Literal["laptop", "paper"]

PAPER_MODELS = ("mlp-1x512", "mlp-3x512", "alexnet", "inception", "inception-no-batchnorm")
WEIGHT_DECAY = 5e-4
"""On all parameters, coupled into SGD; the paper does not state its strength."""

_EPOCH = Recipe().decay_steps
"""Steps of one epoch of CIFAR-10 at batch 128, after each of which the learning rate falls to 0.95 of itself."""
PAPER_STEPS = 100 * _EPOCH
"""By then 1 - 0.95^100 = 99.4% of all the learning that this schedule ever allows is spent."""

_CROP = 28
_LAPTOP_EXAMPLES: Mapping[str, int | None] = {"mlp": None, "alexnet": 2000}
_OTHER_LAPTOP_EXAMPLES = 1000
_LAPTOP_STEPS: Mapping[str, int] = {"mlp": 60 * _EPOCH, "alexnet": 1280, "conv": 2000}
_OTHER_LAPTOP_STEPS = 320


def paper_recipe(model: str, data: Dataset, **changes: Any) -> Recipe:
    """What the paper trains `model` with, on `data` that may have another size of image."""
    large = data.is_images and min(data.input_shape[1:]) > _CROP
    rate = 0.1 if _family(model) in ("inception", "resnet") else 0.01
    return Recipe.model_validate({"crop": _CROP if large else None, "learning_rate": rate} | changes)


def laptop_examples(model: str, data: Dataset) -> int | None:
    """So many training examples that a run on two cores takes minutes; None for all."""
    wanted = _LAPTOP_EXAMPLES.get(_family(model), _OTHER_LAPTOP_EXAMPLES)
    return wanted if wanted is not None and wanted < len(data.train) else None


def laptop_steps(model: str) -> int:
    """So many steps that a run on `laptop_examples` takes minutes and has most of its learning behind it.

    60 epochs of CIFAR-10 spend 95% of what the schedule allows. The subsets of the others are fitted long before their
    rate has fallen much: 80 epochs of 2,000 examples, and 40 of 1,000; conv-small, at its rate of 0.01, takes longer.
    """
    return _LAPTOP_STEPS.get(_family(model), _OTHER_LAPTOP_STEPS)


def _family(model: str) -> str:
    return model.partition("-")[0]
