"""What `byrote reproduce` can reproduce: a line a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from byrote.data.dataset import Dataset
    from byrote.evidence.published import PublishedFigure
    from byrote.studies.study import Study


@dataclass(frozen=True)
class Reproduction:
    description: str
    builder: str
    """MODULE:FUNCTION, called as FUNCTION(data, scale, seeds, models); imported on use, for it imports torch."""
    figures: str = ""
    """MODULE:FUNCTION, called as FUNCTION(data, table): the paper's numbers that it reproduces; "" for none."""
    takes_models: bool = True
    least_seeds: int = 1
    """Of more than one."""

    @property
    def build(self) -> Callable[..., Study]:
        return resolve_name(self.builder)

    def published_figures(self, data: Dataset, table: pd.DataFrame) -> list[PublishedFigure]:
        """The paper's numbers beside those in the study's table, which is empty where it has not been run."""
        return resolve_name(self.figures)(data, table) if self.figures else []


EVERYTHING = "all"
"""What stands for all of them on the command line."""


REPRODUCTIONS: dict[str, Reproduction] = {
    "figure1": Reproduction(
        "Figure 1: learning curves under each randomisation, time to fit and test error against label corruption",
        "byrote.studies.presets:figure1_study",
    ),
    "table1": Reproduction(
        "Table 1: crops, weight decay and batch norm on true labels, beside random labels",
        "byrote.studies.table1.study:table1_study",
        "byrote.studies.table1.published:published_figures",
    ),
    "table2": Reproduction(
        "Table 2: the same at the scale of ImageNet, top-1 and top-5, on images of yours",
        "byrote.studies.table2.study:table2_study",
        "byrote.studies.table2.published:published_figures",
    ),
    "table4": Reproduction(
        "Table 4: whether regularisers keep networks from fitting random labels, by the strength of weight decay",
        "byrote.studies.table4.study:table4_study",
        "byrote.studies.table4.published:published_figures",
    ),
    "figure2": Reproduction(
        "Figure 2: early stopping and batch norm along training",
        "byrote.studies.presets:figure2_study",
    ),
    "regularization": Reproduction(
        "the full grid of regularisers: which of them make it generalise, and by how much",
        "byrote.studies.regularization.study:regularization_study",
    ),
    "strengths": Reproduction(
        "regularisers as tuning parameters: test accuracy and capacity against strength, and their worth in data",
        "byrote.studies.strengths.study:strengths_study",
    ),
    "architectures": Reproduction(
        "architectures of equal size: capacity to memorise against generalization, and what each of their parts does",
        "byrote.studies.architectures.study:architectures_study",
    ),
    "overparameterization": Reproduction(
        "train and test error from fewer parameters than examples to many more",
        "byrote.studies.overparameterization.study:overparameterization_study",
    ),
    "expressivity": Reproduction(
        "Theorem 1: weights needed to represent any labels, by construction and by training; worked at n = 8",
        "byrote.studies.expressivity.study:expressivity_study",
    ),
    "min-norm": Reproduction(
        "section 5: minimum-norm linear and kernel interpolation on pixels, Gabor wavelets and random convolutional "
        "features",
        "byrote.studies.min_norm.study:min_norm_study",
        "byrote.studies.min_norm.published:published_figures",
        takes_models=False,
        least_seeds=3,
    ),
}
