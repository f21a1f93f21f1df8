"""A network read as a sequence of affine layers: what theorems on norms and on VC dimension speak of."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from byrote.errors import UserError, kind_of, with_article
from byrote.models.dropout import Dropout
from byrote.theory.measures.operator_norms import linear_map_norm

_READABLE = (
    "fully connected and convolutional layers in a row, with ReLU, batch norm right after a layer, dropout, pooling "
    "and flattening between them"
)
_PROBE_SIZES = (0.1, 1.0, 1.0, 10.0)
"""Of the inputs on which what was read is compared with the network: preprocessed ones are of the order of 1."""


class UnreadableNetwork(UserError):
    """A network that is no sequence of affine layers."""


@dataclass(frozen=True, eq=False)
class AffineLayer:
    """x -> A x + b, and what becomes of it before the next layer."""

    name: str
    """The module's, as in the network's state."""
    module: nn.Linear | nn.Conv2d
    """Batch norm folded in."""
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    lipschitz: float = 1.0
    """Of everything between this layer and the next, in the l2 norm: ReLU, pooling."""
    decisions: tuple[int, ...] = ()
    """Of everything between this layer and the next, step by step: how many signs settle which linear map a step is. Of
    a ReLU, its entries'; of a max-pooling, those of the differences between any two entries of a window."""

    @property
    def weight(self) -> Tensor:
        """In the shape that torch gives it."""
        return self.module.weight

    @property
    def bias(self) -> Float[Tensor, " out"]:
        """Zeros where there is none."""
        return self.weight.new_zeros(len(self.weight)) if self.module.bias is None else self.module.bias

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    def linear(self, x: Float[Tensor, "B ..."], weight: Tensor) -> Float[Tensor, "B ..."]:
        """A x, for the layer's own `weight` or for another in its place."""
        if isinstance(self.module, nn.Linear):
            return F.linear(x, weight)
        m = self.module
        return F.conv2d(x, weight, None, m.stride, m.padding, m.dilation, m.groups)

    def over_outputs(self, bias: Float[Tensor, " out"]) -> Tensor:
        """`bias`, shaped so that it can be added to a batch of outputs."""
        return bias.view(1, -1, *(1 for _ in self.output_shape[1:]))


@dataclass(frozen=True, eq=False)
class LayeredNetwork:
    """Affine layers, one after another, with what lies between them."""

    network: nn.Sequential
    """The same function as the network's in evaluation mode, without batch norm and dropout."""
    layers: tuple[AffineLayer, ...]


@torch.no_grad()
def read_layers(network: nn.Module, input_shape: tuple[int, ...]) -> LayeredNetwork:
    """Reads `network`, which is left as it is.

    Batch norm with running statistics is an affine map in evaluation mode: it is folded into the layer before it. What
    was read is compared with the network itself on some inputs: a hook, or a subclass with a forward pass of its own,
    makes another function of the same modules.

    Raises:
        UnreadableNetwork: it is anything but fully connected and convolutional layers in a row, where the module is
            named; or it computes something else than these layers do.
    """
    with _in_evaluation(network):
        inputs = _probe(network, input_shape)
        expected = network(inputs.clone())  # first: hooks that compute a layer's weight do so here
        modules = _read(network)
        row = nn.Sequential(*(module for _, module in modules)).eval()
        layers = _layers(modules, input_shape)
    _refuse_another_function(row(inputs), expected, type(network).__name__)
    return LayeredNetwork(row, layers)


def _read(network: nn.Module) -> list[tuple[str, nn.Module]]:
    modules: list[tuple[str, nn.Module]] = []
    for name, module in _in_a_row(network):
        if isinstance(module, nn.Identity | Dropout | nn.modules.dropout._DropoutNd):
            continue
        if isinstance(module, nn.ReLU):
            modules.append((name, nn.ReLU()))  # never in place
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            if not modules or not isinstance(modules[-1][1], nn.Linear | nn.Conv2d) or module.running_mean is None:
                raise _unreadable(name, type(module).__name__, "with running statistics right after a layer")
            modules[-1] = (modules[-1][0], _folded(modules[-1][1], module))
        elif _is_understood(module):
            modules.append((name, _plain(module)))
        else:
            raise _unreadable(name, type(module).__name__)
    return modules


def _probe(network: nn.Module, input_shape: tuple[int, ...]) -> Float[Tensor, "B ..."]:
    """Inputs of several sizes, so that a clamp or a saturation shows."""
    weight = next((p for p in network.parameters() if p.is_floating_point()), torch.empty(0))
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn((len(_PROBE_SIZES), *input_shape), generator=generator, dtype=torch.float64)
    return (draws * draws.new_tensor(_PROBE_SIZES).view(-1, *(1 for _ in input_shape))).to(weight)


