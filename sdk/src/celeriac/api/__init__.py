"""The resources of the API group ``celeriac.dev`` as pydantic models, shared by the SDK and the operator."""
