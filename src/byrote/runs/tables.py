"""The tables of a store."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from byrote.runs.codec import SCALARS, SUMMARY

SCHEMA = 3
"""Major version of the tables. A store of another one is refused."""

_SQL_TYPES: dict[type, Any] = {str: sa.Text, int: sa.BigInteger, float: sa.Double, bool: sa.Boolean}

TABLES = sa.MetaData()
RUNS = sa.Table(
    "byrote_runs",
    TABLES,
    *(sa.Column(name, _SQL_TYPES[kind], primary_key=name == "key") for name, kind in (SCALARS | SUMMARY).items()),
    sa.Column("created", sa.Text, nullable=False),  # UTC
    *(sa.Column(name, sa.Text, nullable=False) for name in ("spec", "checks", "environment")),  # JSON
    sa.Column("arrays", sa.LargeBinary, nullable=False),  # curve, early steps, predictions: see codec.packed
    sa.Column("weights", sa.Text),  # the checksum of their files, where they were kept
    sa.Column("checksum", sa.Text, nullable=False),
)
CALCULATIONS = sa.Table(
    "byrote_calculations",
    TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("calculation", sa.Text, nullable=False),  # the name of its class
    sa.Column("fields", sa.Text, nullable=False),  # JSON
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("created", sa.Text, nullable=False),  # UTC
    sa.Column("values", sa.Text, nullable=False),  # JSON
    sa.Column("environment", sa.Text, nullable=False),  # JSON
    sa.Column("arrays", sa.LargeBinary, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
)
LEASES = sa.Table(
    "byrote_leases",
    TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("expires", sa.Double, nullable=False),  # seconds since 1970
)
# Written last, so that a version found means that all tables are there.
META = sa.Table(
    "byrote_meta",
    TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
