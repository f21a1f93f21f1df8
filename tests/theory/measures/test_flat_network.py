import torch
from torch import nn

from byrote.theory.measures.flat_network import FlatNetwork


def test_at_its_own_weights_it_is_the_network():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2))
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    flat = FlatNetwork(network, torch.float64)
    assert flat.weights.shape == (3 * 4 + 4 + 2 * 4 + 4 * 2 + 2,)
    torch.testing.assert_close(flat(flat.weights, x.double()), network.eval().double()(x.double()))


def test_other_weights_make_another_network_and_leave_the_first_alone():
    network = nn.Sequential(nn.Linear(1, 1))
    flat = FlatNetwork(network, torch.float32)
    assert flat(torch.tensor([2.0, 3.0]), torch.tensor([[5.0]])).tolist() == [[13]]
    assert flat.weights.tolist() == [network[0].weight.item(), network[0].bias.item()]


def test_what_is_not_trained_stays():
    network = nn.Sequential(nn.Linear(1, 1))
    network[0].weight.requires_grad_(False).fill_(2)
    flat = FlatNetwork(network, torch.float32)
    assert flat(torch.tensor([1.0]), torch.tensor([[5.0]])).tolist() == [[11]]
