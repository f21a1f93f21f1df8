"""Checkpoints inside a run: what a group in training carries, written now and then, so that a kill costs little.

What follows from the seeds, the specs and the data is not written but made again: labels, orders of batches, initial
weights, what augmentations and dropout draw. What is written is what steps have made of it: weights, buffers, the
optimiser's state, curves, what is counted of the current epoch, and where generators are that networks draw from. So a
group goes on where it was, bit for bit, on the same machine and with as many threads.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from byrote.training.batches import EpochBatches
from byrote.training.checkpoint_file import (
    ENDING,
    Damaged,
    NotKept,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from byrote.training.compiled import CompiledStep
from byrote.training.course import Course
from byrote.training.group_state import GroupSetup, GroupState, Position
from byrote.training.own_draws import all_states
from byrote.training.own_state import kept_by_optimizer, kept_in_python
from byrote.training.replica_run import environment
from byrote.training.tally import EpochTally

SECONDS = 60.0
"""Of work that a kill costs at most, unless asked for otherwise."""
_VERSIONS = ("byrote", "torch", "numpy", "python")
_EVALUATED = ("train", "test", "left_out")
"""Of a course, what each end of a run is told by an evaluation of its own."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where groups keep theirs, and how much work a kill may cost."""

    folder: Path
    """It is made where its parent is there."""
    seconds: float = SECONDS

    def file(self, keys: Sequence[str]) -> Path:
        """That of the runs with these keys, trained together in this order, or of a calculation with this one."""
        return self.folder / (hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32] + ENDING)

    def write(self, file: Path, head: Mapping[str, Any], tree: Any) -> None:
        """As `write_checkpoint`, and makes the folder."""
        self.folder.mkdir(exist_ok=True)
        try:
            write_checkpoint(file, head, tree)
        except FileNotFoundError:  # another process has just removed the empty folder
            self.folder.mkdir(exist_ok=True)
            write_checkpoint(file, head, tree)


class Unusable(Exception):
    """A checkpoint that the group cannot go on from; the words say why, as in "it is damaged"."""


class Keeper:
    """Writes the checkpoints of one group, and finds the one to go on from."""

    def __init__(
        self, checkpoints: Checkpoints, setup: GroupSetup, state: GroupState, log: Callable[[str], None]
    ) -> None:
        """Of a group at its beginning."""
        self._checkpoints, self._log = checkpoints, log
        self._keys = [run.origin.key for run in setup.runs]
        self.path = checkpoints.file(self._keys)
        self._in_python = _in_python(state)
        self._is_off = setup.ranks is not None and setup.ranks.rank > 0  # the first of the processes writes for all
        self._kept = self._looked = time.monotonic()
        self._writing = 0.0
        self._took, self._was_last = {False: 0.0, True: 0.0}, False

    def resumed(self, setup: GroupSetup, state: GroupState, finished: Collection[str]) -> tuple[GroupSetup, GroupState]:
        """The group where its checkpoint has it; as it is, where there is none.

        Args:
            state: at its beginning; it is of no use any more if this raises.
            finished: the keys of runs whose outcomes are safe: those that have left the group need not be trained.

        Raises:
            Unusable: damaged, of other runs, of other versions, or without runs that are not `finished`.
        """
        found, reason = None, ""
        try:
            found = self._usable(setup, state, finished)
        except Unusable as error:
            reason = str(error)
        if setup.ranks is not None:
            told = torch.tensor([float(found is not None), float(bool(reason))], device=setup.device)
            setup.ranks.total(told)
            num_usable, num_of_no_use = told.tolist()
            if num_of_no_use or num_usable not in (0, setup.ranks.size):
                reason = reason or "cannot be read by all processes"
        if reason:
            raise Unusable(reason)
        if found is None:
            return setup, state
        setup, state = _restored(setup, state, found)
        position = state.position
        self._log(
            f"{setup.recipe.model}: goes on from its checkpoint, in epoch {position.epoch:,} after "
            f"{position.step:,} steps"
        )
        return setup, state

    def _usable(self, setup: GroupSetup, state: GroupState, finished: Collection[str]) -> dict[str, Any] | None:
        """What the file has; None where there is none."""
        try:
            head, tree = read_checkpoint(self.path, setup.device)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, Damaged) as error:
            raise Unusable(f"is damaged: {error}") from error
        now = self._head(setup, state)
        if head["keys"] != now["keys"]:
            raise Unusable("is of other runs, or of others together")
        for name, made_by in head["made_by"].items():
            if made_by != now["made_by"][name]:
                raise Unusable(f"was made with {name} {made_by}, and this is {now['made_by'][name]}")
        left = set(self._keys) - {self._keys[run] for run in head["active"]}
        if not left.issubset(finished):
            raise Unusable("lacks runs that had ended and are not stored")
        return dict(tree)

    def look(self, setup: GroupSetup, state: GroupState, *, step: int, is_last: bool) -> None:
        """To be called before each step, with how many steps are taken; writes a checkpoint where one is due.

        It is due where a kill before the next look would otherwise cost too much: steps take as long as the one before,
        and to the last step of an epoch belongs its evaluation.
        """
        now = time.monotonic()
        self._took[self._was_last] = now - self._looked
        if not self._is_off and now - self._kept + self._took[is_last] + self._writing >= self._checkpoints.seconds:
            self._keep(setup, replace(state, position=replace(state.position, step=step)), now)
        self._looked, self._was_last = time.monotonic(), is_last

    def remove(self) -> bool:
        """Once all outcomes are safe, or where it is of no use; gives whether that could be done."""
        with suppress(OSError):
            remove_checkpoint(self.path)
            return True
        return False

    def _keep(self, setup: GroupSetup, state: GroupState, now: float) -> None:
        self._kept = now
        model = setup.recipe.model
        try:
            if _in_python(state) != self._in_python:
                raise NotKept("what its modules or its optimiser keep in Python from step to step")
            self._checkpoints.write(self.path, self._head(setup, state), _tree(setup, state))
        except NotKept as error:
            self._is_off = True
            self._log(f"{model}: no checkpoints, which cannot hold {error}: a kill costs all of its work")
        except OSError as error:
            self._is_off = True
            self._log(
                f"{model}: no checkpoints any more, since {self.path.parent} cannot be written "
                f"({error.strerror or error}): a kill costs the work since the last one"
            )
        self._writing = time.monotonic() - now

    def _head(self, setup: GroupSetup, state: GroupState) -> dict[str, Any]:
        own = {
            "processes": str(setup.ranks.size if setup.ranks else 1),
            "compiled steps": "on" if isinstance(state.take, CompiledStep) else "off",
        }
        return {"keys": self._keys, "active": list(state.active), "made_by": made_by(setup.device) | own}


