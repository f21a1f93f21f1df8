"""Every study that the command line offers, a line each: `byrote reproduce`, `measure`, `demo`, `judge` and `list`.

What a line names is imported on use alone, for it imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from byrote.data.dataset import Dataset
    from byrote.evidence.columns import Column
    from byrote.evidence.published import PublishedFigure
    from byrote.studies.study import Study
    from byrote.training.recipe import Recipe


@dataclass(frozen=True)
class Registered:
    """A study."""

    description: str
    study: str
    """MODULE:CLASS."""

    @property
    def columns(self) -> Sequence[Column]:
        """Of its table."""
        return resolve_name(self.study).columns


@dataclass(frozen=True)
class Reproduction(Registered):
    """A study that is a figure, a table or a claim of the paper."""

    builder: str
    """MODULE:FUNCTION, called as FUNCTION(data, scale, seeds, models)."""
    figures: str = ""
    """MODULE:FUNCTION, called as FUNCTION(data, table): the paper's numbers that it reproduces; "" for none."""
    takes_models: bool = True
    least_seeds: int = 1
    """Of more than one."""
    quick: str = ""
    """What is there at the scale quick, in a sentence for the page."""

    @property
    def build(self) -> Callable[..., Study]:
        """What makes the study."""
        return resolve_name(self.builder)

    def published_figures(self, data: Dataset, table: pd.DataFrame) -> list[PublishedFigure]:
        """The paper's numbers beside those in the study's table, which is empty where it has not been run."""
        return resolve_name(self.figures)(data, table) if self.figures else []


@dataclass(frozen=True)
class Flag:
    """A flag that one measure alone takes, or takes in its own way."""

    kind: Any
    default: Any
    told: str
    used: str = ""
    """What is used where it is left out and has no default."""
    metavar: str = "INT"
    """What stands for its value, where that is so."""


@dataclass(frozen=True)
class Measurement(Registered):
    """A study that measures a quantity of a model and its recipe."""

    builder: str = ""
    """MODULE:FUNCTION, called as FUNCTION(data, model=, recipe=, seeds=, n_train=) and with its own flags; "" for the
    class."""
    recipe: str = "byrote.studies.paper_settings:paper_recipe"
    """MODULE:FUNCTION that makes the recipe, called as FUNCTION(model, data, **own)."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the recipe that it chooses itself."""
    used: Mapping[str, str] = field(default_factory=dict)
    """What --help says of fields of the recipe that differ from the paper's, where they are left out."""
    told: str = "How networks are trained."
    """What it says of the flags of the recipe."""
    flags: Mapping[str, Flag] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    """Its flags at the scale quick, where they are not given."""

    @property
    def build(self) -> Callable[..., Study]:
        """What makes the study."""
        return resolve_name(self.builder or self.study)

    def make_recipe(self, model: str | None, data: Dataset, precision: str, changes: Mapping[str, Any]) -> Recipe:
        """The recipe of `model`, or of the default for want of one, with `changes`.

        Raises:
            UserError: a field or value that no recipe has, or a field that the recipe does not heed.
        """
        from byrote.studies.model_choice import DEFAULT_MODEL

        made: Recipe = resolve_name(self.recipe)(model or DEFAULT_MODEL, data, precision=precision, **self.own)
        return made.changed(**changes)


_MEMORIZING = "byrote.studies.random_labels:memorizing_recipe"
_SMALL = "0.05 for perceptrons on up to 1,000 features, 0.1 for inception and resnet, else 0.01"

