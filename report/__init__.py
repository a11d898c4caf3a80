"""Turns the records of a run into tables and a page. Runs nothing and loads no framework.

``load`` reads, ``statistics`` estimates, ``bootstrap`` gives a second opinion, ``decisions`` comes
to verdicts, ``tables`` arranges, ``page`` writes and prints. ``coverage`` measures, on simulated
data, how often intervals and verdicts are wrong.
"""
