"""The page at /dashboard: its built files, and what workers and keeper share for it."""
