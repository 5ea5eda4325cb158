"""Live clients: published SDKs, from their registries, against the real process. Opt-in: `make test-sdks`."""
