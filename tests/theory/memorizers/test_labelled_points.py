from dataclasses import replace

import numpy as np

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Split
from byrote.data.subsets import subset
from byrote.theory.memorizers.labelled_points import randomly_labelled


def test_labels_are_those_of_the_randomisation_test(tiny):
    points = randomly_labelled(tiny, 50, seed=3, data_seed=1)
    expected = corrupt(subset(tiny, 50, 1), "random-labels", seed=3).train
    np.testing.assert_array_equal(points.labels, expected.labels)
    np.testing.assert_array_equal(points.inputs, expected.inputs)


def test_inputs_that_repeat_one_before_are_left_out(tiny):
    rows = np.array([0, 1, 0, 2, 1])
    repeated = replace(tiny, train=Split.clean(tiny.train.inputs[rows], tiny.train.labels[rows]))
    points = randomly_labelled(repeated, 5, seed=0, data_seed=0)
    np.testing.assert_array_equal(points.inputs, tiny.train.inputs[:3])
