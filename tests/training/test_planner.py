from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.training import planner
from byrote.training.planner import (
    Group,
    hardware,
    is_convolutional,
    pays_to_compile,
    plan_groups,
    resolve_device,
    resolve_precision,
    seconds_compiled,
    share_expected,
)
from byrote.training.spec import TrainSpec

RANDOM = Corruption(name="random-labels")


def runs(num: int, **fields: object) -> list[TrainSpec]:
    return [TrainSpec(**{"model": "mlp-1x16", "seed": seed} | fields) for seed in range(num)]


def plan(specs: Sequence[TrainSpec], data: Dataset) -> list[Group]:
    return plan_groups(specs, data, device="cpu")


def sizes(groups: list[Group]) -> list[int]:
    return [len(group.specs) for group in groups]


def test_small_nets_share_a_stack_whatever_their_labels_inputs_and_step_sizes(tiny: Dataset) -> None:
    specs = [
        *runs(2),
        *runs(2, corruptions=(RANDOM,)),
        *runs(2, learning_rate=0.5, weight_decay=0.1, data_seed=3, corruptions=(Corruption(name="gaussian"),)),
    ]
    (group,) = plan(specs, tiny)
    assert group.specs == tuple(specs)
    assert group.reason == "in stacks of up to 16: more would gain nothing"


@pytest.mark.parametrize(("num", "expected"), [(1, [1]), (16, [16]), (17, [8, 9]), (60, [15] * 4)])
def test_stacks_are_even(tiny: Dataset, num: int, expected: list[int]) -> None:
    assert sizes(plan(runs(num), tiny)) == expected


def test_there_are_stacks_for_all_cores_where_there_is_enough_to_do(tiny: Dataset) -> None:
    def planned(num: int, cores: int, **fields: object) -> list[Group]:
        return plan_groups(runs(num, model="mlp-2x128", **fields), tiny, device="cpu", cores=cores)

    much: dict[str, object] = {"stop": "at_steps", "steps": 20_000}
    assert sizes(planned(8, 2)) == [8]
    assert sizes(planned(8, 2, **much)) == [4, 4]
    assert sizes(planned(8, 16, **much)) == [1] * 8
    assert sizes(planned(64, 2, **much)) == [16] * 4
    assert sizes(planned(8, 16, stack="a", **much)) == [8]
    both = [*runs(8, model="mlp-2x128", **much), *runs(8, model="mlp-2x64", **much)]
    assert sizes(plan_groups(both, tiny, device="cpu", cores=4)) == [4] * 4
    assert sizes(plan_groups(both[:8], tiny, device="cpu", cores=4, num_others=8)) == [4, 4]
    assert {group.threads for group in planned(64, 2, **much)} == {1}


def test_few_groups_of_wide_networks_have_several_threads_and_many_have_one(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "most_threads", lambda: 16)

    def threads(num: int, model: str, cores: int) -> list[int]:
        groups = plan_groups(runs(num, model=model), tiny, device="cpu", cores=cores)
        return sorted({group.threads for group in groups})

    assert threads(1, "conv-small", 2) == [2]
    assert threads(1, "conv-small", 16) == [16]
    assert threads(2, "conv-small", 2) == [1]
    assert threads(3, "conv-small", 2) == [2]
    assert threads(10, "conv-small", 16) == [3]
    assert threads(64, "conv-small", 16) == [1]
    assert threads(1, "mlp-1x16", 16) == [1], "its products are too small to be shared"
    monkeypatch.setattr(planner, "total_memory", lambda device="cpu": planner.PROCESS_BYTES)
    assert threads(64, "conv-small", 16) == [16], "memory holds one at a time"


def test_a_stack_that_the_plan_names_is_whole_and_has_no_others(tiny: Dataset) -> None:
    wide: dict[str, object] = {"model": "mlp-1x4096"}  # of which the cache holds a few
    for fields in ({}, wide):
        named = [*runs(20, stack="a", **fields), *runs(3, stack="b", repeat=1, **fields)]
        groups = plan([*named[::2], *runs(2, **fields), *named[1::2]], tiny)
        assert sorted(sizes(groups)) == [2, 3, 20]
        assert all(len({spec.stack for spec in group.specs}) == 1 for group in groups)
        assert groups[0].reason == "in stacks that the plan names"


def test_a_named_stack_that_cannot_be_whole_is_trained_one_by_one(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sizes(plan(runs(3, stack="a", model="conv-small"), tiny)) == [1, 1, 1]
    monkeypatch.setattr(planner, "total_memory", lambda device="cpu": 10 * 2**20)
    (group, *others) = plan(runs(20, stack="a", model="mlp-1x1024"), tiny)
    assert len(others) == 19
    assert group.reason == "alone: a quarter of the memory holds 1 of the 20 runs of a stack"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model": "conv-small"}, "alone: convolutions in stacks are slower on a CPU"),
        ({"optimizer": "Adafactor"}, "alone: Adafactor is not known to treat each weight by itself"),
        ({"model": "mlp-1x16384"}, "alone: a stack of networks this wide would leave the CPU's cache"),
    ],
)
def test_what_is_trained_alone(tiny: Dataset, fields: dict[str, object], reason: str) -> None:
    groups = plan(runs(3, **fields), tiny)
    assert sizes(groups) == [1, 1, 1]
    assert all(group.reason.startswith(reason) for group in groups)


