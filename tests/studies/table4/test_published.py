from dataclasses import replace

import pandas as pd

from byrote.studies.table4.published import published_figures
from byrote.studies.table4.study import Table4Study


def test_all_numbers_are_there_before_anything_is_run(data):
    figures = published_figures(data, pd.DataFrame())
    assert len(figures) == 6
    assert {figure.mark for figure in figures} == {"not run"}
    assert [figure.printed for figure in figures].count("failed to converge") == 1


def test_failing_to_converge_is_compared_too(data, make_outcome):
    cifar10 = replace(data, name="cifar10:/data")
    study = Table4Study(data=cifar10, models=["alexnet", "mlp-3x512"], weight_decays=(0.0, 5e-4))
    table = study.summarise([make_outcome(spec, n_train=50_000) for spec in study.tasks()])

    def marks():
        return {each.setting: each.mark for each in published_figures(cifar10, table) if each.ours}

    assert marks() == {
        "alexnet, weight decay 0.0005": "not as in the paper",
        "mlp-3x512, weight decay 0.0005": "the same",
    }
    table["ending"] = "does not converge"
    table["train_accuracy"] = 0.1
    assert marks() == {
        "alexnet, weight decay 0.0005": "the same",
        "mlp-3x512, weight decay 0.0005": "off by -90.00 points",
    }
