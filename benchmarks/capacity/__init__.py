"""How much does it take, and what breaks first? docs/capacity-measured.md, and docs/capacity.md.

Each module measures one thing: `serving` the requests a second of a core, `memory` the pages of each process, `growth`
the size of the stores, `writers` what the stores take from several replicas, `backlog` what stays in their journals,
`balancer` the load balancer in front. `plan` computes docs/capacity.md from the figures that stand on the other page.
"""
