"""Running the user's code so that it changes nothing for anybody else: no random state, setting, path or module."""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from byrote.source_files import is_installed

# Of each folder, its own modules where another folder has some of the same names.
_modules: dict[Path, dict[str, ModuleType]] = {}


@contextmanager
def undisturbed(seed: int) -> Iterator[Callable[[int], None]]:
    """Opens all global random streams with `seed`, and what decides numbers as torch has it at its start (numbers of
    float32, on the CPU, with gradients); leaves them and the settings of Python and torch as they were.

    Gives a function that opens the streams with another seed, and the settings as at the beginning: a tenth of the
    time that another block would take.
    """
    import torch

    kept = random.getstate(), np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
    on_devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    settings, folder, path = current_settings(), Path.cwd(), list(sys.path)
    try:
        with warnings.catch_warnings(), np.errstate(), torch.inference_mode(False), torch.enable_grad():
            torch.set_default_dtype(torch.float32)
            torch.set_default_device(None)
            own = current_settings()

            def begin(seed: int) -> None:
                restore_settings(own)
                random.seed(seed)
                np.random.seed(seed % 2**32)  # noqa: NPY002
                # Without an accelerator, torch.manual_seed would keep a seed for it, and print the stack for each.
                (torch if torch.accelerator.is_available() else torch.default_generator).manual_seed(seed)

            begin(seed)
            yield begin
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        torch.random.set_rng_state(kept[2])
        if on_devices:
            torch.cuda.set_rng_state_all(on_devices)
        restore_settings(settings)
        os.chdir(folder)
        sys.path[:] = path


def current_settings() -> dict[str, Any]:
    """What decides numbers, and what users set: of Python and of torch."""
    import torch

    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "grad": torch.is_grad_enabled(),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "cudnn": (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "anomaly": torch.is_anomaly_enabled(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "matmul": _matmul_precision(),
        "recursion": sys.getrecursionlimit(),
    }


def _matmul_precision() -> str | None:
    """None where the user has set it by both of torch's ways, which torch then does not tell."""
    import torch

    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


def restore_settings(before: dict[str, Any]) -> None:
    """Sets what differs: a setting that is set again is not always without effect, as that of threads."""
    import torch

    now = current_settings()
    changed = {name for name, value in before.items() if now[name] != value}
    if "dtype" in changed:
        torch.set_default_dtype(before["dtype"])
    if "device" in changed:
        torch.set_default_device(None if before["device"] == torch.device("cpu") else before["device"])
    if "threads" in changed:
        torch.set_num_threads(before["threads"])
    if "grad" in changed:
        torch.set_grad_enabled(before["grad"])
    if "deterministic" in changed:
        enabled, warn_only = before["deterministic"]
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
    if "cudnn" in changed:
        cudnn = torch.backends.cudnn
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic = before["cudnn"]
    if "mkldnn" in changed:
        torch.backends.mkldnn.enabled = before["mkldnn"]
    if "matmul" in changed and before["matmul"] is not None:
        torch.set_float32_matmul_precision(before["matmul"])
    if "recursion" in changed:
        sys.setrecursionlimit(before["recursion"])
    if "anomaly" in changed:
        torch.autograd.set_detect_anomaly(before["anomaly"])


@contextmanager
def first_on_path(folder: Path) -> Iterator[None]:
    """Imports look into the user's `folder` first, as if its file were a script, and find its modules and not those of
    the same names that another folder's code has imported."""
    path = list(sys.path)
    others = {name: module for name, module in _of_packages(_packages(folder)) if _place(name, module) != folder}
    for name in others:
        del sys.modules[name]
    sys.modules.update(_modules.get(folder, {}))
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = path
        clashing = {name.partition(".")[0] for name in others}
        own = {name: module for name, module in _of_packages(clashing) if _place(name, module) == folder}
        _modules.setdefault(folder, {}).update(own)
        for name in _modules[folder]:
            sys.modules.pop(name, None)
        sys.modules.update(others)


def forget_modules(files: set[Path]) -> None:
    """Lets the modules that were imported from `files` be imported anew."""
    for modules in (sys.modules, *_modules.values()):
        for name, module in list(modules.items()):
            place = getattr(module, "__file__", None)
            if name != "__main__" and place and Path(place).resolve() in files:
                del modules[name]


def _packages(folder: Path) -> set[str]:
    """The imported modules and packages, no submodules, that have the name of one in `folder`."""
    imported = {name.partition(".")[0] for name in list(sys.modules)}
    return {n for n in imported if (folder / f"{n}.py").is_file() or (folder / n / "__init__.py").is_file()}


def _of_packages(packages: set[str]) -> list[tuple[str, Any]]:
    """The imported modules of the user's that `packages` hold, by name."""
    found = [(name, module) for name, module in list(sys.modules.items()) if name.partition(".")[0] in packages]
    return [(name, module) for name, module in found if _place(name, module) is not None]


def _place(name: str, module: Any) -> Path | None:
    """The folder on the path in which a module of the user's lies; None of all that are no user's."""
    path = Path(getattr(module, "__file__", None) or "")
    package = name.partition(".")[0]
    if not path.is_absolute() or is_installed(path) or package in sys.stdlib_module_names:
        return None
    levels = name.count(".") + (path.name == "__init__.py")
    parents = path.resolve().parents
    return parents[levels] if package not in ("byrote", "__main__") and levels < len(parents) else None
