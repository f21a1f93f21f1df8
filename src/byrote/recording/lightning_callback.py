"""A callback for Lightning's Trainer, by duck typing.

`training_step` returns a dictionary with "logits" beside "loss". Rows and labels are those of the batch that
`recorder.indexed(dataset)` makes, its first and its last entry, or "index" and "labels"; or of that dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from byrote.errors import UserError
from byrote.recording.callback_hooks import CallbackHooks, Records
from byrote.recording.indexed import INDEX

_TARGETS = ("targets", "labels", "label", "target")


class LightningCallback(CallbackHooks):
    """`Trainer(callbacks=[recorder.for_lightning()])`."""

    state_key = _legacy_state_key = "byrote.Recorder"  # a Trainer that goes on from a checkpoint asks for both

    def __init__(self, recorder: Records) -> None:
        self._recorder = recorder

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        """
        Raises:
            UserError: logits, rows or labels are missing.
        """
        if not isinstance(outputs, Mapping) or "logits" not in outputs:
            raise UserError(
                "training_step returned no logits, which recording needs: return "
                '{"loss": loss, "logits": logits} from it'
            )
        index, targets = _entry((INDEX,), 0, outputs, batch), _entry(_TARGETS, -1, outputs, batch)
        if index is None or targets is None:
            raise UserError(
                f"got a batch of type {type(batch).__name__} without rows and labels: train on "
                'recorder.indexed(dataset), or return "index" and "targets" from training_step'
            )
        self._recorder.record(index, outputs["logits"], targets)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._recorder.end_epoch()


def _entry(names: Sequence[str], position: int, outputs: Mapping[str, Any], batch: Any) -> Any:
    for source in (outputs, batch):
        if isinstance(source, Mapping):
            for name in names:
                if name in source:
                    return source[name]
    return batch[position] if isinstance(batch, list | tuple) and len(batch) > 2 else None
