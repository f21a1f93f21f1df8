"""The flags that commands share, and the commands as records of their flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypedDict

import tyro

from byrote.cli.studies import REPRODUCTIONS
from byrote.training.spec import Recipe

Precision = Literal["auto", "float32", "bfloat16"]
Listed = Literal["models", "data", "corruptions", "augmentations", "studies", "measurements", "measures"]


def _field(name: str) -> Any:
    info = Recipe.model_fields[name]
    return Annotated[info.annotation, tyro.conf.arg(help=" ".join((info.description or "").split()))]


if TYPE_CHECKING:
    RecipeChanges = dict[str, Any]
else:
    # All but precision, which has a flag of its own; what is not given is not in the dictionary.
    RecipeChanges = TypedDict(
        "RecipeChanges", {name: _field(name) for name in Recipe.model_fields if name != "precision"}, total=False
    )

if TYPE_CHECKING:
    ReproductionName = str
else:
    ReproductionName = Literal[tuple(REPRODUCTIONS)]


@dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """What every command that trains takes."""

    out: Path | None = None
    """Folder for runs.db, results.csv, report.html and figures/; byrote-NAME if left out."""
    seeds: int = 1
    """Repetitions, each with its own labels, weights and batch order; intervals need at least 2."""
    n_train: int | None = None
    """Size of the stratified training subset, for all models; the study's own choice if left out."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    precision: Precision = "auto"
    """auto is bfloat16 where the hardware multiplies it natively."""
    executor: Literal["local", "ray"] = "local"
    """Where runs are trained: in this process, or on a Ray cluster."""
    store: str | None = None
    """File or database URL of the finished runs; OUT/runs.db if left out."""
    keep_weights: bool = False
    """Store the initial and the final weights of every run, beside the store."""
    live: bool = False
    """Serve a page, to this machine alone, that draws the curves while networks train."""
    style: Literal["screen", "slides"] = "screen"
    """slides: large type."""
    formats: tuple[Literal["svg", "png", "pdf"], ...] = ("svg",)
    """File formats of the figures."""
    recipe: tyro.conf.OmitArgPrefixes[RecipeChanges] = field(default_factory=dict)
    """How networks are trained; what is left out is the study's own choice."""


@dataclass(frozen=True, kw_only=True)
class Demo(TrainingFlags):
    """The randomisation test on an embedded data set, with its report: about a minute."""

    precision: Precision = "float32"
    """bfloat16 gains nothing on networks this small."""


@dataclass(frozen=True, kw_only=True)
class DataFlags:
    """Which data, and how to read them."""

    data: str
    """A data source: see `byrote list data`."""
    label: str | None = None
    """Column of the labels, where the source has columns."""
    image_size: int | None = None
    """Side in pixels that images of different sizes are brought to."""
    cache: Path | None = None
    """Folder to keep decoded images in, which are then not held in memory; images too many for memory are kept in
    the user's cache folder in any case."""
    max_pixels: int | None = None
    """The most pixels an image may have by its header; larger ones are left out. By default 89,478,485."""
    title: str | None = None
    """What figures call the data."""


@dataclass(frozen=True, kw_only=True)
class Reproduce(TrainingFlags, DataFlags):
    """A figure or table of the paper, on the paper's data or on yours."""

    name: tyro.conf.Positional[ReproductionName]
    """What to reproduce: see `byrote list studies`."""
    scale: Literal["laptop", "paper"] = "laptop"
    """laptop: subsets, minutes on two cores; paper: everything at full size, for a GPU."""
    models: tuple[str, ...] | None = None
    """Which models: see `byrote list models`; those of the paper, or of the scale, if left out."""


@dataclass(frozen=True, kw_only=True)
class Measure(TrainingFlags, DataFlags):
    """A quantity of a model and its recipe on data; its subclasses are what `byrote measure` offers."""

    name: ClassVar[str]
    """As on the command line."""
    models: str = "mlp-1x512"
    """A model, or a family named with {width} for its width ("mlp-1x{width}"): see `byrote list models`."""

    @property
    def own(self) -> dict[str, Any]:
        """The flags of this measure alone."""
        shared = {field.name for field in fields(Measure)}
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in shared}


