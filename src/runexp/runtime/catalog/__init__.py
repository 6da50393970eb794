"""The catalog's generator: looks at the installed libraries and writes down what `use:` can name."""

from runexp.runtime.catalog.generate import catalog_files, generate

__all__ = ["catalog_files", "generate"]
