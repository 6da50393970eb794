"""The live graph: how its nodes are made and run."""
