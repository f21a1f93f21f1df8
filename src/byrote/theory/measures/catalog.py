"""All measures in the box, by name."""

from __future__ import annotations

from byrote.theory.measures.baselines import early_training_loss, num_parameters, steps_to_fit
from byrote.theory.measures.distance import distance_from_initialization
from byrote.theory.measures.frobenius import frobenius_over_margin
from byrote.theory.measures.hessian import hessian_trace, top_eigenvalue
from byrote.theory.measures.margin import margin
from byrote.theory.measures.measure import Measure
from byrote.theory.measures.pac_bayes import pac_bayes_bound
from byrote.theory.measures.path_norm import path_norm_over_margin
from byrote.theory.measures.sharpness import adaptive_sharpness, sharpness
from byrote.theory.measures.spectral import spectral_bound, spectral_complexity
from byrote.theory.measures.vc import vc_bound

MEASURES: dict[str, Measure] = {
    "vc": Measure(vc_bound, "bound", "VC dimension", "Bartlett et al. 2019"),
    "spectral-bound": Measure(spectral_bound, "bound", "spectral margin bound", "Bartlett et al. 2017"),
    "pac-bayes": Measure(pac_bayes_bound, "bound", "PAC-Bayes, optimised", "Dziugaite and Roy 2017"),
    "margin": Measure(margin, "margin", "margin, 10% quantile", "Jiang et al. 2020", larger_is_worse=False),
    "spectral-complexity": Measure(
        spectral_complexity, "norm", "spectral complexity over margin", "Bartlett et al. 2017"
    ),
    "path-norm": Measure(path_norm_over_margin, "norm", "path norm over margin", "Neyshabur et al. 2015, 2017"),
    "frobenius": Measure(frobenius_over_margin, "norm", "Frobenius product over margin", "Neyshabur et al. 2015, 2017"),
    "distance": Measure(
        distance_from_initialization, "norm", "distance from initialisation", "Nagarajan and Kolter 2019"
    ),
    "sharpness": Measure(sharpness, "sharpness", "sharpness", "Keskar et al. 2017"),
    "adaptive-sharpness": Measure(adaptive_sharpness, "sharpness", "adaptive sharpness", "Kwon et al. 2021"),
    "top-eigenvalue": Measure(top_eigenvalue, "sharpness", "top Hessian eigenvalue", "Keskar et al. 2017"),
    "hessian-trace": Measure(hessian_trace, "sharpness", "trace of the Hessian", "Hutchinson 1990"),
    "parameters": Measure(num_parameters, "baseline", "number of parameters", "Jiang et al. 2020"),
    "steps-to-fit": Measure(steps_to_fit, "baseline", "steps to fit", "Dziugaite et al. 2020"),
    "early-loss": Measure(early_training_loss, "baseline", "training loss after 10 epochs", "Dziugaite et al. 2020"),
}
