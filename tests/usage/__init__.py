"""Tests of modelscan.usage."""
