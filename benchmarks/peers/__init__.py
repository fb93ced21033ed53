"""Other ways of serving the same graphs, each in its own processes and its own environment.

A peer is one file of `servers/`: what it needs and how it is asked stand in its first comment (inline script metadata,
PEP 723), and it starts with `--port` and `--workers` and arguments of its own. `make lock` writes its requirements;
`python -m benchmarks.peers` builds what is missing, checks that its answers are ours, and measures it beside us.
"""
