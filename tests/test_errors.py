from __future__ import annotations

import pickle

import pytest

from byrote.errors import StoreError, UserError, suggestion


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
