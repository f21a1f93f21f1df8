"""Each switch changes what the table at the head of switchboard.py says, beside every state of every other."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.models.dropout import Dropout
from byrote.models.mlp import mlp
from byrote.models.switchboard import SWITCHES, Switchboard, switchboard

from .conftest import steps_to_fit

MIXINGS = [frozenset(c) for size in range(4) for c in itertools.combinations(("local", "shared", "attention"), size)]
# Each pair of switches in all its four states, with every mixing, and all six at once: an orthogonal array of strength
# 2, the last three columns of which are sums of the first three.
COVERING = [
    *(
        mixing
        | ({"skip"} if len(mixing & {"local", "shared"}) == 1 else set())
        | ({"norm"} if len(mixing & {"local", "attention"}) == 1 else set())
        | ({"pool"} if len(mixing & {"shared", "attention"}) == 1 else set())
        for mixing in MIXINGS
    ),
    frozenset(SWITCHES),
]


def names(switches: frozenset[str]) -> str:
    return "+".join(sorted(switches)) or "none"


def make(
    switches: frozenset[str] | set[str],
    *,
    depth: int = 2,
    width: int = 8,
    shape: tuple[int, int, int] = (1, 10, 10),
    scale: float | None = 0.3,
) -> Switchboard:
    """In float64; `scale` is that of fresh random weights, without which they are the initial ones."""
    torch.manual_seed(0)
    network = switchboard(depth, width, sorted(switches), input_shape=shape, num_classes=3).double()
    assert isinstance(network, Switchboard)
    if scale is not None:
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=scale)
    return network


def images(num: int = 6, shape: tuple[int, ...] = (1, 10, 10)) -> torch.Tensor:
    return torch.randn(num, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("switches", COVERING, ids=names)
def test_combinations_train(switches: frozenset[str]) -> None:
    network = make(switches, depth=3, shape=(1, 8, 8), scale=None)
    x, labels = images(16, (1, 8, 8)), torch.arange(16) % 3
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(12):
        loss = F.cross_entropy(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(3), abs=0.2)
    assert losses[-1] < losses[0] - 0.01
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("switches", COVERING, ids=names)
def test_combinations_fit_random_labels(switches: frozenset[str]) -> None:
    network = build_model("+".join(["switchboard-3x32", *switches]), input_shape=(1, 8, 8), num_classes=10)
    assert steps_to_fit(network, learning_rate=0.01 if "norm" in switches else 0.003, most=1000) <= 1000


# Weights of switchboard-4x32 on 3x28x28 and 10 classes: 49 positions of 48 pixels; 361 pairs of neighbours, 13 x 13
# displacements. Each layer has `pairs` matrices, an attention layer maps to queries, keys, values and outputs instead.
SIZES = {
    frozenset[str](): 49 * 49 * 32 * (48 + 3 * 32) + 4 * 49 * 32,
    frozenset({"local"}): 361 * 32 * (48 + 3 * 32) + 4 * 49 * 32,
    frozenset({"shared"}): 169 * 32 * (48 + 3 * 32) + 4 * 32,
    frozenset({"local", "shared"}): 9 * 32 * (48 + 3 * 32) + 4 * 32,
    frozenset({"attention"}): 49 * (96 * (48 + 3 * 32) + 4 * 32 * 32) + 4 * 4 * 49 * 49 + 4 * 49 * 32,
    frozenset({"attention", "local"}): 49 * (96 * (48 + 3 * 32) + 4 * 32 * 32) + 4 * 4 * 361 + 4 * 49 * 32,
    frozenset({"attention", "shared"}): 96 * (48 + 3 * 32) + 4 * 32 * 32 + 4 * 4 * 169 + 4 * 32,
    frozenset({"attention", "local", "shared"}): 96 * (48 + 3 * 32) + 4 * 32 * 32 + 4 * 4 * 9 + 4 * 32,
}


@pytest.mark.parametrize("switches", COVERING, ids=names)
def test_the_parameter_count_by_hand(switches: frozenset[str]) -> None:
    with torch.device("meta"):
        network = switchboard(4, 32, switches, input_shape=(3, 28, 28), num_classes=10)
    features = 32 if "pool" in switches else 49 * 32
    expected = SIZES[switches & {"local", "shared", "attention"}] + (features + 1) * 10
    assert sum(p.numel() for p in network.parameters()) == expected


def test_the_combinations_cover_each_pair() -> None:
    for pair in itertools.combinations(SWITCHES, 2):
        assert len({tuple(switch in switches for switch in pair) for switches in COVERING}) == 4


@pytest.mark.parametrize("switch", SWITCHES)
def test_what_a_switch_leaves_alone(switch: str) -> None:
    """The weights of all other parts are the same, in name and shape."""
    for switches in COVERING:
        with torch.device("meta"):
            networks = [
                switchboard(2, 8, chosen, input_shape=(1, 10, 10), num_classes=3)
                for chosen in (switches - {switch}, switches | {switch})
            ]
        shapes = [{name: tuple(p.shape) for name, p in network.named_parameters()} for network in networks]
        changed = {name.partition(".")[0] for name, _ in set(shapes[0].items()) ^ set(shapes[1].items())}
        expected = {
            "local": {"mixes"},
            "shared": {"mixes", "activations"} if "norm" in switches else {"mixes"},
            "skip": set(),
            "attention": {"mixes"},
            "norm": {"mixes", "activations"},  # a bias moves from one to the other
            "pool": {"output"},
        }
        assert changed == expected[switch], names(switches)


def test_without_switches_it_is_an_mlp_on_reordered_pixels() -> None:
    network = make(set(), depth=3, width=2, shape=(2, 8, 8), scale=None)
    textbook = mlp(3, 32, input_shape=(128,), num_classes=3).double()
    for ours, theirs in zip(network.parameters(), textbook.parameters(), strict=True):
        theirs.data = ours.data
    x = images(5, (2, 8, 8))
    pixels = x.reshape(5, 2, 4, 2, 4, 2).permute(0, 1, 3, 5, 2, 4)  # channel, place in the patch, patch
    torch.testing.assert_close(network(x), textbook(pixels))


def test_local_shared_skip_norm_and_pool_are_a_residual_convolutional_network() -> None:
    network = make({"local", "shared", "skip", "norm", "pool"}, depth=3)
    first, *others = network.mixes
    x = F.conv2d(F.pixel_unshuffle(images(), 2), first.weight, padding=1)  # type: ignore[arg-type]
    for activation, mix in zip(network.activations, [*others, None], strict=True):
        offset = activation[0].bias  # type: ignore[index]
        y = F.batch_norm(x, None, None, torch.ones(8, dtype=torch.float64), offset, training=True).relu()
        x = y.mean((2, 3)) if mix is None else x + F.conv2d(y, mix.weight, padding=1)  # type: ignore[arg-type]
    torch.testing.assert_close(network(images()), x @ network.output.weight.T + network.output.bias)


def influence(mix: nn.Module) -> torch.Tensor:
    """Whether position q changes position p: `[P, P]`."""
    x = images(1, (4, 5, 5))
    jacobian = torch.autograd.functional.jacobian(mix, x).reshape(8, 25, 4, 25)
    return jacobian.abs().amax((0, 2)) > 0


@pytest.mark.parametrize("switches", MIXINGS, ids=names)
def test_local_limits_what_a_position_reads(switches: frozenset[str]) -> None:
    reads = influence(make(switches).mixes[0])
    rows, columns = torch.arange(25) // 5, torch.arange(25) % 5
    near = ((rows[:, None] - rows).abs() <= 1) & ((columns[:, None] - columns).abs() <= 1)
    assert torch.equal(reads, near if "local" in switches else torch.ones_like(near))


@pytest.mark.parametrize("switches", MIXINGS, ids=names)
def test_shared_makes_a_layer_equivariant_to_shifts(switches: frozenset[str]) -> None:
    """In the interior. A softmax over all positions weighs the empty ones by how far they are, unless nothing does."""
    mix = make(switches, shape=(1, 16, 16)).mixes[0]
    if switches == {"shared", "attention"}:
        nn.init.zeros_(mix.position_bias.weight)  # type: ignore[union-attr, arg-type]
    x = torch.zeros(1, 4, 8, 8, dtype=torch.float64)
    x[:, :, 3:5, 2:4] = torch.randn(1, 4, 2, 2, dtype=torch.float64)
    before, after = mix(x), mix(x.roll(1, dims=-1))
    inner = (..., slice(1, 7), slice(2, 7)), (..., slice(1, 7), slice(1, 6))
    assert torch.allclose(after[inner[0]], before[inner[1]], atol=1e-12) == ("shared" in switches)


@pytest.mark.parametrize("switches", MIXINGS, ids=names)
def test_attention_alone_reads_by_content(switches: frozenset[str]) -> None:
    """A layer without it is affine."""
    mix = make(switches).mixes[0]
    x, y = images(2, (4, 5, 5)).split(1)
    straight = torch.allclose(mix(x + y), mix(x) + mix(y) - mix(torch.zeros_like(x)))
    assert straight == ("attention" not in switches)


@pytest.mark.parametrize("switches", [switches for switches in MIXINGS if "attention" in switches], ids=names)
@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (2, 4), (1, 3)])
def test_attention_is_the_textbook_one(switches: frozenset[str], rows: int, columns: int) -> None:
    """Looped over heads, readers and read."""
    mix = make(switches, width=16, shape=(1, 2 * rows, 2 * columns)).mixes[0]
    x = images(1, (4, rows, columns))
    projections = mix.queries_keys_values(x)[0].reshape(3, 2, 8, rows, columns)  # type: ignore[operator]
    bias = mix.position_bias.weight  # type: ignore[union-attr]
    positions = list(itertools.product(range(rows), range(columns)))
    pair = itertools.count()
    mixed = torch.zeros(2, 8, rows, columns, dtype=torch.float64)
    for i, j in positions:
        near = [(k, n) for k, n in positions if "local" not in switches or max(abs(k - i), abs(n - j)) <= 1]
        pairs = [next(pair) for _ in near]
        for head in range(2):
            query, key, value = projections[:, head]
            scores = []
            for (k, n), number in zip(near, pairs, strict=True):
                centre = [side // 2 for side in bias.shape[1:]]  # type: ignore[index, union-attr]
                b = bias[head, k - i + centre[0], n - j + centre[1]] if "shared" in switches else bias[head, number]  # type: ignore[index]
                scores.append(query[:, i, j] @ key[:, k, n] / math.sqrt(8) + b)
            weights = torch.stack(scores).softmax(0)
            mixed[head, :, i, j] = sum(w * value[:, k, n] for w, (k, n) in zip(weights, near, strict=True))
    torch.testing.assert_close(mix(x), mix.output(mixed.reshape(1, 16, rows, columns)))  # type: ignore[operator]


@pytest.mark.parametrize("switches", COVERING, ids=names)
def test_skip_makes_a_layer_with_zero_weights_the_identity(switches: frozenset[str]) -> None:
    deep, shallow = make({*switches, "skip"}, depth=3).eval(), make(switches - {"skip"}, depth=1).eval()
    for layer in deep.mixes[1:]:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    deep.mixes[0], deep.activations[2], deep.output = shallow.mixes[0], shallow.activations[0], shallow.output
    torch.testing.assert_close(deep(images()), shallow(images()))
    deep.skip = False
    assert not torch.allclose(deep(images()), shallow(images()))


@pytest.mark.parametrize("shared", [False, True])
def test_norm_normalizes_what_shares_an_offset(shared: bool) -> None:
    network = make({"norm", "shared"} if shared else {"norm"})
    norm = network.activations[0][0]  # type: ignore[index]
    nn.init.zeros_(norm.bias)  # type: ignore[arg-type]
    y = norm(3 + 2 * images(50, (8, 5, 5)))  # type: ignore[operator]
    axes = (0, 2, 3) if shared else (0,)
    torch.testing.assert_close(y.mean(axes), torch.zeros_like(y.mean(axes)))
    torch.testing.assert_close(y.var(axes, correction=0), torch.ones_like(y.mean(axes)), rtol=1e-4, atol=0)


@pytest.mark.parametrize("switches", COVERING, ids=names)
def test_norm_alone_mixes_examples(switches: frozenset[str]) -> None:
    network = make(switches)
    alone = torch.cat([network(part) for part in images(4).split(2)])
    assert torch.allclose(network(images(4)), alone) == ("norm" not in switches)


@pytest.mark.parametrize("pool", [False, True])
def test_pool_forgets_positions(pool: bool) -> None:
    network = make({"pool"} if pool else set())
    features: list[torch.Tensor] = []
    last: list[torch.Tensor] = []
    network.output.register_forward_hook(lambda module, inputs, output: features.append(inputs[0]))
    network.activations[-1].register_forward_hook(lambda module, inputs, output: last.append(output))
    network(images())
    assert torch.equal(features[0], last[0].mean((2, 3)) if pool else last[0].flatten(1))


def test_dropout_follows_each_relu() -> None:
    network = switchboard(3, 8, ["norm"], input_shape=(1, 8, 8), num_classes=3, dropout=0.2)
    assert all(
        [type(layer) for layer in activation][-2:] == [nn.ReLU, Dropout]  # type: ignore[attr-defined]
        for activation in network.activations  # type: ignore[union-attr]
    )


def test_the_name_is_in_the_tables_order() -> None:
    network = switchboard(2, 8, ["pool", "shared", "local"], input_shape=(1, 8, 8), num_classes=3)
    assert network.name == "switchboard-2x8+local+shared+pool"


@pytest.mark.parametrize(
    ("width", "switches", "message"),
    [
        (8, ["locl"], "got switch 'locl' (did you mean 'local'?), expected any of local, shared, skip, attention"),
        (8, ["xyz"], "got switch 'xyz', expected any of local"),
        (8, ["norm", "norm"], "got switch 'norm' twice"),
        (20, ["attention"], "got switchboard-2x20+attention, expected with attention a width that is a multiple of 8"),
        (20, ["attention"], "the channels of a head: 16 or 24"),
        (5, ["attention"], "the channels of a head: 8"),
    ],
)
def test_what_is_wrong_is_said(width: int, switches: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        switchboard(2, width, switches, input_shape=(1, 8, 8), num_classes=3)
    assert message in str(error.value)
