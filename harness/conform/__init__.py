"""`harness conform`: one probe for each fact, tried on a real instance."""
