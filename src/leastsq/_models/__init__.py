"""Formulas, compiled and native, and models made of models."""
