"""Reports of experiments, and the looks at them that are kept."""
