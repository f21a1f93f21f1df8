from __future__ import annotations

from made_up import counted, failed

from byrote.data.corruptions.application import corrupt


def test_noise_of_the_moments_of_the_data_and_no_other() -> None:
    data = counted(400, (2, 3, 3))
    assert failed(data, corrupt(data, "gaussian"), "gaussian") == []
    assert failed(data, corrupt(data, "additive-noise"), "gaussian") == ["moments of Gaussian inputs"]
