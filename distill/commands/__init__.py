"""One file per command: its arguments and what it prints. Nothing imports a command."""
