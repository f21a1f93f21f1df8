from __future__ import annotations

import numpy as np
from made_up_scores import made_up

from byrote.evidence.intervals import newcombe
from byrote.studies.memorization.study import MemorizationStudy


def test_every_example_has_its_place_labels_and_score(tiny):
    study = MemorizationStudy(tiny, "mlp-1x4", networks=32, noise=(0.0, 0.5), n_train=50)
    table = study.summarise(made_up(study, lambda _: np.linspace(0, 1, 50)))
    assert table.groupby(["label_rate", "level"]).size().to_dict() == {
        (0.0, "all"): 1,
        (0.0, "class"): 10,
        (0.0, "example"): 50,
        (0.5, "all"): 1,
        (0.5, "labels"): 2,
        (0.5, "class"): 10,
        (0.5, "example"): 50,
    }
    data = study.datasets[0.5]
    own = table[(table["label_rate"] == 0.5) & (table["level"] == "example")]
    assert own["place"].tolist() == [f"row {source}" for source in data.train.sources]
    assert own["label"].tolist() == [str(label) for label in data.train.labels]
    assert own["changed"].tolist() == data.train.changed_labels.tolist()
    assert own["true_label"].tolist() == [str(label) for label in data.train.true_labels]
    share_out = np.round(np.linspace(0, 1, 50) * 16) / 16
    np.testing.assert_allclose(own["memorization"], 1 - share_out)
    low, high = newcombe(np.full(50, 16), np.full(50, 16), share_out * 16, np.full(50, 16))
    np.testing.assert_allclose(own["low"], low)
    np.testing.assert_allclose(own["high"], high)
    np.testing.assert_allclose(own["lira_tpr_0001"], 1 - share_out)
    counts = table[(table["label_rate"] == 0.5) & (table["level"] == "labels")].set_index("changed")["num_examples"]
    assert counts[True] == data.train.changed_labels.sum()
