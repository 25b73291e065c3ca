"""Images and tables: readers, profiles, manifests, splits, loaders, packs, phantoms."""
