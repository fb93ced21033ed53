"""The page at /docs: Swagger UI, from the package flask-swagger-ui, on the description of this server."""
