"""The live things: the only room that imports torch, scikit-learn, numpy and pyarrow."""
