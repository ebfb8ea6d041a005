"""Timings against stated references and against the rates of the machine, in one run."""
