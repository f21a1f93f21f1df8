"""The step of a group as one compiled graph: `take_step`, recorded once and made into machine code by torch's inductor.

Nothing is written twice: what is recorded is what `take_step` does with the group's own networks and optimiser, and
what makes network inputs of a batch's examples, down to torch's operations. The numbers of replicas and of a batch's
examples stay open, so that one graph serves a group while replicas leave it. Calls of operations are compiled too, and
between steps the graph is called without what torch.compile does around each call: one small network takes as long for
either as for its products. Inductor keeps what it has compiled on disk (in TORCHINDUCTOR_CACHE_DIR, or else in torch's
folder among the temporary files).
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, cast

import torch
from jaxtyping import Int64
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from byrote.training.batches import TrainingBatch
from byrote.training.optimizers import ReplicaOptimizer
from byrote.training.own_draws import draws_noted
from byrote.training.own_state import kept_in_python
from byrote.training.picked import Picked
from byrote.training.planner import is_convolutional
from byrote.training.replicas import Replicas
from byrote.training.step import OnGradients, Step, TakeStep
from byrote.training.steps_in_one_call import ManySteps, steps_in_one_call
from byrote.training.trial import left_as_they_were

_SECONDS_TOGETHER = 0.05
"""For which steps in one call may keep progress and checkpoints waiting."""


class CannotCompile(Exception):
    """The reason, as half a sentence."""


class CompiledStep:
    """Takes steps as `take` does: the first one so, and all others by a graph that is compiled before the second.

    A graph that holds for one size of batch alone has others beside it, for the other sizes. Where none can be, `take`
    goes on, and `log` is told why.
    """

    def __init__(self, take: TakeStep, log: Callable[[str], None]) -> None:
        self._take = take
        self._log = log
        self.has_begun = False
        """Whether its first step is taken."""
        self._graphs: list[Graph] = []
        self.made_for: list[tuple[int, int]] = []
        """Of how many replicas and examples the batch was that each graph was made for."""
        self._tensors: list[Tensor] = []
        self._factor: tuple[float | Tensor, Tensor] = 1.0, torch.ones((), dtype=torch.float64)
        self.num_together = 1
        """How many steps in one call there is time for, by what the latest ones have taken."""

    @property
    def is_compiled(self) -> bool:
        """Whether the latest steps were taken by a compiled graph."""
        return bool(self._graphs)

    def __call__(
        self,
        replicas: Replicas,
        optimizer: ReplicaOptimizer,
        batch: TrainingBatch,
        factor: float | Tensor,
        *,
        look: OnGradients | None = None,
    ) -> Step:
        if not self.has_begun:
            return self._first(replicas, optimizer, batch, factor, look)
        graph = self._serving(batch.labels.shape)
        if graph is None and self._graphs:
            self.compile(replicas, optimizer, batch)
            graph = self._serving(batch.labels.shape)
        if graph is None or batch.picked is None:
            return self._take(replicas, optimizer, batch, factor, look=look)
        if not self._tensors:
            self._tensors = _tensors_of(replicas, optimizer)
        started = time.perf_counter()
        with torch.no_grad():
            losses, predictions, *gradients = graph.function(
                [*self._tensors, *batch.picked.tensors, batch.labels, self._number(factor)]
            )
        self._note(time.perf_counter() - started)
        if look is not None:
            look(gradients)
        return Step(losses, predictions)

    def several(
        self,
        replicas: Replicas,
        optimizer: ReplicaOptimizer,
        batches: Sequence[TrainingBatch],
        factors: Sequence[float],
    ) -> list[Step]:
        """Steps as by so many calls, in one where a graph serves all of them."""
        graph = self._serving(batches[0].labels.shape) if self.has_begun else None
        if (
            graph is None
            or graph.several is None
            or any(batch.picked is None or self._serving(batch.labels.shape) is not graph for batch in batches)
        ):
            each = zip(batches, factors, strict=True)
            return [self(replicas, optimizer, batch, factor) for batch, factor in each]
        if not self._tensors:
            self._tensors = _tensors_of(replicas, optimizer)
        own: list[list[Tensor]] = []
        shared: list[Tensor] = []
        for batch, factor in zip(batches, factors, strict=True):
            stored, of_runs, of_batch = cast(Picked, batch.picked).parts
            shared = [*stored, *of_runs]
            own.append([*of_batch, batch.labels, self._number(factor)])
        started = time.perf_counter()
        with torch.no_grad():
            steps = [Step(*found) for found in graph.several([*self._tensors, *shared], own)]
        self._note((time.perf_counter() - started) / len(steps))
        return steps

    def _note(self, seconds: float) -> None:
        self.num_together = max(1, int(_SECONDS_TOGETHER / seconds))

    def _number(self, factor: float | Tensor) -> Tensor:
        if self._factor[0] != factor:
            self._factor = factor, torch.as_tensor(factor, dtype=torch.float64)
        return self._factor[1]

    def _first(
        self,
        replicas: Replicas,
        optimizer: ReplicaOptimizer,
        batch: TrainingBatch,
        factor: float | Tensor,
        look: OnGradients | None,
    ) -> Step:
        self.has_begun = True
        # Optimisers make their state in their first step, and what networks keep elsewhere shows.
        with _python_noted(replicas.network) as changes:
            step = self._take(replicas, optimizer, batch, factor, look=look)
        if not changes:
            self.compile(replicas, optimizer, batch)
        else:
            self._log(f"not compiled, since {changes[0]}")
        return step

    def _serving(self, shape: torch.Size) -> Graph | None:
        for graph in self._graphs:
            if graph.conditions(*shape):
                return graph
        return None

    def keep(self) -> None:
        """To be called when replicas have left: those of all others are other tensors now."""
        self._tensors = []

    def compile(
        self,
        replicas: Replicas,
        optimizer: ReplicaOptimizer,
        batch: TrainingBatch,
    ) -> None:
        """For batches like this, and others as far as that goes."""
        try:
            self._graphs.append(compiled(self._take, replicas, optimizer, batch))
            self.made_for.append((batch.labels.shape[0], batch.labels.shape[1]))
        except CannotCompile as reason:
            self._graphs, self.made_for = [], []
            self._log(f"not compiled, since {reason}")


@dataclass(frozen=True, eq=False)
class Graph:
    """A compiled step."""

    function: Callable[..., Any]
    """Of a list of the tensors of replicas and optimiser, those that a batch is picked by, its labels and the factor of
    the learning rates: changes the first two in place; gives losses, predictions, and the gradient of each parameter.
    """
    conditions: Callable[[int, int], bool]
    """Whether it is right for batches of so many replicas and examples."""
    several: ManySteps | None = None
    """Of the tensors that steps have in common, in the same order, and of the others of each step: losses and
    predictions of each. None where torch's code cannot be called so."""


