"""What the pipeline costs, measured stage by stage beside its peers: `make bench`.

Nothing here is run by the tests but on tiny input, and no test asserts a time. Figures are ratios
of one run: see docs/performance.md, which this package writes.
"""
