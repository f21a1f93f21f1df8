import pytest

from byrote.cli.flag_names import as_flags
from byrote.cli.flags import Audit, Judge
from byrote.cli.parsing import flags_of

FLAGS = ["n-train", "models", "kind", "stop", "steps", "seeds", "schedule", "learning-rate", "label"]


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("got n_train=2 of 3 classes", "got --n-train 2 of 3 classes"),
        ("got seeds=0, expected 1", "got --seeds 0, expected 1"),
        ("got learning_rate=-1.0: input", "got --learning-rate -1.0: input"),
        ("got models=('a', 'my b'), expected others", "got --models a 'my b', expected others"),
        ("got label='y': it has x (not label='z').", "got --label y: it has x (not --label z)."),
        ("stop='at_steps' with steps=None: give n_train", "--stop at_steps with no --steps: give --n-train"),
        ("give schedule=steps", "give --schedule steps"),
        ("got models=['a, b', 'it\\'s']: x", "got --models 'a, b' it's: x"),
        ("got label={'lr': 0.1, 'betas': (0.9, 1)} for", "got --label lr 0.1 betas (0.9, 1) for"),
        ("got label='': name one, not label=None", "got --label '': name one, not no --label"),
        ("got steps=1,000 of (2)", "got --steps 1,000 of (2)"),
        ("stop=True, not steps=False", "--stop, not no --steps"),
        ("got learning_rate=float('nan'), a number", "got --learning-rate float('nan'), a number"),
        ("load with kind='tokens' (`--kind tokens`), or", "load with --kind tokens, or"),
    ],
)
def test_arguments_are_called_by_their_flags(sentence, said):
    assert as_flags(sentence, FLAGS) == said


@pytest.mark.parametrize(
    "sentence",
    [
        "got the column 'n_train' of n_train.csv and data/n_train: seeds and steps, rates=3, n_trains=2",
        "give byrote.load(kind='tokens') or byrote.from_arrays(kind=2)",
        "my_n_train=2",
        "run(study, n_train=3) or make(f(2), learning_rate, steps=3)",
        "postgresql://host/db?label=3&steps=2",
    ],
)
def test_what_is_somebodys_own_stays(sentence):
    assert as_flags(sentence, FLAGS) == sentence
    assert as_flags(sentence, []) == sentence


def test_what_has_its_place_is_no_flag():
    assert {"metric", "n-train"} & {*flags_of(Audit)} == {"metric"}
    assert not {"model"} & {*flags_of(Audit)}
    assert not {"measures", "name", "recipe"} & {*flags_of(Judge)}
