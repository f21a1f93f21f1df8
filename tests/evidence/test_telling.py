"""Measures that tell labels apart, and many that do not: together they are wrong as seldom as one."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from byrote.evidence.telling import tellings


def make_table(seeds=3, configurations=1, **columns):
    """A network of each configuration, seed and labels, which have all fitted."""
    cells = product(("true-labels", "random-labels"), range(configurations), range(seeds))
    table = pd.DataFrame(cells, columns=["corruption", "model", "seed"])
    recipe = {"learning_rate": 0.01, "stop": "at_interpolation", "stop_reason": "epochs", "epochs_run": 30}
    gap = (table["corruption"] == "random-labels") + 0.01 * table["seed"]
    return table.assign(fitted=True, gap=gap, **recipe, **columns)


def told(table, *names):
    return tellings({name: (table, name) for name in names})


def test_the_gap_itself_tells_and_its_opposite_does_not():
    for configurations in (1, 6):
        table = make_table(configurations=configurations).assign(against=lambda own: -own["gap"])
        found = told(table, "gap", "against")
        assert (found["gap"].tells, found["against"].tells) == (True, False)
        assert (found["gap"].share_larger, found["against"].share_larger) == (1.0, 0.0)
        assert found["gap"].num_pairs == 3 * configurations
        assert (found["gap"].num_configurations, found["gap"].num_seeds) == (configurations, 3)


def test_what_belongs_to_the_architecture_alone_does_not_tell():
    """By three seeds; a figure that two have in common may be one of chance."""
    for seeds, tells in ((3, False), (2, None)):
        found = told(make_table(seeds=seeds, parameters=100.0), "parameters")["parameters"]
        assert (found.difference.mean, found.tells) == (0, tells)


def test_pairs_that_did_not_both_fit_or_lack_a_value_decide_nothing():
    table = make_table(configurations=2)
    table.loc[table["corruption"] == "random-labels", "fitted"] = False
    found = told(table, "gap")["gap"]
    assert (found.tells, found.num_pairs, found.num_unfitted) == (None, 0, 6)
    assert found.would_decide.startswith("Networks of one configuration and seed that fit both")
    assert found.would_decide.endswith("count once they do: try `--epochs 60`, twice as many.")
    table = make_table(configurations=2)
    table.loc[0, "gap"] = math.nan
    assert told(table, "gap")["gap"].num_pairs == 5
    assert tellings({}) == {}


def test_some_that_did_not_fit_have_their_remedy_which_changes_no_rate_that_is_compared():
    table = make_table()
    table.loc[table["seed"] == 1, ["fitted", "stop", "steps_run", "stop_reason"]] = (False, "at_steps", 40, "steps")
    found = told(table, "gap")["gap"]
    assert (found.num_pairs, found.num_unfitted, found.num_seeds) == (2, 1, 2)
    assert found.would_decide == (
        "Three seeds would tell. Those that had not fitted count once they do: try `--steps 80`, twice as many."
    )
    table["stop_reason"] = "non-finite loss"
    assert told(table, "gap")["gap"].would_decide.endswith("try `--learning-rate 0.001`, a tenth of this one.")
    table.loc[table["seed"] == 2, "learning_rate"] = 0.05
    assert told(table, "gap")["gap"].would_decide == "Three seeds would tell."


def test_few_seeds_and_few_configurations_go_the_same_way_by_chance():
    one = told(make_table(seeds=1), "gap")["gap"]
    assert (one.tells, one.would_decide) == (None, "Three seeds would tell.")
    four = told(make_table(seeds=5, configurations=4), "gap")["gap"]
    assert four.tells is None
    assert four.would_decide.startswith("Five configurations would tell")


def test_a_measure_beside_fourteen_of_chance_is_told():
    """As those who know nothing give large statistics under other exchanges, three seeds do for a clear one alone."""
    generator = np.random.default_rng(0)
    noise = {f"noise {number}": np.exp(generator.standard_normal(10)) for number in range(14)}
    found = told(make_table(seeds=5).assign(**noise), "gap", *noise)
    assert (found["gap"].tells, found["gap"].would_decide) == (True, "")
    assert [name for name in noise if found[name].tells is not None or not found[name].would_decide] == []


NULLS = [*product(("configuration", "seed", "network"), (3, 5), (6,)), *product(("network",), (3, 5), (1,))]


@pytest.mark.parametrize(
    ("luck", "seeds", "configurations", "draws"),
    # Of one configuration, its own luck is what is asked.
    [
        ("configuration", 5, 6, 20),
        ("network", 3, 1, 20),
        *(pytest.param(*null, 200, marks=pytest.mark.slow) for null in NULLS),
    ],
)
def test_of_fifteen_measures_that_know_nothing_none_is_said_to_tell(seeds, configurations, luck, draws):
    """Long-tailed values, drawn for configurations with their labels, for seeds with theirs, or for single networks."""
    generator = np.random.default_rng(0)
    table = make_table(seeds, configurations)
    own = {"configuration": ["corruption", "model"], "seed": ["corruption", "seed"], "network": []}[luck]
    share = table.groupby(own).ngroup().to_numpy() if own else np.arange(len(table))
    names = [f"measure {number}" for number in range(15)]
    wrong = {True: 0, False: 0, None: 0}
    for _ in range(draws):
        values = np.exp(2 * generator.standard_normal((15, share.max() + 1)))[:, share]
        values *= np.exp(0.2 * generator.standard_normal((15, len(table))))
        found = told(table.assign(**dict(zip(names, values, strict=True))), *names)
        for outcome in {each.tells for each in found.values()}:
            wrong[outcome] += 1
    most = stats.binom.ppf(0.999, draws, 0.05)
    assert max(wrong[True], wrong[False]) <= most
