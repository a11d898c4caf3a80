"""Turns the records of a run into tables and a page. Runs nothing and loads no framework.

``load`` reads, ``statistics`` estimates, ``tables`` arranges, ``page`` writes and prints.
"""
