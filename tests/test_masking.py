from __future__ import annotations

import pytest

from byrote.masking import masked

SECRETS = [
    ("postgresql://me:s3cret@host/db", "postgresql://me:***@host/db"),
    (
        "postgresql+psycopg://me:s3cret@[::1]:5432/db?sslmode=require",
        "postgresql+psycopg://me:***@[::1]:5432/db?sslmode=require",
    ),
    ("postgresql://:s3cret@host/db", "postgresql://:***@host/db"),
    ("postgresql://me:s3@cr/et:x@host", "postgresql://me:***@host"),
    ("postgresql://me:s3 cr'et@host", "postgresql://me:***@host"),
    ("--store=postgresql://me:s3cret@host", "--store=postgresql://me:***@host"),
    ("postgresql://me:s3cret@host:port/db", "postgresql://me:***@host:port/db"),
    ("postgresql:/me:s3cret@host/db", "postgresql:***@host/db"),
    ("me:s3cret@host/db", "me:***@host/db"),
    ("me:s3cret@0123456789ab/db", "me:***@0123456789ab/db"),
    (
        "postgresql://host/db?user=me&password=s3cret&sslmode=require",
        "postgresql://host/db?user=me&password=***&sslmode=require",
    ),
    ("postgresql://host/db?PASSWD=s3cret", "postgresql://host/db?PASSWD=***"),
    ("postgresql://host/db?sslkey=/s3cret&sslpassword=s3cret", "postgresql://host/db?sslkey=***&sslpassword=***"),
    ("https://host/f.parquet?X-Amz-Security-Token=s3cret", "https://host/f.parquet?X-Amz-Security-Token=***"),
    ("host=h user=me password=s3cret", "host=h user=me password=***"),
    ("cannot use 'postgresql://me:s3cret@h/d': ask a@b", "cannot use 'postgresql://me:***@h/d': ask a@b"),
    ("--models nets.py:Net,me:s3cret@host/db", "--models nets.py:Net,me:***@host/db"),
    ("postgresql://me.py:s3cret@host/db", "postgresql://me.py:***@host/db"),
    ("2 of them: redis://:s3cret@a, mysql://u:s3cret@b", "2 of them: redis://:***@a, mysql://u:***@b"),
]
OPEN = [
    "postgresql://me@host:5432/db",
    "sqlite:////tmp/a b/runs.db",
    "http://127.0.0.1:8000/",
    "models.py:Net failed: ValueError: a@b",
    "got --corruptions mine.py:Strong=0.5@3 and '/home/me/mine.py:Net@3'",
    "mlp-1x512, partial-labels 0.3, seed 0: fitted after 40 steps",
    "git@github.com:someone/something",
    "model '__main__@0123456789ab:Net' failed",
    "__main__@0123456789ab:lambda, cells@ba9876543210:Net(width=3): 1 seed",
]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_secrets_are_masked(text, shown):
    assert masked(text) == shown
    assert masked(shown) == shown


@pytest.mark.parametrize("text", OPEN)
def test_all_else_stays(text):
    assert masked(text) == text
