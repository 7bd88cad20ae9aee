"""From a specification to files: rendered from templates, passed by the gate, published atomically."""
