"""Examples that are picked for network inputs, which are made of them where they are needed: by a step, within its
compiled graph, or ahead of it; augmented where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from byrote.data.augmentations import Augmentation, draws
from byrote.data.preprocessing import Batch, Inputs
from byrote.errors import UserError
from byrote.randomness import stream_seed


@dataclass(frozen=True, eq=False)
class EpochAugmentation:
    """What an augmentation draws in one epoch: for each replica and example numbers of its own."""

    name: str
    function: Augmentation
    keys: Int64[Tensor, " R"]
    """Of the epoch and each replica's seed."""

    @classmethod
    def of_epoch(
        cls, name: str, function: Augmentation, seeds: Sequence[int], epoch: int, device: str
    ) -> EpochAugmentation:
        """That of replicas with these seeds in one epoch."""
        keys = [stream_seed(seed, "augmentation", epoch) for seed in seeds]
        return cls(name, function, torch.tensor(keys, device=device))

    def network_inputs(
        self, inputs: Inputs, batch: Batch, examples: Int64[Tensor, "R B"], dtype: torch.dtype
    ) -> Float[Tensor, "M C h w"]:
        """Those of the `batch` that was fetched from `inputs` for `examples`.

        Raises:
            UserError: the function gave something else than as many images of the network's size.
        """
        keys = self.keys.repeat_interleave(examples.shape[1])
        draw = draws(keys, examples.flatten().to(keys.device), dtype)
        before, size = tuple(batch.pixels.shape), inputs.size

        def changed(images: Tensor) -> Tensor:
            found = self.function(images, draw, size)
            if tuple(found.shape) != (expected := (*before[:2], *size)):
                raise UserError(
                    f"augmentation {self.name!r} gave images of shape {tuple(found.shape)} from {before}, "
                    f"expected {expected}: as many, of the size that it is given"
                )
            return found

        return inputs.augmented(batch, changed, dtype)


@dataclass(slots=True, eq=False)  # not frozen, which takes four times as long to make: there is one a step
class Picked:
    """Examples of R replicas, before network inputs are made of them."""

    inputs: Inputs
    rows: Int64[Tensor, "R B"]
    """Where they are within `inputs`, on their home; a view of `[1, B]` where all replicas have the same."""
    dtype: torch.dtype
    augmentation: EpochAugmentation | None = None
    examples: Int64[Tensor, "R B"] | None = None
    """Which of each replica's own they are, where they are augmented."""

    @property
    def parts(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """All that network inputs follow from: what is stored, what is `[R]`, and what is of this batch, `[R B]`."""
        stored = [cast(Tensor, self.inputs.pixels), self.inputs.scale, self.inputs.shift]
        if self.augmentation is None or self.examples is None:
            return stored, [], [self.rows]
        return stored, [self.augmentation.keys], [self.rows, self.examples]

    @property
    def tensors(self) -> list[Tensor]:
        """The same, one after another."""
        stored, of_runs, of_batch = self.parts
        return [*stored, *of_runs, *of_batch]

    def on(self, tensors: Sequence[Tensor]) -> Picked:
        """The same of other tensors."""
        pixels, scale, shift, *others = tensors
        inputs = replace(self.inputs, pixels=pixels, scale=scale, shift=shift)
        if self.augmentation is None:
            return replace(self, inputs=inputs, rows=others[0])
        keys, rows, examples = others
        return replace(
            self, inputs=inputs, rows=rows, examples=examples, augmentation=replace(self.augmentation, keys=keys)
        )

    def between(self, first: int, last: int) -> Picked:
        """Of each replica's, those from `first` up to `last`; by themselves in memory, as compiled steps take them."""
        rows, examples = self.rows[:, first:last], self.examples
        if not self._are_shared:
            rows = rows.contiguous()
        if examples is not None:
            examples = examples[:, first:last].contiguous()
        return Picked(self.inputs, rows, self.dtype, self.augmentation, examples)

    def fetch(self) -> Batch:
        """Their pixels, on the device: replica after replica, or once where all have the same."""
        rows = self.rows[0] if self._are_shared else self.rows.flatten()
        return self.inputs.fetch(rows, whole=self.augmentation is not None)

    def network_inputs(self, batch: Batch | None = None) -> Shaped[Tensor, "R B ..."]:
        """Of what `fetch` gives, or has given."""
        batch = batch or self.fetch()
        if self.augmentation is not None and self.examples is not None:
            found = self.augmentation.network_inputs(self.inputs, batch, self.examples, self.dtype)
        else:
            found = self.inputs.scaled(batch, self.dtype)
        if self._are_shared:
            return found.expand(len(self.rows), *found.shape)
        return found.reshape(*self.rows.shape, *found.shape[1:])

    def verify(self) -> None:
        """Tries the augmentation on them.

        Raises:
            UserError: it fails, or gives something else than as many images of the network's size.
        """
        batch = self.fetch()
        try:
            self.network_inputs(batch)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"augmentation {self.augmentation and self.augmentation.name!r} failed on images of shape "
                f"{tuple(batch.pixels.shape)} and size {self.inputs.size}: {type(error).__name__}: {error}"
            ) from error

    @property
    def _are_shared(self) -> bool:
        return self.augmentation is None and len(self.rows) > 1 and self.rows.stride(0) == 0
