"""Other servers for the same graphs, each in its own processes and its own environment.

A peer is one file of `servers/`. Its first comment (inline script metadata, PEP 723) has its dependencies and the form
of its requests. It starts with `--port`, `--workers` and arguments of its own. `make lock` writes its requirements.
`python -m benchmarks.peers` installs missing peers, checks that their answers equal this server's, and measures them
beside this server.
"""
