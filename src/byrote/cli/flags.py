"""The flags that commands share, and the commands as records of their flags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypedDict, get_args

import tyro

from byrote.studies.registry import Flag, Measurement, measurements, reproductions
from byrote.training.recipe import Recipe

EVERYTHING = "all"
"""What stands for all that `byrote reproduce` knows."""
Precision = Literal["auto", "float32", "bfloat16"]
Listed = Literal[
    "models", "data", "corruptions", "augmentations", "schedules", "studies", "measurements", "measures", "columns"
]


def _shown(metavar: str, used: str) -> Any:
    """A flag whose value, where it is left out, is not the field's default but what these words say."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {used})")


_METAVARS: Mapping[str, str] = {
    "crop": "INT",
    "optimizer_options": "[NAME VALUE ...]",
    "batch_norm_momentum": "FLOAT",
    "batch_norm_epsilon": "FLOAT",
    "steps": "INT",
}
_USED: Mapping[str, str] = {
    "crop": "28 for larger images, else none",
    "learning_rate": "0.1 for inception and resnet, else 0.01",
    "optimizer_options": "none",
    "batch_norm_momentum": "the model's own",
    "batch_norm_epsilon": "the model's own",
    "steps": "none",
}
"""What the paper's recipe has where a field of the recipe is left out; it is the field's default elsewhere."""


def _as_flag(match: re.Match[str]) -> str:
    return "--" + match[0].replace("_", "-") if match[0] in Recipe.model_fields else match[0]


def _changes(pattern: str = "{}", **used: str) -> Any:
    """A dictionary of changes of the recipe: all fields but precision, which has a flag of its own, and only those that
    are given.

    Args:
        pattern: how --help says what is used where a flag is left out.
        used: what that is, where it differs from the paper's.
    """
    fields = {}
    for name, info in Recipe.model_fields.items():
        default = pattern.format(_USED.get(name, info.default)) if name not in used else used[name]
        fields[name] = Annotated[
            info.annotation,
            tyro.conf.arg(
                help=re.sub(r"\b[a-z]+_[a-z_]+\b", _as_flag, " ".join((info.description or "").split())),
                metavar=_METAVARS.get(name),
                help_behavior_hint=f"(default: {default})",
            ),
        ]
    del fields["precision"]
    return TypedDict("Changes", fields, total=False)  # type: ignore[operator]


if TYPE_CHECKING:
    Changes = dict[str, Any]
    DemoChanges = dict[str, Any]
    ReproduceChanges = dict[str, Any]
    JudgeChanges = dict[str, Any]
    AuditChanges = dict[str, Any]
else:
    Changes = _changes()
    DemoChanges = _changes(crop="none", learning_rate="0.05")
    ReproduceChanges = _changes("the study's own, or else {}")
    AuditChanges = _changes(epochs="as many as have 4,000 steps, 30 to 200 of them")
    JudgeChanges = _changes(
        learning_rate="both 0.01 and 0.05, which cannot be changed",
        batch_size="both 32 and 128 for inputs below 1,000 values, where it cannot be changed, else 128",
        weight_decay="both 0 and 0.0005, which cannot be changed",
        epochs="300",
    )

if TYPE_CHECKING:
    ReproductionName = str
else:
    ReproductionName = Literal[(*reproductions(), EVERYTHING)]


@dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """What every command that trains takes."""

    out: Annotated[Path | None, _shown("PATH", "byrote-NAME, by what is run")] = None
    """The folder for runs.db, results.csv, report.html and figures/."""
    seeds: int = 1
    """Repetitions, each with its own labels, weights and batch order; intervals need at least 2."""
    n_train: Annotated[int | None, _shown("INT", "the study's own, or else all")] = None
    """The size of the stratified training subset, for all models."""
    device: str = "auto"
    """The device to train on: auto, cpu, cuda or mps; auto takes a GPU where there is one."""
    precision: Precision = "auto"
    """The precision of matrix products: auto is bfloat16 where the hardware multiplies it natively, else float32."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Whether training steps are compiled, as far as they can be: auto does so where the work is estimated to pay for
    the half minute that it takes, once for each model and recipe."""
    checkpoint: Annotated[str, _shown("TIME", "60s")] = "60s"
    """The most work on runs in training that a kill may cost, such as 60s or 5min: what they carry is written so often,
    beside the store, and the same command goes on from there. With off, runs that are killed start over."""
    executor: Literal["local", "ray"] = "local"
    """Where runs are trained: on this machine, or on a Ray cluster."""
    address: Annotated[str | None, _shown("STR", "a cluster that is started on this machine")] = None
    """With --executor ray, the cluster: HOST:PORT, ray://HOST:PORT, or auto for the one this machine belongs to."""
    processes: int | Literal["auto"] = "auto"
    """The most processes of this machine that train side by side: auto is one for each core, as far as memory goes and
    where there is enough to train. Results are the same with any number."""
    store: Annotated[str | None, _shown("STR", "OUT/runs.db")] = None
    """The file or database URL of the finished runs."""
    shard: Annotated[str | None, _shown("K/N", "all of it")] = None
    """Make only the K-th of N parts of the plan, and no report: for jobs that do not talk to each other, as those of
    an array. The same command without it, on the merged or shared store, makes the report."""
    dry_run: bool = False
    """Show what would be made and about how long it takes, and stop: nothing is trained or written."""
    keep_weights: bool = False
    """Store the initial and the final weights of every run, beside the store."""
    live: bool = False
    """Serve a page, to this machine alone, that draws the curves while networks train."""
    style: Literal["screen", "slides"] = "screen"
    """The style of the figures; slides have large type."""
    formats: tuple[Literal["svg", "png", "pdf"], ...] = ("svg",)
    """File formats of the figures."""
    recipe: tyro.conf.OmitArgPrefixes[Changes] = field(default_factory=dict)
    """How networks are trained."""


@dataclass(frozen=True, kw_only=True)
class Demo(TrainingFlags):
    """The randomisation test on an embedded data set, with its report: about a minute."""

    name: ClassVar[str] = "demo"
    n_train: Annotated[int | None, _shown("INT", "all")] = None
    """The size of the stratified training subset."""
    precision: Precision = "float32"
    """The precision of matrix products: bfloat16 gains nothing on networks this small."""
    recipe: tyro.conf.OmitArgPrefixes[DemoChanges] = field(default_factory=dict)
    """How networks are trained."""


@dataclass(frozen=True, kw_only=True)
class ReadingFlags:
    """How data are read."""

    label: Annotated[str | None, _shown("STR", "for parquet the column called label, fine for cifar100")] = None
    """The column of the labels, where the source has columns: csv needs it, parquet may; fine or coarse of cifar100."""
    image_size: Annotated[int | None, _shown("INT", "their own size, which must be one")] = None
    """The side in pixels that images of different sizes are brought to."""
    cache: Annotated[
        Path | None, _shown("PATH", "none, but for images too many for memory the user's cache folder")
    ] = None
    """A folder to keep decoded images in, which are then not held in memory."""
    max_pixels: Annotated[int | None, _shown("INT", "89478485")] = None
    """The most pixels an image may have by its header; larger ones are left out."""
    kind: Annotated[
        Literal["vectors", "tokens"] | None, _shown("{vectors,tokens}", "images have pixels; else vectors")
    ] = None
    """What the numbers of csv, npz and parquet are: quantities, or token ids, which stay whole numbers."""
    title: Annotated[str | None, _shown("STR", "the source's own, or the name of the file or folder")] = None
    """The title of the data in figures."""

    @property
    def reading(self) -> dict[str, Any]:
        """What `byrote.load` is given of them."""
        return {flag.name: getattr(self, flag.name) for flag in fields(ReadingFlags)}


@dataclass(frozen=True, kw_only=True)
class DataFlags(ReadingFlags):
    """Which data, and how to read them."""

    data: str
    """A data source: see `byrote list data`."""


