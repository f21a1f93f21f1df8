from __future__ import annotations

import numpy as np
import pytest

from byrote.data.subsets import half_rows
from byrote.evidence.intervals import mean_interval
from byrote.studies.memorization.halves import Answers
from byrote.studies.memorization.readings import of_attacked, read
from byrote.theory.memorization.membership import lira, roc


def test_a_constant_is_known_by_nobody_and_betrays_nobody():
    """Intervals hold 0 for memorization and one half for the AUC."""
    labels = np.arange(40) % 4
    inside = np.stack([np.isin(np.arange(40), half_rows(labels, number, 0)[0]) for number in range(32)])
    right = np.broadcast_to(labels == 0, (32, 40))
    margins = np.where(right, 1.0, -1.0).astype(np.float16)
    answers = Answers(inside, right, margins, right[:, :20], margins[:, :20])
    values, arrays = read(answers, labels, labels == 1, 4)
    for name in ("memorization", "memorization_wrong", "memorization_right"):
        assert values[f"{name}_low"] <= 0 <= values[f"{name}_high"]
    for attack in ("lira", "rmia"):
        assert values[f"{attack}_auc_low"] <= 0.5 <= values[f"{attack}_auc_high"]
        assert values[f"{attack}_tpr_001"] == 0
    assert (arrays["classes"] == 0).all()


def test_intervals_of_attacks_are_wider_since_references_are_shared():
    generator = np.random.default_rng(0)
    values = generator.random(20)
    plain, found = mean_interval((values[0::2] + values[1::2]) / 2), of_attacked(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.mean == pytest.approx(np.sqrt(2) * (plain.high - plain.mean))


@pytest.mark.slow
def test_an_interval_of_an_auc_holds_one_half_where_nothing_can_be_told():
    generator, held = np.random.default_rng(0), 0
    for seed in range(200):
        inside = np.zeros((64, 60), dtype=bool)
        for number in range(64):
            inside[number, half_rows(np.arange(60) % 3, number, seed)[0]] = True
        noise = generator.standard_normal((64, 60)) + 3 * generator.standard_normal(60)
        found = of_attacked(roc(lira(noise, inside), inside, np.array([0.1])).auc)
        held += found.low <= 0.5 <= found.high
    assert 180 <= held <= 199