def compiled(take: TakeStep, replicas: Replicas, optimizer: ReplicaOptimizer, batch: TrainingBatch) -> Graph:
    """`take` for these replicas, or fewer of them, and any batch like this. All is left as it was.

    Raises:
        CannotCompile: why not.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler

    if batch.labels.device.type != "cpu":
        raise CannotCompile(f"steps on {batch.labels.device.type} are not")
    if batch.picked is None:
        raise CannotCompile("its images lie on disk")
    if is_convolutional(replicas.network):
        raise CannotCompile("convolutions gain nothing by it, and take many minutes to compile")
    if any(isinstance(value, int | float) for each in optimizer.state for value in each.values()):
        raise CannotCompile("its optimiser counts in Python")
    try:
        get_cpp_compiler()
    except Exception as error:
        raise CannotCompile("there is no C++ compiler (g++, or what CXX names)") from error
    with _quietly(), left_as_they_were([replicas.network]), torch.random.fork_rng([]):
        try:
            graph, arguments, conditions = _recorded(take, replicas, optimizer, batch.picked, batch.labels)
            call = _machine_code(graph, arguments)
            # Code may fail that was made without a fault, as that of an LSTM's gradients does.
            copies = [tensor.clone() for tensor in _tensors_of(replicas, optimizer)]
            with torch.no_grad():
                call([*copies, *batch.picked.tensors, batch.labels, torch.ones((), dtype=torch.float64)])
            num_found = 2 + len(replicas.parameters)
            return Graph(call, conditions, steps_in_one_call(call, num_found=num_found, num_kept=2))
        except Exception as error:  # whatever torch makes of the network's own code
            first = [line for line in str(error).splitlines() if line.strip()][:1]
            raise CannotCompile(f"torch fails: {': '.join([type(error).__name__, *first])}") from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without torch's remarks on how it compiles, which nobody can act on; those that TORCH_LOGS asks for stay."""
    logger = logging.getLogger("torch._inductor")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if level == logging.NOTSET:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _machine_code(graph: torch.fx.GraphModule, arguments: Sequence[Tensor]) -> Callable[[list[Tensor]], Any]:
    """Inductor's, without what torch.compile does around each of its calls."""
    from torch._guards import TracingContext, detect_fake_mode, tracing
    from torch._inductor import config
    from torch._inductor.compile_fx import compile_fx_inner

    fake_mode = detect_fake_mode(arguments)
    with torch.no_grad(), config.patch(_settings()), tracing(TracingContext(fake_mode)):
        made: Any = compile_fx_inner(graph, list(arguments), is_inference=True, cpp_wrapper=True)
    call: Callable[[list[Tensor]], Any] = made.current_callable
    return call


