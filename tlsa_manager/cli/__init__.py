"""The voice: one command a file. Only this folder prints.

Answers go to stdout; errors, hints and notes to stderr, so that a pipe carries answers only. Text for people on a terminal,
plain text in a pipe, one JSON object with `"schema": 1` on `--json`. A message begins without a capital letter and ends
without a full stop; a hint says what to do next. `ending.py` is the one place where an error becomes text and exit code.
"""
