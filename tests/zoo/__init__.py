"""The fault zoo: one scenario for each fault that can be found, with real servers wherever they can be made to misbehave."""
