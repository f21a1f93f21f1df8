"""Hooks that are not needed do nothing; private names are not there."""

from __future__ import annotations

import pytest

from byrote.recording.callback_hooks import CallbackHooks


def test_any_hook_is_answered() -> None:
    assert CallbackHooks().on_whatever_end(1, two=2) is None
    with pytest.raises(AttributeError):
        _ = CallbackHooks()._ipython_display_
