"""What all resources of the API share: parameters, answers, access and the OpenAPI document."""
