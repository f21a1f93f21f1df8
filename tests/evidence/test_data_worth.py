import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byrote.errors import UserError
from byrote.evidence.data_worth import sentence, worth

SIZES = (100, 200, 500, 1000, 2000, 5000)


def runs(accuracies, sizes=SIZES, *, seeds=(0, 1, 2), noise=0.0, stream=0):
    """Every seed at every size, at these accuracies plus its own noise."""
    rng = np.random.default_rng(stream)
    return pd.DataFrame(
        {"n_train": size, "seed": seed, "test_accuracy": accuracy + noise * rng.normal()}
        for size, accuracy in zip(sizes, accuracies, strict=True)
        for seed in seeds
    )


def logarithmic(sizes=SIZES, slope=0.09):
    return [0.1 + slope * math.log(size) for size in sizes]


CURVE = runs(logarithmic())


def regularised(equivalent, n_train=1000, **options):
    """Runs at n_train that do as well as the unregularised network with `equivalent` examples."""
    return runs(logarithmic([equivalent]), [n_train], **options)


@given(st.floats(100, 5000), st.sampled_from(SIZES))
@settings(max_examples=25)
def test_a_logarithmic_curve_in_closed_form(equivalent, n_train):
    # a + b log n is a straight line in log n, so interpolation is exact between the sizes as well.
    found = worth(CURVE, regularised(equivalent, n_train), num_resamples=2)
    if 101 < equivalent < 4999:  # at the ends rounding decides whether it is still on the curve
        assert found.factor == pytest.approx(equivalent / n_train)
        assert [found.low, found.high] == pytest.approx([found.factor] * 2)


def test_a_network_like_the_unregularised_one_is_worth_a_factor_of_one():
    same = CURVE[CURVE["n_train"] == 1000]
    assert worth(CURVE, same).factor == 1
    # What its seeds share with the curve's is no uncertainty.
    noisy = runs(logarithmic(), noise=0.001)
    found = worth(noisy, noisy[noisy["n_train"] == 1000])
    assert found.factor == pytest.approx(1)
    assert found.low == pytest.approx(found.high) == pytest.approx(1)


@pytest.mark.parametrize(
    ("accuracy", "n_train", "factor"),
    [(0.5, 1000, 1.0), (0.5, 50, 2.0), (0.5, 50_000, 0.1), (0.6, 1000, math.inf), (0.4, 1000, 0.0)],
)
def test_a_flat_curve_is_read_at_the_nearest_size(accuracy, n_train, factor):
    assert worth(runs([0.5] * 6), runs([accuracy], [n_train])).factor == factor


def test_a_curve_that_falls_by_chance_is_fitted_by_one_that_does_not():
    found = worth(runs([0.3, 0.4, 0.62, 0.58, 0.7, 0.8]), runs([0.65], [1000]), num_resamples=2)
    assert found.curve["n_train"].tolist() == list(SIZES)
    assert found.curve["fitted_accuracy"].tolist() == pytest.approx([0.3, 0.4, 0.6, 0.6, 0.7, 0.8])
    assert found.curve["test_accuracy"].tolist() == pytest.approx([0.3, 0.4, 0.62, 0.58, 0.7, 0.8])
    assert found.factor == pytest.approx(math.sqrt(2))  # halfway between 1000 and 2000, in log n


@pytest.mark.parametrize(("equivalent", "factor"), [(9000, math.inf), (50, 0.0)])
def test_nothing_is_extrapolated(equivalent, factor):
    found = worth(CURVE, regularised(equivalent))
    assert (found.factor, found.low, found.high) == (factor, factor, factor)


def test_an_interval_may_end_beyond_the_curve():
    found = worth(CURVE, regularised(4500, noise=0.02))
    assert 1 < found.low < found.factor < 5
    assert found.high == math.inf


def test_one_seed_has_no_interval():
    found = worth(CURVE[CURVE["seed"] == 0], regularised(1800, seeds=[0]))
    assert found.factor == pytest.approx(1.8)
    assert np.isnan([found.low, found.high]).all()
    assert found.num_seeds == 1
    assert worth(CURVE, regularised(1800, seeds=[0])).num_seeds == 1


def test_intervals_hold_the_truth_as_often_as_they_say():
    covered = []
    for repeat in range(100):
        curve = runs(logarithmic(), noise=0.01, stream=2 * repeat)
        found = worth(curve, regularised(1800, noise=0.01, stream=2 * repeat + 1), num_resamples=100)
        covered.append(found.low <= 1.8 <= found.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.05)


