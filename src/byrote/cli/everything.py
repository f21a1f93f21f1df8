"""`byrote reproduce all`: every study of the paper in one folder and one store, with an index page that links them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byrote.cli.asked_study import changed, load_data, said_of_scale
from byrote.cli.flags import Reproduce
from byrote.cli.interruption import shown
from byrote.cli.sharding import say_of_shard
from byrote.cli.writing import write
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.studies.registry import Reproduction, reproductions

if TYPE_CHECKING:
    from byrote.evidence.published import PublishedFigure
    from byrote.report.index import IndexEntry
    from byrote.runs.executors import Executor
    from byrote.runs.forecast import Forecast
    from byrote.runs.run import Failure
    from byrote.runs.store import Store
    from byrote.studies.study import Results, Study

INDEX = "index.html"
_LATER = "it has not been reached yet; the same command goes on where it was."
_NOTHING_STORED = "the store has no run of it."


@dataclass(frozen=True, eq=False)
class Everything:
    """All studies that a command asks for."""

    command: Reproduce
    arguments: Sequence[str]
    out: Path
    data: Dataset
    studies: Mapping[str, Study | str]
    """By the name of each; or the sentence that says why there is none for these data and flags."""

    @classmethod
    def asked_for(
        cls, command: Reproduce, arguments: Sequence[str], precision: str, out: Path, *, lists_rejected: bool = True
    ) -> Everything:
        """Raises UserError for what no study takes."""
        if command.live:
            raise UserError(
                "got --live, which reproduce all has no use for: leave it out, or give it with a single study"
            )
        data = load_data(command, out if lists_rejected else None)
        studies: dict[str, Study | str] = {}
        heeding = []
        for name, reproduction in reproductions().items():
            try:
                study, heeds = _asked(name, reproduction, command, data, precision)
            except UserError as error:
                studies[name] = str(error)
            else:
                studies[name] = study
                heeding += [name] * heeds
        if not heeding:  # what was given fits no study that has a use for it
            raise UserError(next(refusal for refusal in studies.values() if isinstance(refusal, str)))
        return cls(command, arguments, out, data, studies)

    def forecasts(self, store: Store | None, device: str, executor: Executor) -> dict[str, Forecast | str]:
        """What each study would have to make that those before it do not; or the sentence that says why it is not
        run."""
        from byrote.cli.training import foreseen

        found: dict[str, Forecast | str] = {}
        made: set[str] = set()
        for name, study in self.studies.items():
            if isinstance(study, str):
                found[name] = study
                continue
            try:
                own = foreseen(study, store, executor, self.command, device, made)
            except UserError as error:
                found[name] = str(error)
            else:
                found[name] = own
                made |= own.plan.keys()
        return found

    @property
    def told(self) -> list[Study]:
        """Those that there are for these data and flags."""
        return [study for study in self.studies.values() if not isinstance(study, str)]

    def make(self, store: Store, executor: Executor, device: str) -> int:
        """Makes what the store lacks, a study after another, and writes the index after each. Returns the exit code."""
        from byrote.cli.training import run_shown
        from byrote.runs.forecast import together

        told = together(
            [each for each in self.forecasts(store, device, executor).values() if not isinstance(each, str)]
        )
        print(f"All studies: {told.sentence()}", file=sys.stderr, flush=True)
        index = _Index(self)
        failed = False
        for number, (name, study) in enumerate(self.studies.items(), 1):
            print(f"\n{name} ({number} of {len(self.studies)})", file=sys.stderr, flush=True)
            if not isinstance(study, str):
                try:
                    results, failures = run_shown(study, store, executor, self.command, device)
                except UserError as error:
                    study = str(error)
                else:
                    failed |= bool(failures)
                    if self.command.shard is not None:
                        continue
                    index.add(name, study, results, failures, self.command.style, self.command.formats)
            if isinstance(study, str):
                print(f"byrote: {name} is not run: {study}", file=sys.stderr)
                index.enter(name, study)
            index.write(self.command.style)
        if self.command.shard is not None:
            say_of_shard(self.command, self.told, store, self.arguments)
            return 3 if failed else 0
        print(f"\n{index.headline}\nIndex: {self.out / INDEX}")
        if not failed and not index.num_written:
            return 2
        return 3 if failed else 0

    def report(self, store: Store, style: Any, formats: Sequence[Any]) -> int:
        """Writes all pages and the index from what the store has. Makes nothing.

        Raises:
            UserError: it has nothing.
        """
        from byrote.runs.run import stored

        index = _Index(self)
        for name, study in self.studies.items():
            reason = study if isinstance(study, str) else _NOTHING_STORED
            index.enter(name, reason)
            if not isinstance(study, str):
                index.num_missing += len(study.plan())
                if results := stored(study, store):
                    index.num_missing -= len(results)
                    index.add(name, study, results, (), style, formats)
        if not index.num_written:
            raise UserError(f"the store has no run of any study: run {shown(self.arguments)} first")
        index.write(style)
        if index.num_missing:
            print(f"{index.num_missing:,} runs are missing: {shown(self.arguments)} trains them")
        print(f"{index.headline}\nIndex: {self.out / INDEX}")
        return 0


def _asked(
    name: str, reproduction: Reproduction, command: Reproduce, data: Dataset, precision: str
) -> tuple[Study, bool]:
    """The study with those of the flags that it has any use for, and whether it has for all of models and recipe."""
    seeds = max(command.seeds, reproduction.least_seeds) if command.seeds > 1 else command.seeds
    models = command.models if reproduction.takes_models else None
    study = reproduction.build(data, command.scale, seeds, models)
    takes_recipe = hasattr(study, "with_recipe")
    own = replace(
        command,
        name=name,
        corruptions=command.corruptions if hasattr(study, "under") else None,
        recipe=command.recipe if takes_recipe else {},
        precision=command.precision if takes_recipe else "auto",
    )
    heeds = models == command.models and (takes_recipe or not command.recipe)
    return changed(study, own, precision), heeds and (command.corruptions is None or own.corruptions is not None)


class _Index:
    """What is known of each study so far."""

    def __init__(self, everything: Everything) -> None:
        self._everything = everything
        self._tables: dict[str, Any] = {}
        self._entries: dict[str, IndexEntry] = {}
        self.num_missing = 0
        for name in everything.studies:
            self.enter(name, _LATER)

    def enter(self, name: str, reason: str = "", **known: Any) -> None:
        """What is known of a study, in place of what was."""
        from byrote.report.index import IndexEntry

        self._entries[name] = IndexEntry(name, reproductions()[name].description, reason, **known)

    @property
    def num_written(self) -> int:
        return len(self._tables)

    @property
    def figures(self) -> list[PublishedFigure]:
        import pandas as pd

        everything, found = self._everything, []
        for name, reproduction in reproductions().items():
            own = reproduction.published_figures(everything.data, self._tables.get(name, pd.DataFrame()))
            is_changed = everything.command.recipe and hasattr(everything.studies[name], "with_recipe")
            found += [figure.of_another_recipe() for figure in own] if is_changed else own
        return found

    @property
    def headline(self) -> str:
        from byrote.report.index import headline

        return headline(self.figures)

    def add(
        self, name: str, study: Study, results: Results, failures: Sequence[Failure], style: Any, formats: Sequence[Any]
    ) -> None:
        """Writes the study's page, and takes in what it says."""
        from byrote.files import make_folder

        everything = self._everything
        if not results:
            happened = failures[0].trace.strip().splitlines()[-1]
            reason = f"all that it plans failed; the first: {happened}"
            self.enter(name, reason, num_failures=len(failures))
            return
        folder = everything.out / name
        make_folder(folder)
        note = said_of_scale(everything.command, study, name)
        written = write(study, results, folder, everything.arguments, failures, style, formats, note)
        self._tables[name] = written.table
        self.enter(
            name,
            headline=written.headline,
            findings=written.findings,
            num_failures=len(failures),
            environments=[result.environment for result in results],
        )

    def write(self, style: Any) -> None:
        from byrote.report.index import write_index

        everything = self._everything
        write_index(
            everything.out / INDEX,
            everything.data.label,
            list(self._entries.values()),
            self.figures,
            command=shown(everything.arguments),
            remarks=_remarks(everything.command),
            style=style,
        )


def _remarks(command: Reproduce) -> list[str]:
    """What makes these runs others than the paper's, at first sight."""
    remarks = []
    if command.scale == "quick":
        remarks.append(
            "The scale is quick: small models on few examples; each study's page says what it leaves out. Give "
            "`--scale laptop` for more."
        )
    if command.recipe:
        changes = ", ".join(f"`--{name.replace('_', '-')} {value}`" for name, value in command.recipe.items())
        remarks.append(f"The recipe is not the paper's: {changes}.")
    return remarks
