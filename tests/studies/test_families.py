from __future__ import annotations

import pytest

from byrote.errors import UserError
from byrote.models.matching import num_parameters
from byrote.studies.families import family_label, family_name, is_family, member
from byrote.studies.randomization.study import RandomizationStudy
from byrote.training.recipe import Recipe


@pytest.mark.parametrize(
    ("family", "name", "label"),
    [
        ("mlp-3x{width}", "mlp-3xW", "mlp-3"),
        ("resnet-1x{width}-no-batchnorm", "resnet-1xW-no-batchnorm", "resnet-1-no-batchnorm"),
        ("inception-w{width}", "inception-wW", "inception"),
        ("alexnet", "alexnet", "alexnet"),
    ],
)
def test_families_have_a_name_and_a_short_one(family, name, label):
    assert (family_name(family), family_label(family)) == (name, label)
    assert is_family(family) == ("{width}" in family)


def test_a_member_is_matched_on_what_is_left_of_the_image(data):
    family = "mlp-1x{width}"
    whole, cropped = (
        member(RandomizationStudy(data, models=[family], recipe=Recipe(crop=crop)), family, 1000) for crop in (None, 3)
    )
    assert abs(num_parameters(whole, input_shape=(1, 6, 6), num_classes=10) - 1000) <= 47 / 2
    assert abs(num_parameters(cropped, input_shape=(1, 3, 3), num_classes=10) - 1000) <= 20 / 2


def test_a_model_that_is_no_family_has_no_members(data):
    study = RandomizationStudy(data, models=["mlp-1x8"])
    with pytest.raises(UserError, match=r"expected a model's name with one \{width\}"):
        member(study, "mlp-1x8", 100)
