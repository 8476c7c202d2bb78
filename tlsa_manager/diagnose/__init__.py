"""From a target to a report: look at it, see what senders do, find what is wrong."""
