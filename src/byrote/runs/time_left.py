"""How long what is left of a plan takes: the forecast, corrected by what has happened so far."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping

from byrote.runs.forecast import Forecast, about, kind_of
from byrote.studies.study import Task

_TRUSTED_SECONDS = 3.0
"""So much of the forecast weighs as much as the forecast itself: before, what has happened is mostly start."""


class TimeLeft:
    """Is told what has ended and what is under way, and says how long the rest takes. Its clock starts at once."""

    def __init__(self, forecast: Forecast) -> None:
        self._forecast = forecast
        self._left: dict[Task, float] = dict(forecast.seconds) | dict.fromkeys(forecast.unknown, 1.0)
        self._unknown = {kind_of(task) for task in forecast.unknown}
        self._foreseen: defaultdict[str, float] = defaultdict(float)
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._under_way: dict[Task, float] = {}
        # Of very many tasks, sums are not made anew each time that one has ended.
        self._sums = _by_kind(self._left)
        self._num_at_most = Counter(kind_of(task) for task in self._left if task in forecast.at_most)
        self._last = time.monotonic()

    def update(self, shares: Mapping[Task, float]) -> None:
        """Of these tasks, so much is done of the most that there is to do."""
        self._under_way |= {task: min(share, 1.0) for task, share in shares.items() if task in self._left}

    def finish(self, task: Task) -> None:
        """The task has ended."""
        now, kind = time.monotonic(), kind_of(task)
        self._spent[kind] += now - self._last
        self._last = now
        if task in self._left:
            seconds = self._left.pop(task)
            self._foreseen[kind] += seconds
            self._sums[kind] -= seconds
            self._num_at_most[kind] -= task in self._forecast.at_most
        self._under_way.pop(task, None)

    def words(self) -> str:
        """ "about 3 min left"; "" where nothing is known."""
        waiting = time.monotonic() - self._last
        done: defaultdict[str, float] = defaultdict(float)
        for task, share in self._under_way.items():
            done[kind_of(task)] += share * self._left[task]
        known = self._foreseen.keys() - self._unknown
        seconds, is_at_most = 0.0, False
        for kind, whole in self._sums.items():
            left = max(whole - done[kind], 0.0)
            spent = self._spent[kind] + (waiting if done[kind] else 0.0)
            past = self._foreseen[kind] + done[kind]
            if kind in self._unknown:
                if not self._foreseen[kind]:
                    continue
                seconds += left * self._spent[kind] / self._foreseen[kind]
                continue
            if not past:  # as the others have turned out
                spent, past = sum(self._spent[each] for each in known), sum(self._foreseen[each] for each in known)
            seconds += left * (_TRUSTED_SECONDS + spent) / (_TRUSTED_SECONDS + past)
            is_at_most |= not self._foreseen[kind] and self._num_at_most[kind] > 0
        return f"{about(seconds, at_most=is_at_most)} left" if seconds > _ROUNDING else ""


_ROUNDING = 1e-6
"""Seconds: what may be left of a sum of which everything was taken away."""


def _by_kind(seconds: Mapping[Task, float]) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for task, each in seconds.items():
        found[kind_of(task)] += each
    return dict(found)
