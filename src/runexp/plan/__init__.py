"""The linked plan: frozen plain data, from one file a part."""
