"""What a run keeps of rows and steps because a phase asked for it: predictions, outputs, gradients."""
