"""One codec per file; `cachemw_codecs.table` lists them."""
