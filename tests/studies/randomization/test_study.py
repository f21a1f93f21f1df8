from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byrote.data.corruptions.contract import InputCorruption, LabelCorruption
from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.report.page import write_report
from byrote.runs.run import run
from byrote.studies.randomization.study import SETTINGS, RandomizationStudy
from byrote.training.recipe import Recipe

settings = st.lists(st.sampled_from(SETTINGS), max_size=8)
rates = st.lists(st.floats(0, 1), max_size=5)


@given(settings=settings, rates=rates, seeds=st.integers(1, 3), models=st.sampled_from([("a",), ("a", "b")]))
def test_a_plan_has_every_condition_once(data, settings, rates, seeds, models):
    if not settings and not rates:
        return
    study = RandomizationStudy(data=data, settings=settings, rates=rates, seeds=seeds, models=models)
    plan = study.tasks()
    assert plan == study.tasks()
    assert len(set(plan)) == len(plan)
    planned = {(spec.model, spec.corruption, spec.corruption_rate, spec.seed) for spec in plan}
    for model in models:
        for seed in range(seeds):
            assert {(model, name, float(name != "true-labels"), seed) for name in settings} <= planned
    assert {spec.label_rate for spec in plan} >= set(rates)


def test_rates_0_and_1_are_the_settings_true_and_random_labels(data):
    plan = RandomizationStudy(data=data).tasks()
    assert [(spec.corruption, spec.corruption_rate) for spec in plan] == [
        ("true-labels", 0.0),
        *[(name, 1.0) for name in SETTINGS[1:]],
        *[("partial-labels", rate) for rate in (0.25, 0.5, 0.75)],
    ]


def test_each_model_may_have_its_own_conditions_and_recipe(data):
    study = RandomizationStudy(
        data=data,
        models=["a", "b"],
        settings={"a": (), "b": ["gaussian"]},
        rates={"a": [0.5], "b": ()},
        seeds=[3, 5],
        recipe={"a": Recipe(learning_rate=0.1), "b": Recipe()},
        n_train={"a": None, "b": 20},
        data_seed=4,
    )
    assert [
        (s.model, s.seed, s.corruption, s.label_rate, s.learning_rate, s.n_train, s.data_seed) for s in study.tasks()
    ] == [
        ("a", 3, "partial-labels", 0.5, 0.1, None, 4),
        ("a", 5, "partial-labels", 0.5, 0.1, None, 4),
        ("b", 3, "gaussian", 0.0, 0.01, 20, 4),
        ("b", 5, "gaussian", 0.0, 0.01, 20, 4),
    ]


def test_with_recipe_changes_these_fields_alone(data):
    recipes = {"a": Recipe(learning_rate=0.1), "b": Recipe()}
    study = RandomizationStudy(data=data, models=["a", "b"], recipe=recipes)
    changed = study.with_recipe(stop="at_steps", steps=7)
    assert {(s.model, s.learning_rate, s.stop, s.steps) for s in changed.tasks()} == {
        ("a", 0.1, "at_steps", 7),
        ("b", 0.01, "at_steps", 7),
    }
    with pytest.raises(UserError, match="at_steps needs a number of steps"):
        study.with_recipe(stop="at_steps")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": "alexnet"}, r"got models='alexnet', expected a list of different names or models"),
        ({"models": []}, "expected a list of different names"),
        ({"models": ["a", "a"]}, "expected a list of different names"),
        ({"settings": ["random"]}, "got corruption 'random', expected one of true-labels"),
        (
            {"settings": ["partial-labels"]},
            "got partial-labels without a rate, expected one below 1, as partial-labels=0.5",
        ),
        ({"settings": "gaussian"}, "got settings='gaussian', expected a list"),
        ({"rates": [1.5]}, r"got rates=\[1.5\], expected label corruptions between 0 and 1"),
        ({"rates": [np.nan]}, "between 0 and 1"),
        ({"settings": (), "rates": ()}, "got neither settings nor rates for mlp-1x512"),
        ({"seeds": 0}, "got seeds=0, expected a number of seeds, at least 1"),
        ({"seeds": [1, 1]}, "or different ones"),
        ({"seeds": [-1]}, "or different ones"),
        ({"n_train": 41}, "got n_train=41 for made up, which has 40 training examples"),
        ({"n_train": 0}, "got n_train=0"),
        ({"rates": {"b": (0.5,)}}, "got rates for b but not for the model mlp-1x512"),
    ],
)
def test_what_cannot_be_planned_is_refused(data, options, message):
    with pytest.raises(UserError, match=message):
        RandomizationStudy(data=data, **options)


def test_relative_time_to_fit_is_taken_from_the_same_model_and_seed(data, make_outcome):
    study = RandomizationStudy(data=data, models=["a", "b"], settings=(), rates=[0.0, 0.5], seeds=2)
    steps = {("a", 0): (10, 40), ("a", 1): (20, 60), ("b", 0): (None, 70), ("b", 1): (30, None)}
    outcomes = [make_outcome(s, steps_to_fit=steps[s.model, s.seed][s.label_rate > 0]) for s in study.tasks()]
    found = study.summarise(outcomes)["relative_time_to_fit"]
    np.testing.assert_array_equal(found, [1, 4, 1, 3, np.nan, np.nan, 1, np.nan])


