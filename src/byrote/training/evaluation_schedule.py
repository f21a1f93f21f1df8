"""When full evaluation runs: at geometrically spaced epochs, as often as its cost allows, and near a threshold.

Time to fit is exact to one epoch. Where running accuracy, which every epoch gives, is near a threshold, full evaluation
runs. It may stay far below while the network, evaluated, has fitted: wherever training mode is not evaluation mode
(dropout, batch norm, a module of the user's own), under augmentation, and with large steps. So after each epoch a
sample of the training examples, another one each time, is evaluated in evaluation mode, and a larger one if the first
could be that of a network that has fitted: 32 of them, then a tenth or less from 1000 examples on, which costs 3% of
training. An epoch that ends with everything fitted is never missed (unless identical inputs make that impossible), one
that reaches 0.99 with a chance below 0.002: the next is found then.
"""

from __future__ import annotations

from byrote.training.recipe import Recipe

_PASSES_A_STEP = 3
"""A step costs about three forward passes: one forward, two backward."""
_FIRST_SAMPLE, _LEAST_SAMPLE, _LARGEST_SAMPLE = 32, 100, 1000


class EvaluationSchedule:
    """The epochs after which all replicas are evaluated on all splits, whatever their accuracy."""

    def __init__(self, recipe: Recipe, *, num_trained: int, num_evaluated: int) -> None:
        """Of n examples trained on in an epoch, and all those that one evaluation passes over."""
        self._recipe = recipe
        self._num_trained, self._num_evaluated = num_trained, num_evaluated
        self._next = 1.0
        self._done = 0

    @property
    def snapshot(self) -> tuple[float, int]:
        """What `restore` brings back."""
        return self._next, self._done

    def restore(self, snapshot: tuple[float, int]) -> None:
        """Lets it go on from where it was at `snapshot`."""
        self._next, self._done = snapshot

    def is_due(self, epoch: int) -> bool:
        """To be asked once after each epoch, from 1 on.

        Where the test set is large beside the training subset, evaluation would take most of the time, if its share of
        the cost of training were not limited.
        """
        cost = (self._done + 1) * self._num_evaluated
        allowance = self._recipe.evaluation_share * _PASSES_A_STEP * epoch * self._num_trained
        if epoch < self._next or cost > allowance:
            return False
        self._next = max(epoch + 1, epoch * self._recipe.evaluation_spacing)
        self._done += 1
        return True


def sample_strides(num_examples: int) -> tuple[int, int]:
    """Every so many of the training examples make the samples that show whether a run is near a threshold: about 32
    of them, which most often suffice to show that it is not; then a tenth, but at least 100 and at most 1000."""
    larger = min(max(num_examples // 10, _LEAST_SAMPLE), _LARGEST_SAMPLE)
    return max(1, num_examples // _FIRST_SAMPLE), max(1, num_examples // larger)