def _settings() -> dict[str, Any]:
    return {
        # The draws of networks that are trained as they are.
        "fallback_random": True,
        # With it, torch 2.13 writes positions times a hash's constants, in dropout, as numbers beyond 64 bits.
        "constant_and_index_propagation": False,
        # A step's calls too in C++, not in Python.
        "cpp_wrapper": True,
        "size_asserts": False,
        # Written into the code, and so into the name under which it is kept.
        "cpp.threads": torch.get_num_threads(),
    }


def _tensors_of(replicas: Replicas, optimizer: ReplicaOptimizer) -> list[Tensor]:
    own = chain(replicas.parameters.values(), replicas.buffers.values())
    kept = (value for each in optimizer.state for value in each.values() if isinstance(value, Tensor))
    return [tensor.detach() for tensor in chain(own, kept)]


def _recorded(
    take: TakeStep,
    replicas: Replicas,
    optimizer: ReplicaOptimizer,
    picked: Picked,
    labels: Int64[Tensor, "R B"],
) -> tuple[torch.fx.GraphModule, list[Any], Callable[[int, int], bool]]:
    from torch._inductor import config
    from torch._inductor.decomposition import select_decomp_table
    from torch._subclasses import FakeTensorMode
    from torch.func import functionalize
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    tensors = _tensors_of(replicas, optimizer)
    num, batch = labels.shape
    shapes = ShapeEnv()
    fake_mode = FakeTensorMode(shape_env=shapes)
    many = num if replicas.alone or not optimizer.is_one_slice else _open_size(shapes, "replicas", num)
    examples = batch if batch == 1 else _open_size(shapes, "examples", batch)
    with fake_mode:
        arguments: list[Any] = [
            _with_sizes(tensor, [many] if len(tensor.shape) and len(tensor) == num else []) for tensor in tensors
        ]
        stored, of_runs, of_batch = picked.parts
        arguments += [_with_sizes(tensor, []) for tensor in stored]
        arguments += [_with_sizes(tensor, [many]) for tensor in of_runs]
        arguments += [_with_sizes(tensor, [many, examples]) for tensor in (*of_batch, labels)]
        arguments.append(torch.empty((), dtype=torch.float64))
    parameters, buffers, kept = list(replicas.parameters), list(replicas.buffers), optimizer.state
    trained = [parameter.requires_grad for parameter in replicas.parameters.values()]

    def step(*found: Tensor) -> list[Tensor]:
        given = iter(found)
        leaves = {
            name: next(given).detach().requires_grad_(is_trained)
            for name, is_trained in zip(parameters, trained, strict=True)
        }
        own = {name: next(given) for name in buffers}
        # Counts of steps are kept in float32, and calculated with in float64 where torch's own loops do.
        before = [{k: next(given) if isinstance(v, Tensor) else v for k, v in each.items()} for each in kept]
        state = [
            {k: v.double() if isinstance(v, Tensor) and not v.ndim else v for k, v in each.items()} for each in before
        ]
        *of_batch, batch_labels, factor = given
        now_picked = picked.on(of_batch)
        gradients: list[Tensor] = []
        taken = take(
            replicas.on(leaves, own),
            optimizer.on(leaves, state),
            TrainingBatch(batch_labels, now_picked.network_inputs, now_picked),
            factor,
            look=gradients.extend,
        )
        for old, new in zip(before, state, strict=True):
            for name, value in old.items():
                if isinstance(value, Tensor) and not value.ndim:
                    value.copy_(new[name])
        return [taken.losses, taken.predictions, *gradients]

    with _is_compiling(), _NumbersFromTensors():
        graph = make_fx(step, tracing_mode="symbolic")(*arguments)
    for node in reversed(graph.graph.nodes):
        if "profiler" in str(node.target):
            graph.graph.erase_node(node)
    graph.recompile()
    # Inductor takes values rather than tensors that change, and its own operations.
    without_changes = functionalize(graph, remove="mutations")
    with config.patch(_settings()):  # by which random draws stay torch's own
        table = select_decomp_table()
    operations = {**table, torch.ops.aten.addmm.default: _product_and_sum}
    graph = make_fx(without_changes, operations, tracing_mode="symbolic")(*arguments)
    graph.graph.eliminate_dead_code()
    for node in next(iter(reversed(graph.graph.nodes))).args[0]:
        node.meta["example_value"] = node.meta["val"]  # where inductor looks for the open sizes
    graph.recompile()

    @cache
    def conditions(num_replicas: int, num_examples: int) -> bool:
        now = ((many, num_replicas), (examples, num_examples))
        # As they were made: `expr` is the number by which torch has replaced a size.
        symbols = {size.node._expr: number for size, number in now if not isinstance(size, int)}
        # What else it has assumed of sizes are guards.
        return (
            all(size == number for size, number in now if isinstance(size, int))
            and all(shapes.replace(symbol).subs(symbols) == number for symbol, number in symbols.items())
            and all(bool(guard.expr.subs(symbols)) for guard in shapes.guards)
        )

    return graph, arguments, conditions