STUDIES: dict[str, Registered] = {
    "demo": Registered(
        "the randomisation test on an embedded data set", "byrote.studies.randomization.study:RandomizationStudy"
    ),
    "figure1": Reproduction(
        "Figure 1: learning curves under each randomisation, time to fit and test error against label corruption",
        "byrote.studies.randomization.study:RandomizationStudy",
        "byrote.studies.presets:figure1_study",
        quick="small models on up to 500 examples stand in for the paper's.",
    ),
    "table1": Reproduction(
        "Table 1: crops, weight decay and batch norm on true labels, beside random labels",
        "byrote.studies.table1.study:Table1Study",
        "byrote.studies.table1.study:table1_study",
        "byrote.studies.table1.published:published_figures",
        quick="small models on up to 500 examples, for at most 600 steps, stand in for the paper's five.",
    ),
    "table2": Reproduction(
        "Table 2: the same at the scale of ImageNet, top-1 and top-5, on images of yours",
        "byrote.studies.table2.study:Table2Study",
        "byrote.studies.table2.study:table2_study",
        "byrote.studies.table2.published:published_figures",
        quick="a small network on up to 500 images stands in for one of the size of ImageNet's.",
    ),
    "table4": Reproduction(
        "Table 4: whether regularisers keep networks from fitting random labels, by the strength of weight decay",
        "byrote.studies.table4.study:Table4Study",
        "byrote.studies.table4.study:table4_study",
        "byrote.studies.table4.published:published_figures",
        quick="small models on up to 500 examples stand in for the paper's four, with three weight decays.",
    ),
    "figure2": Reproduction(
        "Figure 2: early stopping and batch norm along training",
        "byrote.studies.implicit.study:ImplicitStudy",
        "byrote.studies.presets:figure2_study",
        quick="small models on up to 500 examples, for at most 600 steps, stand in for the paper's.",
    ),
    "regularization": Reproduction(
        "the full grid of regularisers: which of them make it generalise, and by how much",
        "byrote.studies.regularization.study:RegularizationStudy",
        "byrote.studies.regularization.study:regularization_study",
        quick="small models are trained on up to 500 examples, for at most 600 steps.",
    ),
    "strengths": Reproduction(
        "regularisers as tuning parameters: test accuracy and capacity against strength, and their worth in data",
        "byrote.studies.strengths.study:StrengthStudy",
        "byrote.studies.strengths.study:strengths_study",
        quick="one model is trained on up to 500 examples, with one or two strengths of each regulariser.",
    ),
    "architectures": Reproduction(
        "architectures of equal size: capacity to memorise against generalization, and what each of their parts does",
        "byrote.studies.architectures.study:ArchitectureStudy",
        "byrote.studies.architectures.study:architectures_study",
        quick="three or four architectures of 10,000 parameters learn up to 250 true and 500 random labels.",
    ),
    "overparameterization": Reproduction(
        "train and test error from fewer parameters than examples to many more",
        "byrote.studies.overparameterization.study:OverparameterizationStudy",
        "byrote.studies.overparameterization.study:overparameterization_study",
        quick="eight sizes of network instead of fourteen are trained on up to 500 examples.",
    ),
    "expressivity": Reproduction(
        "Theorem 1: weights needed to represent any labels, by construction and by training; worked at n = 8",
        "byrote.studies.expressivity.study:ExpressivityStudy",
        "byrote.studies.expressivity.study:expressivity_study",
        quick="networks are built for up to 8,192 examples, and trained on up to 256.",
    ),
    "min-norm": Reproduction(
        "section 5: minimum-norm linear and kernel interpolation on pixels, Gabor wavelets and random convolutional "
        "features",
        "byrote.studies.min_norm.study:MinNormStudy",
        "byrote.studies.min_norm.study:min_norm_study",
        "byrote.studies.min_norm.published:published_figures",
        takes_models=False,
        least_seeds=3,
        quick="up to 4,000 examples are interpolated, fewer where features are many, by a tenth of the filters.",
    ),
    "rademacher": Measurement(
        "Empirical Rademacher complexity of what training can reach: how well it fits coin flips.",
        "byrote.studies.rademacher.study:RademacherStudy",
        "byrote.studies.rademacher.study:rademacher_study",
        recipe=_MEMORIZING,
        used={"learning_rate": _SMALL, "epochs": "500"},
        flags={
            "draws": Flag(int | None, None, "Draws of random signs, trained side by side.", "64"),
            "exhaustive": Flag(
                bool, False, "Train all 2^n labelings instead of draws, for n up to 12: shattering, shown."
            ),
        },
        quick={"n_train": 200, "draws": 32},
    ),
    "shattering": Registered(
        "every labeling of a few examples: byrote measure rademacher --exhaustive",
        "byrote.studies.rademacher.shattering:ShatteringStudy",
    ),
    "largest-n": Measurement(
        "The largest n whose random labels training fits, by bisection, and the bits memorised per parameter.",
        "byrote.studies.largest_n.study:LargestNStudy",
        recipe=_MEMORIZING,
        used={"learning_rate": _SMALL, "epochs": "500"},
        flags={"draws": Flag(int, 4, "Draws of random labels at each n, trained side by side.")},
        quick={"n_train": 500, "draws": 2},
    ),
    "stability": Measurement(
        "Uniform stability, from below: how much one replaced example changes, on true and on random labels.",
        "byrote.studies.stability.study:StabilityStudy",
        recipe=_MEMORIZING,
        own={"epochs": 100},
        used={"learning_rate": _SMALL, "epochs": "100"},
        told="All networks are trained for as many steps as so many epochs have; random labels are to be fitted by "
        "then.",
        flags={
            "replacements": Flag(
                int | None,
                None,
                "Networks with one training example replaced, for each labels and seed, trained side by side.",
                "64, or all where there are fewer examples",
            )
        },
        quick={"n_train": 200, "replacements": 32},
    ),
    "memorization": Measurement(
        "What is known by rote, example by example, and who can tell what was trained on; by networks on halves.",
        "byrote.studies.memorization.study:MemorizationStudy",
        "byrote.studies.memorization.study:memorization_study",
        recipe=_MEMORIZING,
        used={"learning_rate": _SMALL, "epochs": "500"},
        told="How networks are trained, each on a random half of the examples.",
        flags={
            "networks": Flag(
                int | None, None, "Networks, a multiple of 16: a later call trains only further ones.", "512"
            ),
            "width": Flag(
                float | None,
                None,
                "Instead of networks, how wide the 95% interval of an example may be at most: 0.2 takes 384 networks, "
                "0.1 takes 1,536.",
                "what the networks give",
                "FLOAT",
            ),
            "noise": Flag(
                tuple[float, ...],
                (0.0,),
                "Shares of labels that are redrawn at random first, each trained on by itself.",
            ),
            "influential": Flag(
                int, 0, "Training examples to name for each test example, those with the largest influence on it."
            ),
        },
        quick={"n_train": 200, "networks": 64},
    ),
    "bounds": Measurement(
        "Bounds and other measures of a network, on true and on random labels: vacuous or not, and whether they "
        "differ.",
        "byrote.studies.bounds.study:BoundsStudy",
        own={"epochs": 1000},
        used={"epochs": "1000"},
        told="Random labels are to be fitted: a run that is stopped before supports no conclusion.",
        flags={
            "seeds": Flag(int, 3, "Networks for each labels; telling labels apart needs an interval over at least 2."),
            "pac_bayes_steps": Flag(
                int, 1000, "Optimiser steps for the PAC-Bayes posterior: more make the bound smaller, never wrong."
            ),
            "pac_bayes_draws": Flag(
                int,
                1000,
                "Draws of weights, by which the training error of the PAC-Bayes posterior is estimated.",
            ),
        },
        quick={"n_train": 200, "pac_bayes_steps": 300, "pac_bayes_draws": 300},
    ),
    "judge": Registered("measures of complexity, judged by a zoo of networks", "byrote.studies.judge.study:JudgeStudy"),
    "zoo": Registered("the networks that measures are judged on", "byrote.studies.judge.zoo:ZooStudy"),
}


def reproductions() -> dict[str, Reproduction]:
    """What `byrote reproduce` can reproduce."""
    return {name: known for name, known in STUDIES.items() if isinstance(known, Reproduction)}


def measurements() -> dict[str, Measurement]:
    """What `byrote measure` can measure."""
    return {name: known for name, known in STUDIES.items() if isinstance(known, Measurement)}
