"""From what the sources said to a specification: rules, each value citing the record it rests on."""
