"""The one-tap call: its states, the ladder of people, the rescue clock, drills, and proof that the path works."""
