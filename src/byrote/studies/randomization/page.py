"""The randomisation test on a page: the paper's Figures 1a, 1b and 1c, and the slow start on random labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from byrote.charts.figure import (
    BAND,
    MOST_LINES,
    MOST_POINTS,
    Figure,
    banded,
    binned,
    drawn_of,
    layered,
    model_label,
    over_seeds,
    rounded,
    seed_sentence,
    slug,
    steps_x,
    with_dashes,
)
from byrote.charts.marks import bands, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section, drawn
from byrote.data.corruptions.record import corruption_words
from byrote.data.dataset import Dataset
from byrote.evidence.finding import Finding
from byrote.evidence.words import percent
from byrote.studies.paper_numbers import PAPER
from byrote.studies.randomization.answers import answers, overall
from byrote.studies.randomization.label_corruption import figure_1b, figure_1c
from byrote.studies.randomization.paper import beside
from byrote.studies.randomization.study import SETTINGS as PLANNED
from byrote.studies.randomization.study import settings_of
from byrote.studies.study import Results, Study
from byrote.training.outcome import TrainOutcome

SETTINGS = tuple(corruption_words(name, 1.0) for name in PLANNED)
EARLY_MEASURES = {
    "gradient_norm": "gradient norm",
    "update_norm": "update norm",
    "gradient_cosine": "gradient cosine",
}


def present(study: Study, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """Figures 1a, 1b and 1c and the slow start, as far as the runs allow them."""
    models: dict[tuple[str, int], list[TrainOutcome]] = {}
    for outcome in results.outcomes:
        models.setdefault((outcome.spec.model, outcome.n_train), []).append(outcome)
    found = answers(table, findings, study.readers_names(table))
    sections = [
        Section(
            id="figure-1a",
            number="Figure 1a",
            title="Training loss",
            lead="Here is the loss on the training batches under each setting, with the same recipe: it shows how long "
            f"it takes to start falling, and to end. Pick a name in the legend to see it alone.{_left_out(study.data)}",
            figures=drawn(*map(figure_1a, models.values())),
        ),
        Section(
            id="figure-1b-section",
            number="Figure 1b",
            title="Time to fit",
            lead="Here is how many times longer a network takes when a share of its labels is redrawn at random.",
            figures=drawn(figure_1b(table)),
            beside_next=True,
        ),
        Section(
            id="figure-1c-section",
            number="Figure 1c",
            title="Test error",
            lead="Here is what is left of generalization once the training set has been fitted, lies included.",
            figures=drawn(figure_1c(table)),
        ),
        _beside_the_paper(table, study.data),
        Section(
            id="slow-start",
            title="The slow start",
            lead="The paper's explanation is that under random labels the first gradients are large but uncorrelated, "
            "so they cancel. Then their norms would be larger, and the cosine between successive ones smaller, the "
            "more labels are redrawn.",
            figures=[figure for runs in models.values() for figure in early_figures(runs)],
        ),
    ]
    return Presentation(
        headline=overall(found),
        answers=found,
        sections=[section for section in sections if section.figures or section.id == "paper"],
    )


def _beside_the_paper(table: pd.DataFrame, data: Dataset) -> Section:
    rows = [
        [
            Cell(row["model"], note="weight decay" if row["weight_decay"] else ""),
            row["labels"],
            Cell(percent(row["paper_train"], 2), "quiet"),
            Cell(percent(row["train_accuracy"], 2), note="" if row["fitted"] else "not fitted"),
            Cell(percent(row["paper_test"], 2), "quiet"),
            percent(row["test_accuracy"], 2),
            f"{row['n_train']:,}",
            str(row["seeds"]),
        ]
        for row in beside(table, data).to_dict("records")
    ]
    title = "Beside the paper"
    if not rows:
        none = f"No run here matches a setting of {PAPER}: its numbers are for CIFAR-10 and four architectures."
        return Section(id="paper", title=title, lead=none)
    return Section(
        id="paper",
        title=title,
        lead="",
        table=PageTable(
            header=("model", "labels", "paper", "ours", "paper", "ours", "our n", "seeds"),
            spans=(("", 2), ("training accuracy", 2), ("test accuracy", 2), ("", 2)),
            blocks={"": rows},
        ),
        note=f"The paper's figures are those of {PAPER}, Table 1, without augmentation, on 50,000 images. Fewer "
        "examples are easier to fit and harder to generalise from.",
    )


def figure_1a(outcomes: Sequence[TrainOutcome]) -> Figure | None:
    """Training loss against steps under each setting, for the runs of one model; a line a seed, or of more than
    MOST_LINES their mean with a band.

    Partly uniform labels are left to Figures 1b and 1c; None where there is nothing else. A marker stands where a run
    has fitted.
    """
    every = [outcome for outcome in outcomes if outcome.spec.uniform_rate in (None, 0.0, 1.0)]
    if not every:
        return None
    rows, of_how_many = drawn_of([outcome.spec.setting for outcome in every])
    shown = [every[row] for row in rows]
    by_setting: dict[str, list[TrainOutcome]] = {}
    for outcome in shown:
        by_setting.setdefault(outcome.spec.setting, []).append(outcome)
    many = max(map(len, by_setting.values())) > MOST_LINES
    curves = [_loss_band(setting, runs) for setting, runs in by_setting.items()] if many else map(_loss_curve, shown)
    data = pd.concat(curves, ignore_index=True)
    settings = _known_first(data["setting"].unique())
    picked = alt.selection_point(fields=["setting"], bind="legend", name="picked")
    present = [name for name in settings if name in set(data["setting"])]
    loss = alt.Y("train_loss:Q", title="training loss")
    base = alt.Chart().encode(
        x=steps_x(),
        y=loss,
        opacity=alt.condition(picked, alt.value(0.95 if _num_seeds(shown) == 1 else 0.75), alt.value(0.08)),
    )
    encodings = with_dashes("setting", settings, present)
    lines = base.mark_line(clip=True).encode(**({} if many else {"detail": "seed:N"}), **encodings).add_params(picked)
    band = base.mark_area(clip=True).encode(
        y=alt.Y("low:Q", title="training loss"),
        y2="high:Q",
        color=encodings["color"],
        opacity=alt.condition(picked, alt.value(0.18), alt.value(0.04)),
    )
    tips = [tip("setting"), tip("runs" if many else "seed"), tip("step", "fitted after steps", ",")]
    fitted = points(base.transform_filter("datum.fitted"), loss, tips, color=encodings["color"])
    return Figure(
        name=f"figure-1a-{_slug(outcomes[0])}",
        title=outcomes[0].spec.model,
        subtitle=f"n = {outcomes[0].n_train:,}",
        caption=f"{_seeds(every)} {of_how_many}{_lines_in_words(many)}{_unfitted(every)}",
        data=data,
        chart=layered(*([band] if many else []), lines, fitted, data=data, height=280),
        log_steps=True,
    )


def early_figures(outcomes: Sequence[TrainOutcome]) -> list[Figure]:
    """The slow start, for the runs of one model: gradient norm, update norm and gradient cosine of each early step.

    Over label rates only; means over bins of steps and over seeds, with the seeds' interval.
    """
    every = [outcome for outcome in outcomes if outcome.spec.uniform_rate is not None]
    rows, of_how_many = drawn_of([outcome.spec.label_rate for outcome in every])
    runs = [every[row] for row in rows if len(every[row].early["step"])]
    if len({outcome.spec.label_rate for outcome in runs}) < 2:
        return []
    last = max(int(outcome.early["step"].max()) for outcome in runs)
    figures = []
    for measure, title in EARLY_MEASURES.items():
        curves = [binned(o.early["step"], o.early[measure], last, MOST_POINTS // 4) for o in runs]
        averaged = pd.DataFrame(np.concatenate(curves), columns=["step", measure]).assign(
            label_rate=np.repeat([o.spec.label_rate for o in runs], [len(each) for each in curves])
        )
        averaged = averaged.dropna()
        # Where some seeds have left, the mean would jump.
        data = over_seeds(averaged, ["label_rate", "step"], measure, measure)
        data = data[data["seeds"] == data.groupby("label_rate")["seeds"].transform("max")].reset_index(drop=True)
        rates = sorted(data["label_rate"].unique())
        legend = alt.Legend(type="symbol", format=".0%", symbolType="stroke", symbolOpacity=1, values=rates)
        base = alt.Chart().encode(
            x=steps_x(),
            color=alt.Color("label_rate:Q", title="labels redrawn", scale=alt.Scale(domain=[0, 1]), legend=legend),
            detail="label_rate:Q",
        )
        y = alt.Y(f"{measure}:Q", title=None)
        layers = [*bands(base, y, data), base.mark_line().encode(y=y)]
        caption = (
            "The cosine is that between the gradients of successive batches. " if measure == "gradient_cosine" else ""
        )
        figures.append(
            Figure(
                name=f"early-{measure.replace('_', '-')}-{_slug(runs[0])}",
                title=f"{title[0].upper()}{title[1:]}",
                subtitle=model_label(runs[0].spec.model, runs[0].n_train),
                caption=f"{caption}Each of the first {last:,} steps counts, averaged in bins. {of_how_many}"
                f"{_seeds(every)}",
                data=data,
                chart=layered(*layers, data=data, height=200),
                log_steps=True,
            )
        )
    return figures


def _lines_in_words(many: bool) -> str:
    if not many:
        return "A dot marks the step at which training accuracy reached 99%."
    return (
        f"Lines are means over all runs of a setting, and bands span {1 - 2 * BAND[0]:.0%} of them; a run that has "
        "stopped counts on with its last loss. A dot marks the median step at which training accuracy reached 99%."
    )


def _loss_band(setting: str, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
    """The mean and the band of all runs of a setting, and the median step at which they have fitted, if all have."""
    curves = [curve for curve in map(_loss_points, outcomes) if len(curve)]
    if not curves:
        return pd.DataFrame(columns=_BAND_COLUMNS)
    rows = banded(curves, "train_loss").assign(fitted=False)
    times = [outcome.steps_to_fit for outcome in outcomes if outcome.steps_to_fit is not None]
    if len(times) == len(outcomes):
        at = float(np.median(times))
        there = {name: [np.interp(at, rows["step"], rows[name])] for name in ("train_loss", "low", "high")}
        point = pd.DataFrame({"step": [at], **there, "runs": len(curves), "fitted": [True]})
        rows = pd.concat([rows, point]).sort_values("step")
    return rounded(rows.assign(setting=setting)[_BAND_COLUMNS])


_BAND_COLUMNS = ["setting", "step", "train_loss", "low", "high", "runs", "fitted"]


def _loss_points(outcome: TrainOutcome) -> Float[np.ndarray, "M 2"]:
    """[step, loss]: the dense first steps, then a point an epoch at its last step."""
    early, curve = outcome.early, outcome.curve
    later = curve["step"] > (early["step"].max() if len(early["step"]) else 0)
    step = np.concatenate([early["step"], curve["step"][later]]).astype(np.float64)
    loss = np.concatenate([early["train_loss"], curve["train_loss"][later]]).astype(np.float64)
    finite = np.isfinite(loss)
    return binned(step[finite], loss[finite], outcome.steps_run, MOST_POINTS)


def _loss_curve(outcome: TrainOutcome) -> pd.DataFrame:
    """The points of its loss, and the step at which the run has fitted."""
    rows = pd.DataFrame(_loss_points(outcome), columns=["step", "train_loss"])
    rows["fitted"] = False
    if outcome.steps_to_fit is not None and len(rows):
        at = float(outcome.steps_to_fit)
        there = float(np.interp(at, rows["step"], rows["train_loss"]))
        rows = pd.concat([rows, pd.DataFrame({"step": [at], "train_loss": [there], "fitted": [True]})]).sort_values(
            "step"
        )
    rows = rows.assign(setting=outcome.spec.setting, seed=outcome.spec.seed)
    return rounded(rows[["setting", "seed", "step", "train_loss", "fitted"]])


def _left_out(data: Dataset) -> str:
    """What of the paper these data cannot have, as a sentence."""
    left = [corruption_words(name, 1.0) for name in PLANNED if name not in settings_of(data)]
    return f" There are no {' and '.join(left)} here: token ids have no mean or variance." if left else ""


def _known_first(settings: Iterable[str]) -> list[str]:
    """SETTINGS, whether they occur or not, so that each keeps its colour; then the others."""
    return list(dict.fromkeys([*SETTINGS, *settings]))


def _slug(outcome: TrainOutcome) -> str:
    return slug(f"{outcome.spec.model}-{outcome.n_train}")


def _num_seeds(outcomes: Sequence[TrainOutcome]) -> int:
    return len({outcome.spec.seed for outcome in outcomes})


def _seeds(outcomes: Sequence[TrainOutcome]) -> str:
    return seed_sentence(pd.DataFrame({"seed": [outcome.spec.seed for outcome in outcomes]}))


def _unfitted(outcomes: Sequence[TrainOutcome]) -> str:
    names = [o.spec.setting for o in outcomes if not o.fitted]
    return f" Not fitted: {', '.join(dict.fromkeys(names))}." if names else ""
