"""Side-by-side measurements of bytesplice and its peers; `bench/run` is the command."""
