"""Pages that people show: figures, tables and images of what other commands made, in one HTML file."""
