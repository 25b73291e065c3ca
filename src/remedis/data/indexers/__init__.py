"""From data on disk to a manifest, a small file a layout."""
