"""Training speed of mlp-3x512 at batch 128 on CIFAR-10, cropped to 28x28.

    python benchmarks/mlp_throughput.py --data parquet:DIR

Asked on two cores: byrote in float32 at least 4x the usual way and at least 0.85 of the bare products of the
same shapes; in bfloat16 at least 1.5x float32, where the processor multiplies bfloat16.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import measure
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import byrote

BATCH = 128


class CenterCrop:
    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, image: Image.Image) -> Image.Image:
        left, top = ((length - self.side) // 2 for length in image.size)
        return image.crop((left, top, left + self.side, top + self.side))


class ToTensor:
    def __call__(self, image: Image.Image) -> Tensor:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)


class Whiten:
    """The paper's: each image by its own mean and adjusted standard deviation."""

    def __call__(self, image: Tensor) -> Tensor:
        return (image - image.mean()) / image.std(correction=0).clamp(min=image.numel() ** -0.5)


class Images(Dataset):
    """One example at a time through its transforms, from a PIL image on: how torchvision's data sets hand them out, and
    so how the published demonstrations of the paper train."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transforms: list[Callable]) -> None:
        self.images, self.labels, self.transforms = images, labels, transforms

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[row])
        for transform in self.transforms:
            image = transform(image)
        return image, int(self.labels[row])


def usual_way(data: byrote.Dataset, steps: int, num_workers: int) -> float:
    """Examples a second of a DataLoader loop that keeps running loss and accuracy, after five batches."""
    images = np.ascontiguousarray(data.train.inputs.transpose(0, 2, 3, 1))
    transforms = [CenterCrop(28), ToTensor(), Whiten()]
    loader = DataLoader(Images(images, data.train.labels, transforms), BATCH, shuffle=True, num_workers=num_workers)
    model = byrote.build_model("mlp-3x512", input_shape=(3, 28, 28), num_classes=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loss_sum, correct = 0.0, 0
    for step, (inputs, labels) in enumerate(loader):
        if step == 5:
            start = time.perf_counter()
        if step == 5 + steps:
            break
        optimizer.zero_grad()
        logits = model(inputs)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
        correct += int((logits.argmax(1) == labels).sum().item())
    return steps * BATCH / (time.perf_counter() - start)


def limit(steps: int, dtype: torch.dtype) -> float:
    model = byrote.build_model("mlp-3x512", input_shape=(3, 28, 28), num_classes=10)
    step = measure.bare_products(model, torch.randn(BATCH, 3, 28, 28), torch.zeros(BATCH, dtype=torch.long), dtype)
    with torch.no_grad():
        return measure.rate(step, BATCH, steps)


def plain(steps: int) -> float:
    model = byrote.build_model("mlp-3x512", input_shape=(3, 28, 28), num_classes=10)
    inputs, labels = torch.randn(50 * BATCH, 3, 28, 28), torch.randint(10, (50 * BATCH,))
    return measure.rate(measure.plain_loop(model, inputs, labels, BATCH, 0.01), BATCH, steps)


def main() -> None:
    options = measure.arguments(__doc__).parse_args()
    data = measure.load(options, 20 if options.quick else 500)
    steps, n_train, epochs = (3, 1024, 1) if options.quick else (200, None, 2)
    engine = partial(measure.engine_rate, data, epochs, model="mlp-3x512", crop=28, n_train=n_train)
    contenders: dict[str, measure.Contender] = {
        "usual way": partial(usual_way, data, steps, 0),
        "usual way, 2 workers": partial(usual_way, data, steps, 2),
        "plain tensor loop, float32": partial(plain, steps),
        "bare products, float32": partial(limit, 2 * steps, torch.float32),
        "byrote, float32": partial(engine, precision="float32"),
    }
    if not options.quick:
        contenders["byrote, float32, compiled"] = partial(engine, precision="float32", compile="on")
    if has_bfloat16 := measure.multiplies_bfloat16():
        contenders["bare products, bfloat16"] = partial(limit, 2 * steps, torch.bfloat16)
        contenders["byrote, bfloat16"] = partial(engine, precision="bfloat16")
    rates = measure.interleave(contenders, options.rounds)
    median = measure.medians(rates)
    ours = median["byrote, float32"]
    usual = max(median["usual way"], median["usual way, 2 workers"])
    ratios = [
        measure.Ratio("byrote float32 / usual way (the faster)", ours / usual, ">= 4"),
        measure.Ratio("byrote float32 / bare products", ours / median["bare products, float32"], ">= 0.85"),
        measure.Ratio("byrote float32 / plain tensor loop", ours / median["plain tensor loop, float32"]),
    ]
    if not options.quick:
        fast = median["byrote, float32, compiled"]
        ratios += [
            measure.Ratio("byrote float32 compiled / bare products", fast / median["bare products, float32"], ">= 0.9"),
            measure.Ratio("byrote float32 compiled / plain tensor loop", fast / median["plain tensor loop, float32"]),
        ]
    if has_bfloat16:
        ours_bf16 = median["byrote, bfloat16"]
        ratios += [
            measure.Ratio("byrote bfloat16 / byrote float32", ours_bf16 / ours, ">= 1.5"),
            measure.Ratio("byrote bfloat16 / bare products", ours_bf16 / median["bare products, bfloat16"]),
        ]
    measure.write("mlp_throughput", rates, ratios, options, data=data.label, model="mlp-3x512", batch_size=BATCH)


if __name__ == "__main__":
    main()
