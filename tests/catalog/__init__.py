"""Tests of modelscan.catalog."""