@contextmanager
def _in_evaluation(network: nn.Module) -> Iterator[None]:
    """Modes and buffers are as before afterwards."""
    modes = {module: module.training for module in network.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for buffer, value in buffers:
            buffer.copy_(value)


def _refuse_another_function(came: Tensor, expected: object, name: str) -> None:
    if not isinstance(expected, Tensor):
        raise UnreadableNetwork(f"got {with_article(name)} that returns {kind_of(expected)}, expected {_READABLE}")
    tolerance = math.sqrt(torch.finfo(expected.dtype).eps) * float(expected.abs().amax())
    if came.shape == expected.shape and bool(((came - expected).abs() <= tolerance).all()):
        return
    off = f"by up to {float((came - expected).abs().amax()):.2g}" if came.shape == expected.shape else "in its shape"
    raise UnreadableNetwork(
        f"got {with_article(name)} whose output differs {off} from that of its layers in a row (a "
        f"hook, or a forward pass of its own, does something else), expected {_READABLE}"
    )


def _layers(modules: Sequence[tuple[str, nn.Module]], input_shape: tuple[int, ...]) -> tuple[AffineLayer, ...]:
    weights = [parameter for _, module in modules for parameter in module.parameters()]
    if not weights:
        raise UnreadableNetwork(f"got a network without any weights, expected {_READABLE}")
    x = weights[0].new_zeros(1, *input_shape)
    layers: list[AffineLayer] = []
    for name, module in modules:
        before, x = tuple(x.shape[1:]), module(x)
        if isinstance(module, nn.Linear | nn.Conv2d):
            layers.append(AffineLayer(name, module, before, tuple(x.shape[1:])))
        elif isinstance(module, nn.ReLU) and layers:
            layers[-1] = replace(layers[-1], decisions=(*layers[-1].decisions, x.numel()))
        elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d):
            if not layers:
                raise _unreadable(name, type(module).__name__, "after a layer")
            layers[-1] = _pooled(layers[-1], module, before, tuple(x.shape[1:]))
    return tuple(layers)


def _pooled(layer: AffineLayer, pool: nn.Module, before: tuple[int, ...], after: tuple[int, ...]) -> AffineLayer:
    if not isinstance(pool, nn.MaxPool2d):
        norm = linear_map_norm(pool, torch.zeros(1, 1, *before[1:]))
        return replace(layer, lipschitz=layer.lipschitz * norm)
    sizes, strides, dilations = (_pair(value) for value in (pool.kernel_size, pool.stride, pool.dilation))
    # |max a - max b|² is at most the sum of (a - b)² over the window; an entry lies in so many windows.
    windows = math.prod(
        size if dilation > 1 else math.ceil(size / stride)
        for size, stride, dilation in zip(sizes, strides, dilations, strict=True)
    )
    pairs = math.comb(math.prod(sizes), 2) * math.prod(after)
    return replace(layer, lipschitz=layer.lipschitz * math.sqrt(windows), decisions=(*layer.decisions, pairs))


def _in_a_row(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that `network` calls, if each is given the output of the one before and nothing else."""
    tracer = _Tracer()
    if tracer.is_leaf_module(network, ""):
        yield "", network
        return
    try:
        graph = tracer.trace(network)
    except Exception as error:  # whatever the user's own code makes of a symbol
        raise UnreadableNetwork(
            f"got {kind_of(network)} that cannot be traced ({type(error).__name__}: {error}), expected {_READABLE}"
        ) from error
    previous: fx.Node | None = None
    for node in graph.nodes:
        if node.op in ("call_module", "call_function", "call_method", "output") and (
            node.all_input_nodes == [previous]
        ):
            if node.op != "output":
                yield str(node.target), _module_of(node, network)
        elif node.op != "placeholder" or previous is not None:
            raise _unreadable(node.name, node.op.replace("_", " "), "whose only input is what comes right before")
        previous = node


class _Tracer(fx.Tracer):
    """Takes modules of torch and of byrote as they are, and looks into those of the user."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or type(m).__module__.startswith("byrote.")


def _module_of(node: fx.Node, network: nn.Module) -> nn.Module:
    """What a node of the graph does, as a module."""
    if node.op == "call_module":
        return network.get_submodule(str(node.target))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    if name in ("relu", "relu_"):
        return nn.ReLU()
    if name == "flatten":
        return nn.Flatten(*_integers(node.args[1:]), **dict(node.kwargs))  # type: ignore[arg-type]
    raise _unreadable(node.name, f"call of {name}")


def _integers(values: Sequence[Any]) -> list[int]:
    return [int(value) for value in values]


def _is_understood(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros"
    known = nn.Linear | nn.Flatten | nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d
    return isinstance(module, known)


def _plain(module: nn.Module) -> nn.Module:
    """A copy that holds its weight as such, not a parametrisation of it, and runs no hooks."""
    if isinstance(module, nn.Linear):
        plain: nn.Module = nn.Linear(module.in_features, module.out_features, bias=module.bias is not None)
    elif isinstance(module, nn.Conv2d):
        plain = nn.Conv2d(
            module.in_channels,
            module.out_channels,
            _pair(module.kernel_size),
            _pair(module.stride),
            module.padding if isinstance(module.padding, str) else _pair(module.padding),
            _pair(module.dilation),
            module.groups,
            module.bias is not None,
        )
    else:
        return copy.deepcopy(module)
    plain.to(module.weight)
    for name in ("weight", "bias"):
        value = getattr(module, name)
        if value is not None:
            setattr(plain, name, nn.Parameter(value.detach().clone()))
    return plain


def _folded(layer: nn.Module, norm: nn.modules.batchnorm._BatchNorm) -> nn.Module:
    fuse: Callable[[Any, Any], nn.Module] = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
    norm = copy.deepcopy(norm).eval()
    if norm.weight is None:  # affine=False, of which only convolutions know
        norm.weight, norm.bias = (
            nn.Parameter(value(norm.running_mean)) for value in (torch.ones_like, torch.zeros_like)
        )
    return fuse(layer.eval(), norm)


def _unreadable(name: str, kind: str, condition: str = "") -> UnreadableNetwork:
    where = f" {name!r}" if name else ""
    only = f" ({with_article(kind)} only {condition})" if condition else ""
    return UnreadableNetwork(f"got the module{where}, {with_article(kind)}, expected {_READABLE}{only}")


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