@dataclass(frozen=True, kw_only=True)
class Reproduce(TrainingFlags, DataFlags):
    """Makes a figure or table of the paper, on the paper's data or on yours; or all of them, with an index beside the
    paper's own figures."""

    name: tyro.conf.Positional[ReproductionName]
    """What to reproduce: see `byrote list studies`. With all, models, corruptions and the recipe go to the studies that
    have any use for them."""
    scale: Literal["quick", "laptop", "paper"] = "laptop"
    """How much is trained: quick takes small models on few examples, a minute or few for each study; laptop takes
    subsets, up to an hour on two cores; paper takes everything, for a GPU."""
    models: Annotated[tuple[str, ...] | None, _shown("STR [STR ...]", "the study's own, at this scale")] = None
    """The models to train: see `byrote list models`."""
    corruptions: Annotated[tuple[str, ...] | None, _shown("STR [STR ...]", "the study's own, at this scale")] = None
    """For figure1, what networks are trained under beside true labels: see `byrote list corruptions`. NAME=LEVEL sets
    the strength of one that has a strength, and the rate of any other (asymmetric-labels=0.4 additive-noise=2)."""
    recipe: tyro.conf.OmitArgPrefixes[ReproduceChanges] = field(default_factory=dict)
    """How networks are trained."""


@dataclass(frozen=True, kw_only=True)
class Quantity(TrainingFlags, DataFlags):
    """A quantity of a model and its recipe on data; its subclasses are what `byrote measure` offers."""

    name: ClassVar[str]
    """As on the command line."""
    scale: Literal["quick", "laptop"] = "laptop"
    """How much is trained where no flag says it: quick takes few examples and draws, a minute or two on two cores."""
    models: Annotated[str | None, _shown("STR", "mlp-1x512")] = None
    """A model, or a family named with {width} for its width ("mlp-1x{width}"): see `byrote list models`."""

    @property
    def own(self) -> dict[str, Any]:
        """The flags of this measure alone."""
        shared = {field.name for field in fields(Quantity)}
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in shared}
        return {name: value for name, value in given.items() if value is not None}


def _as_argument(flag: Flag) -> Any:
    shown: dict[str, Any] = (
        {"metavar": flag.metavar, "help_behavior_hint": f"(default: {flag.used})"} if flag.used else {}
    )
    return Annotated[flag.kind, tyro.conf.arg(help=flag.told, **shown)]


def _quantity(name: str, measurement: Measurement) -> type[Quantity]:
    """The command that measures it, with its own flags beside those of every measure."""
    own = [(flag, _as_argument(given), field(default=given.default)) for flag, given in measurement.flags.items()]
    trained = tyro.conf.OmitArgPrefixes, tyro.conf.arg(help=measurement.told)
    recipe: Any = Annotated[(_changes(**measurement.used), *trained)]
    return make_dataclass(
        "".join(map(str.capitalize, name.split("-"))),
        [*own, ("recipe", recipe, field(default_factory=dict))],
        bases=(Quantity,),
        namespace={"name": name, "__doc__": measurement.description},
        frozen=True,
        kw_only=True,
    )


