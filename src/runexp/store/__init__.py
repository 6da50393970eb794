"""What a run leaves on disk: its folder, checkpoints, status and records, every file whole or absent."""
