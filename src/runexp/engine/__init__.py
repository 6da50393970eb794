"""The interpreter: phases, callbacks, checkpoint rules, experiment, preview. Drives a runtime; imports no torch."""
