"""Claims that are decided by how seeds differ (or draws, or architectures), by the functions under the verdicts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from claims.simulation import Claim, Simulation, accuracies
from scipy import stats

from byrote.evidence.attribution import ALPHA, _contrasts, examples_noise
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.intervals import Interval, joined, mean_interval, next_value
from byrote.evidence.permutations import EACH_SIDE, pair_exchanges
from byrote.evidence.seed_tests import LEVEL, Sides, all_of, sides
from byrote.evidence.telling import tellings
from byrote.evidence.verdicts import exceeds
from byrote.studies.expressivity.findings import outcome_of_ratios
from byrote.studies.largest_n.findings import SATURATED
from byrote.studies.rademacher.findings import NEAR_ONE, RISK, _change
from byrote.studies.randomization.readings import SMALL_FACTOR
from byrote.studies.stability.findings import BOTH_LABELS, Change, Sensitivity, _differs
from byrote.theory.complexity.rademacher import deviation, generalization_bound

SPREAD = 0.2
"""The standard deviation over seeds of the logarithm of a time."""


def _read(found: Sides) -> Outcome:
    return "supported" if found.above <= LEVEL else "not supported" if found.below <= LEVEL else "no conclusion"


def times(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Logarithms of ratios, seed by seed, are `effect` in the mean; those that have a run in common go together."""
    shared, *own = SPREAD * generator.standard_normal((4, seeds)) + effect / 2
    leads = [shared + each for each in own]
    small = sides(-leads[0], -math.log(SMALL_FACTOR))
    # A norm and a cosine beside the time: each may refute alone.
    return [
        Finding("grows", _read(all_of(sides(leads[0]), small)), ""),
        Finding("sooner", _read(all_of(sides(leads[0]), sides(leads[1]))), ""),
        Finding("slowly", _read(all_of(*(sides(lead) for lead in leads))), ""),
        Finding("faster", exceeds(mean_interval(leads[0]), 0.0), ""),
    ]