@dataclass(frozen=True, kw_only=True)
class Rademacher(Measure):
    """Empirical Rademacher complexity of what training can reach: how well it fits coin flips."""

    name = "rademacher"
    draws: int = 64
    """Draws of random signs, trained side by side."""
    exhaustive: bool = False
    """All 2^n labelings instead, for n up to 12: shattering, shown."""


@dataclass(frozen=True, kw_only=True)
class LargestN(Measure):
    """The largest n whose random labels training fits, by bisection, and the bits memorised per parameter."""

    name = "largest-n"
    draws: int = 4
    """Draws of random labels at each n, trained side by side."""


@dataclass(frozen=True, kw_only=True)
class Stability(Measure):
    """What one replaced example changes, on true and on random labels: uniform stability, from below."""

    name = "stability"
    replacements: int = 64
    """Networks with one training example replaced, for each labels and seed, trained side by side."""
    recipe: tyro.conf.OmitArgPrefixes[RecipeChanges] = field(default_factory=lambda: {"epochs": 100})
    """All networks are trained for as many steps as so many epochs have; random labels are to be fitted by then."""


@dataclass(frozen=True, kw_only=True)
class Bounds(Measure):
    """Bounds and other measures of a network, on true and on random labels: vacuous or not, and whether they differ."""

    name = "bounds"
    seeds: int = 3
    """Networks for each labels; telling labels apart needs an interval over at least 2."""
    pac_bayes_steps: int = 1000
    """Of the optimiser of the PAC-Bayes posterior: more make the bound smaller, never wrong."""
    pac_bayes_draws: int = 1000
    """Of weights, by which the training error of the PAC-Bayes posterior is estimated."""
    recipe: tyro.conf.OmitArgPrefixes[RecipeChanges] = field(default_factory=lambda: {"epochs": 1000})
    """Random labels are to be fitted: a run that is stopped before supports no conclusion."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write the report of a folder again, from the runs it has; trains nothing."""

    folder: tyro.conf.Positional[Path]
    """The OUT of an earlier command."""
    style: Literal["screen", "slides"] | None = None
    """slides: large type; as in the earlier command if left out."""
    formats: tuple[Literal["svg", "png", "pdf"], ...] | None = None
    """File formats of the figures; as in the earlier command if left out."""


@dataclass(frozen=True, kw_only=True)
class List:
    """The names that other commands take."""

    what: tyro.conf.Positional[Listed | None] = None
    """All of them if left out."""


@dataclass(frozen=True, kw_only=True)
class Judge(TrainingFlags, DataFlags):
    """Does a measure of complexity pass the randomisation test? By a zoo of networks, trained once and kept."""

    measures: tyro.conf.Positional[tuple[str, ...]] = ()
    """FILE.py:NAME or package.module:NAME of functions (model, initial_state, data, outcome) -> float, or names as
    `byrote list measures` has them; all in the box that take seconds if left out."""
    models: tuple[str, ...] | None = None
    """The zoo's models: see `byrote list models`; a choice by the size of the inputs if left out."""
    seeds: int = 3
    """Networks of each kind; telling labels apart needs an interval over at least 2."""


@dataclass(frozen=True)
class MeasureChoice:
    """A quantity of a model and its recipe, measured on data."""

    quantity: (
        Annotated[Rademacher, tyro.conf.subcommand(Rademacher.name)]
        | Annotated[LargestN, tyro.conf.subcommand(LargestN.name)]
        | Annotated[Stability, tyro.conf.subcommand(Stability.name)]
        | Annotated[Bounds, tyro.conf.subcommand(Bounds.name)]
    )


Command = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[MeasureChoice, tyro.conf.subcommand("measure")]
    | Annotated[Judge, tyro.conf.subcommand("judge")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[List, tyro.conf.subcommand("list")]
)

QUANTITIES: Mapping[str, type[Measure]] = {each.name: each for each in (Rademacher, LargestN, Stability, Bounds)}
COMMANDS: Mapping[str, type] = {
    "demo": Demo,
    "reproduce": Reproduce,
    "measure": Measure,
    "judge": Judge,
    "report": Report,
    "list": List,
}
"""As on the command line; what a flag is called follows from the fields."""
