"""The audit as a unit test: each of these asks one question of it, and fails with one sentence and a page to look at.

In pytest, what was found is kept in its cache: a test that is run again makes what has changed. What an audit cannot
tell, for want of rows or of time, is not found to be well: the assertion fails, and says what would tell.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from sklearn.dummy import DummyClassifier, DummyRegressor

from byrote.audits.audit import Audit, audit
from byrote.audits.kept_for_tests import KEPT
from byrote.audits.metric import scores_quantities
from byrote.audits.whole_pipelines import is_pipeline
from byrote.errors import UserError

_BUDGET = "1min"
_LEAKS = (
    "No example has a copy",
    "No group is on both sides of the split",
    "Training knows nothing of the future",
    "No single column gives the label away",
)


def assert_learns(model: Any, data: Any, *, budget: str | float = _BUDGET, **options: Any) -> None:
    """The model beats chance on test rows that training does not know, at 5%.

    >>> import byrote
    >>> from sklearn.naive_bayes import GaussianNB
    >>> byrote.assert_learns(GaussianNB(), byrote.load("digits"))

    Args:
        model: what `byrote.audit` takes: a network, a classifier, regressor or pipeline of scikit-learn.
        budget: of time, such as "1min".
        options: of `byrote.audit`: groups, time, metric, train_fn, seeds.

    Raises:
        AssertionError: it does not, or that is not known; the sentence says why, and where the page is.
        UserError: what cannot be audited.
    """
    __tracebackhide__ = True
    found = _audited("learns", model, data, ("data", "signal"), budget, options)
    if found.alarms.get("no-signal", 1.0):
        _fail(found, "signal", [finding.claim for finding in found.findings_of("signal")])


def assert_no_leakage(data: Any, model: Any = None, *, budget: str | float = _BUDGET, **options: Any) -> None:
    """Training knows nothing of the test rows: no copies, groups or later times on both sides, and no column that
    gives the label away.

    >>> import byrote
    >>> byrote.assert_no_leakage(byrote.load("digits"))

    Args:
        data: what `byrote.audit` takes.
        model: for the score with and without what has leaked, on the page.
        budget: of time, such as "1min".
        options: of `byrote.audit`: label, groups, time, metric.

    Raises:
        AssertionError: something has leaked, or the budget left that open; the sentence says what, and where the page
            is.
        UserError: what cannot be audited.
    """
    __tracebackhide__ = True
    of_quantities = scores_quantities(options.get("metric") or "accuracy")
    constant = DummyRegressor() if of_quantities else DummyClassifier()
    subject = constant if model is None else model
    found = _audited("no-leakage", subject, data, ("data",), budget, options)
    if found.alarms.get("leakage", 1.0):
        _fail(found, "data", _LEAKS)


def assert_chance_on_random_labels(pipeline: Any, data: Any, *, budget: str | float = _BUDGET, **options: Any) -> None:
    """On labels that say nothing, `pipeline(table, labels, seed) -> score` only guesses: where it scores above that, it
    sees the labels that it is tested on, as when features are selected before the split.

    >>> import byrote
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.naive_bayes import GaussianNB
    >>> def score(table, labels, seed):
    ...     return cross_val_score(GaussianNB(), table.reshape(len(table), -1), labels, cv=3).mean()
    >>> byrote.assert_chance_on_random_labels(score, byrote.load("digits"), retrain=40)

    Args:
        data: what `byrote.audit` takes; its labels change places.
        budget: of time, such as "1min".
        options: of `byrote.audit`: label, groups, metric, retrain.

    Raises:
        AssertionError: it scores above guessing, or too few runs fit into the budget to tell.
        UserError: what cannot be audited, or is no pipeline.
    """
    __tracebackhide__ = True
    if not is_pipeline(pipeline):
        raise UserError(
            f"got {getattr(pipeline, '__name__', type(pipeline).__name__)}, expected a function "
            "pipeline(table, labels, seed) -> score, with arguments of these names"
        )
    found = _audited("chance-on-random-labels", pipeline, data, ("signal",), budget, options)
    if found.alarms.get("leaking-pipeline", 1.0):
        _fail(found, "signal", ("On labels that say nothing, the pipeline only guesses",))


def _audited(
    what: str, model: Any, data: Any, stages: Sequence[str], budget: str | float, options: dict[str, Any]
) -> Audit:
    out = options.pop("out", None) or KEPT.next(what) or Path(tempfile.mkdtemp(prefix="byrote-assert-"))
    return audit(model, data, stages=stages, budget=budget, out=out, quiet=True, **options)


def _fail(found: Audit, stage: str, claims: Sequence[str]) -> NoReturn:
    __tracebackhide__ = True
    found.write(found.case.out or ".")
    findings = [finding for finding in found.findings_of(stage) if finding.claim in claims]
    words = [finding.statement for finding in findings if finding.outcome == "not supported"]
    words = words or [f"{finding.claim}: {finding.outcome}. {finding.statement}" for finding in findings]
    words = words or [found.results[stage].statement]
    trace = "".join(f"\n{trace}" for trace in found.traces.values())
    raise AssertionError(f"{' '.join(words)} The page: {found.case.out}/report.html{trace}")
