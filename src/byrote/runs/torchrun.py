"""In the processes that torchrun has started: all of them train every group, each on its part of every batch.

The first leads: it has the store, the progress and the pages, makes calculations, and tells the others which group is
next, by the key-value store through which torchrun's processes find each other. What it tells is JSON, and names data
by their fingerprints, so that all have made the same study from the same command. A group has connections of its own:
where it fails in one process, its connections end, and all go on with the next.
"""

from __future__ import annotations

import itertools
import json
import socket
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, final

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore  # type: ignore[attr-defined]  # documented all the same
from torch.distributed.rendezvous import rendezvous

from byrote.data.dataset import Dataset
from byrote.errors import RankLost, UserError
from byrote.runs.executors import Executor, Job, Need, Train
from byrote.runs.local import Local
from byrote.studies.study import Study
from byrote.training.checkpoints import Checkpoints
from byrote.training.engine import train
from byrote.training.outcome import Progress, TrainOutcome
from byrote.training.planner import Compile
from byrote.training.ranks import joined
from byrote.training.spec import TrainSpec
from byrote.training.threads import limited_threads, most_threads

T = TypeVar("T")

_END = "end"
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_TO_TELL = 10.0
"""In which one that gives a group up says so: who does not has ended."""


@dataclass(frozen=True, eq=False)
class Meeting:
    """How this process and the others that torchrun has started find each other."""

    store: dist.Store
    rank: int
    size: int

    @classmethod
    def of_torchrun(cls) -> Meeting:
        """From the environment variables that it sets."""
        store, rank, size = next(rendezvous("env://", timeout=timedelta(minutes=30)))
        return cls(PrefixStore("byrote", store), rank, size)

    def say(self, name: str, value: Any) -> None:
        """To all."""
        self.store.set(name, json.dumps(value))

    def hear(self, *names: str, seconds: float | None = None) -> Any:
        """What is said under the first of `names` that anything is said under; None after so many seconds."""
        started = time.monotonic()
        while seconds is None or time.monotonic() - started < seconds:
            try:
                found = [json.loads(self.store.get(name)) for name in names if self.store.check([name])]
            except RuntimeError as error:
                raise RankLost(
                    f"torchrun, by which {self.size} processes find each other, has ended: what is finished is kept; "
                    "start it again to go on"
                ) from error
            if found:
                return found[0]
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return None

    def refuse(self, sentence: str) -> None:
        """Tells the first process that this one cannot follow it."""
        self.say(f"ready {self.rank}", {"refused": sentence, "host": socket.gethostname()})

    def of_group(self, number: int) -> dist.Store:
        """Where the processes find each other for group `number`."""
        return PrefixStore(f"group {number}", self.store)


