"""Results → pages of HTML that stand alone: no network, no torch, one file."""
