import torch

from byrote.theory.measures.measure import TrainingSet, margins, with_state


def test_margins_are_to_the_best_other_class_and_negative_where_wrong(unit_net, two_points):
    assert margins(unit_net, two_points).tolist() == [11.5, 19.5]
    wrong = TrainingSet(two_points.inputs, torch.tensor([1, 0]), 2)
    assert margins(unit_net, wrong).tolist() == [-11.5, 19.5]


def test_another_state_makes_another_network(unit_net, zeros, two_points):
    other = with_state(unit_net, zeros(unit_net))
    assert other(two_points.inputs).tolist() == [[0, 0], [0, 0]]
    assert unit_net(two_points.inputs).tolist() == [[9, -2.5], [15, -4.5]]
    assert not other.training


def test_a_training_set_knows_its_size(two_points):
    assert len(two_points) == 2
    assert two_points.input_shape == (1,)
