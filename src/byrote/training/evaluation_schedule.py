"""When full evaluation runs: at geometrically spaced epochs, as often as its cost allows, and at a threshold.

Time to fit is exact to one epoch. Accuracy while the weights move, which every epoch gives, may stay far below while
the network, evaluated, has fitted: wherever training mode is not evaluation mode (dropout, batch norm, a module of the
user's own), under augmentation, and with large steps. So after each epoch the examples are evaluated, those first that
the epoch got wrong, the latest before the others: as soon as more of them are wrong than a network at its next
threshold may have wrong, it has not reached it, and the rest is not looked at. Nothing is missed where the scores of an
example do not depend on what is evaluated beside it. In most epochs that is a few examples; it is never more than all
of them once, and once more where the threshold is reached. Full evaluation, which the curves have, follows then, and
comes at once where the epoch itself had no more wrong than that.
"""

from __future__ import annotations

from byrote.training.recipe import Recipe

_PASSES_A_STEP = 3
"""A step costs about three forward passes: one forward, two backward."""
_SPARE = 16
"""Beyond what may be wrong, as many that the last steps of the epoch may have put right."""


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


def sizes_of_samples(num_allowed: int, num_examples: int) -> list[int]:
    """How many of the examples are evaluated to find more wrong ones than `num_allowed`, until they are found: first
    some more than those, of which nearly all have to be wrong; then twice as many each time; at last all."""
    sizes, size = [], num_allowed + num_allowed // 4 + _SPARE
    while size < num_examples:
        sizes.append(size)
        size *= 2
    return [*sizes, num_examples]
