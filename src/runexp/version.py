"""The version of runexp."""

__version__ = "0.1.0"
