"""The lock of a journal: one holder at a time, whatever interrupts it."""

import fcntl
from types import SimpleNamespace

import pytest

from risdoa.tuning import presence
from risdoa.tuning.presence import JournalLock


def is_free(path):
    with path.open("r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_one_holds_it_until_it_is_released(tmp_path):
    path = tmp_path / "journal.lock"
    lock = JournalLock(path)
    for _ in range(2):
        assert lock.acquire()
        assert not is_free(path)
        lock.release()
        assert is_free(path)


def test_an_interrupt_before_the_release_does_not_lock_its_own_process_out(tmp_path):
    path = tmp_path / "journal.lock"
    lock = JournalLock(path)
    lock.acquire()
    assert lock.acquire()
    assert not is_free(path)
    lock.release()
    assert is_free(path)
    lock.release()


def test_an_interrupt_while_waiting_leaves_nothing_held(tmp_path, monkeypatch):
    path = tmp_path / "journal.lock"

    def interrupted(stream, operation):
        fcntl.flock(stream, operation)
        raise KeyboardInterrupt

    lock = JournalLock(path)
    with monkeypatch.context() as patch:
        fake = SimpleNamespace(flock=interrupted, LOCK_EX=fcntl.LOCK_EX)
        patch.setattr(presence, "fcntl", fake)
        with pytest.raises(KeyboardInterrupt):
            lock.acquire()
    assert is_free(path)
    assert lock.acquire()
    lock.release()
