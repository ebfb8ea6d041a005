"""Evaluation: which estimate belongs to which source, how far off it is, how methods compare."""
