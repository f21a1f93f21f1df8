"""What a notebook shows of a study, of its outcomes and of one of them: a line of words, then pictures.

Pictures are SVG images within the cell: they load nothing, and stay when the notebook is shared.
"""

from __future__ import annotations

import base64
import html
import json
from collections import Counter
from collections.abc import Iterable, Sequence

import altair as alt
import pandas as pd
import vl_convert

from byrote.charts.examples import example_rows
from byrote.charts.figure import Figure, condition_label, layered, rounded
from byrote.charts.theme import LIGHT, vega_config
from byrote.references import short_name
from byrote.report.rendering import code_marked
from byrote.report.short_names import names_on_page, with_short_names
from byrote.studies.study import Results, Study
from byrote.theory.calculation import Calculation
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

_WIDTH = 560


def study_html(study: Study) -> str:
    """Which runs a study plans, and some of its examples as the networks see them."""
    specs = [task for task in study.tasks() if isinstance(task, TrainSpec)]
    names = names_on_page(study, ())
    others = Counter(task.name for task in study.tasks() if isinstance(task, Calculation))
    conditions = Counter((names.get(spec.model, spec.model), condition_label(spec)) for spec in specs)
    rows = [(model, condition, str(count)) for (model, condition), count in conditions.items()]
    rows += [(name, "calculation", str(count)) for name, count in others.items()]
    examples = [
        (
            row.setting,
            "".join(
                f'<span title="{html.escape(example.label)}"><img src="{example.picture}" width="40" height="40" '
                f'style="image-rendering: pixelated" alt="{html.escape(example.label)}"></span> '
                for example in row.examples
            ),
        )
        for row in (example_rows(study.data, specs) if specs else [])
    ]
    pictures = "".join(f"<p>{html.escape(setting)}<br>{images}</p>" for setting, images in examples)
    return f"<p>{html.escape(repr(study))}</p>{_table(('model', 'condition', 'runs'), rows)}{pictures}"


def results_html(study: Study, results: Results) -> str:
    """The headline, the verdict and the figures of the study's page."""
    if not results:
        return f"<p>{html.escape(repr(study))}: no finished run</p>"
    table = study.summarise(results)
    findings = study.verdict(table)
    shown = study.page(results, table, findings)
    names = names_on_page(study, results)
    headline, figures, findings = with_short_names((shown.headline, shown.figures, findings), names)
    verdict = _table(
        ("claim", "outcome", "what was found"), [(each.claim, each.outcome, each.statement) for each in findings]
    )
    return f"<p><b>{code_marked(headline)}</b></p>{verdict}{''.join(map(_picture, figures))}"


def outcome_html(outcome: TrainOutcome) -> str:
    """One run: its figures, and its accuracies and loss along training."""
    return f"<p>{html.escape(repr(outcome))}</p>{_picture(learning_curve(outcome))}"


def learning_curve(outcome: TrainOutcome) -> Figure:
    """Accuracy against epochs: the running one of each epoch, and where the whole sets were evaluated."""
    curve = pd.DataFrame({name: outcome.curve[name] for name in ("epoch", *_CURVES)})
    data = rounded(curve.rename(columns=_CURVES).melt("epoch", var_name="curve", value_name="accuracy").dropna())
    base = alt.Chart().encode(
        x=alt.X("epoch:Q", title="epoch"),
        y=alt.Y("accuracy:Q", title="accuracy", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("curve:N", title=None, scale=alt.Scale(domain=list(_CURVES.values()))),
    )
    return Figure(
        name="learning-curve",
        title=f"{short_name(outcome.spec.model)}, {condition_label(outcome.spec)}",
        subtitle=f"n = {outcome.n_train:,}, seed {outcome.spec.seed}",
        caption="",
        data=data,
        chart=layered(base.mark_line(), base.mark_point(), data=data, height=220),
    )


_CURVES = {
    "running_accuracy": "training, while weights move",
    "train_accuracy": "training, evaluation mode",
    "test_accuracy": "test",
}


def _picture(figure: Figure) -> str:
    titled = {"text": figure.title, "subtitle": figure.subtitle}
    spec = json.dumps({**figure.spec, "width": _WIDTH, "title": titled})
    drawn = vl_convert.vegalite_to_svg(spec, config=vega_config(LIGHT, "screen"))
    data = base64.b64encode(drawn.encode()).decode("ascii")
    image = f'<img src="data:image/svg+xml;base64,{data}" style="max-width: 100%" alt="{html.escape(figure.title)}">'
    return f"<p>{image}<br>{code_marked(figure.caption)}</p>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align: left">{code_marked(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
