from byrote.cli.training import train_shown
from byrote.runs.executors import Local
from byrote.runs.store import Store
from byrote.studies.judge.zoo import ZooStudy
from byrote.training.spec import Recipe


def zoo(tiny, **recipe):
    recipe = Recipe(**{"steps": 2} | recipe)
    return ZooStudy(data=tiny, models=["mlp-1x4"], seeds=2, recipe=recipe, grid={}, conditions=((),))


def test_runs_are_shown_and_kept(tiny, tmp_path, capsys):
    seen = []
    with Store(tmp_path / "runs.db") as store:
        outcomes, failures = train_shown(
            zoo(tiny), store, Local(), device="cpu", keep_weights=True, on_progress=seen.append
        )
        assert len(outcomes) == 2
        assert failures == ()
        assert store.weights(outcomes[0].key)
    assert seen
    assert "2/2  mlp-1x4, true-labels, seed 1" in capsys.readouterr().err


def test_runs_without_weights_count_as_undone_where_they_are_wanted(tiny, tmp_path, capsys):
    with Store(tmp_path / "runs.db") as store:
        train_shown(zoo(tiny), store, Local(), device="cpu", keep_weights=False)
        capsys.readouterr()
        train_shown(zoo(tiny), store, Local(), device="cpu", keep_weights=True)
    assert "2/2  mlp-1x4" in capsys.readouterr().err


def test_failures_are_given_and_said(tiny, tmp_path, capsys):
    source = tmp_path / "own.py"
    source.write_text(
        "import torch\n\nclass Broken(torch.optim.SGD):\n    num_steps = 0\n\n"
        "    def step(self, closure=None):\n        Broken.num_steps += 1\n"
        "        if Broken.num_steps > 5:\n            raise RuntimeError('no step')\n        super().step(closure)\n"
    )
    with Store(tmp_path / "runs.db") as store:
        outcomes, failures = train_shown(
            zoo(tiny, optimizer=f"{source}:Broken", steps=20), store, Local(), device="cpu", keep_weights=False
        )
    assert outcomes == []
    assert len(failures) == 2
    assert "2 of 2 runs failed" in capsys.readouterr().err
