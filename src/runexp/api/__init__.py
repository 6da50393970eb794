"""Wires the rooms together: what the command line and Python programs do with a spec."""
