"""A real Kubernetes for development and the end-to-end tests.

`python -m e2e.cluster up` gives a cluster on any of three providers (see `settings.Provider`). The embedded one,
`local`, needs neither Docker nor a container registry. It lives beside the product, not in it: nothing in `sdk/` or
`operator/` imports this package.
"""
