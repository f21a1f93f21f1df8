"""The user's code changes nothing for anybody else."""

from __future__ import annotations

import random
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from byrote.isolation import undisturbed
from byrote.models.catalog import build_model
from byrote.references import load_object

RUDE = """
import os, random, sys, warnings
import numpy as np, torch
torch.set_default_dtype(torch.float64)
def disturb():
    torch.manual_seed(1); np.random.seed(1); random.seed(1); torch.rand(3); np.random.rand(3); random.random()
    torch.set_default_dtype(torch.float64); torch.set_default_device("meta")
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_grad_enabled(False); torch.use_deterministic_algorithms(True); torch.backends.cudnn.benchmark = True
    warnings.simplefilter("ignore"); os.chdir("/"); sys.path.insert(0, "/rude"); sys.path.append("/rude")
    torch.autograd.set_detect_anomaly(True); torch.set_float32_matmul_precision("medium")
    torch.backends.mkldnn.enabled = False; np.seterr(all="raise"); sys.setrecursionlimit(5000)
disturb()
torch.set_default_device(None)
def net(input_shape, num_classes):
    from beside import width
    made = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(width, num_classes))
    disturb()
    return made
"""


def state() -> list[Any]:
    """Without Python's own random state, of which the checks of annotations draw in tests."""
    return [
        [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],  # noqa: NPY002
        torch.random.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        torch.is_anomaly_enabled(),
        torch.get_float32_matmul_precision(),
        torch.backends.mkldnn.enabled,
        np.geterr(),
        sys.getrecursionlimit(),
        list(warnings.filters),
        Path.cwd(),
        list(sys.path),
    ]


def test_importing_and_building_a_model_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "rude.py").write_text(RUDE)
    (tmp_path / "beside.py").write_text("width = 64")
    before = state()
    assert load_object(f"{tmp_path}/rude.py:net")
    assert state() == before
    network = build_model(f"{tmp_path}/rude.py:net", input_shape=(1, 8, 8), num_classes=3)
    assert state() == before
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


def test_all_streams_follow_from_the_seed() -> None:
    def draws(seed: int) -> tuple[float, ...]:
        with undisturbed(seed):
            return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    before = random.getstate()
    assert draws(0) == draws(0) != draws(2**63 - 1)
    assert random.getstate() == before


def test_streams_and_settings_are_opened_again_within() -> None:
    def draws() -> tuple[float, ...]:
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    before = state()
    with undisturbed(5):
        expected = draws()
    with undisturbed(4) as begin:
        settings = state()[2:]
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        draws()
        begin(5)
        assert draws() == expected
        assert state()[2:] == settings
    assert state() == before


def test_two_folders_with_modules_of_one_name(tmp_path: Path) -> None:
    """Each file finds what lies beside it, also where it imports late."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.py").write_text(
            "from layers import name\ndef early(): return name\n"
            "def net(num_classes):\n    from layers import name\n    from late import other\n"
            "    import torch\n    made = torch.nn.Linear(8, num_classes)\n"
            "    made.said = name + other\n    return made\n"
        )
        (tmp_path / folder / "layers.py").write_text(f"name = {folder!r}")
        (tmp_path / folder / "late.py").write_text(f"other = {folder.upper()!r}")
    for folder in ("a", "b", "a"):
        file = f"{tmp_path}/{folder}/net.py"
        assert load_object(f"{file}:early")() == folder
        assert build_model(f"{file}:net", input_shape=(8,), num_classes=2).said == folder + folder.upper()
