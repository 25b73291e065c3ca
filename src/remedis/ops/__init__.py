"""Tensor code that serves several parts of the package, each with a plain reference in the tests."""
