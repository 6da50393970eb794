"""Data larger than memory: read by groups of rows, divided, transformed, mixed and drawn as it streams by."""
