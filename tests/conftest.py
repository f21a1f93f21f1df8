"""The package's annotations of axes and number types are checked at run time in all tests."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
from collections.abc import Generator
from functools import partial, wraps
from importlib.util import find_spec
from inspect import isclass, isfunction, isgeneratorfunction
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, get_args, get_type_hints

import hypothesis
import jaxtyping
import numpy as np
import pytest
from beartype import beartype
from jaxtyping import AbstractArray

if TYPE_CHECKING:
    from byrote.data.dataset import Dataset

sys.path.insert(0, str(Path(__file__).parent))  # for squares.py

# The nets of these tests are fastest on one thread, and tests run beside each other on all cores. Read when torch is
# imported, here and in the processes that the tests start.
os.environ["OMP_NUM_THREADS"] = "1"

# Tests are never timed, and draw the same everywhere: what fails on one machine fails on all.
too_slow = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=too_slow)
hypothesis.settings.load_profile("same")
SEED = 73_914_826


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end. Looking for garbage in all of it, again and again, took a third
    of the time of collecting; and after each 700 new objects, 7 % of the tests' own."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What draws from a global generator draws the same in each test, whichever ran before it in the same process; by a
    seed that no test has."""
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    if (torch := sys.modules.get("torch")) is not None:  # else it begins with a fixed seed
        torch.manual_seed(SEED)


@pytest.fixture(scope="module", autouse=True)
def _own_code_of_this_file_alone() -> Generator[None]:
    """A worker process imports all of the user's own files that this process has imported: were those of earlier tests
    among them, each would take seconds longer, and depend on what became of them."""
    yield
    if (references := sys.modules.get("byrote.references")) is not None:
        references._imported.clear()


def _modules_with_axes() -> list[str]:
    (folder,) = find_spec("byrote").submodule_search_locations
    files = [path for path in Path(folder).rglob("*.py") if "from jaxtyping import" in path.read_text()]
    return [".".join(("byrote", *path.relative_to(folder).with_suffix("").parts)) for path in files]


def _has_axes(annotation: object) -> bool:
    return any(map(_has_axes, get_args(annotation))) or (isclass(annotation) and issubclass(annotation, AbstractArray))


_annotate_axes: dict[tuple[str, CodeType], bool | None] = {}


def _annotates_axes(function: FunctionType) -> bool | None:
    """None where that is not to be seen."""
    known = (function.__module__, function.__code__)  # those within others are made at each call of the outer one
    if known not in _annotate_axes:
        try:
            _annotate_axes[known] = any(map(_has_axes, get_type_hints(function).values()))
        except NameError:  # of a name for mypy alone, or of one that is still to be defined
            _annotate_axes[known] = None
    return _annotate_axes[known]


_check_all = jaxtyping.jaxtyped


def _check_axes(checked: type | FunctionType | None = None, **options: object) -> object:
    """What the hook below puts onto each function and class, for those alone that annotate axes. Checks at each call of
    all others took two fifths of the tests' time; mypy has these."""
    if checked is None:
        return partial(_check_axes, **options)
    function = checked.__init__ if isclass(checked) else checked
    if not isfunction(function) or (annotates := _annotates_axes(function)) is False:
        return checked
    # What a generator yields is nobody's to check: it may have other axes each time.
    if isfunction(checked) and annotates and not isgeneratorfunction(checked):
        return _with_own_axes(beartype(checked))
    return _check_all(checked, **options)


def _with_own_axes(checked: FunctionType) -> FunctionType:
    """As `jaxtyped(typechecker=...)` would, in half the time: that looks at all that is given twice, the second time
    together with what is returned."""

    @wraps(checked)
    def call(*args: object, **kwargs: object) -> object:
        with _check_all("context"):
            return checked(*args, **kwargs)

    return call


jaxtyping.jaxtyped = _check_axes
hook = jaxtyping.install_import_hook(_modules_with_axes(), "beartype.beartype")

# In the background of a script Ctrl-C is ignored, under nohup a closed terminal too, and so they would be by the
# processes that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_xdist_auto_num_workers() -> int:
    """One for each core that a container grants, but eight at most: each imports everything for itself, into 500 MB."""
    import joblib

    return min(joblib.cpu_count(), 8)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real CIFAR-10 and MNIST files."""
    folder = Path(os.environ.get("BYROTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set BYROTE_DATA to a folder with cifar10/ and mnist/")
    return folder


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """Handwritten digits, 1x8x8, ten classes: 121 to train on, 60 to test on."""
    from sklearn.datasets import load_digits

    from byrote.data.dataset import Dataset, Split

    digits = load_digits()
    images, labels = digits.images[:, None].astype(np.uint8), digits.target.astype(np.int64)
    train, test = (Split.clean(images[part], labels[part]) for part in (slice(121), slice(121, 181)))
    return Dataset("tiny", train, test, tuple("0123456789"), pixel_max=16.0)
