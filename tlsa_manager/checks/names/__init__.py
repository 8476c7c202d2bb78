"""Where records are, and whether senders come to them."""
