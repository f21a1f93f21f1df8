from __future__ import annotations

import sys
import traceback

import pytest
import sqlalchemy as sa

from byrote.errors import StoreError
from byrote.runs.database import connected, explained, parsed, store_name
from byrote.runs.store import Store


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "relative", "path"])
def test_every_form_of_an_address_is_the_same_file(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a b#?.db" if form in ("{}", "path") else tmp_path / "runs.db"
    address = {"relative": "runs.db", "path": file}.get(form, form.format(file))
    url = parsed(address)
    monkeypatch.chdir("/")
    with connected(url).connect() as connection:
        connection.execute(sa.text("CREATE TABLE made (it TEXT)"))
    assert file.is_file()
    assert store_name(url) == str(file)


REFUSED = {
    "memory": ("sqlite://", "got a store in memory, .*: name a file"),
    "memory by name": ("sqlite:///:memory:", "got a store in memory"),
    "no URL": ("://", "got the store '://', expected a file or a URL such as sqlite:///runs.db"),
    "no dialect": (
        "nonsense://host/db",
        "got a store of nonsense, which byrote does not use: expected a file or a URL",
    ),
    "another server": ("mysql://host/db", "got a store of mysql, which byrote does not use"),
    "two slashes": ("sqlite://runs.db", "got the store 'sqlite://runs.db', whose file comes after three slashes"),
    "nothing": ("", "got the store '', which is no name of a file: expected a file or a URL"),
    "spaces": (" ", "got the store ' ', which is no name of a file"),
    "no text": ("a\0b", "which is no name of a file"),
    "libpq": (
        "host=h user=me password=s3cret",
        r"got the store 'host=h user=me password=\*\*\*', expected a file or a URL",
    ),
    "no folder": ("nowhere/runs.db", r"there is no folder .*nowhere for the store .*: make it, or name another"),
}


@pytest.mark.parametrize(("address", "message"), REFUSED.values(), ids=REFUSED)
def test_an_unusable_address_is_refused_with_a_remedy(address, message):
    with pytest.raises(StoreError, match=message):
        connected(parsed(address))


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        StoreError, match=r"postgresql\+psycopg://me:\*\*\*@host/db: .*pip install 'byrote\[postgres\]'"
    ):
        connected(parsed("postgresql://me:secret@host/db"))


SECRET = "s3cret"
WITH_SECRETS = [
    f"postgresql://me:{SECRET}@127.0.0.1:1/db",
    f"postgresql://me:{SECRET}@127.0.0.1:port/db",
    f"postgresql://me:{SECRET}@x@127.0.0.1:1/db",
    f"postgresql://me:a {SECRET}@127.0.0.1:port/db",
    f"postgresql://me:{SECRET}/x@127.0.0.1:1/db",
    f"postgresql:/me:{SECRET}@127.0.0.1/db",
    f"postgresql://127.0.0.1:1/db?user=me&password={SECRET}",
    f"postgresql://127.0.0.1:1/db?paswort={SECRET}",
    f"postgresql://127.0.0.1:1/db?sslpassword={SECRET}&sslkey={SECRET}",
    f"nonsense://me:{SECRET}@127.0.0.1/db",
    f"me:{SECRET}@127.0.0.1/db",
    f"host=127.0.0.1 password={SECRET}/x",
]


@pytest.mark.parametrize("address", WITH_SECRETS)
def test_no_message_and_no_trace_has_the_password(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as caught:
        Store(address)
    # Lines of source are left out, which quote this test's own texts.
    told = "".join(line for line in traceback.format_exception(caught.value) if not line.startswith("  File"))
    assert SECRET not in told


def test_a_masked_password_is_left_to_the_driver():
    """So that a command can be repeated as it was printed, with PGPASSWORD set."""
    url = parsed("postgresql://me:***@host/db?password=***&sslmode=require")
    assert (url.password, dict(url.query)) == (None, {"sslmode": "require"})
    missing = sa.exc.OperationalError("", {}, Exception("fe_sendauth: no password supplied"))
    with pytest.raises(StoreError, match="commands are kept without passwords: put it into PGPASSWORD"), explained("s"):
        raise missing


def test_no_server_is_one_sentence():
    pytest.importorskip("psycopg")
    with pytest.raises(
        StoreError, match=r"cannot use the store postgresql.*check its address and that the database runs"
    ):
        Store("postgresql://nobody@127.0.0.1:1/none")
