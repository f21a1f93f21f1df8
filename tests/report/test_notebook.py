import re

import pytest

import byrote
from byrote.models.catalog import build_model
from byrote.training.recipe import Recipe


@pytest.fixture(scope="module")
def study(tiny):
    recipe = Recipe(stop="at_steps", steps=4, learning_rate=0.1, batch_size=20)
    return byrote.RandomizationStudy(
        data=tiny, models=["mlp-1x16"], settings=["true-labels", "random-labels"], rates=[], recipe=recipe
    )


@pytest.fixture(scope="module")
def outcomes(study, tmp_path_factory):
    return byrote.run(study, store=tmp_path_factory.mktemp("store") / "runs.db", device="cpu", quiet=True)


def test_reprs_are_a_line(study, outcomes):
    shown = [repr(each) for each in (study, outcomes, outcomes[0], study.data, study.data.train)]
    assert shown[0] == "<RandomizationStudy 'randomization' on tiny: 2 runs>"
    assert shown[1].startswith("<2 finished runs of <RandomizationStudy")
    assert re.match(r"<TrainOutcome mlp-1x16, true-labels, seed 0, n = \d+: ", shown[2])
    assert shown[3].startswith("<Dataset tiny: ")
    assert all(len(each) < 200 and "\n" not in each for each in shown)


def test_a_study_of_runs_and_calculations_is_a_line_too(tiny):
    study = byrote.BoundsStudy(data=tiny, model="mlp-1x16", seeds=1)
    assert repr(study) == "<BoundsStudy 'bounds' on tiny: 4 runs and calculations>"


def test_a_notebook_shows_pictures_that_load_nothing(study, outcomes):
    pages = [each._repr_html_() for each in (study, outcomes, outcomes[0])]
    for page in pages:
        sources = re.findall(r'src="([^"]*)"', page)
        assert sources
        assert all(source.startswith("data:image/") for source in sources)
        assert "<script" not in page
    assert "can fit random labels" in pages[1]
    assert "random labels" in pages[0]


def test_what_was_run_is_still_a_list(outcomes):
    assert list(outcomes) == outcomes
    assert len(outcomes[:1]) == 1


def test_progress_is_shown_unless_quiet(study, tmp_path, capsys):
    byrote.run(study, store=tmp_path / "quiet.db", device="cpu", quiet=True)
    assert capsys.readouterr().err == ""
    seen = []
    byrote.run(study, store=tmp_path / "told.db", device="cpu", on_result=seen.append)
    assert "2/2  mlp-1x16, random-labels, seed 0" in capsys.readouterr().err
    assert len(seen) == 2


def test_own_models_go_by_their_short_names(tiny, tmp_path):
    def own(*, input_shape, num_classes):
        return build_model("mlp-1x8", input_shape=input_shape, num_classes=num_classes)

    recipe = Recipe(steps=2)
    study = byrote.RandomizationStudy(data=tiny, models=[own], settings=["true-labels"], rates=[], recipe=recipe)
    outcomes = byrote.run(study, store=tmp_path / "runs.db", device="cpu", quiet=True)
    assert "@" in outcomes[0].spec.model
    assert repr(outcomes[0]).startswith("<TrainOutcome own, true-labels")
    for page in (study._repr_html_(), outcomes._repr_html_(), outcomes[0]._repr_html_()):
        words = re.sub(r'src="[^"]*"', "", page)
        assert "own" in words
        assert outcomes[0].spec.model not in words
