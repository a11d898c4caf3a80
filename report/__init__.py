"""Turns the records of a run into tables and a page. Runs nothing and loads no framework.

``load`` reads, by ``parse`` and ``parts``, into ``frames``; ``processes`` finds, with ``steady``
and ``covariates``, what of each trial counts; ``statistics`` estimates, ``bootstrap`` gives a
second opinion, ``decisions`` comes to verdicts, of speeds in ``ratios``; ``sections`` parts what
cannot be compared, ``tables`` arranges, ``page`` writes and prints. ``coverage`` measures, on
simulated data, how often intervals and verdicts are wrong; ``precision`` tells the harness how wide
the widest interval is. ``regressions`` judges two states, by pairs that ``covariance`` adjusts.
"""
