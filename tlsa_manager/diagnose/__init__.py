"""From a target to a report: look at it, see what senders do, find what is wrong.

    many.py       targets side by side, in one process or several; one.py a single one
    look.py       one look at one target, through the eyes that eyes.py opens as settings.py wants them
    home/         what this machine's own files and journal say of a lineage
    report.py     the result, and its shape for scripts; facts.py what monitoring and the policy table need besides

Nothing is raised for what is found: a fault of the world is a finding, and so is one of our own.
"""
