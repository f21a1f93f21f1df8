"""Implicit regularisers as a ready-made study: the paper's Figure 2."""

from __future__ import annotations

from collections.abc import Sequence

from byrote.data.dataset import Dataset
from byrote.studies.implicit.study import IMPLICIT_RECIPE, ImplicitStudy
from byrote.studies.model_choice import chosen_models
from byrote.studies.paper_settings import LAPTOP, WHOLE, Scale, sized

RATES = (0.0, 0.4)
"""True labels, as the paper has them; and noise, under which stopping early is known to matter more: another claim."""


def figure2_study(data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None) -> ImplicitStudy:
    """The paper's Figure 2, with the paper's hyper-parameters and a tenth of the training set held out for validation.

    Args:
        scale: "paper" is an MLP, and Inception with and without batch norm, on the whole training set for 100 epochs,
            on true labels and on labels of which 40% are redrawn. "laptop" is the MLP on the whole set for 60, and
            Inception on 1,000 examples, on true labels alone unless these are all there are.
        models: others than these three; a model is compared with its own name and -no-batchnorm.
    """
    defaults = ("mlp-3x512", "inception", "inception-no-batchnorm")
    names = chosen_models(models, data, defaults)
    own = sized(names, data, LAPTOP if scale == "laptop" else WHOLE, **IMPLICIT_RECIPE.model_dump(exclude_unset=True))
    return ImplicitStudy(
        data=data,
        models=models,
        defaults=defaults,
        seeds=seeds,
        rates={model: RATES if n_train is None else (0.0,) for model, n_train in own["n_train"].items()},
        **own,
    )
