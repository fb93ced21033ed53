"""The description of the HTTP interface, as OpenAPI 3.1."""