@final
class Torchrun(Executor):
    """The first of torchrun's processes."""

    most_tries = 1

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting
        self._here = Local(processes=1)
        self._numbers = itertools.count()
        self._known: set[str] = set()

    def __enter__(self) -> Torchrun:
        """Waits for the others.

        Raises:
            UserError: one of them has refused the command, with its sentence.
        """
        known = []
        for rank in range(1, self._meeting.size):
            ready = self._meeting.hear(f"ready {rank}")
            if "refused" in ready:
                raise UserError(f"process {rank} of {self._meeting.size} on {ready['host']}: {ready['refused']}")
            known.append(set(ready["data"]))
        self._known = set.intersection(*known)
        return self

    @property
    def num_cores(self) -> int:
        return most_threads()

    @property
    def trains(self) -> Train:
        return self._train

    def _train(
        self,
        specs: Sequence[TrainSpec],
        data: Dataset,
        *,
        device: str,
        compile: Compile,  # noqa: A002
        keep_weights: bool,
        on_progress: Callable[[Progress], None] | None,
        on_log: Callable[[str], None] | None,
        checkpoints: Checkpoints | None,
        finished: Collection[str],
    ) -> Iterator[TrainOutcome]:
        given: dict[str, Any] = {"device": device, "compile": compile, "keep_weights": keep_weights}
        given |= {"checkpoints": checkpoints, "finished": finished}
        told: dict[str, Any] = {"on_progress": on_progress, "on_log": on_log}
        if data.fingerprint not in self._known:
            # What a calculation has made of the data.
            yield from train(specs, data, **given, **told)
            return
        number, meeting = next(self._numbers), self._meeting
        meeting.say(
            f"call {number}",
            {
                "specs": [spec.model_dump_json() for spec in specs],
                "data": data.fingerprint,
                "threads": torch.get_num_threads(),
                "compile": compile,
                "checkpoints": checkpoints and [str(checkpoints.folder), checkpoints.seconds],
                "finished": list(finished),
            },
        )
        try:
            with joined(meeting.of_group(number), 0, meeting.size, device) as ranks:
                yield from train(specs, data, **given, **told, ranks=ranks)
        except RankLost:
            others = [f"failed {number} {rank}" for rank in range(1, meeting.size)]
            if (trace := meeting.hear(*others, seconds=_SECONDS_TO_TELL)) is not None:
                raise RuntimeError(f"in another of the processes that share the batches:\n{trace}") from None
            raise
        except BaseException:
            meeting.say(f"failed {number} 0", "")
            raise

    def share(self, value: Any) -> Any:
        return self._here.share(value)

    def callback(self, function: Callable[..., None]) -> Callable[..., None]:
        return self._here.callback(function)

    def side_by_side(self, needs: Sequence[Need]) -> int:
        return self._here.side_by_side(needs)

    def submit(
        self,
        function: Callable[..., T],
        *args: Any,
        need: Need = Need(),  # noqa: B008
        again: bool = False,  # noqa: ARG002
    ) -> Job[T]:
        return self._here.submit(function, *args, need=need)

    def as_completed(self, jobs: Sequence[Job[T]]) -> Iterator[Job[T]]:
        return self._here.as_completed(jobs)

    def cancel(self, jobs: Sequence[Job[Any]]) -> list[Job[Any]]:
        return self._here.cancel(jobs)

    def close(self) -> None:
        """Lets the others end."""
        self._meeting.say(f"call {next(self._numbers)}", _END)


def datasets_of(study: Study) -> dict[str, Dataset]:
    """All that its plan trains on, by their fingerprints."""
    found = [study.data, *(planned.data for planned in study.plan() if planned.data is not None)]
    return {data.fingerprint: data for data in found}


def follow(meeting: Meeting, data: Mapping[str, Dataset], device: str) -> None:
    """What all processes but the first do: they train with it what it says, until it says that there is no more.

    Raises:
        RankLost: the first has ended without a word.
    """
    meeting.say(f"ready {meeting.rank}", {"data": list(data)})
    for number in itertools.count():
        call = meeting.hear(f"call {number}")
        if call == _END:
            return
        specs = [TrainSpec.model_validate_json(spec) for spec in call["specs"]]
        try:
            with (
                limited_threads(call["threads"]),
                joined(meeting.of_group(number), meeting.rank, meeting.size, device) as ranks,
            ):
                kept = call["checkpoints"] and Checkpoints(Path(call["checkpoints"][0]), call["checkpoints"][1])
                for _ in train(
                    specs,
                    data[call["data"]],
                    device=device,
                    compile=call["compile"],
                    ranks=ranks,
                    checkpoints=kept,
                    finished=call["finished"],
                ):
                    pass
        except RankLost:
            _refuse_silence(meeting, number)
        except Exception:
            meeting.say(f"failed {number} {meeting.rank}", traceback.format_exc())


def _refuse_silence(meeting: Meeting, number: int) -> None:
    """Raises RankLost, if nobody says why group `number` was given up; KeyboardInterrupt of one that comes meanwhile,
    as torchrun ends all processes once one has died, if somebody does."""
    interrupt: KeyboardInterrupt | None = None
    names = [f"call {number + 1}", *(f"failed {number} {rank}" for rank in range(meeting.size))]
    try:
        said = meeting.hear(*names, seconds=_SECONDS_TO_TELL)
    except KeyboardInterrupt as error:
        interrupt, said = error, meeting.hear(*names, seconds=_SECONDS_TO_TELL / 10)
    if said is None:
        raise RankLost(
            f"one of the {meeting.size} processes that share the batches has ended: what is finished is kept; start "
            "them again to go on"
        )
    if interrupt is not None:
        raise interrupt
