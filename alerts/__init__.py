"""Rules, the engine that evaluates them, and the life of the alerts they raise."""
