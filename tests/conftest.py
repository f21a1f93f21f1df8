"""Shape and type annotations of the package are checked at run time in all tests."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

hook = install_import_hook("byrote", "beartype.beartype")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real CIFAR-10 and MNIST files."""
    folder = Path(os.environ.get("BYROTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set BYROTE_DATA to a folder with cifar10/ and mnist/")
    return folder
