"""What is done with stores as they are, without any study: `byrote merge`, `byrote runs`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from byrote.cli.flags import Merge, Runs
from byrote.errors import UserError
from byrote.masking import masked

if TYPE_CHECKING:
    from byrote.runs.listing import Listed
    from byrote.runs.merge import Left, Merged
    from byrote.runs.store import Store

_MOST_NAMED, _MOST_SHOWN, _WIDTH = 10, 40, 120


def merge_stores(command: Merge) -> int:
    """Merges the stores, in their order. Returns 3 where something was left out, of which it says what."""
    from byrote.runs.display import Display
    from byrote.runs.merge import merge, refuse_same
    from byrote.runs.store import Store

    if len(command.stores) < 1 or not all(command.stores):
        raise UserError("got no store to merge, expected some: byrote merge A.db B.db --into C.db")
    is_whole = True
    with ExitStack() as stack:
        sources = [stack.enter_context(existing_store(name)) for name in command.stores]
        into = stack.enter_context(Store(command.into))
        for source in sources:
            refuse_same(source, into)
        display = stack.enter_context(Display(sum(source.num_stored() for source in sources), 0))
        for source in sources:
            display.describe(f"from {source.name}")
            merged = merge(source, into, display.advance)
            is_whole &= merged.is_whole
            display.print(_said(merged, into.name))
        number = into.num_stored()
    print(f"{into.name} has {number:,} runs and calculations.")
    return 0 if is_whole else 3


def show_runs(command: Runs) -> int:
    """Lists, exports or removes what is chosen. Returns 3 where something to be exported could not be read."""
    from byrote.runs.export import check_format, export
    from byrote.runs.listing import Choice, listed, remove
    from byrote.runs.tables import RUNS

    choice = Choice(command.model, command.data, command.corruption, command.key, command.before, command.unreadable)
    if command.export is not None:
        check_format(command.export)
    if command.yes and not command.prune:
        raise UserError("got --yes without --prune: give both, or neither")
    if command.prune and choice.is_all:
        raise UserError(
            "got --prune without anything that says what is to be removed: give --model, --data, --corruption, --key, "
            "--before or --unreadable"
        )
    if command.prune and command.export is not None:
        raise UserError("got --prune and --export: export first, then prune with another command")
    with existing_store(command.store) as store:
        chosen = list(listed(store, choice))
        if command.export is not None:
            keys = [each.key for each in chosen if each.table is RUNS]
            num_unread = export(store, keys, command.export)
            print(f"{command.export} has {len(keys) - num_unread:,} runs.")
            if num_unread:
                print(f"byrote: {num_unread:,} runs cannot be read: --unreadable lists them", file=sys.stderr)
            return 3 if num_unread else 0
        _print_table(chosen)
        whole = f"{store.num_stored():,}" if not choice.is_all else ""
        print(_sum(chosen) + (f", of {whole} in all." if whole else "."))
        if command.prune and not command.yes:
            print("Nothing was removed: --yes removes these for good.")
        elif command.prune:
            remove(store, chosen)
            print("These were removed.")
    return 0


def _print_table(chosen: Sequence[Listed]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from byrote.runs.forecast import size

    table = Table("key", "what", "data", "test accuracy", "size", "stored (UTC)", box=SIMPLE_HEAD, pad_edge=False)
    for each in chosen[-_MOST_SHOWN:]:
        accuracy = "" if each.test_accuracy is None else f"{each.test_accuracy:.3f}"
        weights = " + weights" if each.has_weights else ""
        table.add_row(str(each.key)[:12], each.label, each.data, accuracy, size(each.num_bytes) + weights, each.created)
    if not chosen:
        return
    Console(highlight=False, markup=False, width=_WIDTH).print(table)
    if len(chosen) > _MOST_SHOWN:
        print(f"{len(chosen) - _MOST_SHOWN:,} older ones are not shown; --export writes all runs to a file.")


def _sum(chosen: Sequence[Listed]) -> str:
    from byrote.runs.forecast import size
    from byrote.runs.tables import RUNS

    num_runs = sum(each.table is RUNS for each in chosen)
    others = len(chosen) - num_runs
    counts = f"{num_runs:,} run{'s' * (num_runs != 1)} and {others:,} calculation{'s' * (others != 1)}"
    return f"{counts}, {size(sum(each.num_bytes for each in chosen))}" if chosen else counts


def existing_store(name: str) -> Store:
    """The store of this name; of a folder, its runs.db.

    Raises:
        UserError: there is none.
    """
    from byrote.runs.store import Store

    is_folder = "://" not in name and Path(name).is_dir()
    found = Store.existing(Path(name) / "runs.db" if is_folder else name)
    if found is None:
        what = "a folder without runs.db" if is_folder else "where there is no store"
        raise UserError(
            f"got {masked(name)}, {what}: give the file or database URL of finished runs, or the OUT folder of an "
            "earlier command"
        )
    return found


def _said(merged: Merged, into: str) -> str:
    lines = [f"{merged.source}: {merged.num_added:,} added, {merged.num_there:,} there already"]
    for left, why in (
        (merged.conflicts, f"left out, since {into} has other numbers for them, which stay"),
        (merged.damaged, "left out, since they do not match their checksums"),
        (merged.without_weights, "added without weights, which are lost or damaged, or have no place there"),
    ):
        if left:
            lines += [f"  {len(left):,} {why}:", *_listed(left)]
    return "\n".join(lines)


def _listed(left: Sequence[Left]) -> list[str]:
    more = [f"    and {len(left) - _MOST_NAMED:,} more"] if len(left) > _MOST_NAMED else []
    return [*(f"    {each.label} ({each.key[:12]})" for each in left[:_MOST_NAMED]), *more]
