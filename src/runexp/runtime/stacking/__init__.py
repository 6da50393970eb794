"""Several folds trained at once: their weights stacked, one forward pass and one backward pass for all."""
