"""The handlers of the keeper's endpoints, one module per resource."""