@dataclass(frozen=True, kw_only=True)
class Run(TrainingFlags, DataFlags):
    """A study of your own, with its own page: a subclass of byrote.Study, or a function (data, ...) that makes one."""

    study: tyro.conf.Positional[str]
    """FILE.py:NAME or package.module:NAME."""
    seeds: Annotated[int | None, _shown("INT", "the study's own")] = None  # type: ignore[assignment]
    """Repetitions, of a study that takes `seeds`."""
    models: Annotated[tuple[str, ...] | None, _shown("STR [STR ...]", "the study's own")] = None
    """The models to train, of a study that takes `models`: see `byrote list models`."""
    recipe: tyro.conf.OmitArgPrefixes[ReproduceChanges] = field(default_factory=dict)
    """How networks are trained."""

    @property
    def name(self) -> str:
        """What its folder is called."""
        return self.study.rpartition(":")[2].lower()


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write the report of a folder again, from the runs it has; trains nothing."""

    folder: tyro.conf.Positional[Path]
    """The OUT of an earlier command."""
    style: Annotated[Literal["screen", "slides"] | None, _shown("{screen,slides}", "as in the earlier command")] = None
    """The style of the figures; slides have large type."""
    formats: Annotated[
        tuple[Literal["svg", "png", "pdf"], ...] | None,
        _shown("{svg,png,pdf} [{svg,png,pdf} ...]", "as in the earlier command"),
    ] = None
    """File formats of the figures."""


@dataclass(frozen=True, kw_only=True)
class Merge:
    """One store from several, such as those of several machines: copies the finished runs, their weights, and the
    calculations. Nothing is changed but the store of the result, and what that has stays as it is."""

    stores: tyro.conf.Positional[tuple[str, ...]]
    """The files, database URLs, or OUT folders of earlier commands."""
    into: str = "merged.db"
    """The file or database URL of the result, which is made where it is not there."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What a store has: lists it, the newest last; exports it to a table; or removes some of it."""

    store: tyro.conf.Positional[str]
    """The file, database URL, or OUT folder of an earlier command."""
    model: Annotated[str | None, _shown("STR", "any")] = None
    """Only runs of this model; FILE.py:NAME is also NAME."""
    data: Annotated[str | None, _shown("STR", "any")] = None
    """Only what was made on these data, by their title."""
    corruption: Annotated[str | None, _shown("STR", "any")] = None
    """Only runs under this corruption, as the list has it; true-labels is none."""
    key: Annotated[str | None, _shown("STR", "any")] = None
    """Only those whose keys begin so, as the list has them."""
    before: Annotated[str | None, _shown("DATE", "any")] = None
    """Only what was stored before this date or time (2026-03-31), UTC."""
    unreadable: bool = False
    """Only what is damaged, or of a byrote too old or new to be read."""
    export: Annotated[Path | None, _shown("PATH", "none")] = None
    """A file for the runs, with the columns of results.csv: .parquet or .csv by its ending."""
    prune: bool = False
    """Say what of these would be removed, weights included; with --yes, remove it for good."""
    yes: bool = False
    """With --prune, remove it."""


@dataclass(frozen=True, kw_only=True)
class List:
    """The names that other commands take."""

    what: Annotated[tyro.conf.Positional[Listed | None], _shown(f"{{{','.join(get_args(Listed))}}}", "all")] = None
    """The kind of names to list; columns are those of results.csv, of the study that is named."""
    study: Annotated[tyro.conf.Positional[str | None], _shown("STUDY", "none, for all but columns")] = None
    """The study whose columns to list: as in `byrote reproduce STUDY` or `byrote measure STUDY`; demo, judge."""


@dataclass(frozen=True, kw_only=True)
class Judge(TrainingFlags, DataFlags):
    """Does a measure of complexity pass the randomisation test? A zoo of networks, trained once and kept, tells."""

    name: ClassVar[str] = "judge"
    measures: Annotated[tyro.conf.Positional[tuple[str, ...]], _shown("[STR ...]", "all that take seconds")] = ()
    """The measures: names as `byrote list measures` has them, or FILE.py:NAME or package.module:NAME of functions
    (model, initial_state, data, outcome) -> float."""
    scale: Literal["quick", "laptop"] = "laptop"
    """How large the zoo is where no flag says it: quick has two models, two seeds and 200 examples."""
    models: Annotated[tuple[str, ...] | None, _shown("STR [STR ...]", "a choice by the size of the inputs")] = None
    """The zoo's models: see `byrote list models`."""
    n_train: Annotated[int | None, _shown("INT", "500, or all where there are fewer")] = None
    """The size of the stratified training subset, for all models."""
    seeds: int = 3
    """Networks of each kind; telling labels apart needs an interval over at least 2."""
    recipe: tyro.conf.OmitArgPrefixes[JudgeChanges] = field(default_factory=dict)
    """How networks are trained."""


