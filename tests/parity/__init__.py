"""Every component against an independent reference; docs/parity.md has the table."""
