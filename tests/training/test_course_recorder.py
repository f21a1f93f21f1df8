from __future__ import annotations

import numpy as np
import torch

from byrote.training.course_recorder import CourseRecorder, StepProbe, is_early_row
from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS


def test_which_steps_are_recorded() -> None:
    assert [step for step in range(1, 200) if is_early_row(step, 130)] == [*range(1, 101), 110, 120, 130]
    assert not is_early_row(1, 0)


def test_rows_belong_to_runs() -> None:
    recorder = CourseRecorder(3)
    recorder.add_epoch([0, 1, 2], {"epoch": 1, "train_loss": np.array([1.0, 2.0, 3.0])})
    recorder.amend_epoch(2, {"test_accuracy": 0.5})
    recorder.add_epoch([2], {"epoch": 2, "train_loss": np.array([4.0])})
    recorder.add_early([1], {"step": 1, "gradient_norm": np.array([7.0])})
    assert tuple(recorder.curve(2)) == CURVE_COLUMNS
    assert recorder.curve(2)["train_loss"].tolist() == [3, 4]
    np.testing.assert_array_equal(recorder.curve(2)["test_accuracy"], [0.5, np.nan])
    assert recorder.curve(0)["epoch"].tolist() == [1]
    assert tuple(recorder.early(1)) == EARLY_COLUMNS
    assert recorder.early(1)["gradient_norm"].tolist() == [7]
    assert len(recorder.early(0)["step"]) == 0


def test_norms_and_cosines_are_over_all_weights_of_a_replica() -> None:
    parameters = {"a": torch.zeros(2, 3), "b": torch.zeros(2, 1, 2)}
    probe = StepProbe(parameters)
    gradients = [torch.tensor([[3.0, 0, 4, 0, 0], [1, 1, 1, 1, 1]]), torch.tensor([[0.0, 5, 0, 0, 0], [2, 2, 2, 2, 2]])]
    figures = []
    for gradient in gradients:
        parts = [gradient[:, :3], gradient[:, 3:].unflatten(1, (1, 2))]
        probe.before_step(parameters)
        figures.append(probe.in_step(parts, measure=True, remember=True))
        parameters["a"].data += 1
        figures[-1] |= probe.after_step(parameters, from_initial=len(figures) == 2)
    assert figures[0].keys() == {"gradient_norm", "update_norm"}
    torch.testing.assert_close(figures[0]["gradient_norm"], torch.tensor([5, 5**0.5]))
    torch.testing.assert_close(figures[1]["gradient_cosine"], torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(figures[1]["update_norm"], torch.full((2,), 3**0.5))
    torch.testing.assert_close(figures[1]["distance_from_initialization"], torch.full((2,), 12**0.5))
    probe.keep([1])
    kept = {name: tensor[1:] for name, tensor in parameters.items()}
    probe.before_step(kept)
    gone = probe.after_step(kept, from_initial=True)
    torch.testing.assert_close(gone["distance_from_initialization"], torch.full((1,), 12**0.5))
    assert gone["update_norm"] == 0
