"""A callback for the Trainer of transformers, by duck typing.

Its callbacks see no logits, so the model's forward is watched while it trains: rows are taken from what it is called
with, before the model sees them, and logits from what it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from byrote.errors import UserError
from byrote.recording.callback_hooks import CallbackHooks, Records
from byrote.recording.indexed import INDEX


class HuggingFaceCallback(CallbackHooks):
    """`Trainer(callbacks=[recorder.for_huggingface()], train_dataset=recorder.indexed(data), ...)`, with
    `TrainingArguments(remove_unused_columns=False)`."""

    def __init__(self, recorder: Records) -> None:
        self._recorder = recorder
        self._rows: Any = None
        self._labels: Any = None
        self._handles: list[Any] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self._handles = [
            model.register_forward_pre_hook(self._before, with_kwargs=True, prepend=True),
            model.register_forward_hook(self._after, with_kwargs=True),
        ]

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._recorder.end_epoch()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _before(self, model: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Keeps rows and labels, and calls the model without the rows."""
        rest = {name: value for name, value in kwargs.items() if name != INDEX}
        if model.training:
            self._rows, self._labels = kwargs.get(INDEX), kwargs.get("labels")
            if self._rows is None or self._labels is None:
                raise UserError(
                    f"the model was called with {', '.join(kwargs)}, without {INDEX} and labels: train on "
                    "recorder.indexed(dataset), with TrainingArguments(remove_unused_columns=False) and labels that "
                    "reach the model"
                )
        return args, rest

    def _after(self, model: Any, args: Any, kwargs: Any, output: Any) -> None:
        if not model.training:
            return
        loss_first = isinstance(output, tuple)
        logits = output["logits"] if isinstance(output, Mapping) else output[1] if loss_first else output
        self._recorder.record(self._rows, logits, self._labels)
