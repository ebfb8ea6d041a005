"""Batches side by side."""

from __future__ import annotations

import threading

import pytest
import torch

from risdoa.threads import side_by_side


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_two_items_run_at_once_and_come_in_order():
    meeting = threading.Barrier(2, timeout=20)

    def doubled(item):
        meeting.wait()  # passes only if both are there
        return 2 * item

    assert side_by_side(doubled, [1, 2]) == [2, 4]


def test_an_item_has_one_thread_of_torch_and_no_gradients():
    seen = side_by_side(lambda _: (torch.get_num_threads(), torch.is_grad_enabled()), range(4))
    assert seen == [(1, False)] * 4
    assert torch.get_num_threads() == 2


def test_calls_within_a_call_stay_in_its_thread():
    def inner(_):
        return threading.get_ident()

    for ident, inside in side_by_side(
        lambda _: (threading.get_ident(), side_by_side(inner, range(3))), range(2)
    ):
        assert set(inside) == {ident}


def test_an_error_comes_through_and_the_threads_are_put_back():
    def fails(item):
        if item == 1:
            raise ValueError("one")
        return item

    with pytest.raises(ValueError, match="one"):
        side_by_side(fails, [0, 1, 2])
    assert torch.get_num_threads() == 2
    assert side_by_side(fails, [0, 2]) == [0, 2]
