from __future__ import annotations

import numpy as np
import torch
from threadpoolctl import threadpool_info

from byrote.training.threads import limited_threads, most_threads, num_physical_cores


def test_threads_are_limited_within_and_as_before_after():
    before = torch.get_num_threads()
    np.ones((2, 2)) @ np.ones((2, 2))
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    with limited_threads(2):
        assert torch.get_num_threads() == 2
        with limited_threads(1):
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
    assert torch.get_num_threads() == before
    assert [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"] == blas


def test_a_group_has_no_more_threads_than_cores_nor_than_torch_is_allowed():
    with limited_threads(1):
        assert most_threads() == 1
    with limited_threads(num_physical_cores() + 3):
        assert most_threads() == num_physical_cores()
