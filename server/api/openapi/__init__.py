"""The description at /openapi.json."""
