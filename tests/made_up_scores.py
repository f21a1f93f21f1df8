"""Calculations as networks would leave them, whose answers a test chooses."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from byrote.studies.memorization.calculations import ExampleScores
from byrote.studies.memorization.readings import ATTACKS, RATES, ROC_RATES
from byrote.studies.memorization.study import MemorizationStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Computed

NAMES = ("memorization", "memorization_wrong", "memorization_right")


def pretended(calculation: ExampleScores, data, share_out, *, auc=0.6, fitted=True, width=0.01, **values):
    """All networks know what they are trained on, and others the share `share_out` [N]."""
    num, half, size = len(data.train), calculation.networks // 2, calculation.influential
    hits_out = np.round(np.broadcast_to(share_out, num) * half).astype(int)
    found = {
        "num_runs": calculation.networks,
        "num_fitted": calculation.networks if fitted else 0,
        "num_diverged": 0,
        "failed_checks": "",
        "parameters": int(calculation.model.rpartition("x")[2]) * 74,
        "test_accuracy": 0.9,
    }
    means = {"memorization": 1 - np.mean(hits_out / half)} | dict.fromkeys(NAMES[1:], 0.5)
    means |= {f"{attack}_auc": auc for attack in ATTACKS}
    means |= {f"{attack}_tpr_{end}": 0.3 for attack in ATTACKS for end in RATES}
    for name, mean in means.items():
        found |= {name: mean, f"{name}_low": mean - width, f"{name}_high": mean + width}
    arrays = {
        "hits_in": np.full(num, half),
        "hits_out": hits_out,
        "num_in": np.full(num, half),
        "num_out": np.full(num, half),
        "classes": np.tile([0.2, 0.1, 0.3], (data.num_classes, 1)),
        "roc_rates": ROC_RATES,
    }
    arrays |= {f"roc_{attack}": np.sqrt(ROC_RATES) for attack in ATTACKS}
    arrays |= {f"{attack}_told_{end}": half - hits_out for attack in ATTACKS for end in RATES}
    if size:
        rows = np.tile(np.arange(size), (len(data.test), 1))
        arrays |= {"influential": rows}
        arrays |= dict.fromkeys(("influence", "influence_low", "influence_high"), rows / 10)
    return Computed("key", calculation, "tiny", MappingProxyType(found | values), arrays, 1.0, {})


def made_up(study: MemorizationStudy, share_out, **fields) -> Results:
    """Of each calculation of the plan: `share_out(calculation)` says what networks know of what is left out."""
    return Results(
        study,
        [
            (planned, pretended(planned.task, planned.data or study.data, share_out(planned.task), **fields))
            for planned in study.plan()
            if isinstance(planned.task, ExampleScores)
        ],
    )
