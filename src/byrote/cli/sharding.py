"""`--shard K/N`: what is said at its end, in place of a verdict that a part of a plan would not carry."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from byrote.cli.flags import TrainingFlags
from byrote.cli.interruption import shown

if TYPE_CHECKING:
    from byrote.runs.store import Store
    from byrote.studies.study import Study


def whole(arguments: Sequence[str]) -> list[str]:
    """The command without its --shard."""
    return _without("--shard", arguments)


def say_of_shard(command: TrainingFlags, studies: Sequence[Study], store: Store, arguments: Sequence[str]) -> None:
    """How much of the plan is in the store, and how the report is made once all of it is.

    Args:
        arguments: without --shard.
    """
    from byrote.runs.run import count_stored

    counts = [count_stored(study, store) for study in studies]
    num_stored, num_all = (sum(numbers) for numbers in zip(*counts, strict=True))
    print(f"Shard {command.shard} is done. {store.name} has {num_stored:,} of all {num_all:,} runs and calculations.")
    if num_stored == num_all or not store.is_file:
        print(f"The report is made, and what is then missing, by: {shown(arguments)}")
        return
    merged = [*_without("--store", arguments), "--store", "merged.db"]
    print(
        f"When all shards are done: byrote merge {shlex.quote(store.name)} ... --into merged.db, with the stores of "
        f"the others. Then the report is made, and what is missing, by: {shown(merged)}"
    )


def _without(flag: str, arguments: Sequence[str]) -> list[str]:
    """With neither the flag nor its value, given as two words or one."""
    kept, is_value = [], False
    for word in arguments:
        if not is_value and word.partition("=")[0] != flag:
            kept.append(word)
        is_value = not is_value and word == flag
    return kept
