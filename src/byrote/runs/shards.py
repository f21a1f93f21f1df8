"""Shards: the parts into which a plan is split for machines that do not talk to each other, as the jobs of an array."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from byrote.errors import UserError


@dataclass(frozen=True)
class Shard:
    """One of several parts of a plan, counted from 1.

    >>> Shard.parse("3/16")
    Shard(number=3, of=16)
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """ "3/16" is the third of sixteen.

        Raises:
            UserError: it is none.
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UserError(f"got the shard {text!r}, expected K/N with K from 1 to N, such as 3/16")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def split(costs: Mapping[Hashable, float], num_shards: int) -> list[list[Hashable]]:
    """Splits what has costs into so many shards, whose sums of costs differ little: the costliest first, each to the
    shard that has least so far. Equal arguments give equal shards.

    Graham, Bounds on multiprocessing timing anomalies (SIAM J. Appl. Math. 17, 1969): the costliest shard has at most
    4/3 of what it would have in the best split.
    """
    shards: list[list[Hashable]] = [[] for _ in range(num_shards)]
    sums = [(0.0, 0, number) for number in range(num_shards)]
    for each in sorted(costs, key=lambda each: -costs[each]):  # sorting keeps the order of equal ones
        cost, count, number = min(sums)
        shards[number].append(each)
        sums[number] = (cost + costs[each], count + 1, number)
    return shards


def share_of(
    shard: Shard,
    groups: Sequence[tuple[Sequence[str], float]],
    calculations: Mapping[str, tuple[float, Sequence[str]]],
) -> set[str]:
    """The keys of what the shard makes: whole groups of runs, and calculations. One that reads runs is in the shard
    that has them all; in none, where several shards have them: it is made when these are put together.

    Args:
        groups: the keys of runs that are trained together, with about how long that takes.
        calculations: by their keys, about how long each takes, and the keys of the runs that it reads.
    """
    reading = {key: reads for key, (_, reads) in calculations.items() if reads}
    costs: dict[Hashable, float] = {tuple(keys): seconds for keys, seconds in groups}
    costs |= {(key,): seconds for key, (seconds, _) in calculations.items() if key not in reading}
    own = {key for keys in split(costs, shard.of)[shard.number - 1] for key in keys}  # type: ignore[attr-defined]
    return own | {key for key, reads in reading.items() if own.issuperset(reads)}
