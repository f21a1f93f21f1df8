"""How long a net takes to fit random labels, which the tests of several models ask."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F


def steps_to_fit(network: nn.Module, *, learning_rate: float, most: int) -> int:
    """Full-batch steps of Adam until random labels of 64 digits are fitted; `most` + 1 where they never are."""
    x = torch.tensor(load_digits().images[:64, None]).float()
    x = (x - x.mean()) / x.std()
    labels = torch.randint(10, (64,), generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    for step in range(most + 1):
        logits = network(x)
        if bool((logits.argmax(1) == labels).all()):
            return step
        optimizer.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimizer.step()
    return most + 1
