import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from byrote.models.catalog import build_model
from byrote.theory.measures.layers import UnreadableNetwork, read_layers


def settle(network, shape):
    """Gives batch norm statistics and scales that are not those it starts with."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for parameter in module.parameters():
                parameter.data.copy_(torch.rand(parameter.shape, generator=generator) + 0.5)
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator))
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return network, torch.randn(5, *shape, generator=generator)


class Written(nn.Module):
    """A forward pass in code, with one ReLU in several guises and in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(4, 3)
        self.norm, self.drop = nn.BatchNorm1d(5), nn.Dropout(0.5)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x.flatten(1))))
        return self.out(F.relu(self.second(self.drop(x)), inplace=True))


def conv_net():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.BatchNorm2d(6, affine=False),
        nn.ReLU(),
        nn.AvgPool2d(2, stride=1),
        nn.Flatten(),
        nn.Linear(6 * 2 * 2, 3),
    )


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (Written(), (2, 3)),
        (conv_net(), (2, 14, 14)),
        (build_model("mlp-3x16", input_shape=(1, 4, 4), num_classes=3, dropout=0.3), (1, 4, 4)),
        (build_model("conv-small", input_shape=(1, 5, 5), num_classes=3), (1, 5, 5)),
    ],
    ids=["written", "conv", "mlp", "conv-small"],
)
def test_what_is_read_is_the_same_function_in_evaluation_mode(network, shape):
    network, x = settle(network, shape)
    before = network.training
    read = read_layers(network, shape)
    torch.testing.assert_close(read.network(x), network.eval()(x))
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in read.network.modules())
    network.train(before)
    assert network.training == before


def test_layers_say_where_they_stand():
    layers = read_layers(conv_net(), (2, 14, 14)).layers
    assert [layer.name for layer in layers] == ["0", "4", "9"]
    assert [layer.input_shape for layer in layers] == [(2, 14, 14), (4, 7, 7), (24,)]
    assert [layer.output_shape for layer in layers] == [(4, 14, 14), (6, 3, 3), (3,)]
    assert [layer.num_parameters for layer in layers] == [4 * 2 * 9 + 4, 6 * 4 * 9 + 6, 24 * 3 + 3]


def test_layers_know_the_pooling_that_follows():
    first, second, last = read_layers(conv_net(), (2, 14, 14)).layers
    # Windows of three at every second place: an entry lies in up to two a side.
    assert first.lipschitz == 2
    assert first.decisions == (4 * 14 * 14, 4 * 7 * 7 * math.comb(9, 2))
    assert second.decisions == (6 * 3 * 3,)
    pool = torch.stack([nn.AvgPool2d(2, stride=1)(unit.view(1, 1, 3, 3)).flatten() for unit in torch.eye(9)])
    assert second.lipschitz == pytest.approx(float(torch.linalg.matrix_norm(pool, 2)))
    assert (last.lipschitz, last.decisions) == (1.0, ())


def test_every_step_after_a_layer_decides_by_what_it_is_given():
    net = nn.Sequential(
        nn.ReLU(), nn.Conv2d(1, 2, 1), nn.AvgPool2d(2, 1, padding=1), nn.ReLU(), nn.MaxPool2d(5), nn.MaxPool2d(1)
    )
    # Averages with padding are more than the units were; the first ReLU comes before any layer.
    assert read_layers(net, (1, 4, 4)).layers[0].decisions == (2 * 5 * 5, 2 * math.comb(25, 2), 0)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(3, stride=2, padding=1), nn.MaxPool2d(2), nn.MaxPool2d(3, stride=1)])
def test_pooling_moves_no_further_than_its_constant_says(pool):
    layer = read_layers(nn.Sequential(nn.Conv2d(1, 1, 1), pool), (1, 9, 9)).layers[0]
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 200, 1, 9, 9, generator=generator)
    # A spike that several windows see is what the constant is for.
    b[:100] = a[:100]
    b[:100, 0, 4, 4] += 9
    ratios = (pool(a) - pool(b)).flatten(1).norm(dim=1) / (a - b).flatten(1).norm(dim=1)
    assert float(ratios.max()) <= layer.lipschitz


