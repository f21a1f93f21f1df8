import pytest

from byrote.audits.stages import STAGES, chosen_stages
from byrote.errors import UserError


def test_stages_are_in_their_order():
    assert [stage.name for stage in chosen_stages(["signal", "data"])] == ["data", "signal"]
    assert [stage.name for stage in chosen_stages(None)] == list(STAGES)


def test_an_unknown_stage():
    with pytest.raises(UserError, match=r"got the stage 'signall', expected .* data, signal, .*mean 'signal'"):
        chosen_stages(["signall"])
