"""What is shown: diagnostics, plans and results as text. Each page is a module of its own."""
