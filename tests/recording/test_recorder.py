"""Twenty loaders that are misaligned are refused, aligned ones are recorded as they are, in one process or several."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from in_ranks import processes, recorded
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import ConcatDataset, DataLoader, RandomSampler, Subset, TensorDataset, WeightedRandomSampler

from byrote.errors import UserError
from byrote.recording.indexed import IndexedDataset
from byrote.recording.recorder import Recorder

N, BATCH, K = 96, 16, 10
Batches = Iterator[tuple[Tensor, Tensor]]
"""Of rows and labels, as a loop would record them."""


def labels(num: int = N) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(K, size=num))


def data_set(num: int = N) -> TensorDataset:
    return TensorDataset(torch.arange(num)[:, None].float(), labels(num))


def loader(data: object, **options: object) -> DataLoader:
    return DataLoader(data, BATCH, generator=torch.Generator().manual_seed(1), **{"shuffle": True} | options)


def rows_of(inputs: Tensor) -> Tensor:
    return inputs[:, 0].long()


def aligned(data: object = None, **options: object) -> Batches:
    return ((rows_of(x), y) for x, y in loader(data or data_set(), **options))


def counted(batches: Batches, start: int = 0) -> Batches:
    for rows, y in batches:
        yield torch.arange(start, start + len(rows)), y
        start += len(rows)


def by_batch(change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], batches: Batches | None = None) -> Batches:
    return (change(rows, y) for rows, y in batches or aligned())


def behind_by_one(batches: Batches) -> Batches:
    before = None
    for rows, y in batches:
        if before is not None:
            yield before, y
        before = rows
    yield before, y


def in_halves() -> Batches:
    halves = [IndexedDataset(Subset(data_set(), range(start, start + N // 2))) for start in (0, N // 2)]
    return ((rows, y) for rows, _, y in loader(ConcatDataset(halves)))


def one_wrong(rows: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return rows, torch.where(rows == 17, (y + 1) % K, y)


def shuffled_within(rows: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return rows, y.roll(1)


MISALIGNED: dict[str, tuple[Callable[[], Batches], str]] = {
    "counter over a shuffled loader": (lambda: counted(aligned()), "are not those of their rows"),
    "counter over a loader that drops its last": (
        lambda: counted(aligned(Subset(data_set(), range(N - 5)), drop_last=True)),
        "are not those of their rows",
    ),
    "counter from one": (lambda: counted(aligned(shuffle=False), 1), "are not those|index 96, expected rows"),
    "position in the batch": (lambda: by_batch(lambda rows, y: (torch.arange(len(y)), y)), "stayed below 16"),
    "position in a Subset": (
        lambda: ((rows, y) for rows, _, y in loader(IndexedDataset(Subset(data_set(), range(40, N))))),
        "are not those of their rows",
    ),
    "rows of a larger set": (lambda: aligned(data_set(2 * N)), "expected rows from 0 to 95"),
    "a part of the rows alone": (lambda: aligned(Subset(data_set(), range(40))), "ended after 40 of 96 examples"),
    "reversed": (lambda: by_batch(lambda rows, y: (N - 1 - rows, y)), "are not those of their rows"),
    "rows of another shuffle": (
        lambda: by_batch(
            lambda pair, y: (pair[:, 0], y),
            (
                (torch.stack([other, rows], dim=1), y)
                for other, (rows, y) in zip(torch.randperm(N).split(BATCH), aligned(), strict=True)
            ),
        ),
        "are not those of their rows",
    ),
    "sorted within the batch": (lambda: by_batch(lambda rows, y: (rows.sort().values, y)), "are not those"),
    "drawn with replacement": (
        lambda: aligned(sampler=RandomSampler(data_set(), replacement=True), shuffle=False),
        "came twice within one epoch",
    ),
    "drawn by weights": (
        lambda: aligned(sampler=WeightedRandomSampler(torch.ones(N), N), shuffle=False),
        "came twice within one epoch",
    ),
    "the set twice in an epoch": (
        lambda: aligned(ConcatDataset([data_set()] * 2)),
        "came twice within one epoch",
    ),
    "two halves that count for themselves": (in_halves, "came twice within one epoch|are not those"),
    "each batch recorded twice": (
        lambda: (batch for each in aligned() for batch in (each, each)),
        "came twice within one epoch",
    ),
    "the batch before": (lambda: behind_by_one(aligned()), "are not those of their rows"),
    "rows cut to seven bits": (lambda: by_batch(lambda rows, y: (rows % 64, y)), "came twice|are not those"),
    "classes numbered otherwise": (lambda: by_batch(lambda rows, y: (rows, (y + 1) % K)), "are not those"),
    "labels exchanged within the batch": (lambda: by_batch(shuffled_within), "are not those of their rows"),
    "one label that changed": (lambda: by_batch(one_wrong), r"example 17: \d, expected \d"),
    "negative rows": (lambda: by_batch(lambda rows, y: (rows - N, y)), "got index -"),
}


def epoch_of(recorder: Recorder, batches: Batches) -> None:
    for rows, y in batches:
        recorder.record(rows, torch.zeros(len(rows), K), y)
    recorder.end_epoch()


@pytest.mark.parametrize("name", MISALIGNED)
def test_misaligned_loader_is_refused_at_the_end_of_the_first_epoch(name: str) -> None:
    batches, sentence = MISALIGNED[name]
    recorder = Recorder(N, labels=labels())
    with pytest.raises(UserError, match=sentence):
        epoch_of(recorder, batches())
    assert recorder.num_epochs == 0


def test_planted_labels_that_are_not_trained_on_are_refused() -> None:
    recorder = Recorder(N)
    recorder.plant(labels(), rate=0.1)
    with pytest.raises(UserError, match=r"train on the labels that recorder\.plant returned"):
        epoch_of(recorder, aligned())


@pytest.mark.parametrize("num_workers", [0, 2])
def test_aligned_loader_is_recorded(num_workers: int) -> None:
    recorder = Recorder(N)
    indexed = recorder.indexed(data_set())
    for epoch in range(2):
        for rows, x, y in loader(indexed, num_workers=num_workers):
            assert torch.equal(rows, rows_of(x))
            logits = F.one_hot(y, K) * (1.0 + rows[:, None]) - epoch
            recorder.record(rows, logits, y)
    recording = recorder.recording()
    assert recorder.num_epochs == recording.num_epochs == 2
    np.testing.assert_array_equal(recording.labels, labels())
    np.testing.assert_array_equal(recording.margin[1], np.arange(N, dtype=np.float16) + 1)


def test_without_labels_a_counter_is_refused_and_other_rows_in_the_second_epoch() -> None:
    with pytest.raises(UserError, match="as a counter in the loop does"):
        epoch_of(Recorder(N), counted(aligned()))
    recorder = Recorder(N)
    epoch_of(recorder, by_batch(lambda rows, y: (N - 1 - rows, y)))
    with pytest.raises(UserError, match="in an earlier epoch"):
        epoch_of(recorder, aligned())


def test_figures_are_those_of_torch() -> None:
    logits, y = torch.randn(N, K, generator=torch.Generator().manual_seed(0)), labels()
    recorder = Recorder(N, labels=y)
    for rows in torch.arange(N).flip(0).split(BATCH):
        recorder.record(rows, logits[rows], y[rows])
    recording = recorder.recording()
    np.testing.assert_allclose(recording.loss[0], F.cross_entropy(logits, y, reduction="none"), rtol=1e-3)
    others = logits.masked_fill(F.one_hot(y, K).bool(), -torch.inf)
    np.testing.assert_array_equal(recording.rival[0], others.argmax(1))
    right = logits.argmax(1) == y
    np.testing.assert_array_equal(recording.margin[0] > 0, right)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_one_logit_is_of_the_second_of_two_classes(shape: tuple[int, ...]) -> None:
    recorder = Recorder(4, labels=[0, 1, 0, 1])
    recorder.record([3, 1, 0, 2], torch.tensor([2.0, -1.0, 3.0, -4.0]).reshape(shape), torch.tensor([1, 1, 0, 0]))
    np.testing.assert_array_equal(recorder.recording().margin[0], [-3, -1, 4, 2])


def test_rows_are_fetched_once_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byrote.recording.recorder._PENDING", BATCH)
    recorder = Recorder(N, labels=labels())
    for rows, y in aligned():
        recorder.record(rows, torch.zeros(len(rows), K), y)
        assert recorder._pending == []
    assert recorder.num_epochs == 1


def test_an_epoch_may_lack_its_last_batch_and_a_later_one_is_left_out_where_it_ends_early() -> None:
    recorder = Recorder(N - 5, labels=labels()[: N - 5])
    kept = Subset(data_set(), range(N - 5))
    epoch_of(recorder, aligned(kept, drop_last=True))
    epoch_of(recorder, aligned(kept, drop_last=True))
    recorder.record([3, 4], torch.zeros(2, K), labels()[3:5])
    recorder.end_epoch()
    recorder.end_epoch()
    recording = recorder.recording()
    assert (recording.num_epochs, recording.incomplete_epochs) == (2, 1)
    assert np.isnan(recording.loss).sum(axis=1).tolist() == [N % BATCH - 5 + BATCH] * 2


def test_what_is_not_finite_is_counted() -> None:
    recorder = Recorder(2, labels=[0, 1])
    recorder.record([1, 0], torch.tensor([[torch.nan, 0.0], [1e9, -1e9]]), torch.tensor([1, 0]))
    recording = recorder.recording()
    assert recording.num_not_finite == 1
    np.testing.assert_array_equal(recording.margin[0], [65504, np.nan])


@pytest.mark.parametrize(
    ("index", "logits", "targets", "sentence"),
    [
        ([0.0, 1.0], torch.zeros(2, 3), [0, 1], "an index of shape"),
        ([0, 1], torch.zeros(2, 3, 4), [0, 1], "logits of shape"),
        ([0, 1], torch.zeros(2, 3), [[0.5, 0.5, 0]] * 2, "mixed or soft labels"),
        ([0, 1, 2], torch.zeros(2, 3), [0, 1], "3 rows, 2 logits and 2 targets"),
        ([0, 1], torch.zeros(2, 3), [0, -100], "got target -100"),
        (["a", "b"], torch.zeros(2, 3), [0, 1], "an index of type list, expected a tensor"),
        (None, torch.zeros(2, 3), [0, 1], "an index of type NoneType"),
        ([0, 1], {"logits": torch.zeros(2, 3)}, [0, 1], "logits of type dict.* its logits"),
        ([0, 1], torch.zeros(2, 0), [0, 1], "logits of shape"),
        ([0, 1], torch.zeros(2, 3), ["a", "b"], "targets of type list"),
    ],
)
def test_what_is_no_batch_is_refused(index: object, logits: object, targets: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Recorder(2).record(index, logits, targets)


def test_one_folder_holds_one_run(tmp_path: Path) -> None:
    first = Recorder(N, labels=labels(), folder=tmp_path / "record")
    epoch_of(first, aligned())
    assert Recorder.read(tmp_path / "record").num_epochs == 1
    with pytest.raises(UserError, match="holds the record of a run already"):
        epoch_of(Recorder(N, labels=labels(), folder=tmp_path / "record"), aligned())


def recorded_until(folder: Path, epochs: float, *, resume: int | None = None, plant: float = 0.1) -> Recorder:
    """Margins are the number of the epoch, from 1; a run that ends within an epoch is killed there."""
    recorder = Recorder(N, folder=folder, resume=resume)
    y = recorder.plant(labels(), rate=plant)
    for epoch in range(resume or 0, math.ceil(epochs)):
        order = torch.randperm(N, generator=torch.Generator().manual_seed(epoch))
        for rows in order[: round((epochs - epoch) * N)].split(BATCH):
            recorder.record(rows, F.one_hot(y[rows], K) * (epoch + 1.0), y[rows])
    return recorder


def test_a_run_goes_on_where_its_checkpoint_is(tmp_path: Path) -> None:
    recorded_until(tmp_path, 3.5, resume=0)
    with pytest.warns(UserWarning, match="has 3 epochs, and training goes on after 2: 1 is dropped"):
        resumed = recorded_until(tmp_path, 5, resume=2)
    assert resumed.num_epochs == 5
    assert resumed.recording().margin[:, 0].tolist() == [1, 2, 3, 4, 5]
    finished = recorded_until(tmp_path, 5, resume=5)
    assert (finished.num_epochs, finished.recording().num_epochs) == (5, 5)
    whole = recorded_until(tmp_path / "whole", 5).recording()
    np.testing.assert_array_equal(whole.loss, resumed.recording().loss)
    np.testing.assert_array_equal(whole.planted.rows, resumed.recording().planted.rows)
    with pytest.warns(UserWarning, match="5 are dropped"):
        anew = recorded_until(tmp_path, 1, resume=0)
    assert anew.recording().num_epochs == 1


def test_of_an_epoch_that_a_checkpoint_cuts_nothing_is_kept(tmp_path: Path) -> None:
    recorded_until(tmp_path, 2.5, resume=0)
    recorder = Recorder(N, folder=tmp_path, resume=2)
    y = recorder.plant(labels(), rate=0.1)
    recorder.record(torch.arange(N // 2), F.one_hot(y[: N // 2], K), y[: N // 2])
    with pytest.warns(UserWarning, match="48 of 96 examples came in the epoch that training went on within"):
        recorder.end_epoch()
    for rows in torch.arange(N).flip(0).split(BATCH):
        recorder.record(rows, F.one_hot(y[rows], K) * 4.0, y[rows])
    recording = recorder.recording()
    assert (recording.margin[:, 0].tolist(), recording.incomplete_epochs) == ([1, 2, 4], 1)
    assert Recorder(N, folder=tmp_path, resume=4).num_epochs == 3
    with pytest.warns(UserWarning, match="has 3 epochs, and training goes on after 2: 1 is dropped"):
        assert Recorder(N, folder=tmp_path, resume=2).num_epochs == 2


def test_what_was_recorded_of_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    recorded_until(tmp_path, 2)
    with pytest.raises(UserError, match="got resume=4 and a record of 2 epochs"):
        Recorder(N, folder=tmp_path, resume=4)
    with pytest.raises(UserError, match="got num_examples=97 and a record of 96"):
        Recorder(N + 1, folder=tmp_path, resume=2)
    with pytest.raises(UserError, match="has 10 planted errors, and this run 19 planted errors"):
        recorded_until(tmp_path, 3, resume=2, plant=0.2)
    with pytest.raises(UserError, match="has 10 planted errors, and this run no planted errors"):
        epoch_of(Recorder(N, folder=tmp_path, resume=2), aligned())
    with pytest.raises(UserError, match=r"got 7 classes in 1 processes, and a record of 10 classes"):
        Recorder(N, folder=tmp_path, resume=2).record([0], torch.zeros(1, 7), [0])
    with pytest.raises(UserError, match="without a folder"):
        Recorder(N, resume=2)
    with pytest.raises(UserError, match="got resume=True, expected how many epochs"):
        Recorder(N, folder=tmp_path, resume=True)
    epoch_of(Recorder(N, labels=labels(), folder=tmp_path / "plain"), aligned())
    with pytest.raises(UserError, match=r"has label \d for example 0, and this run"):
        epoch_of(Recorder(N, labels=labels() + 1, folder=tmp_path / "plain", resume=1), aligned())
    unlabelled = Recorder(N, folder=tmp_path / "plain", resume=1)
    with pytest.raises(UserError, match="are not those of their rows in an earlier epoch"):
        epoch_of(unlabelled, by_batch(lambda rows, y: (N - 1 - rows, y)))


def test_nothing_of_torchs_or_numpys_randomness_is_used() -> None:
    torch.manual_seed(0)
    state, other = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    recorder = Recorder(N)
    recorder.indexed(data_set())
    epoch_of(recorder, by_batch(lambda rows, y: (rows, y)))
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(other, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.slow
def test_several_processes_write_a_part_each(tmp_path: Path) -> None:
    data, path = data_set(N + 1), tmp_path / "record"
    expected = np.arange(N + 1)[None] + [[1], [2]]
    with processes(tmp_path, 2) as both:
        for resume in (None, 1):
            both(recorded, data, K, path, resume)
            np.testing.assert_array_equal(Recorder.read(path).margin, expected)
        # One of them was killed before it ended the last epoch: both go on as one epoch earlier.
        part = path / "part-1.json"
        part.write_text(part.read_text().replace('"epochs": 2', '"epochs": 1'))
        both(recorded, data, K, path, 1)
    np.testing.assert_array_equal(Recorder.read(path).margin, expected)
