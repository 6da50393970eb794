"""runexp: an ML experiment as a YAML spec, checked like a program and run like a loop."""

__version__ = "0.1.0"
