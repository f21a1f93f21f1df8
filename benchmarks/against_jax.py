"""Many small networks in JAX, jit(vmap(scan)) over an epoch, and in byrote, in the same run: digits at batch 64.

    pip install -c constraints.txt "byrote[bench]"
    python benchmarks/against_jax.py

1, 16 and 64 of mlp-2x128, and one conv-small, with momentum SGD; rates count the examples of all networks together. In
XLA on CPUs convolutions within a scan, or of a vmapped network, are slower by a factor of ten and more: JAX takes the
steps of conv-small one by one, by a jitted step of one network. JAX draws nothing and evaluates nothing: order, loss
and number right are given and returned. byrote runs as it does, with its compiled step and without, between the second
epoch and the last, on random labels, which no run fits in so few epochs: runs that may have fitted are evaluated on all
examples after every epoch. Both compilations are left out, and stated.

`--clock cpu` counts seconds of processor time of this process, for machines that others compute on too: by that, more
threads or processes gain nothing, and a ratio is that of one core.

"Bare products" are the hardware's limit for any number of networks: the matrix products of one network's steps alone,
whose weights stay in a core's own cache, by one thread, times the number of cores.

"By processes" splits the networks among as many processes of one thread as there are cores, as `byrote` does by itself
where networks are many; the others have as many threads as there are cores, and so has JAX.

Measured on two quiet Intel Xeon cores (results/against_jax.json, four rounds): 0.68 times JAX for one small MLP (0.65
to 0.76; four rounds of another hour gave 0.72, two 0.68 and 0.93), by processes 1.52 and 1.50 for 16 and 64; in one
process 1.23 and 1.09. They were 0.42, 1.53 and 1.23, 1.18 and 1.00 there before steps were taken several in a call (and
0.53, 0.96 and 1.06 on two AMD EPYC cores, where JAX is faster). Both are at 0.2 to 0.6 of the bare products. Asked on
two cores: 0.8, 1.5 and 1.2 times JAX for 1, 16 and 64 small MLPs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import measure
import numpy as np
import torch
from jax import lax

import byrote
from byrote.training.threads import num_physical_cores

BATCH = 64
RATE, MOMENTUM = 0.01, 0.9
ASKED = {
    "byrote compiled, 1 of mlp-2x128": ">= 0.8",
    "byrote compiled, 16 of mlp-2x128": ">= 1.5",
    "byrote compiled, 64 of mlp-2x128": ">= 1.2",
    "byrote compiled by processes, 16 of mlp-2x128": ">= 1.5",
    "byrote compiled by processes, 64 of mlp-2x128": ">= 1.2",
}

Weights = list[tuple[jax.Array, jax.Array]]


def mlp(weights: Weights, x: jax.Array) -> jax.Array:
    x = x.reshape(len(x), -1)
    for weight, bias in weights[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = weights[-1]
    return x @ weight + bias


def conv_small(weights: Weights, x: jax.Array) -> jax.Array:
    x = jnp.transpose(x, (0, 2, 3, 1))
    for kernel, bias in weights[:2]:
        x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias
        x = lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")
    return mlp(weights[2:], x)


NETWORKS: dict[str, Callable[[Weights, jax.Array], jax.Array]] = {"mlp-2x128": mlp, "conv-small": conv_small}


def weights_of(model: str, shape: tuple[int, ...], seeds: int) -> Weights:
    """byrote's own initial weights, as JAX wants them: products from the right, channels last."""
    networks = [byrote.build_model(model, input_shape=shape, num_classes=10, seed=seed) for seed in range(seeds)]
    stacked = [torch.stack(each).detach() for each in zip(*(net.parameters() for net in networks), strict=True)]
    found = []
    for weight, bias in zip(stacked[::2], stacked[1::2], strict=True):
        order = (0, 3, 4, 2, 1) if weight.ndim == 5 else (0, 2, 1)
        found.append((jnp.asarray(weight.permute(order).numpy()), jnp.asarray(bias.numpy())))
    return found