@dataclass(frozen=True, kw_only=True)
class Audit(ReadingFlags):
    """What you run before you believe a score: the score without leaks, whether it beats chance, whether the model
    learns or memorises, which labels are wrong, which regularisers earn their keep, and what is known by rote. Stages:
    data, signal, memorization, labels, regularizers, rote."""

    name: ClassVar[str] = "audit"
    model: Annotated[tyro.conf.Positional[str | None], _shown("MODEL", "none, with --predictions or --record")] = None
    """A network, a classifier, regressor or pipeline of scikit-learn, or a function pipeline(table, labels, seed) ->
    score: FILE.py:NAME, package.module:NAME, or a name as `byrote list models` has them."""
    data: Annotated[str | None, _shown("STR", "none, with --record")] = None
    """A data source: see `byrote list data`. With --record, the data that were recorded, for names and pictures."""
    record: Annotated[Path | None, _shown("PATH", "none")] = None
    """The folder of a byrote.Recorder, in place of a model: nothing is fitted, and wrong labels, and what was learnt by
    rote, are told by the run that it watched."""
    groups: Annotated[str | None, _shown("STR", "none")] = None
    """The column of what belongs together, as all rows of a patient do."""
    time: Annotated[str | None, _shown("STR", "none")] = None
    """The column of times, by which training must lie before test."""
    metric: Annotated[str | None, _shown("STR", "accuracy, or r2 of a regressor")] = None
    """The name of a scorer of scikit-learn, such as roc_auc, balanced_accuracy or f1_macro; of quantities, such as r2
    or neg_mean_absolute_error."""
    predictions: Annotated[Path | None, _shown("PATH", "none")] = None
    """A csv file of predictions on the test rows, in place of a model: a column prediction, or one for each class.
    Of quantities, with --metric."""
    train: Annotated[str | None, _shown("STR", "byrote's own engine")] = None
    """A function train_fn(model, train_dataset) -> predict that trains the model: FILE.py:NAME or
    package.module:NAME."""
    stages: Annotated[tuple[str, ...] | None, _shown("STR [STR ...]", "all")] = None
    """The stages to make."""
    budget: Annotated[str | None, _shown("TIME", "none")] = None
    """The most time for all of it, such as 90s, 10min or 2h: stages take smaller versions, and say which."""
    fail_on: Annotated[str, _shown("STR", "nothing")] = ""
    """Alarms, joined by commas, that end the command with code 4: leakage, label-conflicts, no-signal,
    leaking-pipeline, memorises, wrong-labels, members-told; NAME>2% sets how much is allowed. An alarm of which nothing
    is known, since its stage was not made or has no conclusion, ends with 4 too."""
    fix: Annotated[Path | None, _shown("PATH", "none")] = None
    """A new csv file for the labels that are more likely wrong than right, each with the one that is suggested and a
    column to confirm it in; the data are never changed."""
    dry_run: bool = False
    """Print the stages with their time, memory and disk, and what the budget leaves out; fits the model on some
    rows."""
    retrain: int = 0
    """Fits on exchanged labels, beside exchanging test labels against fixed predictions; of a pipeline, its runs
    (99)."""
    seeds: int = 1
    """Fits of the model, over which the score is averaged."""
    out: Annotated[Path | None, _shown("PATH", "byrote-audit")] = None
    """The folder for report.html, audit.json, duplicates.csv, clean_split.csv, wrong_labels.csv, runs.db and
    figures/."""
    store: Annotated[str | None, _shown("STR", "OUT/runs.db")] = None
    """The file or database URL of the finished runs of networks."""
    device: str = "auto"
    """The device to train networks on: auto, cpu, cuda or mps; auto takes a GPU where there is one."""
    precision: Precision = "auto"
    """The precision of matrix products: auto is bfloat16 where the hardware multiplies it natively, else float32."""
    recipe: tyro.conf.OmitArgPrefixes[AuditChanges] = field(default_factory=dict)
    """How networks are trained."""


QUANTITIES: Mapping[str, type[Quantity]] = {
    name: _quantity(name, measurement) for name, measurement in measurements().items()
}
if TYPE_CHECKING:
    AnyQuantity = Quantity
else:
    AnyQuantity = reduce(or_, (Annotated[kind, tyro.conf.subcommand(name)] for name, kind in QUANTITIES.items()))


@dataclass(frozen=True)
class QuantityChoice:
    """Measures a quantity of a model and its recipe on data."""

    quantity: AnyQuantity


COMMANDS: Mapping[str, type] = {
    "demo": Demo,
    "reproduce": Reproduce,
    "measure": Quantity,
    "judge": Judge,
    "audit": Audit,
    "run": Run,
    "report": Report,
    "runs": Runs,
    "merge": Merge,
    "list": List,
}
"""As on the command line; what a flag is called follows from the fields."""
Command: Any = reduce(
    or_,
    (
        Annotated[QuantityChoice if kind is Quantity else kind, tyro.conf.subcommand(name)]
        for name, kind in COMMANDS.items()
    ),
)
