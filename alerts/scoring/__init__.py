"""How well rules do against history of which the truth is known: what they found, how late, and what was false."""
