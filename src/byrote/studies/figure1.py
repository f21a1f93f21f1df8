"""The randomisation test as two ready-made studies: the paper's Figure 1, and a demonstration on small images.

Source     Zhang et al. (ICLR 2017), Figure 1 and appendix A: SGD with momentum 0.9, initial learning rate 0.1 for
           Inception and 0.01 for the others, times 0.95 per epoch of full CIFAR-10, centre crop 28, whitening.
Assumed    Batch size 128, which the paper does not state.
"""

from __future__ import annotations

from typing import Literal

from byrote.data.dataset import Dataset
from byrote.studies.randomization import RATES, SETTINGS, RandomizationStudy
from byrote.training.spec import Recipe

Scale = Literal["laptop", "paper"]

_CROP = 28


def demo_study(data: Dataset, seeds: int = 1) -> RandomizationStudy:
    """A small convolutional network and an MLP under every condition of Figure 1, with one recipe for all.

    Meant for `digits`, where all runs fit. The learning rate was chosen by training alone: at 0.1 the
    convolutional network did not fit Gaussian inputs in 150 epochs.
    """
    return RandomizationStudy(
        data=data,
        models=("mlp-1x512", "conv-small"),
        seeds=seeds,
        recipe=Recipe(learning_rate=0.05),
    )


def figure1_study(data: Dataset, scale: Scale, seeds: int = 1) -> RandomizationStudy:
    """The paper's Figure 1, with the paper's hyper-parameters.

    Args:
        scale: "paper" is every model on the whole training set, under all five settings and label corruptions in
            steps of 0.1. "laptop" is mlp-3x512 on the whole set under five label corruptions, and alexnet on 2,000
            and inception on 1,000 examples under the five settings.
    """
    sides = data.input_shape[1:]
    recipe = Recipe(crop=_CROP if data.is_images and min(sides) > _CROP else None)
    inception = recipe.model_copy(update={"learning_rate": 0.1})
    if scale == "paper":
        models = ("mlp-1x512", "mlp-3x512", "alexnet", "inception")
        return RandomizationStudy(
            data=data,
            models=models,
            rates=tuple(round(0.1 * level, 1) for level in range(11)),
            seeds=seeds,
            recipe=dict.fromkeys(models, recipe) | {"inception": inception},
        )
    return RandomizationStudy(
        data=data,
        models=("mlp-3x512", "alexnet", "inception"),
        settings={"mlp-3x512": (), "alexnet": SETTINGS, "inception": SETTINGS},
        rates={"mlp-3x512": RATES, "alexnet": (), "inception": ()},
        seeds=seeds,
        recipe={"mlp-3x512": recipe, "alexnet": recipe, "inception": inception},
        n_train={
            "mlp-3x512": None,
            "alexnet": _at_most(2000, data),
            "inception": _at_most(1000, data),
        },
    )


def _at_most(n_train: int, data: Dataset) -> int | None:
    return n_train if n_train < len(data.train) else None
