import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import byrote
from byrote.audits.page import headline, notes, render, sections
from byrote.audits.stage import StageResult


@pytest.fixture(scope="module")
def leaking():
    draw = np.random.default_rng(0)
    x, y = draw.integers(0, 256, (120, 1, 8, 8)).astype(np.uint8), np.arange(120) % 2
    x[100:110] = x[:10]
    return byrote.audit(
        KNeighborsClassifier(1),
        (x[:100], y[:100]),
        test=(x[100:], y[100:]),
        stages=["data", "signal"],
        quiet=True,
        command="c <b>",
    )


def test_the_page_says_what_was_found(leaking):
    html = render(leaking, sections(leaking))
    assert "without 10 images known from training" in html
    assert "c &lt;b&gt;" in html
    assert html.count("data:image/png;base64,") == 12
    assert not re.search(r'(src|href)="http', html)
    assert headline(leaking.findings) in html


def test_why_a_stage_was_skipped_is_said_once(leaking):
    skipped = replace(leaking, results={"rote": StageResult("skipped", "It cannot be fitted on halves.")})
    assert render(skipped, []).count("<p>It cannot be fitted on halves.") == 1
    assert 'class="lead">It cannot be fitted' not in render(skipped, [])


def test_the_notes_say_how_to_read_it(leaking):
    text = " ".join(notes(leaking))
    assert "100 training and 20 test rows" in text
    assert "Holm" in text


def test_the_page_is_written_whole(leaking, tmp_path):
    leaking.report(tmp_path / "page" / "report.html")
    assert (tmp_path / "page" / "figures" / "signal.svg").is_file()


def test_a_notebook_shows_the_findings(leaking):
    assert "KNeighborsClassifier beats chance" in leaking._repr_html_()
