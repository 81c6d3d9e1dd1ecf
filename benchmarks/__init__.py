"""How fast fastgd is, beside the machine's limit and beside others.

    pytest benchmarks     every workload on every engine (pytest-benchmark)

`rounds.training` lets fastgd and the peers that are installed (`peers.CONTENDERS`) take turns on a workload, each in a
process of its own.  Answers are checked against the NumPy engine in float64 before anything is timed.
"""