@pytest.mark.parametrize(
    "field",
    [{"batch_size": 7}, {"n_train": 50}, {"model": "mlp-1x17"}, {"dropout": 0.1}, {"augmentation": "random-crop"}],
)
def test_unlike_runs_do_not_share_a_stack(tiny: Dataset, field: dict[str, object]) -> None:
    specs = [spec for pair in zip(runs(3), runs(3, **field), strict=True) for spec in pair]
    groups = plan(specs, tiny)
    assert [group.specs for group in groups] == [tuple(specs[::2]), tuple(specs[1::2])]


def test_a_stack_keeps_within_the_cache(tiny: Dataset) -> None:
    groups = plan(runs(64, model="mlp-1x4096"), tiny)
    assert len(groups) > 4
    assert "as many as the CPU's cache holds" in groups[0].reason


def test_every_run_is_in_one_group_and_equal_plans_are_equal(tiny: Dataset) -> None:
    specs = [spec for k in (3, 20, 90) for spec in runs(k, model=f"mlp-1x{k}")]
    specs = [specs[i] for i in np.random.default_rng(0).permutation(len(specs))]
    groups = plan(specs, tiny)
    assert sorted(spec.canonical_json() for group in groups for spec in group.specs) == sorted(
        spec.canonical_json() for spec in specs
    )
    assert plan(specs, tiny) == groups
    assert plan([], tiny) == []


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == "cpu"
    with pytest.raises(UserError, match="got device 'cuda:1', but here there is only cpu; use auto"):
        resolve_device("cuda:1")
    with pytest.raises(UserError, match="got device 'tpu'"):
        resolve_device("tpu")
    for device in ("cpu:7", "cpu:0", "gpu", "mps", "", ":"):
        with pytest.raises(UserError, match=f"got device {device!r}, but here there is only cpu"):
            resolve_device(device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device in ("cuda:2", "cuda:", "cuda:x", "cuda:-1"):
        with pytest.raises(UserError, match=f"got device {device!r}, but here there is only cuda:0 to cuda:1"):
            resolve_device(device)
    assert resolve_device("auto") == "cuda"
    assert resolve_device("cuda:1") == "cuda:1"


@pytest.mark.parametrize(("flags", "expected"), [("fpu avx512_bf16", "bfloat16"), ("fpu avx2", "float32")])
def test_bfloat16_where_the_hardware_has_it(monkeypatch: pytest.MonkeyPatch, flags: str, expected: str) -> None:
    monkeypatch.setattr("byrote.training.planner._cpuinfo", lambda: f"model name\t: Fast 1\nflags\t\t: {flags}\n")
    assert resolve_precision("auto", "cpu") == expected
    assert resolve_precision("float64", "cpu") == "float64"
    assert hardware("cpu").startswith("Fast 1, ")


@pytest.mark.parametrize(("name", "expected"), [("conv-small", True), ("mlp-1x4", False)])
def test_is_convolutional(name: str, expected: bool) -> None:
    assert is_convolutional(build_model(name, input_shape=(1, 8, 8), num_classes=2)) == expected


@pytest.mark.parametrize(
    ("model", "replicas", "steps", "pays"),
    [
        ("mlp-2x128", 1, 2_000, False),
        ("mlp-2x128", 1, 60_000, True),
        ("mlp-2x128", 16, 20_000, True),
        ("conv-small", 1, 10**6, False),
    ],
)
def test_long_runs_of_what_has_no_convolutions_are_worth_compiling(
    model: str, replicas: int, steps: int, pays: bool
) -> None:
    network = build_model(model, input_shape=(1, 8, 8), num_classes=10)
    recipe = TrainSpec(model=model, steps=steps)
    assert pays_to_compile(recipe, network, replicas, steps, "cpu") == pays
    assert not pays_to_compile(recipe, network, replicas, steps, "cuda")
    interpolating = TrainSpec(model=model)
    assert pays_to_compile(interpolating, network, replicas, 4 * steps, "cpu") == pays


def test_a_long_run_takes_less_where_it_is_compiled_and_convolutions_as_much(tiny: Dataset) -> None:
    long = [TrainSpec(model="mlp-2x128", steps=100_000, stop="at_steps")]
    assert 60 <= seconds_compiled(100.0, long, tiny, "cpu", "auto") < 70
    assert seconds_compiled(100.0, long, tiny, "cpu", "off") == seconds_compiled(100.0, long, tiny, "cuda", "on") == 100
    assert seconds_compiled(100.0, [TrainSpec(model="conv-small")], tiny, "cpu", "on") == 100


def test_what_fits_late_is_taken_to_need_more_of_its_epochs() -> None:
    clean = TrainSpec(model="mlp-1x4")
    names = ("gaussian", "random-labels")
    noisy = [clean.model_copy(update={"corruptions": (Corruption(name=name),)}) for name in names]
    shares = [share_expected(spec) for spec in (clean, *noisy)]
    assert shares == sorted(set(shares))
    assert share_expected(TrainSpec(model="mlp-1x4", stop="at_steps", steps=10)) == 1.0
