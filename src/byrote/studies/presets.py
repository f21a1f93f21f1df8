"""Studies that are others with their arguments chosen: the paper's Figures 1 and 2, and the demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byrote.data.dataset import Dataset
from byrote.studies.implicit.study import IMPLICIT_RECIPE, ImplicitStudy
from byrote.studies.model_choice import architecture, chosen_models
from byrote.studies.paper_settings import (
    LAPTOP,
    QUICK,
    QUICK_MODELS,
    Scale,
    num_examples,
    paper_recipe,
    sized,
    sizes_at,
)
from byrote.studies.randomization.study import RATES, RandomizationStudy, settings_of
from byrote.training.recipe import Recipe

_FIGURE_2_RATES = (0.0, 0.4)
"""True labels, as the paper has them; and noise, under which stopping early is known to matter more: another claim."""


def demo_study(data: Dataset, seeds: int = 1) -> RandomizationStudy:
    """A small convolutional network and an MLP under every condition of Figure 1, with one recipe for all.

    Meant for `digits`, where all runs fit. The learning rate was chosen by training alone: at 0.1 the
    convolutional network did not fit Gaussian inputs in 150 epochs.
    """
    return RandomizationStudy(
        data=data,
        defaults=("mlp-1x512", "conv-small"),
        seeds=seeds,
        recipe=Recipe(learning_rate=0.05),
    )


def figure1_study(
    data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None
) -> RandomizationStudy:
    """The paper's Figure 1, with the paper's hyper-parameters.

    Args:
        scale: "paper" is every model on the whole training set, under all five settings and label corruptions in
            steps of 0.1. "laptop" is mlp-3x512 on the whole set under five label corruptions, and alexnet on 2,000
            and inception on 1,000 examples under the five settings; all of it for all models where there are no more
            examples than that. "quick" is mlp-1x512 and conv-small on 500 examples.
        models: others than these, each under all settings and all label corruptions: only the three above are known to
            be shown whole by what each of them leaves to the others.
    """
    if scale == "paper":
        defaults: tuple[str, ...] = ("mlp-1x512", "mlp-3x512", "alexnet", "inception")
        names = chosen_models(models, data, defaults)
        return RandomizationStudy(
            data=data,
            models=models,
            defaults=defaults,
            rates=tuple(round(0.1 * level, 1) for level in range(11)),
            seeds=seeds,
            recipe={model: paper_recipe(model, data) for model in names},
        )
    quick = scale == "quick"
    shared = models is None and not quick
    defaults = QUICK_MODELS if quick else ("mlp-3x512", "alexnet", "inception")
    names = chosen_models(models, data, defaults)
    examples = {model: num_examples(model, data, QUICK if quick else LAPTOP) for model in names}
    every = not shared or not any(examples.values())
    return RandomizationStudy(
        data=data,
        models=models,
        defaults=defaults,
        settings={model: settings_of(data) if every or examples[model] else () for model in names},
        rates={model: RATES if every or not examples[model] else () for model in names},
        seeds=seeds,
        recipe={model: paper_recipe(model, data, **(_quick(model) if quick else {})) for model in names},
        n_train=examples,
    )


def _quick(model: str) -> dict[str, Any]:
    """Changes of the recipe of a run that ends at interpolation."""
    rates = {kind: own["learning_rate"] for kind, (_, own) in QUICK.items() if "learning_rate" in own}
    kind = architecture(model)
    return {"epochs": _QUICK_EPOCHS} | ({"learning_rate": rates[kind]} if kind in rates else {})


_QUICK_EPOCHS = 200
"""At most; 500 random labels of digits are fitted after 93 and 61 (one seed)."""


def figure2_study(data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None) -> ImplicitStudy:
    """The paper's Figure 2, with the paper's hyper-parameters and a tenth of the training set held out for validation.

    Args:
        scale: "paper" is an MLP, and Inception with and without batch norm, on the whole training set for 100 epochs,
            on true labels and on labels of which 40% are redrawn. "laptop" is the MLP on the whole set for 60, and
            Inception on 1,000 examples, on true labels alone unless these are all there are. "quick" is a smaller
            MLP, and a small residual network with and without batch norm, on up to 500.
        models: others than these three; a model is compared with its own name and -no-batchnorm.
    """
    defaults = ("mlp-3x512", "inception", "inception-no-batchnorm")
    if scale == "quick":
        defaults = ("mlp-1x512", "resnet-1x8", "resnet-1x8-no-batchnorm")
    sizes, changes = sizes_at(scale, data, LAPTOP), IMPLICIT_RECIPE.model_dump(exclude_unset=True)
    own = sized(data, models, defaults, sizes, **changes)
    rates = {model: _FIGURE_2_RATES if n_train is None else (0.0,) for model, n_train in own["n_train"].items()}
    return ImplicitStudy(**own, seeds=seeds, rates=rates)
