"""What the data stage found, in claims: of its figures alone, and of which p-values stay significant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from byrote.audits.metric import quantity_in_words
from byrote.audits.stage import Case, figure_interval, rows_in_words
from byrote.errors import with_article
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.verdicts import SIGNIFICANCE

_MOST_FEW = 0.2
"""A class is rare where it has less than a fifth of what equal classes would have."""

_NAMED_GROUPS = 5
_LEAST_RECALL = 0.5
"""Where fewer of some kind of planted copies are found, that none is found says little."""


def findings_of_data(case: Case, figures: Mapping[str, Any], found: Mapping[str, bool]) -> list[Finding]:
    """All claims about the data, in the order of the page."""
    return [
        _score_finding(case, figures, found),
        _copies_finding(case, figures, found),
        *_by_group_findings(figures, found),
        *_conflict_findings(case, figures, found),
        *_group_findings(case, figures),
        *_time_findings(figures),
        *_column_findings(figures, found),
        *([] if figures["classes"] is None else [_class_finding(figures)]),
        *_order_findings(figures, found),
    ]


def copies_count(figures: Mapping[str, Any], found: Mapping[str, bool], kind: str) -> bool:
    """Whether copies of a kind are more than chance gives."""
    copies = figures["copies"]
    if kind == "identical":
        return copies["num_identical_pairs"] > 0 and (
            not copies["expected_identical_pairs"] or found.get("identical", False)
        )
    return copies["near"] is not None and copies["near"]["num_pairs"] > 0 and found.get("near", False)


def why_unseen(case: Case, figures: Mapping[str, Any]) -> str:
    """Why copies may be there that were not found, in words; "" where most would have been."""
    near = figures["copies"]["near"]
    if near is None and case.material.look.kind == "tokens":
        return "near copies were not looked for, since token ids have no distances"
    if near is None:
        return "near copies were not looked for, since rows that differ are too few or all as far apart"
    if min(each["mean"] for each in near["recall_of_planted_copies"].values()) < _LEAST_RECALL:
        return "copies would hardly stand out here"
    is_part = figures["copies_looked_for_among"] < figures["num_train"] + figures["num_test"]
    return "they were looked for among a part of the rows alone" if is_part else ""


def num_leaked(figures: Mapping[str, Any], found: Mapping[str, bool]) -> int:
    """How many test rows training knows: by copies, where these count, else by groups."""
    counted = any(copies_count(figures, found, kind) for kind in ("identical", "near"))
    return figures["num_test_leaked"] if counted else figures["num_test_with_group_in_train"] or 0


def _score_finding(case: Case, figures: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    claim, metric, model = "The score is that of rows which training does not know", case.metric, case.subject.name
    leaked = num_leaked(figures, found)
    what = rows_in_words(leaked, case.material.test)
    unseen = why_unseen(case, figures)
    if "score" not in figures:
        words = (
            f"{what} of {figures['num_test']:,} in the test split {'is' if leaked == 1 else 'are'} known from training"
        )
        outcome: Outcome = "not supported" if leaked else "no conclusion" if unseen else "supported"
        return Finding(claim, outcome, f"{words}{f'; {unseen}' if unseen else ''}; there are no predictions to score.")
    score = figures["score"]
    everything, honest, difference = (figure_interval(score[name]) for name in ("all", "honest", "difference"))
    first = f"{model} has {with_article(metric.title)} of {metric.in_words(everything.mean)}"
    if not leaked:
        interval = metric.range_in_words(everything.low, everything.high)
        return Finding(
            claim,
            "no conclusion" if unseen else "supported",
            f"{first} ({interval}) on {rows_in_words(figures['num_test'], case.material.test)}, none of which is "
            f"known to be in training{f', but {unseen}' if unseen else ''}. "
            f"Guessing gives {metric.in_words(math.nan if score['chance'] is None else score['chance'])}.",
        )
    if math.isnan(honest.mean):
        return Finding(
            claim,
            "not supported",
            f"{first}, but all test rows on which it could be taken are known from training: it says nothing of "
            f"new ones.",
        )
    return Finding(
        claim,
        "not supported",
        f"{first}; without {what} known from training it is {metric.in_words(honest.mean)} "
        f"({metric.range_in_words(honest.low, honest.high)}), on {honest.n:,} rows. The leak is worth "
        f"{metric.difference_in_words(difference.mean, difference.low, difference.high)}.",
    )


def _by_group_findings(figures: Mapping[str, Any], found: Mapping[str, bool]) -> list[Finding]:
    """Whether some group has surely more or fewer errors than all others."""
    shares = figures.get("by_group")
    if not shares:
        return []
    claim, least = "Some groups have more errors than others", shares[0]
    if not found.get("groups-differ", False):
        return [
            Finding(
                claim,
                "no conclusion",
                f"Of {len(shares):,} groups, {_of_group(least)}, the least: no group surely differs from the others.",
            )
        ]
    differ = [each for each in shares if each["p"] <= SIGNIFICANCE]
    named = "; ".join(_of_group(each) for each in differ[:_NAMED_GROUPS])
    more = f"; and {len(differ) - _NAMED_GROUPS:,} more" if len(differ) > _NAMED_GROUPS else ""
    return [Finding(claim, "supported", f"Of {len(shares):,} groups, {len(differ):,} surely differ: {named}{more}.")]


def _of_group(each: Mapping[str, Any]) -> str:
    mean, low, high = (100 * each["right"][name] for name in ("mean", "low", "high"))
    return (
        f"{each['group']} has {mean:.1f}% right ({low:.1f} to {high:.1f}%) of {each['right']['n']:,} rows, where all "
        f"others have {100 * each['others']:.1f}%"
    )


def _copies_finding(case: Case, figures: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    copies, claim = figures["copies"], "No example has a copy"
    test = case.material.test
    near = copies["near"]
    parts = []
    if copies["num_identical_pairs"]:
        parts.append(
            f"{rows_in_words(copies['num_identical_test_in_train'], test)} of the test split "
            f"{'is' if copies['num_identical_test_in_train'] == 1 else 'are'} identical to one of training; "
            f"{copies['num_identical_within_train']:,} repeat another within training, "
            f"{copies['num_identical_within_test']:,} within the test split"
        )
        if copies["expected_identical_pairs"]:
            chance = copies["expected_identical_pairs"]
            parts.append(
                f"columns with few values explain up to {chance:,.0f} of the {copies['num_identical_pairs']:,} "
                f"identical pairs"
            )
    else:
        parts.append("no two examples are identical")
    if near is not None and copies_count(figures, found, "near"):
        parts.append(
            f"{_pairs(near['num_pairs'])} of near-duplicates, {near['num_across']:,} of them across the split, "
            f"{near['num_within_train']:,} within training, {near['num_within_test']:,} within the test split "
            "(at most some 1% of them by chance)"
        )
    elif near is not None:
        parts.append("no pair is more alike than neighbours here are by chance")
    if near is not None:
        recall = near["recall_of_planted_copies"]
        least = min(recall, key=lambda way: recall[way]["mean"])
        shares = ", ".join(f"{way} {100 * each['mean']:.0f}%" for way, each in recall.items())
        parts.append(
            f"of copies planted to see what is found, {shares} were (the least, {least}, with n = {recall[least]['n']})"
        )
    any_found = any(copies_count(figures, found, kind) for kind in ("identical", "near"))
    unseen = why_unseen(case, figures)
    outcome: Outcome = "not supported" if any_found else "no conclusion" if unseen else "supported"
    parts += [unseen] if unseen else []
    if near is not None and (look := case.material.look.in_words):
        parts.append(f"near ones were looked for in {look} alone, identical ones in all inputs")
    text = "; ".join(parts)
    return Finding(claim, outcome, f"{text[0].upper()}{text[1:]}. `duplicates.csv` lists all.")


def _pairs(num: int) -> str:
    return "there is 1 pair" if num == 1 else f"there are {num:,} pairs"


def _conflict_findings(case: Case, figures: Mapping[str, Any], found: Mapping[str, bool]) -> list[Finding]:
    copies = figures["copies"]
    if not copies_count(figures, found, "identical"):
        return []
    num, word = copies["num_disagreeing"], case.material.label_word
    rows = rows_in_words(num, case.material.test)
    words = f"{rows} {'has' if num == 1 else 'have'} another {word} than an identical one."
    if num and copies["conflicts"]:
        spread = copies["conflicts"]
        deviation, of_all, largest = (
            quantity_in_words(spread[name], spread["of_all"]) for name in ("deviation", "of_all", "largest")
        )
        words += (
            f" Among these the targets of one input have a standard deviation of {deviation}, which no model can "
            f"foretell, where all targets have {of_all}; the largest difference is {largest}."
        )
    return [Finding("Identical inputs have one label", "not supported" if num else "supported", words)]


def _group_findings(case: Case, figures: Mapping[str, Any]) -> list[Finding]:
    num = figures["num_test_with_group_in_train"]
    if num is None:
        return []
    words = f"{num:,} of {figures['num_test']:,} test rows belong to a group that is in training too."
    if case.material.split_in_words and not num:
        words += " byrote has split whole groups."
    return [Finding("No group is on both sides of the split", "not supported" if num else "supported", words)]


def _time_findings(figures: Mapping[str, Any]) -> list[Finding]:
    times = figures["times"]
    if times is None:
        return []
    num = times["num_train_after_first_test"]
    words = (
        f"{num:,} of {figures['num_train']:,} training rows are later than the first test row: what is learnt "
        "from them may be the future of what it is tested on."
        if num
        else "All training rows are earlier than the test rows."
    )
    return [Finding("Training knows nothing of the future", "not supported" if num else "supported", words)]


def _column_findings(figures: Mapping[str, Any], found: Mapping[str, bool]) -> list[Finding]:
    column = figures["column"]
    if column is None:
        return []
    bad = column["gives_away"] and found.get("column", False)
    removed = f"{100 * max(column['removed'], 0):.0f}%"
    num, name = column["num_columns"], column["column"]
    word = "target" if column["accuracy"] is None else "label"
    which = f"The one column that varies is {name}" if num == 1 else f"Of {num:,} columns, {name} tells the {word} best"
    if column["accuracy"] is None:
        words = (
            f"{which}: it alone removes {removed} of the squared error that a constant has, of targets by their ranks, "
            "on training rows that it was not fitted on."
        )
    else:
        words = (
            f"{which}: a small tree on it alone is right on {100 * column['accuracy']:.1f}% of training rows that it "
            f"was not fitted on, which removes {removed} of the errors of guessing."
        )
    outcome: Outcome = "supported"
    if bad:
        outcome, words = "not supported", f"{words} If it is only known once the {word} is, leave it out."
    elif column["may_give_away"]:
        outcome, words = "no conclusion", f"{words} More training rows would tell whether it gives the {word} away."
    return [Finding("No single column gives the label away", outcome, words)]


def _class_finding(figures: Mapping[str, Any]) -> Finding:
    classes = figures["classes"]
    missing = [each["class"] for each in classes if not each["num_test"] or not each["num_train"]]
    fair = figures["num_train"] / len(classes)
    rare = [each["class"] for each in classes if 0 < each["num_train"] < _MOST_FEW * fair]
    words = []
    if missing:
        words.append(f"{_classes(missing)} {'is' if len(missing) == 1 else 'are'} missing on one side of the split")
    if rare:
        words.append(
            f"{_classes(rare)} {'has' if len(rare) == 1 else 'have'} less than a fifth of what equal classes would have"
        )
    largest = max(classes, key=lambda each: each["num_train"])
    words.append(
        f"the largest class, {largest['class']}, has {100 * largest['num_train'] / figures['num_train']:.1f}% of "
        f"training rows"
    )
    text = "; ".join(words)
    outcome: Outcome = "not supported" if missing or rare else "supported"
    return Finding("Every class has its share on both sides", outcome, f"{text[0].upper()}{text[1:]}.")


def _classes(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"the class{'' if len(names) == 1 else 'es'} {', '.join(names[:5])}{more}"


def _order_findings(figures: Mapping[str, Any], found: Mapping[str, bool]) -> list[Finding]:
    if not found.get("order", False):
        return []
    order, is_bound = figures["order"], figures["num_test_with_group_in_train"] is not None or bool(figures["times"])
    # Of groups and of series, rows that are shuffled before the split would come to be on both sides of it.
    advice = "shuffle while you train" if is_bound else "shuffle before you split, and while you train"
    if "correlation" in order:
        words = (
            f"The targets of training rows that follow one another are alike: their ranks have a correlation of "
            f"{order['correlation']:.2f}, where a random order gives about 0: {advice}."
        )
        return [Finding("Rows are in no order of their targets", "not supported", words)]
    words = (
        f"{100 * order['followed_by_own_class']:.0f}% of training rows are followed by one of their own class, where a "
        f"random order gives {100 * order['expected']:.0f}%: {advice}."
    )
    return [Finding("Rows are in no order of their classes", "not supported", words)]
