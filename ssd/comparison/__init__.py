"""What differs between two runs, or two sets of them: settings, code, data, packages, machine, and the results."""
