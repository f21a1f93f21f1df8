import pandas as pd
import pytest

from byrote.studies.min_norm.published import published_figures


def test_all_numbers_are_there_before_anything_is_computed(tiny):
    figures = published_figures(tiny, pd.DataFrame())
    assert len(figures) == 5 + 2
    assert {figure.mark for figure in figures} == {"not run"}


@pytest.fixture
def table():
    """Raw inputs of two sizes, of which the larger has the paper's number of CIFAR-10."""
    row = {
        "calculation": "KernelInterpolation",
        "features": "inputs",
        "regularized": False,
        "labels": "true labels",
        "seed": 0,
        "n_test": 10_000,
        "n_test_effective": 10_000.0,
        "interpolated": True,
        "scaled_norm": 91.0,
    }
    return pd.DataFrame([row | {"n_train": 250, "test_error": 0.7}, row | {"n_train": 50_000, "test_error": 0.455}])


def test_ours_on_most_examples_are_beside_the_papers(tiny, table):
    from dataclasses import replace

    cifar10 = replace(tiny, name="cifar10:/data", title="")

    def marks():
        return {(each.block, each.quantity): each.mark for each in published_figures(cifar10, table) if each.ours}

    assert marks() == {
        ("MNIST", "test error"): "other data",
        ("MNIST", "norm"): "other data",
        ("CIFAR-10", "test error"): "the same",  # 46% may be 45.5
    }
    table["test_error"] = 0.40
    assert marks()["CIFAR-10", "test error"] == "off by -6.00 points"
    table["interpolated"] = False
    assert marks()["CIFAR-10", "test error"] == "not interpolated"
    table["n_train"] = 8000
    table["interpolated"] = True
    assert marks()["CIFAR-10", "test error"] == "other size"
