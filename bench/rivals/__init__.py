"""Three ways to time the same calls: ours, pyperf's and pytest-benchmark's. See ``bench.duel``.

Everything here runs in an environment that holds PyTorch and both tools, and finds the number of
steps that a call takes in the environment variable ``STEPS``.
"""
