import numpy as np
import pytest

from byrote.audits.reading import read_material
from byrote.audits.subject import SubjectFailed
from byrote.audits.whole_pipelines import WholePipeline, is_pipeline
from byrote.errors import UserError


def mean_label(table, labels, seed):
    return labels.mean() + seed


def test_it_gets_all_rows_and_gives_a_number():
    material = read_material((np.arange(40.0).reshape(20, 2), np.arange(20) % 2))
    subject = WholePipeline(mean_label, material)
    assert is_pipeline(mean_label)
    assert not is_pipeline(np.mean)
    assert subject.score(subject.rows.labels, 1) == 1.5
    assert len(material.whole()) == 20


def test_what_it_gives_is_looked_at():
    material = read_material((np.arange(40.0).reshape(20, 2), np.arange(20) % 2))
    with pytest.raises(UserError, match=r"got str from .*, expected one number"):
        WholePipeline(lambda table, labels, seed: "good", material).score(material.train.labels, 0)
    with pytest.raises(SubjectFailed, match="ZeroDivisionError"):
        WholePipeline(lambda table, labels, seed: 1 / 0, material).score(material.train.labels, 0)
    with pytest.raises(SubjectFailed, match="its score is nan, expected a finite number"):
        WholePipeline(lambda table, labels, seed: np.nan, material).score(material.train.labels, 0)
    with pytest.raises(UserError, match="cannot be fitted"):
        WholePipeline(mean_label, material).fit(material.train, 0)
