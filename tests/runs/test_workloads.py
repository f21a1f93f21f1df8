from __future__ import annotations

from fake_engine import GROUP_SIZE, SmallStudy

from byrote.runs.run import run
from byrote.runs.workloads import forecast, groups_of, unfinished
from byrote.studies.study import plan_by_keys


def test_what_is_stored_is_not_foreseen_again(fakes, store):
    study = SmallStudy(7)
    before = forecast(study, None, device="cpu")
    run(SmallStudy(GROUP_SIZE), store, device="cpu", quiet=True)
    after = forecast(study, store, device="cpu")
    assert (before.num_left, len(before.stored)) == (7, 0)
    assert (after.num_left, len(after.stored)) == (7 - GROUP_SIZE, GROUP_SIZE)
    assert after.total_seconds < before.total_seconds
    assert forecast(study, store, device="cpu", foreseen=before.plan.keys()).num_left == 0


def test_forecasting_makes_nothing(fakes, store):
    fakes(train=lambda *_, **__: 1 / 0)
    forecast(SmallStudy(3), store, device="cpu")
    assert not store.finished(f"mlp-1x8-{seed}" for seed in range(3))


def test_a_shard_is_foreseen_alone(fakes):
    study = SmallStudy(20)
    parts = [forecast(study, None, shard=f"{number}/3") for number in (1, 2, 3)]
    assert sorted(part.num_left for part in parts) == [6, 6, 8]
    assert len({key for part in parts for key in part.plan}) == 20


def test_what_lacks_a_run_or_the_weights_of_one_is_unfinished(fakes, store):
    study = SmallStudy(2 * GROUP_SIZE + 1)
    plan = plan_by_keys(study)
    run(SmallStudy(GROUP_SIZE + 1), store, device="cpu", quiet=True)
    groups = groups_of(plan, study.data, "cpu", set())
    assert unfinished(store, groups) == groups[1:]
    keeping = groups_of(plan, study.data, "cpu", set(plan))
    assert unfinished(store, keeping) == keeping
