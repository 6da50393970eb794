"""What is shown: diagnostics as text, JSON, SARIF and GitHub annotations."""
