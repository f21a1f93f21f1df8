"""Your own measurement on trained networks: does a norm of the weights tell learning from learning by rote?

    python examples/own_measurements.py

Trains the same network on 0, 50 and 100% random labels side by side, and prints for each the product of the
layers' spectral norms, alone and divided by the median margin on the training set (in the spirit of Bartlett,
Foster and Telgarsky, 2017).
"""

from __future__ import annotations

import numpy as np
import torch

import byrote


def spectral_norm_product(state: dict[str, torch.Tensor]) -> float:
    weights = [value for name, value in state.items() if name.endswith("weight")]
    return float(np.prod([torch.linalg.matrix_norm(weight, 2).item() for weight in weights]))


def median_margin(outcome: byrote.TrainOutcome, data: byrote.Dataset) -> float:
    """Of the logit of the label over the largest other one, on the labels that the network was trained on."""
    (corruption,) = outcome.spec.corruptions
    noisy = byrote.corrupt(data, corruption.name, rate=corruption.rate, seed=outcome.spec.seed).train
    model = byrote.build_model(outcome.spec.model, input_shape=data.input_shape, num_classes=data.num_classes)
    model.load_state_dict(outcome.final_state)
    # The recipe asks for no preprocessing but scaling to [0, 1].
    with torch.no_grad():
        logits = model.eval()(torch.from_numpy(noisy.inputs / data.pixel_max).float())
    labels = torch.from_numpy(noisy.labels)[:, None]
    own = logits.gather(1, labels).squeeze(1)
    others = logits.scatter(1, labels, -torch.inf).amax(1)
    return (own - others).median().item()


def main() -> None:
    data = byrote.load("digits")
    recipe = byrote.Recipe(preprocessing="none", learning_rate=0.1, batch_size=64)
    specs = [
        byrote.TrainSpec(
            model="mlp-2x128",
            corruptions=(byrote.Corruption(name="partial-labels", rate=rate),),
            **recipe.model_dump(),
        )
        for rate in (0.0, 0.5, 1.0)
    ]
    print("rate of random labels  train accuracy  test accuracy  norms  norms / margin")
    outcomes = byrote.train(specs, data, keep_weights=True)
    for outcome in sorted(outcomes, key=lambda outcome: outcome.spec.corruption_rate):
        norms = spectral_norm_product(outcome.final_state)
        margin = median_margin(outcome, data)
        print(
            f"{outcome.spec.corruption_rate:21.1f} {outcome.train_accuracy:15.3f} "
            f"{outcome.test_accuracy:14.3f} {norms:6.0f} {norms / margin:15.0f}"
        )


if __name__ == "__main__":
    main()
