"""Slow answers that are right by definition, and share no formula with the code under test."""
