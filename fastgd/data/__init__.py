"""Checks of user data, and its conversion to the arrays that the engines read."""
