"""The Trainer of transformers records through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from byrote.errors import UserError
from byrote.recording.recorder import Recorder

N, K = 50, 3


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, K)

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.layer(x)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def examples() -> list[dict[str, Any]]:
    draw = np.random.default_rng(0)
    return [{"x": draw.normal(size=4).astype(np.float32), "labels": int(draw.integers(K))} for _ in range(N)]


@pytest.mark.slow
def test_trainer_records(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    recorder, net = Recorder(N), Classifier()
    data = examples()
    recorder = Recorder(N, labels=[each["labels"] for each in data])

    def trainer(keeps_index: bool) -> Any:
        return transformers.Trainer(
            model=net,
            args=transformers.TrainingArguments(
                output_dir=str(tmp_path),
                num_train_epochs=2,
                learning_rate=0.0,
                per_device_train_batch_size=16,
                eval_strategy="epoch",
                report_to=[],
                use_cpu=True,
                disable_tqdm=True,
                remove_unused_columns=not keeps_index,
            ),
            train_dataset=recorder.indexed(data),
            eval_dataset=recorder.indexed(data),
            callbacks=[recorder.for_huggingface()],
        )

    with pytest.raises(UserError, match="remove_unused_columns=False"):
        trainer(keeps_index=False).train()
    net = Classifier()
    trainer(keeps_index=True).train()
    recording = recorder.recording()
    x, y = (torch.tensor(np.array([each[name] for each in data])) for name in ("x", "labels"))
    with torch.no_grad():
        expected = F.cross_entropy(net.layer(x), y, reduction="none")
    np.testing.assert_allclose(recording.loss, np.stack([expected] * 2), rtol=1e-3)
    assert not net._forward_hooks
    assert not net._forward_pre_hooks


@pytest.mark.parametrize("output", ["mapping", "tuple", "tensor"])
def test_logits_are_found_in_what_the_model_returns(output: str) -> None:
    class Net(Classifier):
        def forward(self, x: Tensor, labels: Tensor) -> Any:
            found = super().forward(x, labels)
            return {"mapping": found, "tuple": (found["loss"], found["logits"]), "tensor": found["logits"]}[output]

    recorder, net = Recorder(2, labels=[0, 1]), Net()
    callback = recorder.for_huggingface()
    callback.on_train_begin(None, None, None, model=net)
    batch = {"x": torch.zeros(2, 4), "labels": torch.tensor([1, 0])}
    net(**batch, index=torch.tensor([1, 0]))
    net.eval()
    net(**batch, index=torch.tensor([1, 0]))
    callback.on_epoch_end(None, None, None)
    callback.on_train_end(None, None, None)
    assert recorder.num_epochs == 1
    net(**batch)
