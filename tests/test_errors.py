from __future__ import annotations

import contextlib
import pickle
import warnings

import numpy as np
import pytest

from byrote.audits.reading import read_material
from byrote.data.sources import from_arrays
from byrote.errors import StoreError, UserError, kind_of, suggestion, warn, with_article


@pytest.mark.parametrize("kind", [UserError, StoreError])
def test_no_message_has_a_password(kind):
    error = kind("cannot use postgresql://me:s3cret@host/db")
    assert str(error) == "cannot use postgresql://me:***@host/db"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_what_a_notebook_defines_is_called_by_its_name():
    error = UserError("got model '__main__@0123456789ab:Net', expected one beside own.py:Net and mail@0123456789ab")
    assert str(error) == "got model 'Net', expected one beside own.py:Net and mail@0123456789ab"


@pytest.mark.parametrize(
    ("word", "near"), [("judg", "; did you mean 'judge'?"), ("adam", "; did you mean 'Adam'?"), ("zzz", "")]
)
def test_what_is_near_is_suggested(word, near):
    assert suggestion(word, ["demo", "judge", "Adam"]) == near


@pytest.mark.parametrize("article", ["a", "an"])
def test_types_have_the_article_that_is_spoken(article):
    names = {
        "a": "list Tensor UNet UserDict uint8 UnionType OneHot Hydra ResNet MyNet _Net",
        "an": "int object ndarray LSTM MLPClassifier SVC F1 R² OrderedDict Unpickler ImageFolder AUC _IterableDataset",
    }[article].split()
    assert [with_article(name) for name in names] == [f"{article} {name}" for name in names]
    assert [kind_of(1), kind_of([])] == ["an int", "a list"]


def test_a_warning_is_at_the_line_of_whoever_called_byrote():
    """From whatever depth: of what is read for an audit as of what is read by itself."""
    several, labels = {"ids": np.arange(240).reshape(60, 4) % 9}, np.arange(60) % 2
    for call in (
        lambda: from_arrays(several, labels, several, labels),
        lambda: read_material(((several, labels), (several, labels)), title="s"),
    ):
        with pytest.warns(UserWarning, match="token ids") as found:
            call()
        assert {warning.filename for warning in found} == {__file__}
        assert {warning.lineno for warning in found} == {call.__code__.co_firstlineno}


def test_a_warning_from_within_other_libraries_is_at_the_users_line():
    @contextlib.contextmanager
    def managed():
        warn("some")
        yield

    with warnings.catch_warnings(record=True) as found:
        with managed():
            pass
        expected = managed.__wrapped__.__code__.co_firstlineno + 2
    assert [(str(warning.message), warning.filename, warning.lineno) for warning in found] == [
        ("some", __file__, expected)
    ]


def test_a_warning_from_what_dataclasses_write_is_at_the_users_line():
    within = {"__name__": "byrote.made", "warn": warn}
    exec(compile("def made(): warn('some')", "<string>", "exec"), within)
    with pytest.warns(UserWarning, match="some") as found:
        within["made"]()
    assert [warning.filename for warning in found] == [__file__]
