"""What the memorization stage found, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from byrote.audits.noisy_fits import NOISE_INPUTS, condition_of
from byrote.audits.reference_learner import NAME
from byrote.audits.stage import p_in_words
from byrote.evidence.finding import Finding
from byrote.evidence.fitting_by_luck import luck_in_words
from byrote.evidence.intervals import binomial_interval
from byrote.evidence.noise_ladder import BENIGN_KEEPS, CATASTROPHIC_KEEPS, HALF, LOW
from byrote.training.course import FIT

_UNABLE = 0.02
"""A model that has its own training labels right no oftener than this beyond the largest class is unable to fit."""

_HARDLY_MORE = 0.1
"""Of the lead over guessing: who surely keeps less than so much beyond what copies the nearest row's label keeps does
not learn through wrong labels."""


def findings_of_memorization(name: str, figures: Mapping[str, Any], found: Mapping[str, bool]) -> list[Finding]:
    """Whether it fits random labels; whether it learns; what wrong labels do to it; of what shape its ladder is."""
    return [
        _by_heart(name, figures, found),
        _fits_random(name, figures, found),
        _through(name, figures, found),
        _shape(name, figures, found),
    ]


def condition(figures: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Of the figures, those of one condition."""
    return next(each for each in figures["conditions"] if each["condition"] == name)


def is_unable(figures: Mapping[str, Any]) -> bool:
    """Whether it does not even have the labels right that it was fitted on."""
    true = condition(figures, condition_of(0.0))
    return bool(true["num_fitted"] == 0 and true["train_accuracy"]["mean"] < figures["largest_class"] + _UNABLE)


