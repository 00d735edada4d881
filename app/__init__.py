"""The composition root: settings, wiring, lifecycle and the ``anju`` command."""
