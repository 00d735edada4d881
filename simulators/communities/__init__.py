"""Communities that ship with Anju, one YAML file each."""
