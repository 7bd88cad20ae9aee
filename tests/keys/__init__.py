"""Tests of modelscan.keys."""
