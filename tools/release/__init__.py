"""What `make release-check` does before a release, and what `make release-verify` does with its files."""
