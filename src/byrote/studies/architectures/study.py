"""Architectures of equal size: which generalise, and does that keep them from memorising?

Claim      Architectures of the same number of parameters differ in how well they generalise, and yet all fit random
           labels: what makes one generalise is not that it could not memorise.
Command    byrote reproduce architectures --data cifar10:DIR --scale laptop    (or --scale paper)
Cost       laptop: 64 runs, an hour on one AMD EPYC core in bfloat16 beside other work.
Expected   Test accuracy on true labels differs by many points; random labels of the same examples are fitted by nearly
           all, in a few times the steps. Random cropping helps more than weight decay or dropout.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), sections 2 and 3,
           on architectures that the paper does not have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.evidence.learning import LEARNING, learning_columns, on_unseen
from byrote.models.switchboard import SWITCHES
from byrote.references import is_reference
from byrote.studies.architectures.findings import findings
from byrote.studies.architectures.record import Ladder
from byrote.studies.columns import OF_RUNS
from byrote.studies.design import ModelStudy, PerModel, label_corruptions
from byrote.studies.factors import default_factors
from byrote.studies.families import is_family, member
from byrote.studies.model_choice import chosen_models
from byrote.studies.paper_settings import PAPER_STEPS, Scale, paper_recipe
from byrote.studies.study import Planned
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe

ARCHITECTURES = (
    "mlp-3x{width}",
    "alexnet-w{width}",
    "inception-w{width}",
    "resnet-1x{width}",
    "resnet-1x{width}-no-batchnorm",
    "vit-2x{width}",
)
FOR_VECTORS = ("mlp-1x{width}", "mlp-2x{width}", "mlp-3x{width}", "mlp-5x{width}")
"""All other architectures take images."""
DEEP, DEPTHS = "deep", (3, 6)
"""A switch of this study beside those of the network: its layers without it and with it."""
LADDER = (0.25, 0.5, 1.0, 2.0)
"""Numbers of random labels to fit, in units of n_train."""
REGULARIZERS = ("augmentation", "dropout", "weight_decay")
SWITCHED = ("local", "shared", "skip")
STEPS = 800
_RECIPE = Recipe(stop="at_steps", steps=STEPS, dense_steps=0)


@dataclass(frozen=True, eq=False)
class ArchitectureStudy(ModelStudy):
    """Architectures matched in size: on true labels, with one regulariser each, and on more and more random labels.

    Runs on true labels take the recipe's number of steps, those on random labels stop at interpolation and after as
    many steps at most: time to fit and the largest number of labels fitted are relative to this one limit.

    >>> import byrote
    >>> byrote.ArchitectureStudy(byrote.load("digits"), ["mlp-1x{width}"], parameters=2000, switches=())
    <ArchitectureStudy 'architectures' on Digits: 7 runs>

    Args, beside those of every ModelStudy:
        models: families with {width} for the width, which is matched to `parameters`, or models of a size of their own.
        parameters: what all are matched to, as nearly as whole widths allow; the table has what came of it.
        ladder: numbers of random labels to fit, in units of n_train, 1 among them. Steps that the data do not have are
            left out.
        switches: of a switchboard, and "deep" for six layers in place of three; all their combinations, also matched,
            are trained on true labels and on random labels of the same examples. () for none.

    Raises:
        UserError: an unknown switch, a ladder without 1 or with a step that is not positive, a recipe that does not
            stop after a number of steps or has a regulariser of its own, or what ModelStudy refuses.
    """

    name: ClassVar[str] = "architectures"
    title: ClassVar[str] = "Which architectures learn, and which by rote"
    presented_by: ClassVar[str] = "byrote.studies.architectures.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        *LEARNING,
        Column("family", "str", "The model's family, or that of a switchboard with what is on."),
        Column("regularizer", "str", "The field of the recipe that is tried; empty for none."),
        Column("ladder", "float64", "The training examples in units of what the architecture has of true labels."),
        Column(
            "relative_time_to_fit",
            "float64",
            "The steps to fit random labels over those to fit the true ones of as many examples, with the same model "
            "and seed without regularisers; missing on true labels, and on more or fewer examples.",
        ),
        Column("log2_steps_to_fit", "float64", "The logarithm of the steps to fit, so that 1 is twice as long."),
        Column(
            "gain",
            "float64",
            "What the regulariser changes the test accuracy on true labels by, with the same seed; missing without.",
        ),
        *(
            Column(
                f"switch_{name}",
                "boolean",
                f"Whether the switch {name} is on; missing where it is not tried, or in what is no switchboard.",
            )
            for name in (*SWITCHES, DEEP)
        ),
    )

    recipe: PerModel[Recipe] = _RECIPE
    defaults: Sequence[str] = ARCHITECTURES
    parameters: int = 100_000
    ladder: Sequence[float] = LADDER
    switches: Sequence[str] = SWITCHED

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (*SWITCHES, DEEP)
        if unknown := set(self.switches) - set(known):
            raise UserError(f"got switches {', '.join(sorted(unknown))}, expected names out of {', '.join(known)}")
        if 1 not in self.ladder or min(self.ladder) <= 0:
            raise UserError(
                f"got ladder={self.ladder!r}, expected positive multiples of n_train with 1 among them: (0.5, 1, 2)"
            )
        for model in self.model_names:
            self.require_steps(model, "final accuracies are compared, and times to fit up to one limit")
            self.require_no_validation(model)
            self.require_unregularized(model)

    @property
    def model_names(self) -> list[str]:
        """Architectures, then the combinations of switches that are none of them."""
        return list(dict.fromkeys([*self.architectures, *self.combinations]))

    @property
    def architectures(self) -> list[str]:
        """As `models` has them."""
        return self.chosen

    @property
    def combinations(self) -> dict[str, dict[str, bool]]:
        """Families of switchboards, and what is on in each; the one without switches first."""
        return switchboards(self.switches)

    @cached_property
    def matched(self) -> dict[str, str]:
        """The model of each family."""
        return {
            family: member(self, family, self.parameters) if is_family(family) else family
            for family in self.model_names
        }

    @cached_property
    def ladders(self) -> list[Ladder]:
        """For each of `model_names`."""
        return [self._ladder(family) for family in self.model_names]

    def plan(self) -> list[Planned]:
        return [planned for one in self.ladders for seed in self.seed_list for planned in self._runs(one, seed)]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        table = table.assign(**learning_columns(outcomes, self.data))
        plain = table["regularizer"] == ""
        true = table["corruption"] == "true-labels"
        pairs = pd.MultiIndex.from_frame(table[["family", "seed"]])
        judged = on_unseen(table)
        bare = judged[true & plain].set_index(["family", "seed"])
        times, accuracies = (bare[name].reindex(pairs).to_numpy() for name in ("steps_to_fit", "test_accuracy"))
        table["relative_time_to_fit"] = (table["steps_to_fit"] / times).where(~true & (table["ladder"] == 1))
        table["log2_steps_to_fit"] = np.log2(table["steps_to_fit"])
        table["gain"] = (judged["test_accuracy"] - accuracies).where(true & ~plain)
        return table

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(
            [one for one in self.ladders if one.family in self.architectures],
            self.combinations,
            table,
            len(self.seed_list),
            self.num_steps,
        )

    @property
    def num_steps(self) -> int:
        """The steps on true labels, and the limit on random ones: the largest of all recipes."""
        return max(self.own(self.recipe, "recipe", family).steps or 0 for family in self.model_names)

    def _ladder(self, family: str) -> Ladder:
        available, model = len(self.data.train), self.matched[family]
        num_examples = self.own(self.n_train, "n_train", family) or available
        if family not in self.architectures:
            return Ladder(family, model, num_examples, [num_examples], {})
        numbers = (max(1, round(multiple * num_examples)) for multiple in sorted(set(self.ladder)))
        factors = default_factors(model, self.data)
        return Ladder(
            family,
            model,
            num_examples,
            numbers=list(dict.fromkeys(number for number in numbers if number <= available)),
            regularizers={name: on for name, (_, on) in factors.items() if name in REGULARIZERS},
        )

    def _runs(self, ladder: Ladder, seed: int) -> Iterator[Planned]:
        recipe = self.own(self.recipe, "recipe", ladder.family)
        switches = {f"switch_{name}": on for name, on in self.combinations.get(ladder.family, {}).items()}

        def planned(regularizer: str, number: int, corruptions: tuple[Corruption, ...], **changes: Any) -> Planned:
            spec = self.make_spec(ladder.family, seed, corruptions, **changes)
            place = {"family": ladder.family, "regularizer": regularizer, "ladder": number / ladder.num_examples}
            return Planned(spec.model_copy(update={"model": ladder.model}), place | switches)

        yield planned("", ladder.num_examples, ())
        for name, on in ladder.regularizers.items():
            yield planned(name, ladder.num_examples, (), **{name: on})
        for number in ladder.numbers:
            epochs = max(1, (recipe.steps or 1) // math.ceil(number / recipe.batch_size))
            limit: dict[str, Any] = {"stop": "at_interpolation", "steps": None, "epochs": epochs}
            own = {} if number == ladder.num_examples else {"n_train": number}
            yield planned("", number, label_corruptions(1.0), **limit, **own)


def switchboards(switches: Sequence[str]) -> dict[str, dict[str, bool]]:
    """Every combination of these switches: its family, and what is on."""
    if not switches:
        return {}
    cells = [dict(zip(switches, cell, strict=True)) for cell in product((False, True), repeat=len(switches))]
    return {
        "+".join([f"switchboard-{DEPTHS[on.get(DEEP, False)]}x{{width}}", *filter(on.get, SWITCHES)]): on
        for on in cells
    }


_QUICK_ARCHITECTURES = ("mlp-3x{width}", "resnet-1x{width}", "vit-2x{width}")
_QUICK_STEPS = 300
_SMALL = 28
"""Pixels on a side, below which images are small."""
_PAPER_PARAMETERS = 1_649_402
"""Of the paper's Inception."""
_RATES = {"inception": 0.1, "resnet": 0.1, "vit": 0.05}
_SMALL_RATES = {"mlp": 0.05, "switchboard": 0.05}


