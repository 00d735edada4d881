"""One module per noun; each only translates between HTTP and the ports."""
