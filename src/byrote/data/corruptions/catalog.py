"""The corruptions in the box, a line each, and how any other is found."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from byrote.data.corruptions.additive_noise import AdditiveNoise
from byrote.data.corruptions.asymmetric_labels import AsymmetricLabels
from byrote.data.corruptions.constant_class import ConstantClass
from byrote.data.corruptions.contract import AnyCorruption, CorruptionMethod, InputCorruption, LabelCorruption
from byrote.data.corruptions.gaussian import GaussianInputs
from byrote.data.corruptions.random_pixels import RandomPixels
from byrote.data.corruptions.shuffled_pixels import ShuffledPixels
from byrote.data.corruptions.swapped_labels import SwappedLabels
from byrote.data.corruptions.uniform_labels import UniformLabels
from byrote.errors import UserError, kind_of, suggestion, with_article
from byrote.references import is_reference, load_object, short_name, users_code

TRUE_LABELS = "true-labels"
"""What data without a corruption are called."""
BUILT_IN: Sequence[AnyCorruption] = (
    UniformLabels(),
    ShuffledPixels(),
    RandomPixels(),
    GaussianInputs(),
    AdditiveNoise(),
    AsymmetricLabels(),
    SwappedLabels(),
    ConstantClass(),
)
_BY_NAME: dict[str, AnyCorruption] = {
    name: method for method in BUILT_IN for name in (method.name, method.full_name) if name
}
CORRUPTIONS: dict[str, str] = {
    TRUE_LABELS: "the data as they are",
    **{
        name: method.full_description if name == method.full_name else method.in_words()
        for name, method in _BY_NAME.items()
    },
    "FILE.py:NAME": "your own: a byrote.LabelCorruption or byrote.InputCorruption",
    "package.module:NAME": "the same, from an installed package",
}


def does(names: Collection[str]) -> dict[str, str]:
    """What each of these does, by what figures call it; in the order of CORRUPTIONS, the user's own last."""
    found = [name for name in (*CORRUPTIONS, *sorted(filter(is_reference, names))) if name in set(names)]
    return {
        title_of(name): CORRUPTIONS[name] if name in CORRUPTIONS else find_corruption(name).in_words() for name in found
    }


def find_corruption(name: str) -> AnyCorruption:
    """The corruption of this name, or behind FILE.py:NAME or package.module:NAME.

    Raises:
        UserError: there is none, or it is no LabelCorruption or InputCorruption.
    """
    if not is_reference(name):
        if name not in _BY_NAME:
            raise UserError(f"got corruption {name!r}, {instead_of(name)}")
        return _BY_NAME[name]
    found = load_object(name)
    if isinstance(found, type) and issubclass(found, CorruptionMethod):
        with users_code(name, f"making the corruption {name!r}"):
            found = found()
    if not isinstance(found, LabelCorruption | InputCorruption):
        kind = with_article(found.__name__) if isinstance(found, type) else kind_of(found)
        raise UserError(
            f"got the corruption {name!r}, {kind}, expected a subclass of byrote.LabelCorruption or of "
            "byrote.InputCorruption, or one of its instances"
        )
    return found


def is_known(name: str) -> bool:
    """Whether it is a name in the box, or may be one of the user's own."""
    return name in _BY_NAME or is_reference(name)


def instead_of(name: str) -> str:
    """What was expected in place of the name of a corruption that is not there."""
    return f"expected one of {', '.join(CORRUPTIONS)}{suggestion(name, CORRUPTIONS)}"


def full_name_of(name: str) -> str:
    """The name at rate 1 of the corruption that `name` has at lower ones, where it is another."""
    return _BY_NAME[name].full_name if name in _BY_NAME and name != _BY_NAME[name].full_name else ""


def partial_name_of(name: str) -> str:
    """The name that a corruption has at rates below 1, of one that `name` means at rate 1 alone."""
    return _BY_NAME[name].name if name in _BY_NAME and name == _BY_NAME[name].full_name else ""


def title_of(name: str) -> str:
    """What figures call it: "random pixels"; the user's own as it says itself, or by its short name."""
    if name == TRUE_LABELS:
        return "true labels"
    if is_reference(name):
        return find_corruption(name).title or short_name(name)
    method = find_corruption(name)
    return method.title if method.title and name == method.name else name.replace("-", " ")
