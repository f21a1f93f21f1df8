"""Equal digests of code that does the same, different ones of all else."""

from __future__ import annotations

import functools
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from byrote.errors import UserError
from byrote.live_code import defining_file, is_stale, object_digest


def defined(source: str, name: str = "f", **values: Any) -> Any:
    """What a cell of a notebook defines, in a namespace of its own."""
    space: dict[str, Any] = {
        "__name__": "__main__",
        "torch": torch,
        "nn": nn,
        "np": np,
        "functools": functools,
        **values,
    }
    exec(compile(textwrap.dedent(source), "<cell>", "exec"), space)
    return space[name]


CLASS = """
class Base(nn.Module):
    scale = {scale}
    def forward(self, x):
        return helper(x) * self.scale
def helper(x):
    return x + {shift}
class f(Base):
    def __init__(self, width={width}):
        super().__init__()
        self.out = nn.Linear(width, 2)
"""


def test_a_class_is_what_it_is_made_of() -> None:
    def made(scale: int = 1, shift: int = 1, width: int = 4, change: tuple[str, str] = ("", "")) -> str:
        return object_digest(defined(CLASS.format(scale=scale, shift=shift, width=width).replace(*change)))

    same = made()
    assert made(change=("\n\n", "\n\n# a comment\n\n")) == same
    assert made(change=("\nclass f", "\n\n\n\nclass f")) == same
    others = [made(scale=2), made(shift=2), made(width=5), made(change=("Linear", "Bilinear")), made(change=("+", "-"))]
    assert len({same, *others}) == 6


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("f = lambda: v", [1, 1.0, True, "1", b"1", None, (1,), [1], {"a": 1}, {"a": 2}, {1}, frozenset([2]), 1j]),
        ("f = lambda: v", [nn.ReLU, nn.Tanh, nn.ReLU(), nn.Dropout(0.1), nn.Dropout(0.2), torch.relu, torch.tanh]),
        ("f = lambda: v", [torch.zeros(2), torch.ones(2), torch.zeros(3), torch.zeros(2).double(), np.zeros(2)]),
        (
            "f = lambda: v",
            [torch.float32, torch.float64, np.tanh, np.sin, range(3), range(4), slice(1), sys, threading],
        ),
        ("f = functools.partial(nn.Linear, 3, out_features=v)", [1, 2, 3]),
        ("def f(x=v): ...", [1, 2]),
        ("def f(*, x=v): ...", [1, 2]),
        ("def make(v):\n    def inner(): return v\n    return inner\nf = make(v)", [1, 2]),
        ("class f:\n    def a(self):\n        def b(): return v\n        return b", [1, 2]),
        ("f = functools.lru_cache(lambda: v)", [1, 2]),
        ("class C:\n    def __call__(self): return self.w\nf = C()\nf.w = v", [1, 2]),
        ("class f:\n    @property\n    def a(self): return v", [1, 2]),
        ("class f:\n    @classmethod\n    def a(cls): return v\n    @staticmethod\n    def b(): ...", [1, 2]),
        ("f = type('Net', (nn.Module,), {'width': v})", [1, 2]),
        ("f = nn.Sequential(nn.Linear(2, v), nn.ReLU())", [1, 2]),
        ("f = [i for i in range(v)].append", [1, 2]),
    ],
)
def test_values_count(source: str, values: list[Any]) -> None:
    digests = [object_digest(defined(source, v=value)) for value in values]
    assert len(set(digests)) == len(values)
    weighs = isinstance(defined(source, v=values[0]), nn.Module)  # has random weights
    assert weighs or digests == [object_digest(defined(source, v=value)) for value in values]


def test_weights_that_are_drawn_anew_do_not_count() -> None:
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    assert object_digest(first) != object_digest(second)
    without = [object_digest(net, redrawn={id(weight) for weight in net.parameters()}) for net in (first, second)]
    assert without[0] == without[1]


def test_things_that_refer_to_themselves() -> None:
    assert object_digest(defined("def f(n): return f(n - 1)")) != object_digest(defined("def f(n): return f(n - 2)"))
    ring: list[Any] = [1]
    ring.append(ring)
    assert object_digest(ring)


def test_what_cannot_be_taken_apart_is_refused() -> None:
    with pytest.raises(UserError, match=r"got code that uses <unlocked _thread.lock .*give FILE.py:NAME"):
        object_digest(defined("f = lambda: v", v=threading.Lock()))


@pytest.mark.slow
def test_digests_are_the_same_in_another_process() -> None:
    program = (
        "import torch, functools\nfrom torch import nn\nfrom byrote.live_code import object_digest\n"
        + CLASS.format(scale=1, shift=2, width=3)
        + "\nf.extra = {'a', 'b', 'c', 'd'}, {1: functools.partial(helper, 2)}, torch.float16\nprint(object_digest(f))"
    )
    digests = {
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


def top_level() -> None: ...


class TopLevel(nn.Module):
    class Inner: ...


exec("def by_exec(): ...\nclass ByExec:\n    def f(self): ...")
ByType = type("ByType", (nn.Module,), {})


def test_which_file_says_all(tmp_path: Path) -> None:
    here = Path(__file__)
    assert defining_file(top_level) == defining_file(TopLevel) == here
    assert defining_file(nn.Linear) == Path(nn.modules.linear.__file__)
    local = lambda: None  # noqa: E731
    others: list[Any] = [globals()["by_exec"], globals()["ByExec"], ByType, TopLevel.Inner, local, nn.Linear(1, 1)]
    assert [defining_file(value) for value in [*others, functools.partial(top_level)]] == [None] * 7


def test_code_that_is_older_than_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "class Net:\n    def f(self):\n        return [x + 1 for x in (1, 2)]\ndef g(): ...\n"
    path = tmp_path / "older.py"
    path.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    import older  # type: ignore[import-not-found]

    stale: Callable[[], list[bool]] = lambda: [is_stale(value, path) for value in (older.Net, older.g)]  # noqa: E731
    path.write_text("# moved down\n" + source)
    assert stale() == [False, False]
    path.write_text(source.replace("x + 1", "x + 2"))
    assert stale() == [True, False]
