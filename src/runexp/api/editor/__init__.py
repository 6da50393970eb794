"""The JSON Schema that editors use: the language and, for each `use:`, what the catalog knows of it."""

from runexp.api.editor.layout import schema_text
from runexp.api.editor.schema import editor_schema

__all__ = ["editor_schema", "schema_text"]
