"""Diagnosis: is the installation sound, what does a model cost, are the conventions right?"""
