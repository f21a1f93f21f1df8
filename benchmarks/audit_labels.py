"""Wrong labels planted in 10,000 images of MNIST, or of any data: what share a list as long as their number misses, and
how far the stated rate of false discoveries is from the true one.

    python benchmarks/audit_labels.py --data mnist:DIR [--rows 10000] [--rate 0.05] [--draws 3] [--cleanlab]
        [--first-row 10000] [--first-seed 100]

Errors are uniform, or each class becomes the one that k nearest neighbours on 50 principal components confuse it with
most. Asked: at most 7% and 9% missing on MNIST, the stated rate within 0.05 of the truth in 18 of 20 draws. Beside
ours: those neighbours alone, and with --cleanlab (`pip install -c constraints.txt -e ".[bench]"`) cleanlab's ranking
by five-fold probabilities of a logistic regression on the pixels, and of these neighbours. All times are seconds of
CPU. The kernel, the features and the caution of the estimate were chosen on the first 10,000 images and seeds 0 to 9:
other rows and seeds tell how well they do on what they have not seen."""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

import byrote
from byrote.audits.label_features import label_features
from byrote.audits.label_votes import RidgeFeatures, nearest_rows, neighbour_votes
from byrote.audits.reading import read_material
from byrote.audits.wrong_labels import find_wrong_labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first-row", type=int, default=0)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cleanlab", action="store_true")
    arguments = parser.parse_args()
    material = read_material(byrote.load(arguments.data))
    rows = material.whole()
    rows = rows.take(np.arange(arguments.first_row, min(arguments.first_row + arguments.rows, len(rows))))
    truth, num_classes = rows.labels, material.num_classes
    started = time.process_time()
    features = label_features(material, rows)
    assert features is not None
    near, ridge = nearest_rows(features), RidgeFeatures(features)
    print(f"{len(rows):,} rows; features, neighbours and kernel: {time.process_time() - started:.1f} s of CPU, once")
    flat = rows.inputs.reshape(len(rows), -1).astype(np.float32) / material.pixel_max
    reduced = PCA(50, random_state=0).fit_transform(flat)
    said = cross_val_predict(KNeighborsClassifier(10), reduced, truth, cv=5)
    confusions = np.zeros((num_classes, num_classes))
    np.add.at(confusions, (truth, said), 1)
    np.fill_diagonal(confusions, 0)
    voters = {
        "neighbours": lambda labels: neighbour_votes(near, labels, num_classes),
        "ridge": lambda labels: ridge.votes(labels, num_classes),
    }
    kinds = ("uniform", "confusable") if arguments.rate else ("none",)
    for kind in kinds:
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.draws):
            labels, wrong = flipped(truth, num_classes, confusions, kind, arguments.rate, seed)
            started = time.process_time()
            found = find_wrong_labels(voters, labels, num_classes, neighbour_votes(near, labels, num_classes))
            seconds = time.process_time() - started
            rates, num = found.rates, int(wrong.sum())
            line = f"{kind} {seed}: {num} errors, estimated {rates.num_errors.mean:.0f}"
            line += f" ({rates.num_errors.low:.0f} to {rates.num_errors.high:.0f}), by {found.voter}"
            listed = rates.order[: found.rates.num_likely]
            if len(listed):
                cut = rates.cut_at(len(listed))
                false = 1 - wrong[listed].mean()
                line += (
                    f"; of {len(listed)} listed {100 * false:.1f}% false, stated {100 * rates.false_share[cut]:.1f}%"
                )
            if num:
                cut = rates.cut_at(num)
                false = 1 - wrong[rates.order[: rates.cut_sizes[cut]]].mean()
                line += f"; of {num}, {100 * false:.1f}% false, stated {100 * rates.false_share[cut]:.1f}%"
                line += f"; missing {100 * missing(found.scores, wrong):.1f}%"
                own = KNeighborsClassifier(10)
                chances = cross_val_predict(own, reduced, labels, cv=5, method="predict_proba")
                line += f", neighbours of pixels {100 * missing(-chances[np.arange(len(labels)), labels], wrong):.1f}%"
            print(f"{line} ({seconds:.1f} s)", flush=True)
            if arguments.cleanlab and num:
                beside_cleanlab(flat, reduced, labels, wrong)


def flipped(
    truth: np.ndarray, num_classes: int, confusions: np.ndarray, kind: str, rate: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    rows = draw.choice(len(truth), round(rate * len(truth)), replace=False)
    labels = truth.copy()
    if kind == "uniform":
        labels[rows] = (truth[rows] + draw.integers(1, num_classes, len(rows))) % num_classes
    elif kind == "confusable":
        labels[rows] = confusions.argmax(axis=1)[truth[rows]]
    return labels, labels != truth


def missing(scores: np.ndarray, wrong: np.ndarray) -> float:
    """The share of errors that a list as long as their number does not have."""
    return float(1 - wrong[np.argsort(-scores, kind="stable")[: wrong.sum()]].mean())


def beside_cleanlab(flat: np.ndarray, reduced: np.ndarray, labels: np.ndarray, wrong: np.ndarray) -> None:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    models = {
        "logistic regression on pixels": (LogisticRegression(max_iter=200), flat),
        "neighbours of pixels": (KNeighborsClassifier(10), reduced),
    }
    for name, (model, inputs) in models.items():
        started = time.process_time()
        chances = cross_val_predict(model, inputs, labels, cv=5, method="predict_proba")
        scores = -get_label_quality_scores(labels, chances)
        issues = find_label_issues(labels, chances)
        false = 100 * (1 - wrong[issues].mean()) if issues.any() else 0.0
        seconds = time.process_time() - started
        print(
            f"    cleanlab, {name}: missing {100 * missing(scores, wrong):.1f}%; flags {issues.sum()}, of which "
            f"{false:.1f}% false ({seconds:.1f} s)",
            flush=True,
        )


if __name__ == "__main__":
    main()