def architectures_study(
    data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None
) -> ArchitectureStudy:
    """Architectures of equal size by the paper's recipe: learning rate 0.1 with batch norm, 0.01 without.

    No rate was tuned but these, by training loss on 500 random labels alone, out of 0.01, 0.03, 0.05 and 0.1. Of
    100,000 parameters on CIFAR-10, vit and the residual network without batch norm hardly start to learn at 0.01 in 120
    steps: they take 0.05 and 0.1. Of 30,000 on digits, none but a convolutional switchboard fits without batch norm at
    0.01 in 400 steps: on images below 28 pixels, and on other data, perceptrons and switchboards take 0.05. AlexNet
    stays at 0.01, for at 0.02 its training collapses on 125 examples.

    Args:
        scale: "paper" is 1,649,402 parameters, all true labels, and up to as many random ones. "laptop" is 100,000
            parameters, 1,000 true labels and up to 2,000 random ones; on small images 30,000, 500 and 1,000. "quick" is
            three architectures and two switches, 10,000 parameters, 250 true labels and up to 500 random ones.
        models: other families than ARCHITECTURES, or models of a size of their own; without switchboards.
    """
    small = not data.is_images or max(data.input_shape[1:]) < _SMALL
    quick = scale == "quick"
    switches = (SWITCHED[:2] if quick else SWITCHED) if data.is_images and models is None else ()
    defaults = (_QUICK_ARCHITECTURES if quick else ARCHITECTURES) if data.is_images else FOR_VECTORS
    families = chosen_models(models, data, defaults)
    wanted = 250 if quick else 500 if small else 1000
    parameters = 10_000 if quick else 30_000 if small else 100_000
    return ArchitectureStudy(
        data=data,
        models=models,
        defaults=defaults,
        seeds=seeds,
        recipe={
            family: paper_recipe(
                family,
                data,
                learning_rate=_rate(family, small=small),
                stop="at_steps",
                steps={"quick": _QUICK_STEPS, "laptop": STEPS}.get(scale, PAPER_STEPS),
                dense_steps=0,
            )
            for family in (*families, *switchboards(switches))
        },
        n_train=wanted if scale != "paper" and len(data.train) > wanted else None,
        parameters=_PAPER_PARAMETERS if scale == "paper" else parameters,
        switches=switches,
    )


def _rate(family: str, *, small: bool) -> float:
    kind = "" if is_reference(family) else family.partition("-")[0]
    if "norm" in family.split("+"):
        return 0.1
    return (_RATES | (_SMALL_RATES if small else {})).get(kind, 0.01)
