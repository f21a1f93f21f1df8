"""How far memorisation lends itself to manipulation: wrong classes for chosen test examples of a trained network."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from byrote.data.dataset import Dataset
from byrote.data.preprocessing import preprocess
from byrote.data.subsets import subset
from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.randomness import permutation, stream
from byrote.theory.calculation import Context, OnStage, Result
from byrote.theory.memorizers.override import override
from byrote.theory.trained_calculation import TrainedCalculation
from byrote.training.engine import train
from byrote.training.key import network_input_shape
from byrote.training.outcome import Progress, TrainOutcome
from byrote.training.spec import Count, TrainSpec

_BATCH = 1024
NUM_SHOWN = 8
"""Changed examples that are kept for a picture."""


class Manipulation(TrainedCalculation):
    """A network trained on true labels, and `num_chosen` of the test examples it has right, each given a wrong class by
    `byrote.override`, which is told of the chosen ones alone."""

    name: ClassVar[str] = "manipulation"

    n_train: Count
    num_chosen: Count

    @property
    def label(self) -> str:
        return f"override of {self.num_chosen:,}, {self.model}, n = {self.n_train:,}, seed {self.seed}"

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: parameters (of the network), weights_added, num_as_wanted of the chosen, num_others (further test
        examples) and others_changed, test_accuracy before and overridden_test_accuracy after, half_width (the tents',
        as a share of the range of projections), largest_change of an output, fitted, train_accuracy, failed_checks.
        arrays, of the first chosen ones: inputs, true, wanted, and now (the classes predicted after).

        Raises:
            UserError: the network has fewer than `num_chosen` test examples right.
        """
        points = subset(data, self.n_train, self.data_seed)
        outcome = self._trained(points, context.device, context.on_stage)
        spec = outcome.spec
        network = build_model(
            spec.model,
            input_shape=network_input_shape(spec, points),
            num_classes=data.num_classes,
            dropout=spec.dropout,
        )
        network.load_state_dict(outcome.final_state or {})
        network.eval()
        context.on_stage("test set", 0.0)
        _, test = preprocess(points, spec.preprocessing, spec.crop)
        inputs = test.gather(torch.arange(len(test)), torch.float32)
        before = _predictions(network, inputs)
        rows, wanted = self._chosen(before, data.test.true_labels, data.num_classes)
        overridden = override(network, inputs[torch.from_numpy(rows)], wanted, seed=self.seed)
        after = _predictions(overridden, inputs)
        others = np.ones(len(before), dtype=bool)
        others[rows] = False
        made, true = overridden.intervention, data.test.true_labels
        shown = rows[:NUM_SHOWN]
        return Result(
            {
                "parameters": outcome.parameters,
                "weights_added": made.num_weights,
                "num_as_wanted": int((after[rows] == wanted).sum()),
                "num_others": int(others.sum()),
                "others_changed": int((after != before)[others].sum()),
                "test_accuracy": float((before == true).mean()),
                "overridden_test_accuracy": float((after == true).mean()),
                "half_width": made.smallest_half_width,
                "largest_change": made.largest_change,
                "fitted": outcome.fitted,
                "train_accuracy": outcome.train_accuracy,
                "failed_checks": "; ".join(check.name for check in outcome.failed_checks),
            },
            {"inputs": data.test.inputs[shown], "true": true[shown], "wanted": wanted[:NUM_SHOWN], "now": after[shown]},
        )

    def _trained(self, points: Dataset, device: str, on_stage: OnStage) -> TrainOutcome:
        fields = self.recipe.model_dump() | {"model": self.model, "seed": self.seed, "dense_steps": 0}
        spec = TrainSpec.model_validate(fields)

        def report(progress: Progress) -> None:
            limit, done = (spec.steps, progress.step) if spec.steps else (spec.epochs, progress.epoch)
            on_stage("training", min(done / limit, 1.0))

        (outcome,) = train([spec], points, device=device, keep_weights=True, on_progress=report)
        return replace(
            outcome, final_state={name: tensor.cpu() for name, tensor in (outcome.final_state or {}).items()}
        )

    def _chosen(
        self, before: Int64[np.ndarray, " T"], true: Int64[np.ndarray, " T"], num_classes: int
    ) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " M"]]:
        """Rows of test examples predicted right, and another class for each."""
        right = np.flatnonzero(before == true)
        if len(right) < self.num_chosen:
            raise UserError(
                f"got {self.num_chosen} predictions to override, but {self.model} has only {len(right)} test examples "
                "right: choose fewer, or train it for longer"
            )
        generator = stream(self.seed, "override")
        rows = right[permutation(generator, len(right))[: self.num_chosen]]
        steps = 1 + (generator.random(len(rows)) * (num_classes - 1)).astype(np.int64)
        return rows, (true[rows] + steps) % num_classes


@torch.no_grad()
def _predictions(network: nn.Module, inputs: Float[Tensor, "N ..."]) -> Int64[np.ndarray, " N"]:
    return torch.cat([network(part).argmax(1) for part in inputs.split(_BATCH)]).numpy()
