"""What is on disk: a version's manifest and graphs, checked before anything is loaded."""
