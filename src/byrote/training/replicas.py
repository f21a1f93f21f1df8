"""R networks of one architecture as one: parameters and buffers stacked along a leading axis (torch.func)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from itertools import chain

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from byrote.errors import UserError
from byrote.models.dropout import Dropout
from byrote.randomness import stream_seed


class Replicas:
    """R networks. `parameters` and `buffers` have shape `[R, ...]`.

    A single network is called as it is, without vmap: its tensors are viewed under a leading axis of length 1.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.alone = len(networks) == 1
        self.num_replicas = len(networks)
        self._network = networks[0]
        if self.alone:
            self.parameters = {
                name: p.detach()[None].requires_grad_(p.requires_grad) for name, p in self._network.named_parameters()
            }
            self.buffers = {name: b[None] for name, b in self._network.named_buffers()}
        else:
            self.parameters, self.buffers = stack_module_state(list(networks))
        self._leaves = list(self._network.parameters()) if self.alone else list(self.parameters.values())
        named = chain(self._network.named_parameters(), self._network.named_buffers())
        own_name = {id(tensor): name for name, tensor in named}
        self._saved = {name: own_name[id(tensor)] for name, tensor in _tensors_to_save(self._network).items()}
        self._is_elsewhere = False

    @property
    def network(self) -> nn.Module:
        """The module that computes: the first of the networks."""
        return self._network

    def on(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Replicas:
        """The same networks on other tensors, which their own stay out of."""
        other = copy(self)
        other.parameters, other.buffers, other._is_elsewhere = parameters, buffers, True
        other._leaves = list(parameters.values())
        return other

    def __call__(
        self, inputs: Shaped[Tensor, "R B ..."], *, training: bool, members: Sequence[int] | None = None
    ) -> Float[Tensor, "R B K"]:
        """Logits. With `members`, only those replicas run, on inputs `[len(members), B, ...]`."""
        if self._network.training != training:
            self._network.train(training)
        if self.alone and self._is_elsewhere:
            own = (
                {name: tensor.squeeze(0) for name, tensor in part.items()} for part in (self.parameters, self.buffers)
            )
            return _scores(functional_call(self._network, tuple(own), (inputs[0],)), training)[None]
        if self.alone:
            scores = _scores(self._network(inputs[0]), training)
            self._share_memory()
            return scores[None]
        if inputs.stride(0) == 0:
            # Each its own copy, since a forward pass may change its input in place.
            inputs = torch.stack([inputs[0]] * len(inputs))
        state = (self.parameters, self.buffers)
        if members is not None and len(members) < self.num_replicas:
            rows = list(members)
            parameters, buffers = ({name: tensor[rows] for name, tensor in part.items()} for part in state)
            state = (parameters, buffers)
        return vmap(self._call_one)(*state, inputs)

    def _call_one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor) -> Tensor:
        return _scores(functional_call(self._network, (parameters, buffers), (inputs,)), self._network.training)

    def _share_memory(self) -> None:
        """Lets `parameters` be views of the weights again where a forward pass has given these other memory
        (`weight.data = ...`)."""
        for view, leaf in zip(self.parameters.values(), self._leaves, strict=True):
            if leaf.data_ptr() != view.data_ptr():
                home = view.data[0]
                home.copy_(leaf.data)
                leaf.data = home

    def collect_gradients(self) -> None:
        """After backward: lets `parameters[name].grad` be the gradient `[R, ...]`, also of a single network."""
        if self.alone and not self._is_elsewhere:
            for view, leaf in zip(self.parameters.values(), self._leaves, strict=True):
                view.grad = None if leaf.grad is None else leaf.grad[None]

    def clear_gradients(self) -> None:
        """Of all weights, before the next step."""
        for tensor in (*self._leaves, *self.parameters.values()):
            tensor.grad = None

    def keep(self, kept: Sequence[int]) -> None:
        """Drops all other replicas."""
        rows = list(kept)
        self.parameters = {
            name: tensor.detach()[rows].requires_grad_(tensor.requires_grad) for name, tensor in self.parameters.items()
        }
        self.buffers = {name: tensor[rows] for name, tensor in self.buffers.items()}
        self._leaves = list(self.parameters.values())
        self.num_replicas = len(rows)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that steps change, by name: `[R, ...]`, but of a single network as its modules have them."""
        own = chain(self._network.named_parameters(), self._network.named_buffers())
        stacked = chain(self.parameters.items(), self.buffers.items())
        return dict(own if self.alone else stacked)

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Sets them to what `tensors` was, in place."""
        for name, tensor in self.tensors.items():
            tensor.detach().copy_(tensors[name])

    def state(self, replica: int) -> dict[str, Tensor]:
        """A copy, on the CPU, of the weights and buffers that one network would save."""
        if self.alone:
            saved = _tensors_to_save(self._network)
        else:
            stacked = {**self.parameters, **self.buffers}
            # Tied weights are saved under each of their names, and stacked under the first.
            saved = {name: stacked[own_name][replica] for name, own_name in self._saved.items()}
        return {name: tensor.detach().cpu().clone() for name, tensor in saved.items()}


def _scores(output: object, training: bool) -> Tensor:
    if not isinstance(output, Tensor):
        raise UserError(
            f"the model gave an object of type {type(output).__name__} in {'training' if training else 'evaluation'} "
            "mode, expected a tensor of class scores: build it without auxiliary outputs (aux_logits=False)"
        )
    return output


def _tensors_to_save(network: nn.Module) -> dict[str, Tensor]:
    state = network.state_dict(keep_vars=True)
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def prepare(network: nn.Module, *, seed: int, momentum: float | None, epsilon: float | None) -> list[str]:
    """Makes a fresh network ready for the engine, in place: keyed dropout, the spec's batch-norm constants.

    Returns sentences for the log.
    """
    notes = []
    swapped: dict[nn.Module, Dropout] = {}
    for parent in list(network.modules()):
        # Not named_children(), which passes over a module's second name.
        for name, child in list(parent._modules.items()):
            if type(child) is nn.Dropout:
                setattr(parent, name, swapped.setdefault(child, Dropout(child.p)))
    if swapped:
        notes.append(f"{len(swapped)} nn.Dropout replaced by dropout with a key of its own for each run")
    dropouts = [module for module in network.modules() if isinstance(module, Dropout)]
    for position, dropout in enumerate(dropouts):
        dropout.key.fill_(stream_seed(seed, "dropout", position))
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = module.momentum if momentum is None else momentum
            module.eps = module.eps if epsilon is None else epsilon
    return notes
