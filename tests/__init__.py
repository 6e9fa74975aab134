"""Tests, one folder per kind (see conftest.py)."""