def test_the_table_of_no_outcomes_is_empty_and_supports_nothing(data):
    study = RandomizationStudy(data=data)
    table = study.summarise([])
    assert table.empty
    assert {finding.outcome for finding in study.verdict(table)} == {"no conclusion"}


def test_runs_of_one_seed_that_start_apart_fail_a_check(data, make_outcome):
    study = RandomizationStudy(data=data, models=["a", "b"], settings=["gaussian"], rates=[0.0])
    outcomes = [
        make_outcome(spec, initial_weights=spec.corruption if spec.model == "a" else "same", failed=("moments",))
        for spec in study.tasks()
    ]
    assert study.summarise(outcomes)["failed_checks"].tolist() == [
        "moments; equal initial weights",
        "moments; equal initial weights",
        "moments",
        "moments",
    ]


def build_nothing(*, input_shape: tuple[int, ...], num_classes: int) -> None:
    """A factory to be named, not to be called."""


def test_functions_stand_for_models_by_the_file_that_defines_them(data):
    study = RandomizationStudy(data=data, models=["mlp-1x8", build_nothing], settings=["true-labels"], rates=[])
    assert [spec.model for spec in study.tasks()] == ["mlp-1x8", f"{__file__}:build_nothing"]
    study = RandomizationStudy(data=data, models=[lambda num_classes: None, lambda num_classes: 1], rates=[])
    names = list(dict.fromkeys(spec.model for spec in study.tasks()))
    assert [name.rpartition(":")[2] for name in names] == ["lambda", "lambda"]


def test_the_settings_follow_the_kind_of_data(data):
    tokens = replace(data, train=Split.clean(np.arange(40).reshape(20, 2), np.arange(20) % 2))
    assert "gaussian" in {spec.corruption for spec in RandomizationStudy(data=data, rates=()).tasks()}
    assert "gaussian" not in {
        spec.corruption for spec in RandomizationStudy(data=tokens, models=["own.py:Net"], rates=()).tasks()
    }


def test_under_corruptions_of_all_kinds_and_true_labels(data):
    class Mine(InputCorruption):
        def redraw(self, inputs, generator, context):
            return inputs

    study = RandomizationStudy(data=data, models=["a"], rates=[0.5]).under(["constant-class=0.5", Mine, Mine()])
    settings = [spec.setting for spec in study.tasks()]
    assert settings == ["true labels", "constant class 50%", "Mine", "Mine instance"]


def test_two_corruptions_that_would_be_called_alike_are_refused(data, tmp_path):
    names = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        names.append(f"{tmp_path}/{folder}/own.py:Mine")
        (tmp_path / folder / "own.py").write_text("import byrote\nclass Mine(byrote.LabelCorruption): ...\n")
    with pytest.raises(UserError, match=r"one/own.py:Mine and .*two/own.py:Mine, which figures would both call Mine"):
        RandomizationStudy(data=data, settings=names)


def test_a_notebooks_corruption_is_trained_under_and_shown(tiny, tmp_path):
    class FirstTwo(LabelCorruption):
        """Labels become class 0 or 1."""

        title = "first two classes"

        def chances(self, sizes):
            return np.tile([0.5, 0.5, *[0.0] * (len(sizes) - 2)], (len(sizes), 1))

    study = RandomizationStudy(
        data=tiny, models=["mlp-1x32"], settings=["true-labels", FirstTwo], rates=(), recipe=Recipe(epochs=2)
    )
    outcomes = run(study, tmp_path / "runs.db", device="cpu", quiet=True)
    assert not any(outcome.failed_checks for outcome in outcomes)
    assert outcomes[1].spec.corruption.endswith(":FirstTwo")
    write_report(tmp_path, study, outcomes)
    page = (tmp_path / "report.html").read_text()
    assert "Labels become class 0 or 1" in page
    assert "mlp-1x32 can learn first two classes by rote" in page
    assert "first two classes is " in page
    assert run(study, tmp_path / "runs.db", device="cpu", quiet=True)[1].key == outcomes[1].key


def test_a_table_is_standardised_by_its_columns_and_not_whitened_by_its_rows(tmp_path):
    """One class has larger features throughout, which whitening of rows would take away."""
    generator, labels = np.random.default_rng(0), np.arange(400) % 2
    inputs = (generator.normal(size=(400, 8)) + 3.0 * labels[:, None]).astype(np.float32)
    splits = [Split.clean(inputs[part], labels[part]) for part in (slice(300), slice(300, None))]
    table = Dataset("table", splits[0], splits[1], ("a", "b"), pixel_max=1.0)
    study = RandomizationStudy(data=table, models=["mlp-1x64"], settings=["true-labels"], rates=[])
    (outcome,) = run(study, tmp_path / "runs.db", device="cpu")
    assert outcome.spec.preprocessing == "standardize"
    assert outcome.test_accuracy > 0.95
