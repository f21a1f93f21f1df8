"""The study that the flags of a command ask for, with its data."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from byrote.cli.flags import DataFlags, Demo, Judge, Quantity, Reproduce, Run
from byrote.cli.own_study import own_study
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.studies.registry import measurements, reproductions

if TYPE_CHECKING:
    from byrote.studies.study import Study

C = TypeVar("C", Quantity, Judge)


def make_study(command: Demo | Reproduce | Quantity | Judge | Run, precision: str, out: Path | None) -> Any:
    """The study that the flags ask for, its data loaded."""
    from byrote.data.sources import load
    from byrote.studies.presets import demo_study

    study: Any
    match command:
        case Quantity():
            data = load_data(command, out)
            command = _at_scale(command, data)
            measurement = measurements()[command.name]
            recipe = measurement.make_recipe(command.models, data, precision, command.recipe)
            sizes = {"seeds": command.seeds, "n_train": command.n_train}
            return measurement.build(data, model=command.models, recipe=recipe, **sizes, **command.own)
        case Judge():
            return _judge(command, precision, out)
        case Run():
            study = own_study(command.study, load_data(command, out), seeds=command.seeds, models=command.models)
        case Demo():
            study = demo_study(load("digits"), command.seeds)
        case Reproduce():
            study = reproductions()[command.name].build(
                load_data(command, out), command.scale, command.seeds, command.models
            )
    return changed(study, command, precision)


def changed(study: Any, command: Demo | Reproduce | Run, precision: str) -> Any:
    """The study with the corruptions, the number of examples and the recipe that the flags ask for.

    Raises:
        UserError: it takes no such change.
    """
    if isinstance(command, Reproduce) and command.corruptions is not None:
        study = _under(study, command)
    if command.n_train is not None:
        if not hasattr(study, "n_train"):
            raise UserError(f"got --n-train, which {study.name} has no use for: leave it out")
        study = replace(study, n_train=command.n_train)
    if not hasattr(study, "with_recipe"):
        refused = [*command.recipe, *(["precision"] * (command.precision != "auto"))]
        if refused:
            flags = ", ".join("--" + flag.replace("_", "-") for flag in refused)
            raise UserError(f"got {flags}, which {study.name} has no use for: leave it out")
        return study
    return study.with_recipe(precision=precision, **command.recipe)


def _under(study: Any, command: Reproduce) -> Any:
    """The study under the corruptions that the flags name, which may be joined by commas."""
    if not hasattr(study, "under"):
        raise UserError(
            f"got --corruptions for {command.name}, which chooses the corruptions of each run itself: leave it out, or "
            "reproduce figure1"
        )
    return study.under([name for word in command.corruptions or () for name in word.split(",") if name])


def said_of_scale(command: object, study: Study, name: str = "") -> str:
    """A sentence for the page of what a small scale leaves out; "" where nothing is left out.

    Args:
        study: that which the command asks for.
        name: of the study, where the command asks for all.
    """
    if getattr(command, "scale", "") != "quick" or getattr(command, "exhaustive", False):
        return ""
    if isinstance(command, Reproduce):
        if command.models is not None and _takes_all_examples(study):
            return ""
        said = reproductions()[name or command.name].quick if command.models is None else "few examples are trained on."
    else:
        own = [_said(name, value, getattr(command, name), command) for name, value in _quick_flags(command).items()]
        said = f"{', '.join(own)}."
    return f"The scale is quick: {said} Give `--scale laptop` for more."


def _takes_all_examples(study: Study) -> bool:
    n_train = getattr(study, "n_train", None)
    return not any(n_train.values() if isinstance(n_train, Mapping) else [n_train])


def _quick_flags(command: Any) -> Mapping[str, Any]:
    """What flags that have their defaults are at the scale quick."""
    if getattr(command, "exhaustive", False):  # of so few examples that there is nothing to leave out
        return {}
    return QUICK_ZOO if isinstance(command, Judge) else measurements()[command.name].quick


QUICK_ZOO: Mapping[str, Any] = {"models": ("mlp-1x64", "mlp-3x64"), "n_train": 200, "seeds": 2}
"""Flags of judge at the scale quick, where they are not given."""


def _said(name: str, quick: Any, given: Any, command: Any) -> str:
    is_given = given != _default(command, name)
    value = given if is_given else quick
    if name == "models":
        return " and ".join(value)
    most = "up to " if name == "n_train" and not is_given else ""
    return f"{most}{value:,} {'training examples' if name == 'n_train' else name.replace('_', ' ')}"


def _default(command: Any, name: str) -> Any:
    return next(field.default for field in fields(command) if field.name == name)


def _at_scale(command: C, data: Dataset) -> C:
    """With the flags of the scale quick, if that is asked for, in place of those that have their defaults."""
    if getattr(command, "scale", "") != "quick":
        return command
    flags = _quick_flags(command)
    own = {name: value for name, value in flags.items() if getattr(command, name) == _default(command, name)}
    if own.get("n_train", 0) >= len(data.train):
        del own["n_train"]  # what is left out takes all, or as many as leave some to replace them
    return replace(command, **own)


def _judge(command: Judge, precision: str, out: Path | None) -> Any:
    from byrote.studies.judge.study import JudgeStudy
    from byrote.studies.judge.zoo import zoo_study

    data = load_data(command, out)
    command = _at_scale(command, data)
    zoo = zoo_study(data, command.seeds, command.models, command.n_train)
    return JudgeStudy(zoo.with_recipe(precision=precision, **command.recipe), judged_measures(command))


def judged_measures(command: Judge) -> list[str]:
    """Those asked for, or all in the box that do not take minutes for each network.

    Raises:
        UserError: one that is not there.
    """
    from byrote.studies.judge.study import BASELINES, SLOW, find_measure
    from byrote.theory.measures.catalog import MEASURES

    names = list(command.measures) or [name for name in MEASURES if name not in (*SLOW, *BASELINES)]
    for name in names:
        find_measure(name)
    return names


def load_data(command: DataFlags, out: Path | None) -> Dataset:
    """The data that the flags name; images that cannot be decoded are listed in `out`, where there is one."""
    from byrote.data.sources import load

    with _plain_warnings():
        return load(command.data, **command.reading, rejected=out and out / "rejected.csv")


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """A warning is a line on standard error, as an error is, without the line of code that gave it."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_, **__: print(f"byrote: {message}", file=sys.stderr)
        yield
