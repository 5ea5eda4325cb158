"""Holds what is stored of sessions against what their spans say, all of it read anew."""
