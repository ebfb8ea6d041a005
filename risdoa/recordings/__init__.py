"""Recordings: measured or simulated snapshots, and the files that hold them."""

from risdoa.recordings.base import Reader
from risdoa.recordings.npz import Npz, write_recording
from risdoa.recordings.recording import FORMAT, Recording, recording_from
from risdoa.recordings.sample import sample_path

__all__ = [
    "FORMAT",
    "Npz",
    "Reader",
    "Recording",
    "recording_from",
    "sample_path",
    "write_recording",
]
