import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.studies.bounds.study import BoundsStudy
from byrote.studies.expressivity.study import ExpressivityStudy
from byrote.studies.model_choice import choice_in_words, chosen_models
from byrote.studies.paper_settings import PAPER_MODELS
from byrote.studies.presets import figure1_study
from byrote.studies.randomization.study import RandomizationStudy


def of_kind(dtype, shape=(12,)):
    generator = np.random.default_rng(0)
    splits = [Split.clean(generator.integers(0, 9, (n, *shape)).astype(dtype), np.arange(n) % 3) for n in (300, 90)]
    return Dataset("made up", splits[0], splits[1], ("a", "b", "c"), pixel_max=1.0)


IMAGES, VECTORS, TOKENS = of_kind(np.uint8, (1, 8, 8)), of_kind(np.float32), of_kind(np.int64)


def test_models_that_are_named_are_taken_and_others_go_by_the_kind_of_data():
    assert chosen_models(["mine.py:Net"], TOKENS, PAPER_MODELS) == ("mine.py:Net",)
    assert chosen_models(None, IMAGES, PAPER_MODELS) == PAPER_MODELS
    assert chosen_models(None, VECTORS, PAPER_MODELS) == ("mlp-1x512", "mlp-3x512")
    assert chosen_models(None, VECTORS, ("conv-small", "resnet")) == ("mlp-3x512",)
    with pytest.raises(UserError, match="got made up, whose inputs are token ids, without a model"):
        chosen_models(None, TOKENS, PAPER_MODELS)


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        (
            RandomizationStudy(data=VECTORS),
            "The model is mlp-1x512, which byrote uses on vectors, since no model was given.",
        ),
        (RandomizationStudy(data=VECTORS, models=["mlp-1x512"]), "The model is mlp-1x512, which was asked for."),
        (
            figure1_study(IMAGES, "laptop").with_recipe(learning_rate=0.5),
            "The models are mlp-3x512, alexnet and inception, which byrote uses on images, since no models were given.",
        ),
        (
            BoundsStudy(data=VECTORS),
            "The model is mlp-1x512, which byrote uses on vectors, since no model was given.",
        ),
        (BoundsStudy(data=VECTORS, model="mlp-1x{width}"), "The model is mlp-1xW, which was asked for."),
        (
            ExpressivityStudy(data=VECTORS),
            "The models are mlp-1xW and mlp-2xW, which byrote uses on vectors, since no models were given.",
        ),
    ],
)
def test_a_study_knows_whether_its_models_were_asked_for(study, sentence):
    assert study.choices() == [sentence]


def test_own_models_are_named_as_specs_carry_them():
    assert choice_in_words(["a.py:A", "b.py:B"], IMAGES, asked_for=True) == (
        "The models are a.py:A and b.py:B, which were asked for."
    )
