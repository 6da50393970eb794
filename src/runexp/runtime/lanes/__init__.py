"""How batches reach a phase: columns drawn lazily, in lanes of one order each, put together step by step."""
