"""A trained detector behind HTTP. It imports neither Hydra nor MLflow, and a framework only where the file needs it."""