class Jax:
    """R networks; each call is an epoch of all of them."""

    def __init__(self, model: str, data: byrote.Dataset, replicas: int) -> None:
        network = NETWORKS[model]
        pixels = np.asarray(data.train.inputs, np.float32)
        self.n = len(pixels)
        self.inputs, self.labels = jnp.asarray(pixels / pixels.max()), jnp.asarray(data.train.labels)
        self.weights = weights_of(model, data.input_shape, replicas)
        self.momenta = jax.tree.map(jnp.zeros_like, self.weights)
        self.generator, self.replicas = np.random.default_rng(0), replicas
        steps = self.n // BATCH

        def loss(weights: Weights, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
            scores = network(weights, x)
            each = -jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1)
            return each.mean(), (scores.argmax(-1) == y).sum()

        def step(carried: Any, rows: jax.Array) -> Any:
            weights, momenta = carried
            (value, right), gradients = jax.value_and_grad(loss, has_aux=True)(
                weights, self.inputs[rows], self.labels[rows]
            )
            momenta = jax.tree.map(lambda m, g: MOMENTUM * m + g, momenta, gradients)
            weights = jax.tree.map(lambda w, m: w - RATE * m, weights, momenta)
            return (weights, momenta), (value, right)

        def epoch(weights: Weights, momenta: Weights, order: jax.Array) -> Any:
            return lax.scan(step, (weights, momenta), order[: steps * BATCH].reshape(steps, BATCH))

        step_of_one = jax.jit(step)

        def epoch_of_one(weights: Weights, momenta: Weights, order: jax.Array) -> Any:
            carried, found = (weights, momenta), []
            for number in range(steps):
                carried, values = step_of_one(carried, order[0, number * BATCH : (number + 1) * BATCH])
                found.append(values)
            return carried, found

        if model == "conv-small":
            self.weights, self.momenta = jax.tree.map(lambda stacked: stacked[0], (self.weights, self.momenta))
        self.epoch = epoch_of_one if model == "conv-small" else jax.jit(jax.vmap(epoch))
        start = time.perf_counter()
        self()
        self.seconds_to_compile = time.perf_counter() - start

    def __call__(self) -> None:
        order = np.stack([self.generator.permutation(self.n) for _ in range(self.replicas)])
        (self.weights, self.momenta), found = self.epoch(self.weights, self.momenta, jnp.asarray(order))
        jax.block_until_ready(found)

    def rate(self, epochs: int, clock: measure.Clock) -> float:
        start = clock()
        for _ in range(epochs):
            self()
        return epochs * self.replicas * (self.n // BATCH) * BATCH / (clock() - start)


def limit(model: str, data: byrote.Dataset, clock: measure.Clock) -> float:
    """Examples a second of bare products, of one thread on each core."""
    network = byrote.build_model(model, input_shape=data.input_shape, num_classes=data.num_classes)
    images = torch.rand(BATCH, *data.input_shape)
    step = measure.bare_products(network, images, torch.zeros(BATCH, dtype=torch.long), torch.float32)
    threads, steps = torch.get_num_threads(), 200
    torch.set_num_threads(1)
    try:
        rates = []
        for _ in range(6):  # the first warms up
            start = clock()
            for _ in range(steps):
                step()
            rates.append(steps * BATCH / (clock() - start))
    finally:
        torch.set_num_threads(threads)
    cores = 1 if clock is measure.CLOCKS["cpu"] else num_physical_cores()
    return cores * float(np.median(rates[1:]))


def main() -> None:
    parser = measure.arguments(__doc__, data=False)
    parser.add_argument("--clock", choices=sorted(measure.CLOCKS), default="wall", help="cpu: where others compute too")
    options = parser.parse_args()
    clock = measure.CLOCKS[options.clock]
    data = byrote.load("digits")
    sizes = {"mlp-2x128": (1, 4) if options.quick else (1, 16, 64), "conv-small": (1,)}
    contenders: dict[str, measure.Contender] = {}
    compiling: dict[str, float] = {}
    side_by_side = measure.SideBySide(num_physical_cores())
    for model, numbers in sizes.items():
        contenders[f"bare products, {model}"] = partial(limit, model, data, clock)
        for replicas in numbers:
            name = f"{replicas} of {model}"
            epochs = 1 if options.quick else max(3, 40 // replicas) if model == "mlp-2x128" else 4
            in_jax = Jax(model, data, replicas)
            compiling[f"JAX, {name}"] = round(in_jax.seconds_to_compile, 1)
            contenders[f"JAX, {name}"] = partial(in_jax.rate, epochs, clock)
            recipe: dict[str, Any] = {
                "clock": clock,
                "model": model,
                "replicas": replicas,
                "batch_size": BATCH,
                "learning_rate": RATE,
                "corruptions": (byrote.Corruption(name="random-labels"),),
            }
            contenders[f"byrote as it is, {name}"] = partial(measure.engine_rate, data, epochs, **recipe)
            if model == "mlp-2x128" and not options.quick:
                start = time.perf_counter()
                measure.engine_rate(data, 1, compile="on", **recipe)
                compiling[f"byrote compiled, {name}"] = round(time.perf_counter() - start, 1)
                contenders[f"byrote compiled, {name}"] = partial(
                    measure.engine_rate, data, epochs, compile="on", **recipe
                )
                if replicas > 1 and options.clock == "wall":
                    contenders[f"byrote compiled by processes, {name}"] = partial(
                        side_by_side.engine_rate, data, epochs, compile="on", **recipe
                    )
    rates = measure.interleave(contenders, options.rounds)
    median = measure.medians(rates)
    ratios = [
        measure.Ratio(f"{contender} / JAX", median[contender] / median[f"JAX, {name}"], ASKED.get(contender, ""))
        for contender in rates
        for way, _, name in [contender.partition(", ")]
        if way not in ("JAX", "bare products")
    ]
    ratios += [
        measure.Ratio(f"{contender} / bare products", median[contender] / median[f"bare products, {model}"])
        for model in sizes
        for contender in rates
        if contender.endswith(f"of {model}") and not contender.startswith("byrote as it is")
    ]
    measure.write(
        "against_jax",
        rates,
        ratios,
        options,
        unit=f"examples/s of {options.clock} time",
        data=data.label,
        batch_size=BATCH,
        seconds_to_compile=compiling,
        load=os.getloadavg()[0],
    )


if __name__ == "__main__":
    main()