def _product_and_sum(bias: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """addmm, whose sum inductor makes a part of what follows; torch copies the bias to each row before the product."""
    product = left @ right
    return (product if alpha == 1 else product * alpha) + (bias if beta == 1 else bias * beta)


@contextmanager
def _python_noted(network: nn.Module) -> Iterator[list[str]]:
    """Gives a list of reasons that is empty where a step within leaves all that a recording would not see as it was:
    random generators but torch's own, buffers' places in memory, and what modules and their files keep in Python."""
    before, places = kept_in_python(network), {name: b.data_ptr() for name, b in network.named_buffers()}
    found: list[str] = []
    with draws_noted(network) as draws:
        yield found
    if draws:
        found.append("it draws random numbers by other means than torch")
    if {name: b.data_ptr() for name, b in network.named_buffers()} != places:
        found.append("it replaces a buffer instead of updating it in place")
    if kept_in_python(network) != before:
        found.append("its modules keep what changes from step to step in Python")


def _open_size(shapes: Any, name: str, hint: int) -> Any:
    from torch._dynamo.source import ConstantSource
    from torch.fx.experimental.symbolic_shapes import DimDynamic

    source = ConstantSource(name)
    symbol = shapes.create_symbol(hint, source, dynamic_dim=DimDynamic.DYNAMIC, constraint_dim=None)
    return shapes.create_symintnode(symbol, hint=hint, source=source)


def _with_sizes(tensor: Tensor, sizes: Sequence[Any]) -> Tensor:
    """An empty one of the same layout whose first axes have these sizes."""
    shape = [*sizes, *tensor.shape[len(sizes) :]]
    order = sorted(range(tensor.ndim), key=lambda axis: (tensor.stride(axis), -axis))
    strides: list[Any] = [0] * tensor.ndim
    size = 1
    for axis in order:
        strides[axis] = size
        size = size * shape[axis]
    return torch.empty_strided(shape, strides, dtype=tensor.dtype, device=tensor.device)


@contextmanager
def _is_compiling() -> Iterator[None]:
    """Lets torch's optimisers calculate with tensors where they would take numbers out of them."""
    before = torch.compiler._is_compiling_flag
    torch.compiler._is_compiling_flag = True
    try:
        yield
    finally:
        torch.compiler._is_compiling_flag = before


class _NumbersFromTensors(TorchFunctionMode):
    """Multiplies by what optimisers give as `alpha` or `value`, which torch takes as a number only."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in ("add_", "add") and isinstance(factor := kwargs.get("alpha"), Tensor):
            return func(args[0], args[1] * factor)
        if name in ("addcmul_", "addcdiv_") and isinstance(factor := kwargs.get("value"), Tensor):
            combine = torch.mul if name == "addcmul_" else torch.div
            return args[0].add_(combine(args[1], args[2]) * factor)
        return func(*args, **kwargs)