def test_the_bias_of_a_layer_without_one_is_zero():
    layer = read_layers(nn.Sequential(nn.Linear(2, 3, bias=False)), (2,)).layers[0]
    assert layer.bias.tolist() == [0, 0, 0]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return x + self.layer(x)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x * self.scale


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (nn.Sequential(nn.Linear(3, 3), nn.Tanh()), "got the module '1', a Tanh, expected fully connected and conv"),
        (nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3)), "'0', a BatchNorm1d, .*right after a layer"),
        (nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False)), "with running statistics"),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")), "a Conv2d"),
        (nn.Sequential(nn.MaxPool2d(1), nn.Conv2d(1, 1, 1)), "a MaxPool2d only after a layer"),
        (nn.Sequential(nn.Linear(3, 3), Residual()), "got the module 'add', a call function, .* right before"),
        (Scaled(), "got the module 'scale', a get attr"),
        (Branching(), "got a Branching that cannot be traced"),
        (nn.Sequential(nn.ReLU()), "got a network without any weights"),
    ],
)
def test_what_cannot_be_read_is_named(network, told):
    shape = (1, 3, 3) if any(isinstance(module, nn.Conv2d) for module in network.modules()) else (3,)
    with pytest.raises(UnreadableNetwork, match=told):
        read_layers(network, shape)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("alexnet", "'3', a LocalResponseNorm"),
        ("inception", "a _Parallel"),
        ("resnet-1x4", "a _Block"),
        ("vit", "a _Vi"),
    ],
)
def test_networks_of_ours_that_are_no_row_of_layers_are_named(name, told):
    network = build_model(name, input_shape=(1, 8, 8), num_classes=3)
    with pytest.raises(UnreadableNetwork, match=f"got the module {told}" if "'" in told else told):
        read_layers(network, (1, 8, 8))


PARAMETRIZATIONS = {
    "spectral_norm": nn.utils.parametrizations.spectral_norm,
    "weight_norm": nn.utils.parametrizations.weight_norm,
    "orthogonal": nn.utils.parametrizations.orthogonal,
    "weight_norm by hooks": nn.utils.weight_norm,
    "spectral_norm by hooks": nn.utils.spectral_norm,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
@pytest.mark.parametrize("convolutional", [False, True], ids=["linear", "conv"])
@pytest.mark.parametrize("name", PARAMETRIZATIONS)
def test_a_parametrised_layer_before_batch_norm_is_read_by_its_weight(name, convolutional):
    torch.manual_seed(0)
    wrap, shape = PARAMETRIZATIONS[name], (2, 6, 6) if convolutional else (12,)
    layer, norm = (nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5)) if convolutional else (nn.Linear(12, 5), nn.BatchNorm1d(5))
    net = nn.Sequential(wrap(layer), norm, nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    for _ in range(5):
        net.train()(torch.randn(16, *shape))
    other = net[:1].state_dict() | {key: value + 0.1 for key, value in net[:1].named_parameters()}
    net[:1].load_state_dict(other)  # hooks have not made the weight of these numbers yet
    read = read_layers(net, shape)
    x = torch.randn(7, *shape)
    torch.testing.assert_close(read.network(x), net.eval()(x), rtol=1e-4, atol=1e-4)
    assert [type(part.module) for part in read.layers] == [nn.Conv2d if convolutional else nn.Linear, nn.Linear]


def test_batch_norm_without_weights_is_folded_into_a_linear_layer():
    net, x = settle(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, affine=False), nn.ReLU(), nn.Linear(4, 3)), (6,))
    assert read_layers(net, (6,)).layers[0].module.weight.shape == (4, 6)
    torch.testing.assert_close(read_layers(net, (6,)).network(x), net.eval()(x))


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Clamped(nn.ReLU):
    def forward(self, x):
        return super().forward(x).clamp(max=6)


def hooked():
    layer = nn.Linear(4, 4)
    layer.register_forward_hook(lambda module, inputs, output: output + 1)
    return layer


@pytest.mark.parametrize(
    ("strange", "sentence"),
    [
        (Doubled(4, 4), "got the module '_2_weight', a get attr, expected"),
        (Clamped(), "got the module 'clamp', a call of clamp, expected"),
        (hooked(), r"got a Sequential whose output differs by up to \S+ from that of its layers in a row"),
    ],
    ids=["subclass", "clamp", "hook"],
)
def test_what_computes_another_function_than_its_layers_is_refused_and_left_as_it_is(strange, sentence):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), strange, nn.Linear(4, 2)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(UnreadableNetwork, match=sentence):
        read_layers(net, (4,))
    assert all(module.training for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