def made_by(device: str) -> dict[str, str]:
    """What has to be the same for a checkpoint to be of use."""
    return {name: environment(device)[name] for name in _VERSIONS} | {"device": device.partition(":")[0]}


def _in_python(state: GroupState) -> tuple[list[Any], list[Any]]:
    return kept_in_python(state.replicas.network), kept_by_optimizer(state.optimizer.wrapped)


def _tree(setup: GroupSetup, state: GroupState) -> dict[str, Any]:
    """All that changes and does not follow from the seeds."""
    figures = [field.name for field in fields(Course) if field.name not in _EVALUATED]
    return {
        "position": asdict(state.position),
        "seconds": time.perf_counter() - setup.started_seconds,
        "leavings": state.leavings,
        "graphs": state.take.made_for if isinstance(state.take, CompiledStep) else [],
        "tensors": state.replicas.tensors,
        "optimizer": state.optimizer.snapshot,
        "last_gradients": state.probe.last_gradients,
        "rows": state.recorder.snapshot(state.active),
        "courses": [{name: getattr(state.courses[run], name) for name in figures} for run in state.active],
        "evaluations": state.evaluations.snapshot,
        "tally": state.tally.snapshot(setup.num_classes),
        "drawn": all_states([state.replicas.network], setup.device),
    }


@torch.inference_mode(False)
def _restored(setup: GroupSetup, state: GroupState, tree: dict[str, Any]) -> tuple[GroupSetup, GroupState]:
    position = Position(**tree["position"])
    state = _with_graphs(setup, state, tree["leavings"], tree["graphs"], has_begun=position.step > 0)
    state.replicas.restore(tree["tensors"])
    state.optimizer.restore(tree["optimizer"])
    state.probe.last_gradients = tree["last_gradients"]
    state.recorder.restore(state.active, tree["rows"])
    state.evaluations.restore(tree["evaluations"])
    courses = list(state.courses)
    for run, figures in zip(state.active, tree["courses"], strict=True):
        courses[run] = Course(**figures)
    train = state.splits.train
    tally = EpochTally.of_epoch(train, state.streams.batch_order(position.epoch, train.num_examples))
    tally.restore(tree["tally"])
    return (
        replace(setup, started_seconds=time.perf_counter() - tree["seconds"]),
        replace(state, position=position, courses=tuple(courses), tally=tally, drawn=tree["drawn"]),
    )


def _with_graphs(
    setup: GroupSetup,
    state: GroupState,
    leavings: Sequence[Sequence[int]],
    graphs: Sequence[tuple[int, int]],
    *,
    has_begun: bool,
) -> GroupState:
    """The group from its beginning on, without those that have left, as they did, and with the graphs of compiled steps
    made again as they were, for the numbers of replicas and examples that they were made for: what the machine code
    looks like may depend on these, and on where weights lie."""

    def make(number: int) -> None:
        bounds, tally = [(0, graphs[number][1])], state.tally
        augmentation = state.streams.augmentation(setup.recipe.augmentation, setup.augment, 1)
        train = state.splits.train
        batch = EpochBatches(train, tally.order, tally.labels, bounds, setup.dtype, augmentation)[0]
        if number == 0:
            with state.streams.opened("dropout", 1):
                state.take(state.replicas, state.optimizer, batch, 1.0)
        elif isinstance(state.take, CompiledStep):
            state.take.compile(state.replicas, state.optimizer, batch)

    made = 0
    for active in (None, *leavings):
        if active is not None:
            state = state.keep([state.active.index(run) for run in active])
            order = state.streams.batch_order(1, state.splits.train.num_examples)
            state = replace(state, tally=EpochTally.of_epoch(state.splits.train, order))
        while made < len(graphs) and graphs[made][0] == len(state.active):
            make(made)
            made += 1
    if isinstance(state.take, CompiledStep):
        state.take.has_begun = has_begun
        if state.take.made_for != list(graphs):
            raise Unusable("was made with compiled steps, which cannot be compiled now")
    return state
