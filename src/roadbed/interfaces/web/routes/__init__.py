"""One module per group of pages; each lists its routes in ``PAGES`` as (method, path, page)."""
