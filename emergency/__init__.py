"""The one-tap call for help; holds its place in the layering until the call is built."""
