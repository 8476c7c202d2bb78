"""What servers present, and to whom."""
