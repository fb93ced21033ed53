"""The workers of this server and the bundles that they serve, and the other replicas."""
