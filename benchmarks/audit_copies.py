"""Planted copies across the split of CIFAR-10, or of any images: what share is found, and how long the scan takes.

    python benchmarks/audit_copies.py --data parquet:DIR [--copies 200]

Asked: at least 95% of 200 (mirrored, shifted by 2 pixels, JPEG quality 50, brightness +20%; 50 each), the scan of
60,000 images in 60 s on two cores. The CPU time is told too: on a busy machine it is what can be compared."""

from __future__ import annotations

import argparse
import time

import numpy as np

import byrote
from byrote.audits.identical_rows import identical_rows
from byrote.audits.near_duplicates import near_duplicates
from byrote.audits.planted_copies import IMAGE_COPIES, copied_images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    data = byrote.load(arguments.data)
    draw = np.random.default_rng(arguments.seed)
    num_train, num_test = len(data.train), len(data.test)
    images = np.concatenate([data.train.inputs, data.test.inputs])
    own = draw.choice(num_train, arguments.copies, replace=False)
    at = num_train + draw.choice(num_test, arguments.copies, replace=False)
    if arguments.copies:
        images[at], ways = copied_images(images[own], draw)
    started, cpu = time.perf_counter(), time.process_time()
    identical = identical_rows(images, "images")
    found = near_duplicates(images, "images", data.pixel_max, identical)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(f"scan of {len(images):,} images: {seconds:.0f} s, {cpu:.0f} s of CPU")
    assert found is not None
    is_train = (found.first < num_train, found.second < num_train)
    across, within = int((is_train[0] & ~is_train[1]).sum()), int((is_train[0] & is_train[1]).sum())
    print(f"{identical.num_pairs:,} identical pairs; near ones: p = {found.p_value:.2g}, cut at {found.cut:.2f}")
    print(f"{len(found.first):,} near pairs, {across:,} of them across the split, {within:,} within training")
    flagged = set(found.second[is_train[0] & ~is_train[1]].tolist())
    if arguments.copies:
        for way in IMAGE_COPIES:
            rows = [row for row, each in zip(at.tolist(), ways, strict=True) if each == way]
            print(f"{way}: {sum(row in flagged for row in rows)} of {len(rows)}")


if __name__ == "__main__":
    main()
