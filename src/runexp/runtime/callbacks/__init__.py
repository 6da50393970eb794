"""Callbacks that need what is live: weights, gradients, the optimizer, code of the user's, files."""

from runexp.runtime.callbacks.around import open_experiment_callback
from runexp.runtime.callbacks.opening import open_callback

__all__ = ["open_callback", "open_experiment_callback"]
