"""The image's Dockerfile without Docker: read, built and run as far as Linux itself can."""
