"""What a model and its data can be regularised with."""

import numpy as np

from byrote.data.dataset import Dataset, Split
from byrote.studies.factors import default_factors


def test_default_factors_are_those_that_data_and_model_take(data):
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    vectors = Dataset("made up", split, split, tuple("abcdefghij"))
    assert list(default_factors("mlp-1x8", data)) == ["augmentation", "dropout", "weight_decay"]
    assert list(default_factors("mlp-1x8", vectors)) == ["dropout", "weight_decay"]
    assert default_factors("inception", data)["batch_norm"] == ("inception-no-batchnorm", "inception")
    assert default_factors("resnet-1x16", data)["batch_norm"] == ("resnet-1x16-no-batchnorm", "resnet-1x16")
    assert "batch_norm" not in default_factors("switchboard-2x8+local", data)
