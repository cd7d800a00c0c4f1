"""Making two spellings of the same words equal, so that a word error is a mishearing and not a way of writing."""
