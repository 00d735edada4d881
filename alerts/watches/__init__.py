"""What rules watch for: each condition of a rule file, ready to run on the messages of one device."""
