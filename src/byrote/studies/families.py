"""Models that differ in width alone ("mlp-3x{width}"): the member of a given size, and what a family is called."""

from __future__ import annotations

import re

from byrote.models.matching import matched_width
from byrote.studies.design import ModelStudy
from byrote.training.key import network_input_shape


def is_family(model: str) -> bool:
    """Whether the name leaves its width open."""
    return "{width}" in model


def member(study: ModelStudy, family: str, parameters: int) -> str:
    """The model of `family` nearest to so many parameters, on the inputs that the family's recipe gives to it.

    Raises:
        UserError: as `matched_width` does.
    """
    shape = network_input_shape(study.make_spec(family, 0), study.data)
    return matched_width(family, parameters, input_shape=shape, num_classes=study.data.num_classes)


def family_name(family: str) -> str:
    """With a letter for its width, as `byrote list models` has it: "mlp-3xW"."""
    return family.replace("{width}", "W")


def family_label(family: str) -> str:
    """Without its width: "mlp-3", "resnet-1-no-batchnorm", "inception"."""
    return re.sub(r"(x|-w)\{width\}", "", family)
