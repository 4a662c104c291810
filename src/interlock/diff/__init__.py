"""Compare the two clusters' data exactly, while the writer goes on: by chunks, then rows, then proof."""
