from __future__ import annotations

import numpy as np
import pytest
from made_up_scores import made_up

from byrote.studies.memorization.study import MemorizationStudy


def verdict(tiny, share_out, *, model="mlp-1x4", noise=(0.0,), networks=512, **fields):
    study = MemorizationStudy(tiny, model, networks=networks, noise=noise)
    results = made_up(study, share_out, **fields)
    return {found.claim: found for found in study.verdict(study.summarise(results))}


BY_ROTE = "mlp-1x4 knows some labels by rote alone"


@pytest.mark.parametrize(
    ("share_out", "networks", "outcome"),
    [
        (np.r_[0.0, np.ones(120)], 512, "supported"),
        (np.ones(121), 512, "not supported"),
        (np.r_[0.5, np.ones(120)], 512, "no conclusion"),
        (np.r_[0.0, np.ones(120)], 16, "no conclusion"),  # of one in 121, eight against eight may be chance
    ],
)
def test_a_label_is_known_by_rote_where_limits_for_all_at_once_say_so(tiny, share_out, networks, outcome):
    found = verdict(tiny, lambda _: share_out, networks=networks)[BY_ROTE]
    assert found.outcome == outcome
    assert f"By {networks} networks on halves of 121 examples" in found.statement
    assert ("--networks" in found.statement) == (outcome == "no conclusion")


@pytest.mark.parametrize(
    ("auc", "width", "outcome"),
    [
        (0.6, 0.01, "supported"),
        (0.5, 0.01, "not supported"),
        (0.52, 0.05, "no conclusion"),
        (0.5, 0.0, "not supported"),
    ],
)
def test_members_are_told_apart_where_the_interval_lies_above_one_half(tiny, auc, width, outcome):
    found = verdict(tiny, lambda _: np.ones(121), auc=auc, width=width)
    claim = "Whoever sees the confidence of mlp-1x4 can tell what it was trained on"
    assert found[claim].outcome == outcome
    assert "tells 30.0% of them at a false-positive rate of 0.1%" in found[claim].statement


def test_noise_and_size_are_compared_among_networks_that_fitted(tiny):
    def share_out(calculation):
        return np.full(121, 0.9 - calculation.label_rate - int(calculation.model.rpartition("x")[2]) / 1000)

    found = verdict(tiny, share_out, model="mlp-1x{width}", noise=(0.0, 0.2))
    models = MemorizationStudy(tiny, "mlp-1x{width}").models
    assert found[f"{models[0]} memorises more where labels are noisier"].outcome == "supported"
    assert found["Larger networks memorise more"].outcome == "supported"
    assert found["Larger networks memorise more with 20% of labels redrawn"].outcome == "supported"
    wrong = found[f"{models[0]} memorises wrong labels more than right ones with 20% of labels redrawn"]
    assert wrong.outcome == "no conclusion"  # both 0.5
    same = verdict(tiny, lambda _: np.full(121, 0.5), model="mlp-1x{width}")
    assert same["Larger networks memorise more"].outcome == "no conclusion"


def test_what_did_not_fit_or_failed_a_check_supports_nothing(tiny):
    for fields, told in (({"fitted": False}, "512 of 512 networks did not fit"), ({"failed_checks": "x"}, "(x)")):
        for found in verdict(tiny, lambda _: np.zeros(121), noise=(0.0, 0.2), **fields).values():
            assert found.outcome == "no conclusion"
            assert told in found.statement


def test_nothing_follows_from_nothing(tiny):
    study = MemorizationStudy(tiny, "mlp-1x{width}", networks=16, noise=(0.0, 0.5))
    for found in study.verdict(study.summarise([])):
        assert found.outcome == "no conclusion"
        assert "has not finished, or has failed" in found.statement
