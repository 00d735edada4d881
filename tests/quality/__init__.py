"""A scored corpus: estates of known truth, driven through decoder, engine and notifications; figures per rule."""
