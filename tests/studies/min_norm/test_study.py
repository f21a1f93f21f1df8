import math
from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.evidence.chance import chance_deviation
from byrote.studies.min_norm import study as min_norm
from byrote.studies.min_norm.findings import fits_of
from byrote.studies.min_norm.rows import KernelRow
from byrote.studies.min_norm.study import MinNormStudy, min_norm_study
from byrote.theory.calculation import compute
from byrote.theory.kernels.implicit_bias import ImplicitBias
from byrote.theory.kernels.interpolation import KernelInterpolation

ROWS = (KernelRow("inputs"), KernelRow("random-convolutions"), KernelRow("random-convolutions", regularized=True))


def planned(analysis):
    return [(c.features, c.n_train) for c in analysis.tasks() if isinstance(c, KernelInterpolation)]


@pytest.fixture(scope="module")
def cifar10(tiny):
    """Digits under another name, for the paper's rows."""
    return replace(tiny, name="cifar10:/data", title="")


@pytest.fixture(scope="module")
def computed(cifar10):
    """The rows of CIFAR-10 on 121 and fewer examples."""
    analysis = MinNormStudy(cifar10, curve=(40,), label_draws=2)
    results = [compute(_hastened(calculation), cifar10) for calculation in analysis.tasks()]
    return analysis, results, analysis.summarise(results)


def _hastened(calculation):
    if isinstance(calculation, ImplicitBias):
        return calculation.model_copy(update={"num_steps": 500, "n_train": 20})
    return calculation.model_copy(update={"num_filters": 200})


def test_each_kind_of_features_is_calculated_once_at_each_n(tiny):
    analysis = MinNormStudy(tiny, curve=(20, 50, 100), label_draws=2)
    # At most half of n; random convolutions at all of it alone.
    features = ("inputs", "gabor")
    assert planned(analysis) == [
        *((name, n) for n in (20, 50) for name in features),
        *((name, 121) for name in (*features, "random-convolutions")),
    ]
    last = analysis.tasks()[-1]
    assert isinstance(last, ImplicitBias)
    assert last.n_train == 60
    ridges = {c.features: c.with_ridge for c in analysis.tasks()[:-1]}
    assert ridges == {"inputs": False, "gabor": False, "random-convolutions": True}
    assert {c.label_draws for c in analysis.tasks()[:-1]} == {2}


def test_n_train_holds_for_all_rows_or_for_one_kind_of_features(tiny):
    assert planned(MinNormStudy(tiny, rows=ROWS, n_train=30)) == [("inputs", 30), ("random-convolutions", 30)]
    assert planned(MinNormStudy(tiny, rows=ROWS, n_train={"random-convolutions": 50})) == [
        ("random-convolutions", 50),
        ("inputs", 121),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_train": 1}, "got n_train=1 for tiny, which has 121 training examples; choose between 20 .* and 121"),
        ({"n_train": 122}, "got n_train=122"),
        ({"n_train": 0}, "got n_train=0"),
        ({"label_draws": 0}, "got label_draws=0"),
    ],
)
def test_what_cannot_be_is_refused(options, message, tiny):
    with pytest.raises(UserError, match=message):
        MinNormStudy(tiny, **options)


def test_two_classes_need_eight_examples(tiny):
    rows = np.flatnonzero(tiny.train.true_labels < 2)
    two = replace(tiny, train=tiny.train.take(rows), class_names=("0", "1"))
    assert {each.n_train for each in MinNormStudy(two, n_train=8).tasks()} == {8}
    with pytest.raises(UserError, match=r"got n_train=7 .* between 8"):
        MinNormStudy(two, n_train=7)


def test_models_are_refused(tiny):
    with pytest.raises(UserError, match=r"got models=\['mlp-1x512'\], which min-norm has no use for"):
        min_norm_study(tiny, "laptop", 1, ("mlp-1x512",))


def test_seeds_are_draws_of_random_labels(tiny):
    with pytest.raises(UserError, match="got seeds=0, expected a number of seeds, at least 1"):
        min_norm_study(tiny, "laptop", 0)
    with pytest.raises(UserError, match="got seeds=2, but min-norm draws random labels 3 times at least"):
        min_norm_study(tiny, "laptop", 2)
    assert min_norm_study(tiny, "laptop", 1).label_draws == 3
    assert min_norm_study(tiny, "paper", 5).label_draws == 5