def test_networks_may_have_different_seeds():
    found = worth(runs(logarithmic(), noise=0.005), regularised(1800, seeds=range(5, 10), noise=0.005))
    assert found.low < 1.8 < found.high
    assert found.num_seeds == 3


def test_resamples_follow_from_the_seed():
    curve, own = runs(logarithmic(), noise=0.01), regularised(1800, noise=0.01, stream=1)
    first, again, other = (worth(curve, own, seed=seed, num_resamples=100) for seed in (0, 0, 1))
    assert (first.low, first.high) == (again.low, again.high) != (other.low, other.high)


def test_the_order_of_rows_does_not_matter():
    curve = runs(logarithmic(), noise=0.01)
    found, shuffled = (worth(rows, regularised(1800)) for rows in (curve, curve.sample(frac=1, random_state=0)))
    assert (found.factor, found.low, found.high) == (shuffled.factor, shuffled.low, shuffled.high)


@pytest.mark.parametrize(
    ("curve", "own", "words"),
    [
        (CURVE[:3], regularised(500), r"a learning curve at n_train=\[100\] alone, expected two sizes or more"),
        (CURVE, CURVE, r"regularised runs at n_train=\[100, 200, .*\], expected one size"),
        (CURVE[1:], regularised(500), "no run of seed=0, n_train=100"),
        (CURVE, pd.concat([regularised(500)] * 2), "several runs of seed=0, n_train=1000"),
        (CURVE, regularised(500).assign(failed_checks="fresh weights"), "that failed a check"),
    ],
)
def test_runs_that_do_not_make_a_curve_are_refused(curve, own, words):
    with pytest.raises(UserError, match=words):
        worth(curve, own)


WORDS = {
    1800: "random-crop is worth 1.8 times the data (95% interval 1.8 to 1.8; n = 1,000, 3 seeds).",
    600: """random-crop does harm: it is worth 0.6 times the data (95% interval 0.6 to 0.6; n = 1,000, 3 seeds):
        the unregularised network does as well with 600 examples.""",
    9000: """random-crop is worth more than 5.0 times the data (so is its whole 95% interval; n = 1,000, 3 seeds):
        its test accuracy of 0.919 is beyond that of the unregularised network with 5,000 examples,
        the most measured.""",
    50: """random-crop does harm: it is worth less than 0.1 times the data
        (so is its whole 95% interval; n = 1,000, 3 seeds): its test accuracy of 0.452 is below that of the
        unregularised network with 100 examples, the fewest measured.""",
}


@pytest.mark.parametrize("equivalent", WORDS)
def test_words(equivalent):
    assert sentence(worth(CURVE, regularised(equivalent)), "random-crop") == " ".join(WORDS[equivalent].split())


def test_words_of_one_seed():
    said = sentence(worth(CURVE, regularised(1800, seeds=[0])), "random-crop")
    assert said == "random-crop is worth 1.8 times the data (n = 1,000; one seed, so no interval)."


def test_words_of_an_interval_that_ends_beyond_the_curve():
    said = sentence(worth(CURVE, regularised(4500, noise=0.02)), "random-crop")
    assert " to more than 5.0; n = 1,000, 3 seeds)." in said


DOUBT = ", which cannot be told from 1, no worth at all"


@pytest.mark.parametrize(
    ("n_train", "equivalent", "start", "end"),
    [
        (50, 80, "dropout is worth less than 2.0 times", f"seeds){DOUBT}: its"),
        (
            8000,
            6000,
            "dropout is worth more than 0.62 times",
            "seeds), which cannot be told from 1, no worth at all: its",
        ),
        (5000, 6000, "dropout is worth more than 1.0 times", "seeds): its"),
        (100, 80, "dropout does harm: it is worth less than 1.0 times", "seeds): its"),
    ],
)
def test_what_the_curve_does_not_reach_is_judged_by_its_ends(n_train, equivalent, start, end):
    said = sentence(worth(CURVE, regularised(equivalent, n_train)), "dropout")
    assert said.startswith(f"{start} the data (so is its whole 95% interval; n = {n_train:,}, 3 {end} test accuracy")


def test_words_when_it_may_be_worth_nothing():
    said = sentence(worth(CURVE, regularised(1000, noise=0.02)), "dropout")
    assert said.endswith(f"; n = 1,000, 3 seeds){DOUBT}.")
