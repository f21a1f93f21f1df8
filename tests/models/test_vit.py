from __future__ import annotations

import pytest
import torch
from torch import nn

from byrote.errors import UserError
from byrote.models.dropout import Dropout
from byrote.models.vit import vit


@pytest.mark.parametrize(
    ("depth", "width", "shape", "k", "patch", "positions"),
    [(6, 128, (3, 28, 28), 10, 48, 49), (1, 32, (1, 8, 8), 2, 4, 16), (2, 96, (2, 5, 9), 3, 8, 15)],
)
def test_the_parameter_count_by_hand(
    depth: int, width: int, shape: tuple[int, int, int], k: int, patch: int, positions: int
) -> None:
    norm = 2 * width
    attention = norm + 3 * width * (width + 1) + width * (width + 1)
    perceptron = norm + 4 * width * (width + 1) + width * (4 * width + 1)
    expected = width * (patch + 1) + positions * width + depth * (attention + perceptron) + norm + k * (width + 1)
    network = vit(depth, width, input_shape=shape, num_classes=k)
    assert sum(p.numel() for p in network.parameters()) == expected
    assert (depth, width) != (6, 128) or expected == 1_203_722


def test_the_function_is_that_of_torchs_encoder() -> None:
    network = vit(2, 64, input_shape=(3, 28, 28), num_classes=4).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    layers = []
    for block in network.blocks:  # type: ignore[union-attr]
        layer = nn.TransformerEncoderLayer(64, 2, 256, 0.0, "gelu", batch_first=True, norm_first=True).double()
        copies = {
            layer.norm1: block.attention[0],  # type: ignore[union-attr]
            layer.self_attn.out_proj: block.attention[2],  # type: ignore[union-attr]
            layer.norm2: block.perceptron[0],  # type: ignore[union-attr]
            layer.linear1: block.perceptron[1],  # type: ignore[union-attr]
            layer.linear2: block.perceptron[3],  # type: ignore[union-attr]
        }
        for theirs, ours in copies.items():
            theirs.load_state_dict(ours.state_dict())
        heads = block.attention[1].queries_keys_values  # type: ignore[union-attr]
        layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias = heads.weight, heads.bias
        layers.append(layer)
    x = torch.randn(5, 3, 28, 28, dtype=torch.float64)
    patches = x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 1, 4, 5).reshape(5, 49, 48)
    tokens = nn.Sequential(*layers)(network.embedding(patches) + network.positions)  # type: ignore[operator]
    torch.testing.assert_close(network(x), network.output(network.norm(tokens).mean(1)))  # type: ignore[operator]


def test_positions_tell_patches_apart() -> None:
    network = vit(1, 32, input_shape=(1, 8, 8), num_classes=2).double()
    nn.init.normal_(network.blocks[0].attention[2].weight)  # type: ignore[union-attr, index]
    nn.init.normal_(network.blocks[0].perceptron[3].weight)  # type: ignore[union-attr, index]
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    swapped = torch.cat([x[..., 4:], x[..., :4]], dim=-1)
    assert not torch.allclose(network(x), network(swapped))
    nn.init.zeros_(network.positions)  # type: ignore[arg-type]
    torch.testing.assert_close(network(x), network(swapped))


def test_dropout_ends_each_branch_and_follows_the_positions() -> None:
    network = vit(3, 32, input_shape=(1, 8, 8), num_classes=2, dropout=0.3)
    assert sum(isinstance(module, Dropout) for module in network.modules()) == 7
    assert isinstance(network.dropout, Dropout)
    for block in network.blocks:  # type: ignore[union-attr]
        assert isinstance(block.attention[-1], Dropout)  # type: ignore[union-attr, index]
        assert isinstance(block.perceptron[-1], Dropout)  # type: ignore[union-attr, index]


@pytest.mark.parametrize(("width", "remedy"), [(100, "take vit-6x96 or vit-6x128"), (8, "take vit-6x32")])
def test_heads_divide_the_width(width: int, remedy: str) -> None:
    with pytest.raises(UserError, match=f"got vit-6x{width}, expected a width that is a multiple of 32.*{remedy}$"):
        vit(6, width, input_shape=(3, 28, 28), num_classes=10)
