import math

import pytest

from byrote.theory.measures.frobenius import frobenius_over_margin


def test_one_hidden_unit_by_hand(unit_net, zeros, two_points, outcome):
    found = frobenius_over_margin(unit_net, zeros(unit_net), two_points, outcome())
    assert found == pytest.approx(2 * math.sqrt(10) / 12.3)
