"""How much does it take, and what breaks first? What docs/capacity.md measures, and what it computes from that.

Each module measures one thing: `serving` the requests a second of a core, `memory` the pages of each process, `growth`
the size of the stores, `writers` what the stores take from several replicas, `balancer` the load balancer in front.
`plan` computes the second half of the page from the figures that stand on the first half.
"""
