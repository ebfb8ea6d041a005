"""Recordings: measured or simulated snapshots in a file, in the layout ``risdoa-recording/1``."""

from risdoa.recordings.archive import read_recording, write_recording
from risdoa.recordings.recording import FORMAT, Recording, recording_from
from risdoa.recordings.sample import sample_path

__all__ = [
    "FORMAT",
    "Recording",
    "read_recording",
    "recording_from",
    "sample_path",
    "write_recording",
]
