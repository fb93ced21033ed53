"""The processes of a server: gunicorn's workers, the keeper, and the folder that they share."""
