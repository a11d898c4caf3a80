"""What the article prints, put together again from facts about it, not from its code.

Each file is one condition, said by the first line of its docstring: it holds if the file runs to
its end. ``nox -s listings`` runs every one in a process of its own and keeps how it ended. What is
wrong with them, on purpose, is what is wrong with the listings; nothing else is.
"""
