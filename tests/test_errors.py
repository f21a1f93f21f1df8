from __future__ import annotations

import pickle

import pytest

from byrote.errors import StoreError, UserError


@pytest.mark.parametrize("kind", [UserError, StoreError])
def test_no_message_has_a_password(kind):
    error = kind("cannot use postgresql://me:s3cret@host/db")
    assert str(error) == "cannot use postgresql://me:***@host/db"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
