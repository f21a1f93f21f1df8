from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from byrote.errors import UserError
from byrote.models.outputs import class_scores, squashing

SCORES, AUXILIARY, FEATURES = torch.zeros(2, 3), torch.ones(2, 3), torch.zeros(2, 7)
Named = namedtuple("Named", ["aux_logits", "logits"])


@dataclass
class Record:
    hidden: Tensor
    prediction: Tensor


class WithLogits(dict[str, Tensor]):
    """As transformers have it: a mapping and an object at once."""

    @property
    def logits(self) -> Tensor:
        return self["logits"]


@pytest.mark.parametrize(
    "output",
    [
        SCORES,
        SimpleNamespace(logits=SCORES, loss=None),
        WithLogits(hidden=AUXILIARY, logits=SCORES),
        {"logits": SCORES, "aux": AUXILIARY},
        {"out": SCORES, "aux": AUXILIARY},
        {"prediction": SCORES, "features": FEATURES},
        (SCORES, FEATURES),
        (FEATURES, SCORES),
        [torch.zeros(()), SCORES],
        (SCORES, AUXILIARY),
        Named(AUXILIARY, SCORES),
        Record(FEATURES, SCORES),
    ],
)
def test_the_scores_are_found(output: Any) -> None:
    assert class_scores(output, batch=2, num_classes=3, name="x") is SCORES


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            None,
            "model 'x' gave an object of type NoneType with no tensor, expected a tensor of class scores of shape",
        ),
        ({"a": SCORES, "b": AUXILIARY}, "type dict with a (2, 3), b (2, 3), expected"),
        ((FEATURES, FEATURES), "type tuple with 0 (2, 7), 1 (2, 7), expected"),
        ("logits", "type str with no tensor"),
    ],
)
def test_where_there_are_none_it_is_said(output: Any, message: str) -> None:
    with pytest.raises(UserError) as error:
        class_scores(output, batch=2, num_classes=3, name="x")
    assert message in str(error.value)


@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 100.0])
def test_what_squashes_is_told_from_scores(scale: float) -> None:
    scores = torch.randn(2, 5, generator=torch.Generator().manual_seed(0)) * scale
    both = (scores, 50 * scores)
    assert squashing(*both) == ""
    assert squashing(*(each.relu() for each in both)) == ""
    assert squashing(*(each.softmax(1) for each in both)) == "softmax"
    assert squashing(*(each.log_softmax(1) for each in both)) == "log_softmax"
    assert squashing(*(each.sigmoid() for each in both)) == ("sigmoid" if scale < 100 else "")  # saturated
    assert squashing(*(each.tanh() for each in both)) == ""