def small_factor(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    growth = math.log(SMALL_FACTOR) - effect + SPREAD * generator.standard_normal(seeds)
    return [Finding("small", _read(all_of(sides(growth), sides(-growth, -math.log(SMALL_FACTOR)))), "")]


def bits(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """A doubling of n multiplies bits by 1.1 less `effect`; a wider network holds e^(10 effect) times as many, and one
    that was sought at four n has e^(10 effect) times the weights of Theorem 1; draws differ by a hundredth, a tenth
    and a tenth."""
    growth = SATURATED - effect + 0.01 * generator.standard_normal(seeds)
    few, many = (600 * np.exp(0.1 * generator.standard_normal(seeds) + 10 * effect * wide) for wide in (0, 1))
    ratios = [10 * effect + 0.1 * generator.standard_normal(seeds) for _ in range(4)]
    return [
        Finding("stop", exceeds(mean_interval(-growth), -SATURATED), ""),
        Finding("more", exceeds(mean_interval(many - few), 0.0), ""),
        Finding("need", outcome_of_ratios(ratios), ""),
    ]


DRAWS_A_SEED, N = 10, 1000


def signs(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """What training reaches in 10 draws a seed of 1,000 signs: 0.5, and `effect` more on fewer examples or with a wider
    network; draws differ by 0.03, and twice as much there. And 0.98, where 0.98 is near 1, with draws at 0.96 or 1."""
    num = DRAWS_A_SEED * seeds

    def row(mean: float, spread: float) -> pd.Series:
        drawn = mean + spread * generator.standard_normal(num)
        error = float(drawn.std(ddof=1)) / math.sqrt(num)
        own = {"complexity": float(drawn.mean()), "standard_error": error, "num_draws": num}
        return pd.Series(own | {"n_train": N, "num_interrupted": 0})

    changed = _change("changes", "", row(0.5 + effect, 0.06), row(0.5, 0.03))
    reached = generator.choice([NEAR_ONE - 0.02, NEAR_ONE + 0.02], num).mean() + effect / 20
    low = float(reached) - deviation(np.ones(N), num, RISK)
    vacuous = 2 - generalization_bound(0.0, 1.0, N, RISK)  # the complexity at which the bound is 1
    drawn = generator.choice([vacuous - 0.03, vacuous + 0.03], num).mean() + effect
    bound = generalization_bound(0.0, float(drawn) - deviation(np.ones(N), num, RISK), N, RISK)
    return [
        changed,
        Finding("near", "supported" if low >= NEAR_ONE else "no conclusion", ""),
        Finding("vacuous", "supported" if bound >= 1 else "no conclusion", ""),
    ]


REPLACEMENTS = 20


def replaced(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """An example loses 0.3 in the mean, and `effect` more where labels are random; seeds differ by 0.05, and 20
    replacements by 0.2."""
    changes = {}
    for labels, mean in zip(BOTH_LABELS, (0.3, 0.3 + effect), strict=True):
        luck = 0.05 * generator.standard_normal((seeds, 1)) if seeds > 1 else 0.0
        lost = mean + luck + 0.2 * generator.standard_normal((seeds, REPLACEMENTS))
        by_seed = lost.mean(axis=1)
        resampled = generator.choice(lost[0], (200, REPLACEMENTS)).mean(axis=1)
        own = Interval(float(by_seed[0]), *np.quantile(resampled, (0.025, 0.975)).tolist(), 1)
        change = Change(own if seeds == 1 else mean_interval(by_seed), tuple(by_seed.tolist()), (1.0,) * seeds)
        changes |= {(labels, "probability", point): change for point in ("left", "test")}
    return [_differs(Sensitivity("net", "", changes, {}, 100, 10))]  # type: ignore[arg-type]


def factors(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """The first of three regularisers (switches) is worth `effect`, the others nothing; the gap is 1 less accuracy."""
    on = np.arange(8) // 4
    tested = accuracies(generator, seeds, n_test, 0.6 + effect * on)
    shapley = tested @ _contrasts(3)[0]
    runs = pd.DataFrame({"n_test": [n_test], "n_test_effective": [float(n_test)], "test_accuracy": [tested.mean()]})
    runs = runs.assign(num_test_leaked=0, test_accuracy_unleaked=np.nan)
    noise = examples_noise(runs, 3)
    # By resampling, `interval_ends` gives Student's interval of a mean.
    found = [
        joined(own, Interval(own.mean, own.mean - noise, own.mean + noise, seeds))
        for own in (mean_interval(each, 1 - ALPHA / 3) for each in shapley.T)
    ]
    told = [exceeds(each, 0.0) for each in found]
    raised: Outcome = "no conclusion"
    if "supported" in told:
        raised = "supported"
    elif set(told) == {"not supported"}:
        raised = "not supported"
    changed = any(each.low > 0 or each.high < 0 for each in found)
    return [
        Finding("raise", raised, ""),
        Finding("changes", "supported" if changed else "no conclusion", ""),
    ]


def switches(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """The first of three switches makes time e^(5 effect) times as long, the others do nothing."""
    times = 5 * effect * (np.arange(8) // 4) + SPREAD * generator.standard_normal((seeds, 8))
    found = [mean_interval(each, 1 - ALPHA / 3) for each in (times @ _contrasts(3)[0]).T]
    changes = any(each.low > 0 or each.high < 0 for each in found)
    return [Finding("time", "supported" if changes else "no conclusion", "")]


ARCHITECTURES = 6


def ranks(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Of six architectures; of two figures with a correlation of `effect`."""
    first, own = generator.standard_normal((2, ARCHITECTURES))
    second = effect * first + math.sqrt(1 - effect**2) * own
    ways = (stats.rankdata(second), stats.rankdata(-second))
    for_, against = (pair_exchanges(stats.rankdata(first), way, lambda x, y: float(x @ y)) for way in ways)
    outcome: Outcome = "no conclusion"
    if min(for_, against) <= EACH_SIDE / 2:
        outcome = "supported" if for_ < against else "not supported"
    return [Finding("ranks", outcome, "")]


def norms(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Of true labels and draws of random ones, three at least; draws differ by a fiftieth."""
    drawn = effect + 0.02 * generator.standard_normal(max(seeds, 3))
    return [Finding("norm", exceeds(next_value(drawn), 0.02 * float(generator.standard_normal())), "")]


CONFIGURATIONS = 12
MEASURES = 15


def measures(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Fifteen measures of one network whose seeds differ by a fifth, and of 12 configurations that differ by a factor
    of e beside, under either labels; random labels multiply the first by e^effect, and do nothing to the others.

    Without an effect a claim about any of them is wrong; with one it is the first that is asked.
    """
    found = []
    for words, num in (("one", 1), ("zoo", CONFIGURATIONS)):
        shape = MEASURES, 2, num, seeds
        logs = (num > 1) * generator.standard_normal((*shape[:3], 1)) + 0.2 * generator.standard_normal(shape)
        # A seed's draw of labels is shared by all configurations.
        logs += (num > 1) * 0.2 * generator.standard_normal((MEASURES, 2, 1, seeds))
        logs[0, 1] += effect
        kinds, configurations, seed = (place.ravel() for place in np.indices(shape[1:]))
        table = pd.DataFrame({"model": configurations, "seed": seed, "fitted": True})
        table["corruption"] = np.array(["true-labels", "random-labels"])[kinds]
        values = pd.DataFrame(np.exp(logs).reshape(MEASURES, -1).T, columns=list(map(str, range(MEASURES))))
        table = pd.concat([table, values], axis=1)
        told = [each.tells for each in tellings({name: (table, name) for name in values}).values()]
        outcome: Outcome = "no conclusion"
        if True in told[: 1 if effect else None]:
            outcome = "supported"
        elif False in told[: 1 if effect else None]:
            outcome = "not supported"
        found.append(Finding(words, outcome, ""))
    return found


SAME = (0.0, "both take as long")
TWICE = (math.log(2), "it takes twice as long; times of seeds differ by a quarter")
HUNDREDTH = (0.0, "a doubling of n multiplies them by 1.1")
ALIKE = (0.0, "labels change nothing")
NONE_TELLS = (0.0, "of fifteen that labels do not change, any is wrong")
NO_EFFECT = (0.0, "none changes anything")
ONE = (0.1, "one of three is worth 10 points")
UNRELATED = (0.0, "the two are drawn apart")
SIMULATIONS = [
    Simulation(
        "randomization",
        times,
        [
            Claim("MODEL's time to fit grows with label corruption by a small factor", "grows", SAME, SAME, TWICE),
            Claim(
                "MODEL starts to fit random pixels and Gaussian inputs sooner than random labels",
                "sooner", SAME, SAME, TWICE,
            ),
            Claim(
                "MODEL starts slowly on random labels, where its gradients are large and uncorrelated",
                "slowly", SAME, SAME, (math.log(2), "all three are as clear as times that double"),
            ),
            Claim("Batch norm speeds up the training of MODEL", "faster", SAME, SAME, TWICE, "implicit"),
        ],
        test_examples=(0,),
        name="times",
    ),
    Simulation(
        "randomization",
        small_factor,
        [
            Claim(
                "MODEL's time to fit grows with label corruption by a small factor", "small",
                (0.0, "it takes 10 times as long"), (0.0, "it takes 10 times as long"),
                (math.log(5), "it takes twice as long; times of seeds differ by a fifth"),
            )
        ],
        test_examples=(0,),
        name="small factor",
    ),
    Simulation(
        "largest-n",
        bits,
        [
            Claim(
                "The bits that MODEL memorises stop growing with n", "stop", HUNDREDTH, HUNDREDTH,
                (0.1, "they stay the same; seeds differ by a hundredth"),
            ),
            Claim(
                "Memorised bits grow with the number of parameters", "more",
                (0.0, "both networks hold as many"), (0.0, "both networks hold as many"),
                (0.1, "the wider holds 2.7 times as many; seeds differ by a tenth"),
            ),
            Claim(
                "Trained networks (FAMILY) need more weights than Theorem 1's", "need",
                (0.0, "they need as many, at each of four n"), (0.0, "they need as many, at each of four n"),
                (0.1, "they need 2.7 times as many; draws differ by a tenth"), "expressivity",
            ),
        ],
        test_examples=(0,),
        name="bits",
    ),
    Simulation(
        "rademacher",
        signs,
        [
            Claim(
                "What training of MODEL reaches falls with the number of examples", "changes",
                (0.0, "both are 0.5; 10 draws of signs a seed differ by 0.06 and 0.03"),
                (0.0, "both are 0.5; 10 draws of signs a seed differ by 0.06 and 0.03"),
                (0.1, "they are 0.6 and 0.5"),
            ), Claim(
                "What training reaches grows with width", "changes",
                (0.0, "both are 0.5; 10 draws of signs a seed differ by 0.06 and 0.03"),
                (0.0, "both are 0.5; 10 draws of signs a seed differ by 0.06 and 0.03"),
                (0.1, "they are 0.6 and 0.5"),
            ),
            Claim(
                "MODEL fits coin flips: its Rademacher complexity is near 1", "near",
                (0.0, "it is 0.98"), (0.4, "it is 1"), (0.4, "it is 1"),
            ),
            Claim(
                "The bound on the test error that follows from the complexity of MODEL is vacuous", "vacuous",
                (0.0, "it is 1"), (0.1, "it is 1.1"), (0.1, "it is 1.1"),
            ),
        ],
        test_examples=(0,),
        name="signs",
    ),
    Simulation(
        "stability",
        replaced,
        [
            Claim(
                "MODEL: a replaced example loses more where labels are random", "net: a replaced example loses more .*",
                ALIKE, ALIKE, (0.3, "it loses 0.6 instead of 0.3; seeds differ by 0.05, 20 replacements by 0.2"),
            )
        ],
        test_examples=(0,),
        name="replaced",
    ),
    Simulation(
        "regularization",
        factors,
        [
            Claim(
                "Regularisers raise MODEL's test accuracy", "raise",
                NO_EFFECT, NO_EFFECT, ONE,
            ), Claim(
                "Regularisers narrow MODEL's generalization gap", "raise",
                NO_EFFECT, NO_EFFECT, ONE,
            ),
            Claim(
                "SWITCHES changes the test accuracy of a switchboard on true labels", "changes",
                NO_EFFECT, ONE, ONE, "architectures",
            ),
        ],
        name="factors",
    ),
    Simulation(
        "architectures",
        switches,
        [
            Claim(
                "SWITCHES changes the time a switchboard takes to fit random labels", "time", NO_EFFECT,
                (0.1, "one of three makes it 1.6 times as long"),
                (0.1, "one of three makes it 1.6 times as long; times of seeds differ by a fifth"),
            ),
        ],
        test_examples=(0,),
        name="switches",
    ),
    Simulation(
        "architectures",
        ranks,
        [
            Claim(
                "Architectures that generalise better can memorise less", "ranks",
                UNRELATED, UNRELATED, (0.95, f"{ARCHITECTURES} architectures, with a correlation of 0.95"),
            ), Claim(
                "Architectures that generalise better are slower to memorise", "ranks",
                UNRELATED, UNRELATED, (0.95, f"{ARCHITECTURES} architectures, with a correlation of 0.95"),
            )
        ],
        test_examples=(0,),
        seeds=(1,),
        name="ranks",
    ),
    Simulation(
        "min-norm",
        norms,
        [
            Claim(
                "FEATURES: the norm is larger for random labels than for true ones", "norm",
                (0.0, "the norms are drawn alike"), (0.0, "the norms are drawn alike"),
                (0.2, "it is 1.2 times as large; draws differ by a fiftieth"),
            )
        ],
        test_examples=(0,),
        seeds=(3, 5),
        name="norms",
    ),
    Simulation(
        "bounds",
        measures,
        [
            Claim(
                "MEASURE tells true labels from random ones", "one", NONE_TELLS, NONE_TELLS,
                (2.0, "random labels multiply one of fifteen by 7.4"),
            ),
            Claim(
                "MEASURE tells true labels from random ones", "zoo", NONE_TELLS, NONE_TELLS,
                (2.0, f"they multiply one of fifteen by 7.4; {CONFIGURATIONS} configurations differ by a factor of e"),
                "judge",
            ),
        ],
        test_examples=(0,),
        seeds=(3, 5),
        name="measures",
    ),
]  # fmt: skip
FACTS: list = []
