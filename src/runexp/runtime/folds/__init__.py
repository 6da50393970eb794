"""Folds: rows of feature sets pooled and divided, and what the models of the folds say of the rows held out."""
