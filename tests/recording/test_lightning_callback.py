"""Lightning's own Trainer records through it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from byrote.errors import UserError
from byrote.recording.recorder import Recorder

N, K = 50, 3


def data() -> TensorDataset:
    draw = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(N, 4, generator=draw), torch.randint(K, (N,), generator=draw))


@pytest.mark.slow
def test_trainer_records(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning", reason="lightning is not installed")

    class Net(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, K)

        def training_step(self, batch: tuple, batch_idx: int) -> dict:
            _, x, y = batch
            logits = self.layer(x)
            return {"loss": F.cross_entropy(logits, y), "logits": logits}

        def validation_step(self, batch: tuple, batch_idx: int) -> None:
            self.log("accuracy", (self.layer(batch[1]).argmax(1) == batch[2]).float().mean())

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), 0.0)

    def fitted(recorder: Recorder, epochs: int, checkpoint: Path | None = None) -> None:
        indexed = recorder.indexed(data())
        trainer = lightning.Trainer(
            max_epochs=epochs,
            callbacks=[recorder.for_lightning()],
            default_root_dir=tmp_path,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        loaders = DataLoader(indexed, 16, shuffle=True), DataLoader(indexed, 16)
        trainer.fit(net, *loaders, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
        trainer.save_checkpoint(tmp_path / "again.ckpt")

    net = Net()
    fitted(Recorder(N, folder=tmp_path / "record"), 2)
    recorder = Recorder(N, folder=tmp_path / "record", resume=2)
    fitted(recorder, 3, tmp_path / "again.ckpt")
    recording = recorder.recording()
    x, y = data().tensors
    with torch.no_grad():
        expected = F.cross_entropy(net.layer(x), y, reduction="none")
    np.testing.assert_allclose(recording.loss, np.stack([expected] * 3), rtol=1e-3)


def test_dictionaries_will_do_and_what_is_missing_is_told() -> None:
    recorder = Recorder(2, labels=[0, 1])
    callback = recorder.for_lightning()
    logits = torch.zeros(2, K)
    for outputs in (None, torch.tensor(1.0), {"loss": 1.0}):
        with pytest.raises(UserError, match="returned no logits"):
            callback.on_train_batch_end(None, None, outputs, [], 0)
    with pytest.raises(UserError, match="without rows and labels"):
        callback.on_train_batch_end(None, None, {"logits": logits}, (torch.zeros(2, 4), torch.tensor([1, 0])), 0)
    callback.on_train_batch_end(None, None, {"logits": logits}, {"index": [1, 0], "label": torch.tensor([1, 0])}, 0)
    returned = {"logits": logits, "index": [1, 0], "targets": torch.tensor([1, 0])}
    callback.on_train_batch_end(SimpleNamespace(), None, returned, None, 1)
    callback.on_train_epoch_end(None, None)
    assert recorder.num_epochs == 2
