"""The randomisation test as two ready-made studies: the paper's Figure 1, and a demonstration on small images."""

from __future__ import annotations

from collections.abc import Sequence

from byrote.data.dataset import Dataset
from byrote.studies.model_choice import chosen_models
from byrote.studies.paper_settings import LAPTOP, Scale, num_examples, paper_recipe
from byrote.studies.randomization.study import RATES, RandomizationStudy, settings_of
from byrote.training.spec import Recipe


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


def figure1_study(
    data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None
) -> RandomizationStudy:
    """The paper's Figure 1, with the paper's hyper-parameters.

    Args:
        scale: "paper" is every model on the whole training set, under all five settings and label corruptions in
            steps of 0.1. "laptop" is mlp-3x512 on the whole set under five label corruptions, and alexnet on 2,000
            and inception on 1,000 examples under the five settings; all of it for all models where there are no more
            examples than that.
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
    shared = models is None
    defaults = ("mlp-3x512", "alexnet", "inception")
    names = chosen_models(models, data, defaults)
    examples = {model: num_examples(model, data, LAPTOP) for model in names}
    every = not shared or not any(examples.values())
    return RandomizationStudy(
        data=data,
        models=models,
        defaults=defaults,
        settings={model: settings_of(data) if every or examples[model] else () for model in names},
        rates={model: RATES if every or not examples[model] else () for model in names},
        seeds=seeds,
        recipe={model: paper_recipe(model, data) for model in names},
        n_train=examples,
    )
