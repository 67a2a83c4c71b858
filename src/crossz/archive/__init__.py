"""Everything that touches an archive: where SQL is answered and where frames come from."""
