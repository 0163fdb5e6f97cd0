"""Files that anyone may have made, read as data; fetched and unpacked into a cache."""
