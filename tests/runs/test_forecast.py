import pytest
from fake_engine import DATA, SmallStudy, real_points
from squares import Squares

from byrote.runs.forecast import Forecast, about, size, together
from byrote.runs.workloads import forecast
from byrote.studies.study import Planned
from byrote.training.spec import TrainSpec


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1.0, "a few seconds"),
        (13.0, "about 15 s"),
        (44.0, "about 40 s"),
        (100.0, "about 2 min"),
        (17.0 * 60, "about 15 min"),
        (7000.0, "about 2 h"),
        (3.0 * 86400, "about 3 days"),
    ],
)
def test_an_estimate_is_told_in_round_numbers(seconds, words):
    assert about(seconds) == words
    assert about(seconds, at_most=True) == f"at most {words}"


def test_sizes_have_the_unit_that_fits():
    assert [size(value) for value in (10.0, 2e4, 3.21e6, 4.5e7, 2.5e9)] == [
        "1 kB",
        "20 kB",
        "3.2 MB",
        "45 MB",
        "2.5 GB",
    ]


def test_of_calculations_of_ones_own_no_time_is_known():
    foreseen = forecast(Squares([2, 3]), None, device="cpu")
    assert foreseen.sentence() == "2 calculations to make; how long that takes is not known"
    assert (foreseen.num_runs, foreseen.num_calculations, foreseen.time()) == (0, 2, "not known")


def test_runs_that_may_stop_early_take_that_at_most():
    specs = [TrainSpec(model="mlp-1x8", seed=seed) for seed in range(2)]
    plan = {str(spec.seed): Planned(spec) for spec in specs}
    foreseen = Forecast(plan, set(), dict.fromkeys(specs, 300.0), set(specs))
    assert foreseen.sentence() == "2 runs to make, at most about 10 min; less where networks fit early"
    assert foreseen.num_conditions == 1
    assert Forecast(plan, set(), dict.fromkeys(specs, 300.0)).sentence() == "2 runs to make, about 10 min"


def test_what_two_studies_plan_is_there_once():
    first, second = (forecast(SmallStudy(number, data=real_points()), None, device="cpu") for number in (2, 3))
    both = together([first, second])
    assert (both.num_runs, both.num_left) == (3, 3)
    assert both.disk_bytes == first.disk_bytes + second.disk_bytes


def test_a_model_that_fails_is_left_for_training_to_complain_of(monkeypatch):
    monkeypatch.setattr("byrote.runs.forecast.demand_of", lambda *_: 1 / 0)
    foreseen = forecast(SmallStudy(2, data=DATA), None, device="cpu")
    assert len(foreseen.unknown) == 2


def test_the_forecast_knows_of_compiling():
    study = SmallStudy(2, data=real_points())
    plain, compiled = (forecast(study, None, device="cpu", compile=each) for each in ("off", "on"))
    assert 20 < compiled.total_seconds - plain.total_seconds / 2.5 < 21
    assert forecast(study, None, device="cpu", compile="auto").total_seconds == plain.total_seconds
