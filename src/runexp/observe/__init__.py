"""Who watches a run: the pump that carries its events, and the sinks that receive them."""
