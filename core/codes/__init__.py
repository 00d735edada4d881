"""The code lists that come with Anju, one file for each; `core.code_lists` reads and checks them."""
