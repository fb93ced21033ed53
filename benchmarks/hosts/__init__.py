"""Several machines in network namespaces, under load, while everything changes."""
