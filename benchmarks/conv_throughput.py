"""Training speed of the paper's convolutional networks at batch 128 on CIFAR-10, cropped to 28x28.

    python benchmarks/conv_throughput.py --data parquet:DIR

Asked on two cores: inception in byrote (bfloat16 where the hardware has it, channels-last) at least 1.7x the
plain loop (float32, channels-first), and its share of the bare convolutions of the same shapes. alexnet runs
with torch's local response normalisation in the plain loop, and with ours.
"""

from __future__ import annotations

from functools import partial

import measure
import torch
from torch import nn

import byrote
from byrote.models.normalization import LocalResponseNorm

BATCH = 128
SHAPE = (3, 28, 28)
LEARNING_RATE = {"inception": 0.1, "alexnet": 0.01}


def torch_normalization(model: nn.Module) -> nn.Module:
    """The same network with torch's own local response normalisation: it divides alpha by the window."""
    for name, layer in model.named_children():
        if isinstance(layer, LocalResponseNorm):
            window = 9
            setattr(model, name, nn.LocalResponseNorm(window, layer.alpha * window, layer.beta, layer.bias))
    return model


def build(name: str, *, torch_layers: bool) -> nn.Module:
    model = byrote.build_model(name, input_shape=SHAPE, num_classes=10)
    return torch_normalization(model) if torch_layers else model


def plain(name: str, steps: int, batch: int, *, torch_layers: bool) -> float:
    model = build(name, torch_layers=torch_layers)
    inputs, labels = torch.randn(4 * batch, *SHAPE), torch.randint(10, (4 * batch,))
    step = measure.plain_loop(model, inputs, labels, batch, LEARNING_RATE[name])
    return measure.rate(step, batch, steps, warm_up=1)


def limit(name: str, steps: int, batch: int, dtype: torch.dtype) -> float:
    # Torch's normalisation contains no convolution: the limit knows the network's own only.
    inputs, labels = torch.randn(batch, *SHAPE), torch.zeros(batch, dtype=torch.long)
    step = measure.bare_products(build(name, torch_layers=True), inputs, labels, dtype)
    with torch.no_grad():
        return measure.rate(step, batch, steps, warm_up=1)


def main() -> None:
    parser = measure.arguments(__doc__)
    parser.add_argument("--models", nargs="+", choices=LEARNING_RATE, default=list(LEARNING_RATE))
    options = parser.parse_args()
    data = measure.load(options, 20 if options.quick else 500)
    contenders: dict[str, measure.Contender] = {}
    batch = 8 if options.quick else BATCH
    precisions = ("float32", "bfloat16") if measure.multiplies_bfloat16() else ("float32",)
    for name in options.models:
        steps = 1 if options.quick else {"inception": 8, "alexnet": 16}[name]
        spec = {"model": name, "crop": 28, "batch_size": batch, "n_train": 4 * batch}
        engine = partial(measure.engine_rate, data, -(-steps // 4), learning_rate=LEARNING_RATE[name], **spec)
        contenders |= {
            f"{name}, plain loop": partial(plain, name, steps, batch, torch_layers=True),
        }
        for precision in precisions:
            contenders |= {
                f"{name}, bare products, {precision}": partial(limit, name, steps, batch, getattr(torch, precision)),
                f"{name}, byrote, {precision}": partial(engine, precision=precision),
            }
        if name == "alexnet":
            contenders["alexnet, plain loop, our normalisation"] = partial(
                plain, name, steps, batch, torch_layers=False
            )
    rates = measure.interleave(contenders, options.rounds)
    median = measure.medians(rates)
    ratios = []
    for name in options.models:
        usual, ours = median[f"{name}, plain loop"], median[f"{name}, byrote, {precisions[-1]}"]
        asked = ">= 1.7" if name == "inception" else ""
        ratios += [measure.Ratio(f"{name}: byrote {precisions[-1]} / plain float32 loop", ours / usual, asked)]
        ratios += [
            measure.Ratio(
                f"{name}: byrote {precision} / bare products",
                median[f"{name}, byrote, {precision}"] / median[f"{name}, bare products, {precision}"],
            )
            for precision in precisions
        ]
        if name == "alexnet":
            ratio = median["alexnet, plain loop, our normalisation"] / usual
            ratios.append(measure.Ratio("alexnet: our normalisation / torch's, plain loop", ratio))
    measure.write("conv_throughput", rates, ratios, options, data=data.label, batch_size=batch)


if __name__ == "__main__":
    main()