@pytest.mark.parametrize(
    ("n", "shape", "memory", "sizes"),
    [
        (60_000, (1, 28, 28), 24 * 2**30, (60_000, 60_000, 8_000)),
        (50_000, (3, 32, 32), 16 * 2**30, (50_000, 50_000, 8_000)),
        (60_000, (1, 28, 28), 8 * 2**30, (40_132, 40_132, 8_000)),
        (100_000, (3, 64, 64), 64 * 2**30, (60_000, 60_000, 2_000)),
        (5000, (3, 96, 96), 24 * 2**30, (5000, 5000, 888)),
    ],
)
def test_a_laptop_takes_what_memory_and_minutes_hold(n, shape, memory, sizes, monkeypatch):
    monkeypatch.setattr(min_norm, "total_memory", lambda: memory)
    inputs = np.broadcast_to(np.zeros((), np.uint8), (n, *shape))
    split = Split.clean(inputs, np.arange(n) % 10)
    found = min_norm_study(Dataset("made up", split, split, tuple("abcdefghij")), "laptop").sizes
    assert tuple(found.values()) == (*sizes, sizes[-1])
    assert all(isinstance(row, KernelRow) for row in found)


def test_paper_takes_all(tiny):
    assert set(min_norm_study(tiny, "paper").sizes.values()) == {121}


def test_a_row_of_the_table_is_a_function(computed, cifar10):
    analysis, results, table = computed
    # Three labellings of inputs at two sizes, of convolutions with and without l2, and five other interpolants.
    assert len(table) == 3 * 2 + 3 * 2 + 5
    assert set(table["labels"]) == {"true labels", "random labels"}
    for row, n in analysis.sizes.items():
        assert len(fits_of(table, row, "true labels", n)) == 1
        assert fits_of(table, row, "random labels", n)["seed"].tolist() == [0, 1]
    fit = fits_of(table, KernelRow("inputs"), "random labels", 121).iloc[0]
    machines = {(c.features, c.n_train): r for r in results if isinstance(c := r.calculation, KernelInterpolation)}
    predictions = machines["inputs", 121].arrays["fit_test_predictions"][1]
    labels = cifar10.test.true_labels
    assert fit["test_error"] == (predictions != labels).mean()
    assert fit["chance_deviation"] == chance_deviation(labels, predictions, 10)
    assert fit["rademacher_bound"] == pytest.approx(fit["norm"] / 11)  # sqrt(121), and a diagonal of 1
    assert fit["scaled_norm"] == pytest.approx(fit["norm"])


def test_the_papers_figures_stand_beside_ours_on_true_labels_of_the_largest_n(computed):
    _, _, table = computed
    beside = table[table["paper_test_error"].notna()]
    assert beside["paper_test_error"].tolist() == [0.46, 0.17, 0.15]
    assert beside["paper_norm"].isna().all()
    assert (beside["n_train"] == 121).all()
    assert (beside["labels"] == "true labels").all()
    assert beside["difference"].tolist() == pytest.approx(
        (100 * (beside["test_error"] - beside["paper_test_error"])).tolist()
    )


def test_functions_are_compared_example_by_example(computed):
    _, _, table = computed
    inputs, free, with_l2 = (fits_of(table, row, "true labels", 121).iloc[0] for row in ROWS)
    assert inputs["won_against_random_convolutions"] == free["lost_against_inputs"]
    ahead = (inputs["won_against_random_convolutions"] - inputs["lost_against_random_convolutions"]) / 60
    assert ahead == pytest.approx(free["test_error"] - inputs["test_error"])
    gain = (with_l2["won_against_no_l2"] - with_l2["lost_against_no_l2"]) / 60
    assert gain == pytest.approx(free["test_error"] - with_l2["test_error"])
    assert math.isnan(fits_of(table, ROWS[0], "true labels", 40).iloc[0]["won_against_random_convolutions"])


def test_digits_support_what_the_paper_says(computed):
    analysis, _, table = computed
    found = {finding.claim: finding.outcome for finding in analysis.verdict(table)}
    assert found["Random convolutions: minimum-norm interpolation generalises without regularisation"] == "supported"
    # Two draws of random labels, tested on 60 examples, leave too much open.
    assert found["Raw inputs: random labels are interpolated too, and test at chance"] == "no conclusion"
    assert found["Interpolants of very different norm and test error have the same curvature"] == "supported"


@pytest.mark.parametrize("kept", [slice(0, 0), slice(0, 1), slice(-1, None), slice(-2, -1)])
def test_what_has_finished_is_tabulated_and_judged(kept, computed):
    analysis, results, _ = computed
    table = analysis.summarise(results[kept])
    assert len(analysis.verdict(table)) == len(analysis.verdict(computed[2]))
