"""What the user gives: versions.toml, feature lists and metadata, checked without TensorFlow."""
