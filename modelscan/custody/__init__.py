"""What is kept secret at rest: the master key, what is sealed under it, and how it is changed."""
