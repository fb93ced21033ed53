"""Takes over the experiments of the service that this one replaces. Deletable once nobody comes from there."""
