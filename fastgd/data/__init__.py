"""Users' data, checked and converted to what the engines read."""
