"""Commands here or by SSH, HTTP, and where secrets come from."""
