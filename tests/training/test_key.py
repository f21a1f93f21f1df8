from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.training import key
from byrote.training.key import network_input_shape
from byrote.training.spec import TrainSpec

SPEC = TrainSpec(model="mlp-1x4")
NET = "from torch import nn\nfrom sizes import W\ndef net(*, input_shape, num_classes):\n    return nn.Linear(W, 2)\n"


def made_up() -> Dataset:
    split = Split.clean(np.arange(24, dtype=np.uint8).reshape(4, 1, 2, 3), np.array([0, 1, 0, 1]))
    return Dataset("made up", split, split, ("a", "b"))


def test_the_key_is_pinned() -> None:
    """A changed key makes a stranger of every stored run: so does a new field of the spec; change it knowingly."""
    assert SPEC.key(made_up()) == "fefb2ee6795f3a2146daaeea63ddb146fc5fcad6f75f54c0e4d51789f26a79cd"


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"data_seed": 1},
        {"model": "mlp-1x5"},
        {"learning_rate": 0.02},
        {"corruptions": (Corruption(name="partial-labels", rate=0.0),)},
        {"n_train": 4},
        {"dropout": 0.1},
        {"optimizer_options": (("nesterov", True),)},
        {"precision": "float64"},
        {"crop": 2},
        {"augmentation": "random-crop"},
        {"validation": 0.5},
        {"evaluation_share": 0.2},
        {"schedule": "cosine"},
        {"schedule": "constant"},
        {"warmup_steps": 5},
        {"repeat": 1},
        {"stack": "first"},
    ],
    ids=str,
)
def test_every_field_of_the_spec_counts(changes: dict[str, object]) -> None:
    assert SPEC.model_copy(update=changes).key(made_up()) != SPEC.key(made_up())


def test_the_data_count_and_their_name_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made_up()
    other = replace(data, test=data.test.take(np.arange(3)))
    assert SPEC.key(other) != SPEC.key(data)
    assert SPEC.key(replace(data, name="other", title="Other")) == SPEC.key(data)
    before = SPEC.key(data)
    monkeypatch.setattr(key, "SEMANTICS", key.SEMANTICS + 1)
    assert SPEC.key(data) != before


def test_the_users_source_counts(tmp_path: Path) -> None:
    (tmp_path / "mynet.py").write_text(NET)
    (tmp_path / "sizes.py").write_text("W = 3\n")
    (tmp_path / "myopt.py").write_text("from torch.optim import SGD\nclass Mine(SGD): ...\n")
    (tmp_path / "myaug.py").write_text("def halved(images, draw, size):\n    return images / 2\n")
    (tmp_path / "mynoise.py").write_text(
        "import byrote\nclass Same(byrote.LabelCorruption):\n    def redraw(self, labels, uniform, context):\n"
        "        return labels\n"
    )
    (tmp_path / "myrate.py").write_text("def half(step, total_steps):\n    return 0.5\n")
    own = {"model": "mynet.py:net", "optimizer": "myopt.py:Mine", "augmentation": "myaug.py:halved"}
    own["schedule"] = "myrate.py:half"
    noise = (Corruption(name=f"{tmp_path}/mynoise.py:Same"),)
    spec = TrainSpec(**{field: f"{tmp_path}/{name}" for field, name in own.items()}, corruptions=noise)
    keys = {spec.key(made_up())}
    for name in ("mynet.py", "sizes.py", "myopt.py", "myaug.py", "myrate.py", "mynoise.py"):
        with (tmp_path / name).open("a") as file:
            file.write("\n# changed\n")
        keys.add(spec.key(made_up()))
    assert len(keys) == 7


def test_a_warm_up_as_long_as_the_run_has_no_key() -> None:
    # Two of the four examples, one batch an epoch.
    spec = SPEC.model_copy(update={"epochs": 3, "validation": 0.5})
    spec.model_copy(update={"warmup_steps": 2}).key(made_up())
    with pytest.raises(UserError, match="got warmup_steps=3 for runs of at most 3 steps: give fewer, or more epochs"):
        spec.model_copy(update={"warmup_steps": 3}).key(made_up())


def test_an_augmentation_that_is_not_there_has_no_key() -> None:
    with pytest.raises(UserError, match="got augmentation 'random-corp'"):
        SPEC.model_copy(update={"augmentation": "random-corp"}).key(made_up())


def test_the_input_of_the_network(tiny: Dataset) -> None:
    assert network_input_shape(SPEC, tiny) == (1, 8, 8)
    assert network_input_shape(SPEC.model_copy(update={"crop": 5}), tiny) == (1, 5, 5)
    with pytest.raises(UserError, match=r"centre crop of 9 for inputs of shape \(1, 8, 8\)"):
        network_input_shape(SPEC.model_copy(update={"crop": 9}), tiny)


def test_an_optimizer_that_cannot_be_used_has_no_key() -> None:
    for name in ("LBFGS", "SparseAdam", "Muon"):
        with pytest.raises(UserError, match=f"got optimizer '{name}', which cannot"):
            SPEC.model_copy(update={"optimizer": name}).key(made_up())


@pytest.mark.parametrize(("n_train", "share"), [(20, 0.999), (20, 0.001), (None, 0.9999)])
def test_a_share_that_leaves_nothing_on_one_side_has_no_key(tiny, n_train, share):
    with pytest.raises(UserError, match="choose a share that leaves examples on both sides"):
        TrainSpec(model="mlp-1x4", n_train=n_train, validation=share).key(tiny)