def share(value: float | None, digits: int = 1) -> str:
    """ "94.1%"."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.{digits}f}%"


def with_ends(figure: Mapping[str, Any] | None) -> str:
    """ "94.1% (93.0 to 95.1%)"."""
    if figure is None or figure["mean"] is None:
        return "–"
    if figure["low"] is None:
        return share(figure["mean"])
    return f"{share(figure['mean'])} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f}%)"


def _by_heart(name: str, figures: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    claim = f"{name} learns more than its training labels by heart"
    true = condition(figures, condition_of(0.0))
    epochs = figures.get("most_epochs")
    words = (
        f"On true labels{f', after up to {epochs:,} epochs,' if epochs else ''} it has "
        f"{share(true['train_accuracy']['mean'])} of {figures['num_rows']:,} training labels right, and "
        f"{with_ends(true['test'])} of test rows by balanced accuracy, where guessing has {share(figures['guessing'])}"
    )
    if is_unable(figures):
        return Finding(
            claim,
            "not supported",
            f"It is unable to fit: {words[0].lower()}{words[1:]}. By the classes that it names it neither learns nor "
            "memorises.",
        )
    if found.get("memorises", False):
        other = figures["reference"]
        return Finding(
            claim,
            "not supported",
            f"It is a memoriser: {words[0].lower()}{words[1:]}, surely less than {share(other['little'])} beyond that; "
            f"{NAME} of byrote's own has {with_ends(other['score'])} there (p = {p_in_words(other['p'])}), so that "
            "there is something to be learnt.",
        )
    if found.get("learns", False):
        return Finding(claim, "supported", f"It is a learner: {words[0].lower()}{words[1:]}.")
    if figures["reference"] is not None:
        other = figures["reference"]
        return Finding(
            claim,
            "no conclusion",
            f"{words}: what it has is by rote. But {NAME} of byrote's own finds nothing either "
            f"({share(other['score']['mean'])}, p = {p_in_words(other['p'])}): there may be nothing to be learnt here.",
        )
    return Finding(claim, "no conclusion", f"{words}. More test rows would tell.")


def _fits_random(name: str, figures: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    claim = f"{name} can fit random labels"
    random, noise = condition(figures, condition_of(1.0)), condition(figures, NOISE_INPUTS)
    n = figures["num_rows"]
    words = f"It has {share(random['train_accuracy']['mean'])} of the random labels of {n:,} training rows right"
    if random["ceiling"] < 1:
        words += f", where identical rows with different labels leave {share(random['ceiling'])}"
    beside = f" On {NOISE_INPUTS}, with true labels, it has {share(noise['train_accuracy']['mean'])} right."
    if random["num_fitted"]:
        if found.get("fits-random-labels", False):
            told = f"{words}: that it fits its training labels says nothing of what it has learnt."
            return Finding(claim, "supported", f"{told}{beside}")
        luck = luck_in_words(1.0) if n < 30 else " More training rows would tell."
        return Finding(claim, "no conclusion", f"{words}.{luck}{beside}")
    largest = figures["largest_n"]
    if largest is not None:
        words += (
            f"; the largest n whose random labels it fits is {largest['n']:,} (in steps of a fifth)"
            if largest["n"]
            else "; it fits the random labels of no n that was tried"
        )
    if figures["why_not_fitted"]:
        return Finding(claim, "no conclusion", f"{words}. {figures['why_not_fitted']}{beside}")
    surely = binomial_interval(random["train_accuracy"]["mean"], n).high < FIT * random["ceiling"]
    return Finding(claim, "not supported" if surely else "no conclusion", f"{words}.{beside}")


def _through(name: str, figures: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    claim = f"{name} learns through wrong labels"
    half = condition(figures, condition_of(HALF))
    kept = figures["kept"][f"{HALF:g}"]
    words = (
        f"With {condition_of(HALF)} ({half['fits']} draws) it has {with_ends(half['test'])} of test rows by balanced "
        "accuracy"
    )
    if kept["mean"] is not None:
        words += (
            f", which keeps {with_ends(kept)} of its lead over guessing, where naming the label of the nearest row "
            f"keeps {share(1 - HALF, 0)}"
        )
    words += f".{_of_changed(half, figures)}"
    if kept["mean"] is None:
        return Finding(claim, "no conclusion", f"{words} It has no lead over guessing on true labels to keep.")
    if found.get("learns-through", False) and found.get("learns", False):
        return Finding(claim, "supported", f"It learns through them. {words}")
    if kept["high"] is not None and kept["high"] < 1 - HALF + _HARDLY_MORE:
        return Finding(claim, "not supported", f"It keeps hardly more than copying does. {words}")
    return Finding(claim, "no conclusion", f"{words} More test rows would tell whether it keeps more than that.")


def _of_changed(half: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """ " Of the training rows whose label was changed, ..."; who always names one class sees through none, and swallows
    none."""
    if half["changed_said_as_given"] is None:
        return ""
    given, true = half["changed_said_as_given"]["mean"], half["changed_said_as_true"]["mean"]
    does = ""
    if given > HALF and not is_unable(figures):
        does = ": it swallows them" if given > FIT else ": it swallows most of them"
    elif true > max(HALF, figures["largest_class"] + _UNABLE):
        does = ": it sees through most of them"
    return (
        f" Of the training rows whose label was changed, it gives {share(given)} the wrong label and {share(true)} "
        f"their true one{does}."
    )


def _shape(name: str, figures: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    half, low = figures["kept"][f"{HALF:g}"], figures["kept"][f"{LOW:g}"]
    words = (
        f"It keeps {with_ends(low)} of its lead over guessing with {condition_of(LOW)}, and {with_ends(half)} with "
        f"{condition_of(HALF)}."
    )
    claim = f"Wrong labels that {name} fits do it little harm"
    of_half = condition(figures, condition_of(HALF))
    if of_half["num_fitted"] < of_half["fits"]:
        why = (
            f"It does not fit labels of which half are random ({share(of_half['train_accuracy']['mean'])} of them are "
            "right), and benign, tempered and catastrophic are said of what fits."
        )
        is_told = not condition(figures, condition_of(1.0))["num_fitted"]  # by the finding on random labels
        return Finding(claim, "no conclusion", f"{why} {'' if is_told else figures['why_not_fitted']}".strip())
    if half["mean"] is None:
        return Finding(claim, "no conclusion", "It has no lead over guessing on true labels, of which to lose any.")
    if found.get("benign", False):
        return Finding(claim, "supported", f"Its ladder is benign (over {share(BENIGN_KEEPS, 0)} kept). {words}")
    if found.get("catastrophic", False):
        under = share(CATASTROPHIC_KEEPS, 0)
        return Finding(claim, "not supported", f"Its ladder is catastrophic (under {under} kept at a fifth). {words}")
    if found.get("tempered", False):
        return Finding(
            claim, "not supported", f"Its ladder is tempered: the more labels are wrong, the more it loses. {words}"
        )
    return Finding(claim, "no conclusion", f"{words} More test rows would tell of which shape its ladder is.")
